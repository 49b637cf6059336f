//! Which search comes when: the [`first`] one, and the [`next`] as long as passes are left.

use super::super::settings::Solver;
use super::super::task::{Found, Start, Task};
use super::Search;
use super::first_order::FirstOrder;
use super::sequential::Sequential;
use crate::Norm;

/// Passes for the rows that a resumed search fetches.
const ROWS: usize = 8;
/// Steps of a resumed search, at least and at most.
const RESUMED: [usize; 2] = [8, 30];
/// Steps of the first search from elsewhere; each later one has so many more.
const ELSEWHERE: usize = 25;
/// Steps of a search elsewhere where nothing was found yet, at most.
const LONGEST: usize = 150;
/// Passes that are left to the search that goes on from what it finds.
const POLISH: usize = 15;

pub(crate) fn first(task: &Task, start: &Start) -> Box<dyn Search> {
    match task.solver {
        Solver::Sequential => Box::new(Sequential::new(task, start, true)),
        Solver::SequentialByScore => Box::new(Sequential::new(task, start, false)),
        Solver::FirstOrder => {
            let rows = if task.measured_by == Norm::L2 { ROWS } else { 0 };
            Box::new(FirstOrder::new(task, (task.max_passes - task.reserve()).saturating_sub(rows)))
        }
    }
}

/// The search after so many that are over, the last of them at this distance, with so many passes left; nothing
/// where there is none.
///
/// The sequential solvers find the nearest perturbation of the valley that they get into, so that others are tried
/// in turn: first-order steps from the unattacked image and then from random points, each followed by steps
/// from the best that they found. Where nothing was found yet, first-order steps go on until something is. The first-order solver
/// fetches rows and makes no step with them: without a model nothing can be said of rounding.
pub(crate) fn next(
    task: &Task,
    start: &Start,
    found: Option<&Found>,
    (over, distance): (usize, f64),
    left: usize,
) -> Option<Box<dyn Search>> {
    let elsewhere = |steps| -> Box<dyn Search> {
        Box::new(match over {
            1 => FirstOrder::new(task, steps),
            _ => FirstOrder::around(task, steps, distance, over as u64),
        })
    };
    let first_order = task.solver == Solver::FirstOrder;
    let Some(found) = found else {
        // Where steps led nowhere others would too.
        let goes_on = over == 1 || (distance > 0.0 && !first_order);
        return goes_on.then(|| elsewhere(left.min(LONGEST)));
    };
    let left = left.checked_sub(task.reserve() + ROWS)?;
    let resumed = |steps| Some(Box::new(Sequential::resumed(task, start, found, steps)) as _);
    let resumes = over % 2 == 0;
    match over {
        1 if first_order && task.measured_by == Norm::L2 => resumed(0),
        _ if first_order => None,
        over if !resumes && left >= POLISH + ELSEWHERE - 5 => {
            Some(elsewhere((left - POLISH).min(ELSEWHERE * over.div_ceil(2))))
        }
        // For another valley too few are left: after the first search they go into its own.
        over if (resumes || over == 1) && left >= RESUMED[0] => resumed(left.min(RESUMED[1])),
        _ => None,
    }
}
