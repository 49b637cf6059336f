//! The network as a node of Burn's graph: [`scores`].

use std::sync::Arc;

use burn::tensor::{FloatDType, Tensor};

use super::network::Network;
use crate::direct::node::{self, Floats};

/// Scores of a batch; gradients lead back to the images if those ask for them.
///
/// # Shapes
/// - images: `[batch, channels, height, width]`, on the CPU backend, with autodiff or without
/// - output: `[batch, classes]`
pub(crate) fn scores(network: &Arc<Network>, images: Tensor<4>) -> Tensor<2> {
    let shape = images.dims();
    let scores = node::apply([images.cast(FloatDType::F32).into_dispatch()], |[images]| {
        let images = node::contiguous(images);
        let (scores, tape) = network.forward(node::values(&images), shape);
        let network = network.clone();
        let scores = node::tensor(scores, &[shape[0], network.classes()]);
        let back = move |gradient: Floats, _: [bool; 1]| {
            let gradient = network.backward(&tape, node::values(&gradient));
            [Some(node::tensor(gradient, &shape))]
        };
        (scores, Box::new(back))
    });
    Tensor::from_dispatch(scores)
}
