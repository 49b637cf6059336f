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

/// The search after so many that are over, with so many passes left, nothing where there is none.
///
/// The sequential solvers find the nearest perturbation of the valley that they get into, so that others are tried
/// in turn: first-order steps from the unattacked image, then steps from the best that these found. Where nothing
/// was found yet, first-order steps have all passes. The first-order solver fetches rows and makes no step with
/// them: without a model nothing can be said of rounding.
pub(crate) fn next(
    task: &Task,
    start: &Start,
    found: Option<&Found>,
    over: usize,
    left: usize,
) -> Option<Box<dyn Search>> {
    let Some(found) = found else {
        return (over == 1).then(|| Box::new(FirstOrder::new(task, left)) as _);
    };
    let left = left.checked_sub(task.reserve() + ROWS)?;
    let resumed = |steps| Box::new(Sequential::resumed(task, start, found, steps));
    match (task.solver, over) {
        (Solver::FirstOrder, 1) if task.measured_by == Norm::L2 => Some(resumed(0)),
        (Solver::FirstOrder, _) => None,
        (_, over) if over % 2 == 1 => {
            let steps = left.checked_sub(POLISH).filter(|&steps| steps >= ELSEWHERE - 5)?;
            Some(Box::new(FirstOrder::new(task, steps.min(ELSEWHERE * over.div_ceil(2)))))
        }
        _ => (left >= RESUMED[0]).then(|| resumed(left.min(RESUMED[1])) as _),
    }
}
