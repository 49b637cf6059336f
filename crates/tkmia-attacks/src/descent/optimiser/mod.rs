//! [`StepRule`]: how a gradient attack moves its variable.

mod adamw;
mod auto_pgd;
mod ddn;
mod fmn;
mod pgd;
mod sgd;

use std::f64::consts::PI;
use std::fmt::Debug;

use burn::tensor::Tensor;
use tkmia_core::Bounds;

use super::Space;

pub use adamw::Adamw;
pub use auto_pgd::AutoPgd;
pub use ddn::Ddn;
pub use fmn::Fmn;
pub use pgd::{MiFgsm, Pgd};
pub use sgd::Sgd;

pub(crate) use sgd::Velocity;

/// A rule for steps along a gradient; rows never influence each other.
pub trait StepRule: Debug + Send + Sync {
    /// The rule at work on a batch.
    fn start(&self) -> Box<dyn Stepping + '_>;

    /// Whether it goes on after a success, in search of a smaller one.
    fn shrinks(&self) -> bool {
        false
    }
}

/// A [`StepRule`] at work: it remembers what it needs of the steps before.
pub trait Stepping {
    /// The variable after one step. Its loss is to fall.
    fn step(&mut self, at: At<'_>) -> Tensor<4>;

    /// Forgets all rows but those at these positions of the last step.
    fn keep(&mut self, positions: &[usize]);
}

/// The share of the first step's length that DDN and FMN have left at the end.
const LAST_STEP: f64 = 0.01;

/// A number that falls from 1 along half a cosine to `last`, after so many of all steps.
fn cosine(last: f64, taken: usize, steps: usize) -> f64 {
    let turn = PI * taken as f64 / steps.max(1) as f64;
    last + (1.0 - last) * (1.0 + turn.cos()) / 2.0
}

/// Where a step starts.
#[derive(Debug)]
pub struct At<'a> {
    /// What the variable is of.
    pub space: Space,
    /// The images as they were given. Same shape as the variable.
    pub origin: Tensor<4>,
    /// The range of their values.
    pub bounds: Bounds,
    /// `[rows, 3, height, width]`
    pub variable: Tensor<4>,
    /// Of the loss, with respect to the variable. Same shape.
    pub gradient: Tensor<4>,
    /// The loss of each row.
    pub loss: &'a [f32],
    /// Whether each row is a success.
    pub met: &'a [bool],
}

impl At<'_> {
    /// The width of the image box.
    fn width(&self) -> f64 {
        f64::from(self.bounds.high - self.bounds.low)
    }
}

#[cfg(test)]
impl<'a> At<'a> {
    /// Without a box.
    fn free(variable: Tensor<4>, gradient: Tensor<4>, loss: &'a [f32]) -> Self {
        let origin = variable.zeros_like();
        let (space, bounds, met) = (Space::Clip, Bounds::SYMMETRIC, &[false]);
        Self { space, origin, bounds, variable, gradient, loss, met }
    }
}
