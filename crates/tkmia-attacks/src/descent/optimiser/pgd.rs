//! [`Pgd`] and [`MiFgsm`]: steps of a fixed length within a ball.

use burn::tensor::Tensor;

use super::{At, StepRule, Stepping, Velocity};
use crate::descent::ball::{Ball, rowwise};

/// Projected gradient descent: Madry et al., "Towards Deep Learning Models Resistant to Adversarial
/// Attacks", ICLR 2018; without a random start.
///
/// `w ← Π(w − s · d(g))`, with `d` the steepest vector of size 1 in the ball's norm and `Π` the projection
/// onto the ball.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pgd {
    /// Where the variable stays.
    pub ball: Ball,
    /// `s`, the length of a step in the ball's norm.
    pub step: f64,
}

impl StepRule for Pgd {
    fn start(&self) -> Box<dyn Stepping + '_> {
        Box::new(*self)
    }
}

impl Stepping for Pgd {
    fn step(&mut self, at: At<'_>) -> Tensor<4> {
        let step = self.ball.norm.steepest(at.gradient).mul_scalar(self.step);
        self.ball.project(at.variable - step)
    }

    fn keep(&mut self, _: &[usize]) {}
}

/// MI-FGSM: Dong et al., "Boosting Adversarial Attacks with Momentum", CVPR 2018.
///
/// `v ← μ v + g/‖g‖₁`, `w ← Π(w − s · d(v))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MiFgsm {
    /// Where the variable stays.
    pub ball: Ball,
    /// `s`, the length of a step in the ball's norm.
    pub step: f64,
    /// `μ`
    pub momentum: f64,
}

impl StepRule for MiFgsm {
    fn start(&self) -> Box<dyn Stepping + '_> {
        Box::new(Accumulating { rule: self, velocity: Velocity::NONE })
    }
}

/// A [`MiFgsm`] at work.
struct Accumulating<'a> {
    rule: &'a MiFgsm,
    velocity: Velocity<4>,
}

impl Stepping for Accumulating<'_> {
    fn step(&mut self, at: At<'_>) -> Tensor<4> {
        let MiFgsm { ball, step, momentum } = *self.rule;
        let flat: Tensor<2> = at.gradient.clone().flatten(1, 3);
        let length = rowwise(flat.abs().sum_dim(1).squeeze_dim(1));
        let nothing = length.clone().equal_scalar(0.0);
        let gradient = at.gradient * length.recip().mask_fill(nothing, 0.0);
        let velocity = self.velocity.gain(gradient, momentum);
        ball.project(at.variable - ball.norm.steepest(velocity).mul_scalar(step))
    }

    fn keep(&mut self, positions: &[usize]) {
        self.velocity.keep(positions);
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::Norm;

    fn image(values: [f32; 2]) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, 1, 1, 2]), &Device::default())
    }

    /// The variable after a step along each gradient in turn, from 0.
    fn walk(rule: &dyn StepRule, gradients: &[[f32; 2]]) -> Vec<f32> {
        let mut steps = rule.start();
        let walked = gradients.iter().fold(image([0.0, 0.0]), |variable, &gradient| {
            steps.step(At::free(variable, image(gradient), &[0.0]))
        });
        walked.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn steps_have_their_length_and_end_at_the_border() {
        let l2 = Pgd { ball: Ball { norm: Norm::L2, radius: 1.0 }, step: 0.5 };
        assert_eq!(walk(&l2, &[[3.0, 4.0]]), [-0.3, -0.4]);
        assert_eq!(walk(&l2, &[[0.0, 4.0]; 5]), [0.0, -1.0]);
        let linf = Pgd { ball: Ball { norm: Norm::Linf, radius: 1.0 }, step: 0.5 };
        assert_eq!(walk(&linf, &[[3.0, -4.0]]), [-0.5, 0.5]);
        assert_eq!(walk(&linf, &[[3.0, 0.0]; 5]), [-1.0, 0.0]);
    }

    #[test]
    fn momentum_outlasts_a_gradient_that_turns() {
        let ball = Ball { norm: Norm::Linf, radius: 1.0 };
        let rule = |momentum| MiFgsm { ball, step: 0.25, momentum };
        // v = (1, 0), then (μ − 0.5, −0.5).
        let gradients = [[2.0, 0.0], [-1.0, -1.0]];
        assert_eq!(walk(&rule(0.0), &gradients), [0.0, 0.25]);
        assert_eq!(walk(&rule(1.0), &gradients), [-0.5, 0.25]);
    }
}
