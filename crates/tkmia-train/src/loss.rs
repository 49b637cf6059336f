//! The losses that victims are trained with: [`Loss`].

use burn::tensor::Tensor;
use burn::tensor::activation::{log_sigmoid, sigmoid};
use serde::{Deserialize, Serialize};
use strum::{EnumString, VariantNames};

/// What a training lowers.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, EnumString, VariantNames,
)]
pub enum Loss {
    /// `bce`: [`binary_cross_entropy`].
    #[default]
    #[serde(rename = "bce")]
    #[strum(serialize = "bce")]
    BinaryCrossEntropy,
    /// `asl`: [`asymmetric_loss`].
    #[serde(rename = "asl")]
    #[strum(serialize = "asl")]
    Asymmetric,
}

impl Loss {
    /// The loss of each image; shapes as [`binary_cross_entropy`] has them.
    pub fn of(self, logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        match self {
            Self::BinaryCrossEntropy => binary_cross_entropy(logits, targets),
            Self::Asymmetric => asymmetric_loss(logits, targets),
        }
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Binary cross-entropy with logits of each image, summed over its labels.
///
/// `Σ_i −y_i log σ(f_i) − (1 − y_i) log (1 − σ(f_i))`, computed as `(1 − y_i) f_i − log σ(f_i)`, which
/// doesn't overflow. Summed over a batch it is the loss of the paper's published code
/// (`BCEWithLogitsLoss(reduction="sum")`), for which its learning rates are chosen: a mean over
/// batch and labels would make steps of gradient descent 640 times smaller at 32 images and 20 labels.
///
/// # Shapes
/// - logits, targets (0 or 1): `[batch, classes]`
/// - output: `[batch]`
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tkmia_train::binary_cross_entropy;
///
/// let device = Device::flex();
/// let logits = Tensor::<2>::from_data([[0.0, 0.0], [800.0, -800.0]], &device);
/// let targets = Tensor::<2>::from_data([[1.0, 0.0], [1.0, 0.0]], &device);
/// let loss = binary_cross_entropy(logits, targets).try_to_vec_as::<f32>()?;
/// assert!((loss[0] - 2.0 * 2_f32.ln()).abs() < 1e-6);
/// assert_eq!(loss[1], 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn binary_cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let each = targets.neg().add_scalar(1.0) * logits.clone() - log_sigmoid(logits);
    each.sum_dim(1).squeeze_dim(1)
}

/// The power by which labels that an image hasn't are weighed.
const FOCUS: f32 = 4.0;
/// The probability below which they count for nothing.
const MARGIN: f32 = 0.05;

/// The asymmetric loss of each image, summed over its labels: Ridnik, Ben-Baruch, Zamir, Noy, Friedman, Protter & Zelnik-Manor,
/// "Asymmetric Loss For Multi-Label Classification", ICCV 2021, Eq. 4 to 7, with `γ₊ = 0`, `γ₋ = 4` and `m = 0.05`.
///
/// `Σ_i −y_i log p_i − (1 − y_i) q_i^γ₋ log (1 − q_i)` with `p = σ(f)` and `q = max(p − m, 0)`. Weights have gradients, too, as
/// the equations say.
///
/// # Shapes
/// - logits, targets (0 or 1): `[batch, classes]`
/// - output: `[batch]`
pub fn asymmetric_loss(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let shifted = sigmoid(logits.clone()).sub_scalar(MARGIN).clamp_min(0.0);
    let absent = shifted.clone().powf_scalar(FOCUS) * shifted.neg().add_scalar(1.0).log();
    let present = targets.clone() * log_sigmoid(logits);
    let each = present + targets.neg().add_scalar(1.0) * absent;
    each.neg().sum_dim(1).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    /// By the equations in f64.
    fn expected(logit: f64, target: f64) -> f64 {
        let p = 1.0 / (1.0 + (-logit).exp());
        let q = (p - 0.05).max(0.0);
        -target * p.ln() - (1.0 - target) * q.powi(4) * (1.0 - q).ln()
    }

    #[test]
    fn the_asymmetric_loss_is_that_of_its_equations_and_so_is_its_gradient() {
        let logits = [[-9.0, -2.0, 0.0, 1.5, 9.0], [-9.0, -2.0, 0.0, 1.5, 9.0]];
        let targets = [[1.0; 5], [0.0; 5]];
        let device = Device::flex().autodiff();
        let f = Tensor::<2>::from_data(logits, &device).require_grad();
        let loss = asymmetric_loss(f.clone(), Tensor::from_data(targets, &device));
        let found = loss.clone().inner().try_to_vec_as::<f32>().unwrap();
        let gradient = f.grad(&loss.sum().backward()).unwrap().try_to_vec_as::<f32>().unwrap();
        for (row, loss) in found.iter().enumerate() {
            let values = logits[row].map(|logit| expected(logit, targets[row][0]));
            let sum: f64 = values.iter().sum();
            assert!((f64::from(*loss) - sum).abs() < 1e-5 * sum, "{loss} {sum}");
            for (at, logit) in logits[row].iter().enumerate() {
                let value = |step: f64| expected(logit + step, targets[row][0]);
                let slope = (value(1e-5) - value(-1e-5)) / 2e-5;
                let found = f64::from(gradient[row * 5 + at]);
                assert!((found - slope).abs() < 1e-4, "{logit}: {found} {slope}");
            }
        }
        // A label that is surely absent costs nothing, one that is surely there its weight alone.
        assert_eq!(expected(-9.0, 0.0), 0.0);
    }
}
