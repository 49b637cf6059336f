//! Rows of the Jacobian of the scores with respect to the images.

use burn::tensor::{Tensor, TensorData};
use tkmia_core::Classifier;

use crate::drive::pick;

/// The gradients of chosen scores: for each image, one for each of its labels.
///
/// The images are repeated once for each label and take one forward and one backward pass together;
/// labels that aren't asked for cost nothing.
///
/// # Shapes
/// - images: `[rows, 3, height, width]`; labels: `rows` lists of `n` labels each
/// - output: `[rows, n, 3 · height · width]`
pub(crate) fn jacobian(
    classifier: &dyn Classifier,
    images: &Tensor<4>,
    labels: &[Vec<usize>],
) -> Tensor<3> {
    let rows = labels.len();
    let each = labels.first().map_or(0, Vec::len);
    let positions: Vec<usize> = (0..rows).flat_map(|row| std::iter::repeat_n(row, each)).collect();
    let repeated = pick(images, &positions).autodiff().require_grad();
    let scores = classifier.scores(repeated.clone());

    let [count, classes] = scores.dims();
    let mut chosen = vec![0.0_f32; count * classes];
    for (at, &label) in labels.iter().flatten().enumerate() {
        chosen[at * classes + label] = 1.0;
    }
    let chosen =
        Tensor::<2>::from_data(TensorData::new(chosen, [count, classes]), &images.device());
    let gradient = repeated
        .grad_remove(&mut (scores * chosen).sum().backward())
        .expect("the scores depend on the images");
    let [_, channels, height, width] = images.dims();
    gradient.reshape([rows, each, channels * height * width])
}
