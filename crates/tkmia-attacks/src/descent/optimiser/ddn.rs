//! [`Ddn`]: steps whose result is rescaled to a norm of its own.

use burn::tensor::Tensor;

use super::{At, LAST_STEP, StepRule, Stepping, cosine};
use crate::Norm;
use crate::descent::ball::{per_row, rowwise};

/// Decoupled direction and norm: Rony, Hafemann, Oliveira, Ben Ayed, Sabourin & Granger, "Decoupling Direction and Norm
/// for Efficient Gradient-Based L2 Adversarial Attacks and Defenses", CVPR 2019, Algorithm 1.
///
/// ```text
/// ε ← ε (1 − γ) after a success, ε (1 + γ) after a failure;   δ ← ε d(δ − α d(g)),   d(v) = v/‖v‖₂
/// ```
///
/// α falls along a cosine to a hundredth of its first value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ddn {
    /// γ
    pub gamma: f64,
    /// The first ε and α, in the variable's unit; none: the width of the image box.
    pub step: Option<f64>,
    /// The number of steps over which α falls.
    pub steps: usize,
}

impl StepRule for Ddn {
    fn start(&self) -> Box<dyn Stepping + '_> {
        Box::new(Rescaling { rule: self, taken: 0, norms: Vec::new() })
    }

    fn shrinks(&self) -> bool {
        true
    }
}

/// A [`Ddn`] at work.
struct Rescaling<'a> {
    rule: &'a Ddn,
    taken: usize,
    /// ε of each row, in units of the first one.
    norms: Vec<f64>,
}

impl Stepping for Rescaling<'_> {
    fn step(&mut self, at: At<'_>) -> Tensor<4> {
        self.norms.resize(at.met.len(), 1.0);
        for (norm, &met) in self.norms.iter_mut().zip(at.met) {
            *norm *= if met { 1.0 - self.rule.gamma } else { 1.0 + self.rule.gamma };
        }
        let unit = self.rule.step.unwrap_or(at.width());
        let length = unit * cosine(LAST_STEP, self.taken, self.rule.steps);
        let step = Norm::L2.steepest(at.gradient).mul_scalar(length);
        self.taken += 1;
        let norms = self.norms.iter().map(|norm| (unit * norm) as f32);
        Norm::L2.steepest(at.variable - step) * rowwise(per_row(norms, &at.origin.device()))
    }

    fn keep(&mut self, positions: &[usize]) {
        // There are none before the first step.
        self.norms = positions.iter().filter_map(|&at| self.norms.get(at).copied()).collect();
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use tkmia_core::Bounds;

    use super::*;
    use crate::Space;

    fn rows(values: [[f32; 2]; 2]) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.concat(), [2, 1, 1, 2]), &Device::default())
    }

    #[test]
    fn each_row_has_its_norm_and_the_direction_of_its_step() {
        let rule = Ddn { gamma: 0.5, step: None, steps: 2 };
        let mut steps = rule.start();
        let mut step = |variable: &Tensor<4>, gradient, met: &[bool]| {
            let (variable, gradient) = (variable.clone(), rows(gradient));
            let (space, origin, bounds) =
                (Space::Project, gradient.zeros_like(), Bounds::SYMMETRIC);
            let at = At { space, origin, bounds, variable, gradient, loss: &[0.0; 2], met };
            steps.step(at)
        };
        let host = |images: &Tensor<4>| images.clone().into_data().try_to_vec::<f32>().unwrap();
        // The box is 2 wide: norms of 3 and 1.
        let at = step(&rows([[0.0; 2]; 2]), [[0.0, -1.0], [3.0, 4.0]], &[false, true]);
        assert_eq!(host(&at), [0.0, 3.0, -0.6, -0.8]);
        // Half way α is 0.505 · 2 = 1.01; a row without a gradient is rescaled alone.
        let at = step(&at, [[-3.0, 0.0], [0.0, 0.0]], &[true, false]);
        let (length, found) = (3.0_f32.hypot(1.01), host(&at));
        let expected = [1.5 * 1.01 / length, 1.5 * 3.0 / length, -0.9, -1.2];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        steps.keep(&[1]);
    }
}
