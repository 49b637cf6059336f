//! [`Budget`] and [`Passes`]: what an attack may cost, and what it did.

use serde::{Deserialize, Serialize};

/// Passes of one image through a classifier.
///
/// Jacobian rows are counted one by one. An image that is done while others of its batch go on may be
/// carried along in one more backward pass, which isn't counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passes {
    /// Forward passes.
    pub forward: usize,
    /// Backward passes.
    pub backward: usize,
}

/// What an attack may spend on each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Iterations at most; one step less than that.
    pub iterations: usize,
    /// Forward passes at most, whatever they are for.
    pub forward: Option<usize>,
    /// Backward passes at most.
    pub backward: Option<usize>,
}

impl Budget {
    /// The same with iterations that are steps: there is one look more.
    pub(crate) fn of_steps(self) -> Self {
        Self { iterations: self.iterations + 1, ..self }
    }

    /// Whether, with that much spent, a step of this cost and a look at what it did are left.
    pub(crate) fn allows(&self, spent: Passes, step: Passes) -> bool {
        let forward = spent.forward + step.forward + 1;
        let backward = spent.backward + step.backward;
        self.forward.is_none_or(|most| forward <= most)
            && self.backward.is_none_or(|most| backward <= most)
    }
}
