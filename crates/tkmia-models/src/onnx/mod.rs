//! Reading a ResNet from an ONNX file at run time: [`load_onnx`], [`from_onnx_bytes`].

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

use std::fs::File;
use std::io::Read;
use std::path::Path;

use burn::tensor::Device;
use prost::Message;

use crate::blueprint::Blueprint;
use crate::{ModelError, ResNet};

/// Protobuf's own limit of a message.
const LARGEST_FILE: u64 = 2 << 30;

/// The oldest version of the standard operators: batch norm and broadcasting as they are since.
const OLDEST_OPSET: i64 = 7;

/// Reads a ResNet from an ONNX file, its architecture from the file's graph.
///
/// The scores are logits: a sigmoid at the end of the graph is dropped, and
/// [`Architecture::sigmoid`](crate::Architecture::sigmoid) tells. A subtraction or division of the
/// images by constants stays part of the network. Weights in 16 bits are computed with in 32; a
/// batch size that the file fixes is ignored. Data kept outside the file is read from its folder.
///
/// # Errors
/// [`ModelError::Read`] and [`ModelError::TooLarge`] for the file; [`ModelError::InFile`] for what it
/// holds: [`ModelError::NotAResNet`] with the first node of the graph that doesn't fit, the other
/// variants for a damaged file.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tkmia_core::Classifier;
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/variants/legacy-17.onnx");
/// let device = Device::flex();
/// let model = tkmia_models::load_onnx(path, &device)?;
/// assert_eq!(model.architecture().depths, [1, 1]);
/// assert_eq!(model.input_size(), Some([32, 32]));
///
/// let images = Tensor::zeros([2, 3, 32, 32], &device);
/// assert_eq!(model.scores(images).dims(), [2, model.classes()]);
/// # Ok::<(), tkmia_models::ModelError>(())
/// ```
pub fn load_onnx(path: impl AsRef<Path>, device: &Device) -> Result<ResNet, ModelError> {
    let path = path.as_ref();
    let unreadable = |source| ModelError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    if size > LARGEST_FILE {
        let path = path.to_owned();
        return Err(ModelError::TooLarge { path, bytes: size, limit: LARGEST_FILE });
    }
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE).read_to_end(&mut bytes).map_err(unreadable)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let in_file = |fault| ModelError::InFile { path: path.to_owned(), fault: Box::new(fault) };
    Ok(ResNet::new(blueprint(&bytes, Some(folder)).map_err(in_file)?, device))
}

/// Reads a ResNet from the bytes of an ONNX file, as [`load_onnx`] does.
///
/// # Errors
/// The faults that [`load_onnx`] finds in a file, and [`ModelError::ExternalLocation`] if its data is
/// kept elsewhere.
pub fn from_onnx_bytes(bytes: &[u8], device: &Device) -> Result<ResNet, ModelError> {
    Ok(ResNet::new(blueprint(bytes, None)?, device))
}

fn blueprint(bytes: &[u8], folder: Option<&Path>) -> Result<Blueprint, ModelError> {
    let model =
        proto::ModelProto::decode(bytes).map_err(|source| ModelError::NotOnnx { source })?;
    let graph = model.graph.ok_or(ModelError::NoGraph)?;
    let standard = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let opset = model.opset_import.iter().find(|opset| standard(&opset.domain));
    let found = opset.map_or(0, |opset| opset.version);
    if found < OLDEST_OPSET {
        return Err(ModelError::Opset { found, oldest: OLDEST_OPSET });
    }
    recognise::recognise(&graph::Graph::new(&graph, folder)?)
}
