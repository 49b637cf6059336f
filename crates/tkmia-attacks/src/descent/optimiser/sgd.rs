//! [`Sgd`]: gradient descent with momentum.

use burn::tensor::Tensor;

use super::{At, StepRule, Stepping};
use crate::descent::pick;

/// Stochastic gradient descent with momentum and weight decay, in PyTorch's convention:
/// `v ← μ v + g + ω w`, `w ← w − η v`, and `v = g + ω w` at the first step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// η
    pub learning_rate: f64,
    /// μ
    pub momentum: f64,
    /// ω: the coefficient of a penalty `ω/2 ‖w‖²` that isn't part of the loss.
    pub weight_decay: f64,
}

impl Sgd {
    /// One step from the variable `w`, which moves the velocity `v` on.
    pub(crate) fn step<const D: usize>(
        &self,
        variable: Tensor<D>,
        gradient: Tensor<D>,
        velocity: &mut Velocity<D>,
    ) -> Tensor<D> {
        let descent = match self.weight_decay {
            0.0 => gradient,
            decay => gradient + variable.clone().mul_scalar(decay),
        };
        variable - velocity.gain(descent, self.momentum).mul_scalar(self.learning_rate)
    }
}

/// What momentum keeps of the steps before: nothing at first.
#[derive(Debug, Clone)]
pub(crate) struct Velocity<const D: usize>(Option<Tensor<D>>);

impl<const D: usize> Velocity<D> {
    pub const NONE: Self = Self(None);

    /// `v ← μ v + g`
    pub fn gain(&mut self, gradient: Tensor<D>, momentum: f64) -> Tensor<D> {
        let velocity = match self.0.take() {
            None => gradient,
            Some(velocity) => velocity.mul_scalar(momentum) + gradient,
        };
        self.0.insert(velocity).clone()
    }

    pub fn keep(&mut self, positions: &[usize]) {
        self.0 = self.0.as_ref().map(|velocity| pick(velocity, positions));
    }
}

impl StepRule for Sgd {
    fn start(&self) -> Box<dyn Stepping + '_> {
        Box::new(Rolling { sgd: self, velocity: Velocity::NONE })
    }
}

/// An [`Sgd`] at work.
struct Rolling<'a> {
    sgd: &'a Sgd,
    velocity: Velocity<4>,
}

impl Stepping for Rolling<'_> {
    fn step(&mut self, at: At<'_>) -> Tensor<4> {
        self.sgd.step(at.variable, at.gradient, &mut self.velocity)
    }

    fn keep(&mut self, positions: &[usize]) {
        self.velocity.keep(positions);
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn two_steps_by_hand() {
        let number = |value: f32| Tensor::<1>::from_floats([value], &Device::default());
        let sgd = Sgd { learning_rate: 0.5, momentum: 0.5, weight_decay: 1.0 };
        // v = 2 + 1·4 = 6, w = 4 − 3 = 1
        let mut velocity = Velocity::NONE;
        let variable = sgd.step(number(4.0), number(2.0), &mut velocity);
        assert_eq!(variable.clone().into_scalar::<f32>(), 1.0);
        // v = 3 + 2 + 1 = 6, w = 1 − 3 = −2
        let variable = sgd.step(variable, number(2.0), &mut velocity);
        assert_eq!(variable.into_scalar::<f32>(), -2.0);
    }
}
