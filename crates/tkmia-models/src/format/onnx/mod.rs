//! Reading an ONNX file at run time: [`Model`], and the ResNet that its graph may be.

mod block;
mod constants;
mod convolution;
mod external;
mod fold;
pub mod graph;
mod head;
pub mod layout;
pub mod node;
pub mod proto;
mod recognise;
mod shape;
pub mod tensor;
mod walk;
mod window;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use prost::Message;

use crate::ModelError;
use crate::format::label_names;
use crate::resnet::blueprint::Blueprint;

/// The oldest version of the standard operators: batch norm and broadcasting as they are since.
const OLDEST_OPSET: i64 = 7;

/// What an ONNX file holds.
#[derive(Debug)]
pub struct Model {
    pub graph: proto::GraphProto,
    pub functions: Vec<proto::FunctionProto>,
    /// The version of the standard operators.
    pub opset: i64,
    metadata: Vec<proto::StringStringEntryProto>,
}

impl Model {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// [`ModelError::NotOnnx`], [`ModelError::NoGraph`] and [`ModelError::Opset`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ModelError> {
        let model = decode(bytes)?;
        let graph = model.graph.ok_or(ModelError::NoGraph)?;
        let standard = |domain: &str| domain.is_empty() || domain == "ai.onnx";
        let opset = model.opset_import.iter().find(|opset| standard(&opset.domain));
        let found = opset.map_or(0, |opset| opset.version);
        if found < OLDEST_OPSET {
            return Err(ModelError::Opset { found, oldest: OLDEST_OPSET });
        }
        let (functions, metadata) = (model.functions, model.metadata_props);
        Ok(Self { graph, functions, opset: found, metadata })
    }

    /// Reads a ResNet off the graph; data kept outside the file lie beside it, at `path`.
    ///
    /// # Errors
    /// [`ModelError::NotAResNet`] with the first node of the graph that doesn't fit, others for a
    /// damaged file.
    pub fn resnet(&self, path: Option<&Path>) -> Result<Blueprint, ModelError> {
        let mut network = recognise::recognise(&graph::Graph::new(&self.graph, path)?)?;
        network.label_names = self.label_names(network.head.classes);
        Ok(network)
    }

    /// The names of that many labels, if the file's metadata have them.
    pub fn label_names(&self, classes: usize) -> Option<Vec<String>> {
        let entry = |key: &str| self.metadata.iter().find(|entry| entry.key == key);
        label_names::find(|key| entry(key).map(|entry| entry.value.as_str()), classes)
    }
}

/// The files beside the ONNX file `path` that it keeps data in, by name; without those that aren't there.
///
/// # Errors
/// [`ModelError::NotOnnx`] and [`ModelError::ExternalLocation`].
pub(crate) fn external_files(bytes: &[u8], path: &Path) -> Result<BTreeSet<PathBuf>, ModelError> {
    let graph = decode(bytes)?.graph.unwrap_or_default();
    let tensors = graph.tensors().filter(|tensor| external::is_external(tensor));
    let files = tensors.map(|tensor| external::file(tensor, &tensor.name, Some(path)));
    let there = |file: &Result<PathBuf, _>| file.as_ref().map_or(true, |file| file.exists());
    files.filter(there).collect()
}

fn decode(bytes: &[u8]) -> Result<proto::ModelProto, ModelError> {
    proto::ModelProto::decode(bytes).map_err(|source| ModelError::NotOnnx { source })
}
