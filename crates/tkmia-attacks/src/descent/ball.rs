//! [`Ball`]: how far a perturbation may go.

use burn::tensor::{Device, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tkmia_core::pixels::{l2_norm, linf_norm};

use crate::AttackError;
use crate::error::check;

named! {
    /// How the size of a perturbation is measured, over all values of an image.
    #[derive(Default)]
    pub enum Norm {
        /// Euclidean
        #[default]
        L2,
        /// The largest absolute value
        Linf,
    }
}

/// The perturbations that are no larger than a radius, in the unit of what is perturbed.
#[derive(
    Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema, derive_more::Display,
)]
#[serde(rename_all = "kebab-case")]
#[display("{norm} {radius}")]
pub struct Ball {
    /// Norm of the ball that pgd, mi-fgsm, auto-pgd, square and universal attacks stay in, and what min-norm makes small
    #[serde(default)]
    pub norm: Norm,
    /// Radius of the ball, in the variant's own unit; there is no default
    pub radius: f64,
}

impl Norm {
    /// The size of each image. `[rows]`
    pub fn of(self, images: Tensor<4>) -> Tensor<1> {
        match self {
            Self::L2 => l2_norm(images),
            Self::Linf => linf_norm(images),
        }
    }

    /// The vector of size 1 along which a linear function with this gradient grows fastest: `g/‖g‖₂` or
    /// `sign(g)`; 0 where the gradient is.
    ///
    /// # Shapes
    /// - gradient: `[rows, 3, height, width]`; the output's too
    pub fn steepest(self, gradient: Tensor<4>) -> Tensor<4> {
        match self {
            Self::L2 => {
                let length = rowwise(l2_norm(gradient.clone()));
                let nothing = length.clone().equal_scalar(0.0);
                gradient * length.recip().mask_fill(nothing, 0.0)
            }
            Self::Linf => gradient.sign(),
        }
    }
}

impl Ball {
    /// The same if its radius can be one.
    pub(crate) fn checked(self) -> Result<Self, AttackError> {
        let radius = self.radius;
        check("radius", "a number above 0", radius, radius > 0.0 && radius.is_finite())?;
        Ok(self)
    }

    /// The nearest perturbation within the ball, row by row: `δ · min(1, r/‖δ‖₂)`, or each value
    /// clipped to `[−r, r]`. One that lies within stays as it is, to the last bit.
    pub fn project(self, perturbation: Tensor<4>) -> Tensor<4> {
        match self.norm {
            Norm::L2 => self.scale(perturbation),
            Norm::Linf => perturbation.clamp(-self.radius, self.radius),
        }
    }

    /// The largest share of the perturbation within the ball, row by row: `δ · min(1, r/‖δ‖)`.
    pub(crate) fn scale(self, perturbation: Tensor<4>) -> Tensor<4> {
        let length = rowwise(self.norm.of(perturbation.clone()));
        let within = length.clone().lower_equal_scalar(self.radius);
        let factor = length.recip().mul_scalar(self.radius);
        perturbation * factor.mask_fill(within, 1.0)
    }
}

/// One number for each row, as a factor of images. `[rows, 1, 1, 1]`
pub(crate) fn rowwise(numbers: Tensor<1>) -> Tensor<4> {
    let rows = numbers.dims()[0];
    numbers.reshape([rows, 1, 1, 1])
}

/// Numbers of the host, one for each row. `[rows]`
pub(crate) fn per_row(numbers: impl Iterator<Item = f32>, device: &Device) -> Tensor<1> {
    let numbers: Vec<f32> = numbers.collect();
    let rows = numbers.len();
    Tensor::from_data(TensorData::new(numbers, [rows]), device)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALUES: usize = 12;

    fn perturbation(values: &[f32]) -> Tensor<4> {
        let data = TensorData::new(values.to_vec(), [values.len() / VALUES, 3, 2, 2]);
        Tensor::from_data(data, &Device::default())
    }

    fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    proptest! {
        #[test]
        fn a_projection_never_leaves_the_ball_and_fixes_its_interior(
            values in prop::collection::vec(-1.0_f32..1.0, 2 * VALUES), radius in 0.1_f64..4.0,
        ) {
            for norm in [Norm::L2, Norm::Linf] {
                let ball = Ball { norm, radius };
                let before = perturbation(&values);
                let after = ball.project(before.clone());
                let sizes = host(norm.of(before)).into_iter().zip(host(norm.of(after.clone())));
                let rows = values.chunks(VALUES).zip(host(after));
                for ((before, after), _) in sizes.zip(rows) {
                    prop_assert!(f64::from(after) <= radius * (1.0 + 1e-6));
                    let expected = f64::from(before).min(radius) as f32;
                    prop_assert!((after - expected).abs() <= 1e-5, "{norm:?}: {after} {expected}");
                }
                let within = Ball { norm, radius: 10.0 }.project(perturbation(&values));
                prop_assert_eq!(host(within), values.clone());
            }
        }

        #[test]
        fn no_step_of_the_same_size_gains_more_than_the_steepest(
            gradient in prop::collection::vec(-1.0_f32..1.0, VALUES),
            other in prop::collection::vec(-1.0_f32..1.0, VALUES),
        ) {
            for norm in [Norm::L2, Norm::Linf] {
                let gain = |step: Tensor<4>| {
                    let pairs = host(step).into_iter().zip(&gradient);
                    pairs.map(|(step, slope)| f64::from(step * slope)).sum::<f64>()
                };
                let steepest = norm.steepest(perturbation(&gradient));
                let other = Ball { norm, radius: 1.0 }.project(perturbation(&other));
                prop_assert!(host(norm.of(steepest.clone()))[0] <= 1.0 + 1e-5);
                prop_assert!(gain(other) <= gain(steepest) + 1e-5);
            }
        }
    }

    #[test]
    fn where_there_is_no_gradient_there_is_no_step() {
        for norm in [Norm::L2, Norm::Linf] {
            assert_eq!(host(norm.steepest(perturbation(&[0.0; VALUES]))), [0.0; VALUES]);
        }
    }
}
