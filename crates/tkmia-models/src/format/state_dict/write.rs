//! From a network to a safetensors file with torchvision's names: [`to_safetensors`].

use std::collections::HashMap;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, serialize};

use super::names::EPSILON;
use super::read::INPUT_SIZE;
use crate::Architecture;
use crate::resnet::blueprint::{Blueprint, Convolution, transposed};

/// A tensor by name: its shape, and its values as bytes.
type Named = (String, Vec<usize>, Vec<u8>);

/// The safetensors file of a network, with the side of the square images that it was trained on.
///
/// Batch norms that aren't folded keep their weights. An epsilon other than torchvision's is made
/// up for in the variance, since no state dict holds it.
///
/// # Errors
/// What the writer says.
pub(crate) fn to_safetensors(
    network: &Blueprint,
    side: Option<usize>,
) -> Result<Vec<u8>, SafeTensorError> {
    let mut tensors = Vec::new();
    convolution(&mut tensors, &network.stem, "conv1", "bn1");
    let depths = Architecture::of(network).depths;
    let places = (1..).zip(depths).flat_map(|(stage, depth)| (0..depth).map(move |at| (stage, at)));
    for (block, (stage, at)) in network.blocks.iter().zip(places) {
        let part = |part: String| format!("layer{stage}.{at}.{part}");
        for (number, conv) in (1..).zip(&block.main) {
            let (name, norm) = (part(format!("conv{number}")), part(format!("bn{number}")));
            convolution(&mut tensors, conv, &name, &norm);
        }
        if let Some(conv) = &block.projection {
            convolution(
                &mut tensors,
                conv,
                &part("downsample.0".into()),
                &part("downsample.1".into()),
            );
        }
    }
    let head = &network.head;
    let (classes, features) = (head.classes, head.features);
    let by_class = transposed(&head.weights, classes);
    tensors.push(("fc.weight".into(), vec![classes, features], bytes(by_class)));
    tensors.push(("fc.bias".into(), vec![classes], bytes(head.bias.iter().copied())));

    let views = tensors.iter().map(|(name, shape, bytes)| {
        Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?))
    });
    let views = views.collect::<Result<Vec<_>, SafeTensorError>>()?;
    let metadata = side.map(|side| HashMap::from([(INPUT_SIZE.to_owned(), side.to_string())]));
    serialize(views, metadata)
}

fn convolution(tensors: &mut Vec<Named>, conv: &Convolution, name: &str, norm: &str) {
    let weights = bytes(conv.weights.iter().copied());
    tensors.push((format!("{name}.weight"), conv.shape.to_vec(), weights));
    let Some(norm_of) = &conv.norm else { return };
    let apart = norm_of.epsilon - EPSILON;
    let variance: Vec<f64> = norm_of.variance.iter().map(|variance| variance + apart).collect();
    let parts = [
        ("weight", &norm_of.gamma),
        ("bias", &norm_of.beta),
        ("running_mean", &norm_of.mean),
        ("running_var", &variance),
    ];
    for (part, values) in parts {
        let values = bytes(values.iter().map(|&value| value as f32));
        tensors.push((format!("{norm}.{part}"), vec![conv.shape[0]], values));
    }
}

fn bytes(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}
