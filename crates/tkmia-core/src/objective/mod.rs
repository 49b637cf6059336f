//! The losses that attacks descend, one file each.

mod tkmia;

use std::fmt::Debug;

use burn::tensor::Tensor;

use crate::Goal;
pub use tkmia::{Lambdas, Margins, TkmiaObjective, eq3, eq6};

/// A loss per sample, as a function of the scores alone.
///
/// What pulls the perturbation's norm down isn't part of it: that is the solver's.
pub trait Objective: Debug + Send + Sync {
    /// The loss of each row; rows never influence each other.
    ///
    /// # Shapes
    /// - scores: `[batch, classes]`, rows as in `goal`
    /// - output: `[batch]`
    fn loss(&self, scores: Tensor<2>, goal: &Goal) -> Tensor<1>;
}
