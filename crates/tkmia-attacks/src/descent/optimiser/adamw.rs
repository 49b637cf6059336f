//! [`Adamw`]: adaptive steps along a loss and the squared norm together.

use burn::tensor::Tensor;
use tkmia_core::pixels::l2_norm;

use super::{At, StepRule, Stepping};
use crate::descent::ball::{per_row, rowwise};
use crate::descent::pick;

/// AdamW (Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019) along `c · loss + ‖δ‖²`, as Paniagua,
/// Grainger & Wu, NeurIPS 2023, step; `δ` is the variable in units of the image box's width.
///
/// ```text
/// m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²,   w ← w − η (m̂/(√v̂ + 10⁻⁸) + 0.01 w),   m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ)
/// ```
///
/// with β₁ = 0.9 and β₂ = 0.999. After each success that is no larger than those before, `c` falls to three quarters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adamw {
    /// The first `c`.
    pub weight: f64,
    /// η, in the variable's unit; none: 0.0022 times the width of the image box.
    pub step: Option<f64>,
}

const STEP: f64 = 0.0022;
const BETAS: (f64, f64) = (0.9, 0.999);
const DECAY: f64 = 0.01;
const LESS: f64 = 0.75;

impl StepRule for Adamw {
    fn start(&self) -> Box<dyn Stepping + '_> {
        Box::new(Adapting { rule: self, taken: 0, rows: None })
    }

    fn shrinks(&self) -> bool {
        true
    }
}

/// An [`Adamw`] at work.
struct Adapting<'a> {
    rule: &'a Adamw,
    taken: i32,
    rows: Option<Rows>,
}

/// What it remembers of each row.
struct Rows {
    /// `m` and `v`.
    moments: [Tensor<4>; 2],
    /// `c`
    weight: Tensor<1>,
    /// The norm of the smallest success.
    least: Tensor<1>,
}

impl Stepping for Adapting<'_> {
    fn step(&mut self, at: At<'_>) -> Tensor<4> {
        let (width, device, variable) = (at.width(), at.origin.device(), at.variable);
        let Rows { moments: [m, v], weight, least } = self.rows.take().unwrap_or_else(|| Rows {
            moments: [variable.zeros_like(), variable.zeros_like()],
            weight: Tensor::full([at.met.len()], self.rule.weight, &device),
            least: Tensor::full([at.met.len()], f32::MAX, &device),
        });
        let gradient = at.gradient * rowwise(weight.clone()).mul_scalar(width)
            + variable.clone().mul_scalar(2.0 / width);
        let m = m.mul_scalar(BETAS.0) + gradient.clone().mul_scalar(1.0 - BETAS.0);
        let v = v.mul_scalar(BETAS.1) + gradient.powi_scalar(2).mul_scalar(1.0 - BETAS.1);

        let norm = l2_norm(variable.clone());
        let met = per_row(at.met.iter().map(|&met| f32::from(met)), &device).equal_scalar(1.0);
        let less = met.bool_and(norm.clone().lower_equal(least.clone()));
        self.rows = Some(Rows {
            moments: [m.clone(), v.clone()],
            weight: weight.clone().mask_where(less.clone(), weight.mul_scalar(LESS)),
            least: least.mask_where(less, norm),
        });

        self.taken += 1;
        let unbiased =
            |moment: Tensor<4>, beta: f64| moment.div_scalar(1.0 - beta.powi(self.taken));
        let by = unbiased(m, BETAS.0) / unbiased(v, BETAS.1).sqrt().add_scalar(1e-8);
        let by = by + variable.clone().mul_scalar(DECAY);
        variable - by.mul_scalar(self.rule.step.unwrap_or(STEP * width))
    }

    fn keep(&mut self, positions: &[usize]) {
        self.rows = self.rows.take().map(|Rows { moments, weight, least }| Rows {
            moments: moments.map(|moment| pick(&moment, positions)),
            weight: pick(&weight, positions),
            least: pick(&least, positions),
        });
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use tkmia_core::Bounds;

    use super::*;
    use crate::Space;

    #[test]
    fn two_steps_by_hand() {
        let row = |values: [f32; 2]| -> Tensor<4> {
            Tensor::from_data(TensorData::new(values.to_vec(), [2, 1, 1, 1]), &Device::default())
        };
        let rule = Adamw { weight: 4.0, step: Some(0.5) };
        let mut steps = rule.start();
        let mut step = |variable: Tensor<4>, gradient, met: &[bool]| {
            let (gradient, bounds) = (row(gradient), Bounds::SYMMETRIC);
            let origin = gradient.zeros_like();
            steps.step(At {
                space: Space::Project,
                origin,
                bounds,
                variable,
                gradient,
                loss: &[],
                met,
            })
        };
        // The box is 2 wide: g = 8 · gradient + w. The first step is of η along its sign.
        let first = step(row([0.0, 1.0]), [1.0, -1.0], &[false, true]);
        let found = first.clone().into_data().try_to_vec::<f32>().unwrap();
        assert!(
            (found[0] + 0.5).abs() < 1e-6 && (found[1] - (1.5 - 0.005)).abs() < 1e-6,
            "{found:?}"
        );
        // g was 8 and −7; it is 7.5, and with three quarters of the weight 1.495 − 6. Unbiased, m is (0.9 g₁ + g₂)/1.9, v
        // (0.999 g₁² + g₂²)/1.999.
        let second = step(first, [1.0, -1.0], &[false, false]);
        let found = second.into_data().try_to_vec::<f32>().unwrap();
        for (found, (w, old, new)) in found.iter().zip([(-0.5, 8.0, 7.5), (1.495, -7.0, -4.505)]) {
            let (m, v) = ((0.9 * old + new) / 1.9, (0.999 * old * old + new * new) / 1.999_f64);
            let expected = w - 0.5 * (m / v.sqrt() + 0.01 * w);
            assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} {expected}");
        }
        steps.keep(&[1]);
    }
}
