//! [`StepRule`]: how a gradient attack moves its variable.

mod auto_pgd;
mod pgd;
mod sgd;

use std::fmt::Debug;

use burn::tensor::Tensor;

pub use auto_pgd::AutoPgd;
pub use pgd::{MiFgsm, Pgd};
pub use sgd::Sgd;

/// A rule for steps along a gradient; rows never influence each other.
pub trait StepRule: Debug + Send + Sync {
    /// The rule at work on a batch.
    fn start(&self) -> Box<dyn Stepping + '_>;
}

/// An [`StepRule`] at work: it remembers what it needs of the steps before.
pub trait Stepping {
    /// The variable after one step. Its loss is to fall.
    fn step(&mut self, at: At<'_>) -> Tensor<4>;

    /// Forgets all rows but those at these positions of the last step.
    fn keep(&mut self, positions: &[usize]);
}

/// Where a step starts.
#[derive(Debug)]
pub struct At<'a> {
    /// `[rows, 3, height, width]`
    pub variable: Tensor<4>,
    /// Of the loss, with respect to the variable. Same shape.
    pub gradient: Tensor<4>,
    /// The loss of each row.
    pub loss: &'a [f32],
}
