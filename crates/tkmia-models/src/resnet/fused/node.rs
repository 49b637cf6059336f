//! The network as a node of Burn's graph: [`scores`].

use std::sync::Arc;

use burn::tensor::Tensor;

use super::network::Network;
use crate::scored_by;

/// Scores of a batch; gradients lead back to the images if those ask for them.
///
/// # Shapes
/// - images: `[batch, channels, height, width]`, on the CPU backend, with autodiff or without
/// - output: `[batch, classes]`
pub(crate) fn scores(network: &Arc<Network>, images: Tensor<4>) -> Tensor<2> {
    let shape = images.dims();
    scored_by(images, |images| {
        let (scores, tape) = network.forward(images, shape);
        let network = network.clone();
        (scores, Box::new(move |gradient| network.backward(&tape, gradient)))
    })
}
