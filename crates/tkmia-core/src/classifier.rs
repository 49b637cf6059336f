//! [`Classifier`]: what an attack needs to know of its victim.

use std::fmt::Debug;

use burn::tensor::{Device, Tensor};

use crate::Bounds;

/// A multi-label image classifier in evaluation mode.
///
/// Rows are independent: a batch's scores are those of its images alone. Weights carry no
/// gradient, so that `scores` of images on an autodiff device costs the backward pass to the
/// images and nothing else.
pub trait Classifier: Debug + Send + Sync {
    /// Scores before any sigmoid (logits).
    ///
    /// # Shapes
    /// - images: `[batch, 3, height, width]`, values within [`bounds`](Self::bounds)
    /// - output: `[batch, classes]`
    fn scores(&self, images: Tensor<4>) -> Tensor<2>;

    /// Number of labels, `c` in the paper.
    fn classes(&self) -> usize;

    /// The range of every value of an input image.
    fn bounds(&self) -> Bounds;

    /// The height and width of the images it takes, or `None` where any will do.
    fn input_size(&self) -> Option<[usize; 2]>;

    /// The device that holds the weights, without autodiff.
    fn device(&self) -> Device;
}
