//! [`scored_by`]: a network that isn't made of Burn's operations, as one node of its graph.

use burn::tensor::{FloatDType, Tensor};

use super::node::{self, Floats};

/// The way back through a network: from weights of the scores to the gradient of `Σ weights · scores` by the images.
///
/// # Shapes
/// - weights: `[batch, classes]`, row-major
/// - output: that of the images, row-major
pub type Pullback = Box<dyn FnOnce(&[f32]) -> Vec<f32> + Send>;

/// Scores of images on the CPU by a function of their values, which gives the way back with the scores. With it a
/// [`Classifier`](tkmia_core::Classifier) of one's own may compute wherever it likes.
///
/// # Shapes
/// - images: `[batch, channels, height, width]`, row-major for the function
/// - output: `[batch, classes]`
///
/// # Panics
/// Unless the function gives a number of scores for each image, and the way back a number for each of the images' values.
///
/// # Example: a score for each channel, its mean
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tkmia_models::{Pullback, scored_by};
///
/// let images = Tensor::<4>::ones([1, 3, 2, 2], &Device::flex()).autodiff().require_grad();
/// let scores = scored_by(images.clone(), |values| {
///     let scores = values.chunks(4).map(|channel| channel.iter().sum::<f32>() / 4.0).collect();
///     let back: Pullback =
///         Box::new(|weights| weights.iter().flat_map(|weight| [weight / 4.0; 4]).collect());
///     (scores, back)
/// });
/// let gradient = images.grad(&scores.slice([0..1, 1..2]).sum().backward()).expect("it leads back");
/// let green = [0.0, 0.0, 0.0, 0.0, 0.25, 0.25, 0.25, 0.25, 0.0, 0.0, 0.0, 0.0];
/// assert_eq!(gradient.into_data().try_to_vec::<f32>().expect("floats"), green);
/// ```
pub fn scored_by(
    images: Tensor<4>,
    compute: impl FnOnce(&[f32]) -> (Vec<f32>, Pullback),
) -> Tensor<2> {
    let shape = images.dims();
    let scores = node::apply([images.cast(FloatDType::F32).into_dispatch()], |[images]| {
        let (scores, pullback) = compute(node::values(&node::contiguous(images)));
        let classes = scores.len() / shape[0].max(1);
        let back = move |gradient: Floats, _: [bool; 1]| {
            [Some(node::tensor(pullback(node::values(&gradient)), &shape))]
        };
        (node::tensor(scores, &[shape[0], classes]), Box::new(back))
    });
    Tensor::from_dispatch(scores)
}
