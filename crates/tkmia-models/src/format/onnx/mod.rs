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
mod size;
pub mod tensor;
mod walk;
mod window;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use prost::Message;

use crate::ModelError;
use crate::budget::Budget;
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
    /// [`ModelError::TooMuch`], [`ModelError::NotOnnx`], [`ModelError::NoGraph`] and [`ModelError::Opset`].
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

    /// Checks that data kept outside the file, beside it at `path`, is asked for about once: a few bytes can ask for all of a
    /// large file.
    ///
    /// # Errors
    /// [`ModelError::DataAgain`], and [`ModelError::ExternalLocation`].
    pub fn check_external(&self, path: &Path) -> Result<(), ModelError> {
        let files = files_of(&self.graph, &self.functions, path)?;
        let length = |file: PathBuf| file.metadata().map_or(0, |found| found.len());
        let held: u64 = files.into_iter().map(length).sum();
        let external = self.graph.tensors().filter(|tensor| external::is_external(tensor));
        let asked = external.map(tensor::bytes).fold(0, u64::saturating_add);
        match asked <= held.saturating_mul(2) {
            true => Ok(()),
            false => Err(ModelError::DataAgain { held, asked }),
        }
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
    let model = decode(bytes)?;
    let graph = model.graph.unwrap_or_default();
    files_of(&graph, &model.functions, path)
}

fn files_of(
    graph: &proto::GraphProto,
    functions: &[proto::FunctionProto],
    path: &Path,
) -> Result<BTreeSet<PathBuf>, ModelError> {
    let of_functions = functions.iter().flat_map(|function| proto::tensors_of(&function.node));
    let tensors =
        graph.tensors().chain(of_functions).filter(|tensor| external::is_external(tensor));
    let files = tensors.map(|tensor| external::file(tensor, &tensor.name, Some(path)));
    let there = |file: &Result<PathBuf, _>| file.as_ref().map_or(true, |file| file.exists());
    files.filter(there).collect()
}

fn decode(bytes: &[u8]) -> Result<proto::ModelProto, ModelError> {
    Budget::of_fields().spend(size::fields(bytes))?;
    proto::ModelProto::decode(bytes).map_err(|source| ModelError::NotOnnx { source })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model whose tensors' data are all those of one file of a thousand bytes.
    fn sharing(tensors: usize) -> Result<(), ModelError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        std::fs::write(folder.path().join("m.data"), [0; 1000]).unwrap();
        let entry = |key: &str, value: &str| proto::StringStringEntryProto {
            key: key.into(),
            value: value.into(),
        };
        let tensor = proto::TensorProto {
            dims: vec![250],
            data_type: 1,
            data_location: 1,
            external_data: vec![entry("location", "m.data")],
            ..Default::default()
        };
        let graph = proto::GraphProto { initializer: vec![tensor; tensors], ..Default::default() };
        Model { graph, functions: Vec::new(), opset: 20, metadata: Vec::new() }
            .check_external(&path)
    }

    #[test]
    fn data_in_another_file_may_be_shared_and_not_asked_for_without_end() {
        assert!(sharing(2).is_ok());
        let message = sharing(3).unwrap_err().to_string();
        assert_eq!(
            message,
            "expected tensors of at most twice the 1000 bytes that the files of their data have, found 3000"
        );
    }
}
