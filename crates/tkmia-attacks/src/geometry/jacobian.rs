//! Rows of the Jacobian of the scores with respect to the images.

use burn::tensor::{Tensor, TensorData};
use tkmia_core::{Classifier, scores_and_gradient};

use crate::descent::pick;

/// The gradients of chosen scores: for each image, one for each of its labels.
///
/// The images are repeated once for each label and take one forward and one backward pass together;
/// labels that aren't asked for cost nothing.
///
/// # Shapes
/// - images: `[rows, 3, height, width]`; labels: `rows` lists of labels
/// - output: `[labels of all lists, 3 · height · width]`, list after list
pub(crate) fn jacobian(
    classifier: &dyn Classifier,
    images: &Tensor<4>,
    labels: &[Vec<usize>],
) -> Tensor<2> {
    let lists = labels.iter().enumerate();
    let positions: Vec<usize> =
        lists.flat_map(|(row, labels)| std::iter::repeat_n(row, labels.len())).collect();
    let [_, channels, height, width] = images.dims();
    let size = channels * height * width;
    if positions.is_empty() {
        return Tensor::zeros([0, size], &images.device());
    }
    let [count, classes] = [positions.len(), classifier.classes()];
    let mut chosen = vec![0.0_f32; count * classes];
    for (at, &label) in labels.iter().flatten().enumerate() {
        chosen[at * classes + label] = 1.0;
    }
    let chosen =
        Tensor::<2>::from_data(TensorData::new(chosen, [count, classes]), &images.device());
    let (_, gradient) = scores_and_gradient(classifier, pick(images, &positions), chosen);
    gradient.reshape([count, size])
}
