//! Which search comes when: the [`first`] one, and the [`next`] as long as passes are left.

use super::super::settings::Solver;
use super::super::task::{Found, Start, Task};
use super::Search;
use super::first_order::FirstOrder;
use super::sequential::Sequential;
use crate::Norm;

/// Passes for the rows that a resumed search fetches.
const ROWS: usize = 12;
/// Steps of a search that goes on from the best perturbation, at least and at most.
const RESUMED: [usize; 2] = [20, 60];
/// Steps of a first-order search beside it, at least and at most.
const AFRESH: [usize; 2] = [100, 300];

pub(crate) fn first(task: &Task, start: &Start) -> Box<dyn Search> {
    let steps = task.max_passes - task.reserve();
    match task.solver {
        Solver::Sequential => Box::new(Sequential::new(task, start, true)),
        Solver::SequentialByScore => Box::new(Sequential::new(task, start, false)),
        // In L∞ no rows are fetched for rounding.
        Solver::FirstOrder => Box::new(FirstOrder::new(
            task,
            match task.measured_by {
                Norm::L2 => steps.saturating_sub(ROWS),
                Norm::Linf => steps,
            },
        )),
    }
}

/// The search after so many that are over, with so many passes left, nothing where there is none.
///
/// The sequential solvers go on from the best perturbation with rows fetched anew, then look for another
/// one by first-order steps from the unattacked image, and go on from the better of both. The first-order
/// solver fetches rows and makes no step with them: without a model nothing can be said of rounding.
pub(crate) fn next(
    task: &Task,
    start: &Start,
    best: &Found,
    over: usize,
    left: usize,
) -> Option<Box<dyn Search>> {
    let left = left.checked_sub(task.reserve() + ROWS)?;
    let resumed = |steps| Box::new(Sequential::resumed(task, start, best, steps));
    match (task.solver, over) {
        (Solver::FirstOrder, 1) if task.measured_by == Norm::L2 => Some(resumed(0)),
        (Solver::Sequential | Solver::SequentialByScore, 1 | 3) => {
            (left >= RESUMED[0]).then(|| resumed(left.min(RESUMED[1])) as _)
        }
        (Solver::Sequential | Solver::SequentialByScore, 2) => {
            // What follows it has its passes too.
            let steps = left.checked_sub(RESUMED[1]).filter(|&steps| steps >= AFRESH[0])?;
            Some(Box::new(FirstOrder::new(task, steps.min(AFRESH[1]))))
        }
        _ => None,
    }
}
