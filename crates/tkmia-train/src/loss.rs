//! The loss that victims are trained with: [`binary_cross_entropy`].

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;

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
