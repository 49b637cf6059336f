//! Reading a ResNet from an ONNX file at run time: [`read`], [`from_onnx_bytes`].

mod block;
mod constants;
mod convolution;
mod external;
mod fold;
mod graph;
mod head;
mod node;
mod proto;
mod recognise;
mod shape;
mod tensor;
mod walk;
mod window;

use std::path::Path;

use burn::tensor::Device;
use prost::Message;
use tkmia_core::Classifier;

use crate::ModelError;
use crate::format::label_names;
use crate::resnet::ResNet;
use crate::resnet::blueprint::Blueprint;

/// The oldest version of the standard operators: batch norm and broadcasting as they are since.
const OLDEST_OPSET: i64 = 7;

/// Reads a ResNet from the bytes of an ONNX file, as [`load`](crate::load) does from a file.
///
/// # Errors
/// The faults that [`load`](crate::load) finds in a file, and [`ModelError::ExternalLocation`] if
/// its data is kept elsewhere.
pub fn from_onnx_bytes(bytes: &[u8], device: &Device) -> Result<Box<dyn Classifier>, ModelError> {
    Ok(Box::new(ResNet::new(read(bytes, None)?, device)?))
}

/// Reads the network that an ONNX file holds, data kept outside it from `folder`.
///
/// # Errors
/// [`ModelError::NotAResNet`] with the first node of the graph that doesn't fit, others for a
/// damaged file.
pub(crate) fn read(bytes: &[u8], folder: Option<&Path>) -> Result<Blueprint, ModelError> {
    let model =
        proto::ModelProto::decode(bytes).map_err(|source| ModelError::NotOnnx { source })?;
    let graph = model.graph.ok_or(ModelError::NoGraph)?;
    let standard = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let opset = model.opset_import.iter().find(|opset| standard(&opset.domain));
    let found = opset.map_or(0, |opset| opset.version);
    if found < OLDEST_OPSET {
        return Err(ModelError::Opset { found, oldest: OLDEST_OPSET });
    }
    let mut network = recognise::recognise(&graph::Graph::new(&graph, folder)?)?;
    let entry = |key: &str| model.metadata_props.iter().find(|entry| entry.key == key);
    let text = |key: &str| entry(key).map(|entry| entry.value.as_str());
    network.label_names = label_names::find(text, network.head.classes);
    Ok(network)
}
