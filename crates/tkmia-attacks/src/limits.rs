//! [`Passes`] and [`Limits`]: what an attack costs, and what it may cost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AttackError;
use crate::error::check;

/// Passes of one image through a classifier.
///
/// Jacobian rows are counted one by one. An image that needs no backward pass while others of its batch do may be
/// carried along in theirs, which isn't counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passes {
    /// Forward passes.
    pub forward: usize,
    /// Backward passes.
    pub backward: usize,
}

/// How far an attack may go on each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct Limits {
    /// Forward passes in the loop for each image at most; for kfool, ml-dp and jma steps, for square queries, for min-norm all passes, for
    /// universal attacks rounds over the images. In the paper 100, 300 or 500
    pub max_iterations: usize,
    /// Forward passes for each image at most, Jacobian rows included [default: no cap]
    pub max_forward: Option<usize>,
    /// Backward passes for each image at most [default: no cap]
    pub max_backward: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_iterations: 300, max_forward: None, max_backward: None }
    }
}

impl Limits {
    pub(crate) fn check(&self) -> Result<(), AttackError> {
        let (iterations, forward) = (self.max_iterations, self.max_forward);
        check("max iterations", "at least 1", iterations as f64, iterations > 0)?;
        let enough = forward.is_none_or(|forward| forward > 0);
        check("max forward passes", "at least 1", forward.unwrap_or_default() as f64, enough)
    }

    /// The steps of this cost each between two forward passes.
    pub(crate) fn steps(&self, step: Passes) -> usize {
        let within = |most: Option<usize>, each: usize| most.map_or(usize::MAX, |most| most / each);
        let forward = self.max_forward.map(|most| most.saturating_sub(1));
        let steps = self.max_iterations.saturating_sub(1);
        steps.min(within(forward, step.forward + 1)).min(within(self.max_backward, step.backward))
    }

    /// The same with iterations that are steps: there is one look more.
    pub(crate) fn of_steps(self) -> Self {
        Self { max_iterations: self.max_iterations + 1, ..self }
    }

    /// Whether, with that much spent, a step of this cost and a look at what it did are left.
    pub(crate) fn allow(&self, spent: Passes, step: Passes) -> bool {
        let forward = spent.forward + step.forward + 1;
        let backward = spent.backward + step.backward;
        self.max_forward.is_none_or(|most| forward <= most)
            && self.max_backward.is_none_or(|most| backward <= most)
    }

    /// The passes of so many steps of this cost and the looks before, between and behind them.
    pub(crate) fn cap(&self, passes: Passes) -> Passes {
        let cap = |passes: usize, most: Option<usize>| most.map_or(passes, |most| passes.min(most));
        Passes {
            forward: cap(passes.forward, self.max_forward),
            backward: cap(passes.backward, self.max_backward),
        }
    }
}
