//! [`Search`]: ways to a perturbation at which all that is wanted holds, and their order.

mod first_order;
mod schedule;
mod sequential;
mod target;

pub(crate) use schedule::{first, next};

use super::model::Model;
use super::task::{Start, Task};
use crate::readback::Scored;

/// How the image moves until its norm is as small as it gets.
pub(crate) trait Search: std::fmt::Debug + Send + Sync {
    /// The scores at the perturbation last proposed, and whether all that is wanted holds there; gives
    /// the weights of the scores whose gradient it needs.
    fn seen(&mut self, task: &Task, start: &Start, now: &Scored, met: bool) -> Vec<(usize, f64)>;

    /// That gradient; gives what to look at next, or nothing where the search is over.
    fn learn(&mut self, task: &Task, start: &Start, gradient: &[f32]) -> Option<Vec<f32>>;

    /// What to look at first.
    fn begins_at(&self) -> &[f32];

    /// The scores near the last perturbation, as far as the search knows.
    fn model(&self) -> &Model;
}
