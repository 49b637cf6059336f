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
    /// One step from the variable `w`; gives the new variable and the new velocity `v`.
    pub fn step<const D: usize>(
        &self,
        variable: Tensor<D>,
        gradient: Tensor<D>,
        velocity: Option<Tensor<D>>,
    ) -> (Tensor<D>, Tensor<D>) {
        let mut descent = gradient;
        if self.weight_decay != 0.0 {
            descent = descent + variable.clone().mul_scalar(self.weight_decay);
        }
        if let Some(velocity) = velocity {
            descent = velocity.mul_scalar(self.momentum) + descent;
        }
        let variable = variable - descent.clone().mul_scalar(self.learning_rate);
        (variable, descent)
    }
}

impl StepRule for Sgd {
    fn start(&self) -> Box<dyn Stepping + '_> {
        Box::new(Rolling { sgd: self, velocity: None })
    }
}

/// An [`Sgd`] at work.
struct Rolling<'a> {
    sgd: &'a Sgd,
    velocity: Option<Tensor<4>>,
}

impl Stepping for Rolling<'_> {
    fn step(&mut self, at: At<'_>) -> Tensor<4> {
        let (variable, velocity) = self.sgd.step(at.variable, at.gradient, self.velocity.take());
        self.velocity = Some(velocity);
        variable
    }

    fn keep(&mut self, positions: &[usize]) {
        self.velocity = self.velocity.as_ref().map(|velocity| pick(velocity, positions));
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
        let (variable, velocity) = sgd.step(number(4.0), number(2.0), None);
        assert_eq!(variable.clone().into_scalar::<f32>(), 1.0);
        // v = 3 + 2 + 1 = 6, w = 1 − 3 = −2
        let (variable, _) = sgd.step(variable, number(2.0), Some(velocity));
        assert_eq!(variable.into_scalar::<f32>(), -2.0);
    }
}
