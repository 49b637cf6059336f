//! What can be wrong with a model file.

use std::path::PathBuf;

use crate::{ARCHITECTURES, CommandError};

/// The line of PyTorch that puts any network into a file that is read.
macro_rules! export {
    () => {
        "torch.onnx.export(model.eval(), (torch.zeros(2, 3, 224, 224),), \"model.onnx\", \
         input_names=[\"images\"], output_names=[\"scores\"], dynamo=True, dynamic_shapes=[{0: \"n\"}])"
    };
}

/// What to do about a network of PyTorch.
pub const FROM_TORCH: &str = concat!(
    "save a ResNet's state dict in PyTorch, `torch.save(model.state_dict(), \"model.pth\")`, or export any network: `",
    export!(),
    "`"
);
const OTHERS: &str = concat!("another network is read from ONNX: `", export!(), "`");

/// A model file that can't be read, or isn't a network this crate knows.
///
/// Where a node is named, it is by its name in the file, or by its first output if it has none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file can't be opened or read.
    #[error("{}: can't be read", path.display())]
    Read {
        /// The model file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is larger than a protobuf message may be.
    #[error("{}: {bytes} bytes, expected an onnx file of at most {limit}", path.display())]
    TooLarge {
        /// The model file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The largest size that is read.
        limit: u64,
    },
    /// A command doesn't answer as it should.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A device computes the network otherwise than the CPU.
    #[error(
        "{}: expected {what} as on the CPU, found such that are {apart:.2} of their size away on {device}, which computes it wrongly: use another device",
        path.display()
    )]
    Disagrees {
        /// The model file.
        path: PathBuf,
        /// The device.
        device: String,
        /// Scores or gradients.
        what: &'static str,
        /// The L2 norm of the difference, over that of what is expected.
        apart: f64,
    },
    /// A network's files are others than they were.
    #[error("{place}: changed while it was read: expected SHA-256 {expected}, found {found}")]
    Changed {
        /// The file, or the command.
        place: String,
        /// The fingerprint before.
        expected: String,
        /// That afterwards.
        found: String,
    },
    /// A file's content is wrong; the fault says how.
    #[error("{}: {fault}", path.display())]
    InFile {
        /// The model file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        fault: Box<ModelError>,
    },
    /// The file asks for more than it may.
    #[error("expected at most {limit} {what} (TKMIA_MAX_MEMORY), found more")]
    TooMuch {
        /// Of which there are too many.
        what: &'static str,
        /// How many there may be.
        limit: u64,
    },
    /// Tensors ask for the same data outside the file again and again.
    #[error(
        "expected tensors of at most twice the {held} bytes that the files of their data have, found {asked}"
    )]
    DataAgain {
        /// Bytes of the files.
        held: u64,
        /// Bytes that tensors ask for.
        asked: u64,
    },
    /// The bytes aren't a protobuf message, or are cut short.
    #[error("not an onnx file, or a truncated one")]
    NotOnnx {
        /// What the protobuf reader said.
        #[source]
        source: prost::DecodeError,
    },
    /// The message holds no graph, as that of an empty file.
    #[error("not an onnx file: expected a graph, found none")]
    NoGraph,
    /// The operators are of a version whose meaning differs, or of none at all.
    #[error("opset {found} isn't supported: expected {oldest} or later")]
    Opset {
        /// The version of the standard operators; 0 where the file states none.
        found: i64,
        /// The oldest version that is read.
        oldest: i64,
    },
    /// A node reads a value that no initialiser, input or earlier node defines.
    #[error(
        "node `{node}` reads `{value}`, expected an initialiser, input or earlier node of that name"
    )]
    Undefined {
        /// The node that reads it, or `graph output`.
        node: String,
        /// The missing value.
        value: String,
    },
    /// Two nodes, or a node and an initialiser, define the same value.
    #[error("value `{value}` is defined twice")]
    DefinedTwice {
        /// The value.
        value: String,
    },
    /// The graph takes no input, or several.
    #[error("expected one graph input (the images), found {found:?}")]
    Inputs {
        /// The inputs that aren't initialisers.
        found: Vec<String>,
    },
    /// The graph has no output, or several.
    #[error(
        "expected one graph output (the scores), found {found:?}: `scores-output` says which of several it is"
    )]
    Outputs {
        /// The outputs.
        found: Vec<String>,
    },
    /// The input can't be a batch of RGB images.
    #[error("input `{input}`: expected {expected}, found {found}")]
    InputType {
        /// The input's name.
        input: String,
        /// What a batch of images is declared as.
        expected: &'static str,
        /// What the file declares.
        found: String,
    },
    /// A tensor's dimensions are negative or too many elements.
    #[error("tensor `{tensor}`: dimensions {dims:?} are negative or absurdly large")]
    TensorShape {
        /// The initialiser or constant.
        tensor: String,
        /// Its dimensions.
        dims: Vec<i64>,
    },
    /// A tensor's elements are of a type that isn't read.
    #[error(
        "tensor `{tensor}`: expected float, double, float16, bfloat16, int32, int64 or bool elements, \
         found onnx data type {found}"
    )]
    TensorType {
        /// The initialiser or constant.
        tensor: String,
        /// The number of the type in `TensorProto.DataType`.
        found: i32,
    },
    /// A tensor's dimensions and its data don't match.
    #[error("tensor `{tensor}`: expected {expected} {unit} of data, found {found}")]
    TensorLength {
        /// The initialiser or constant.
        tensor: String,
        /// The number that the dimensions ask for.
        expected: usize,
        /// The number that is there.
        found: u64,
        /// What is counted: bytes or elements.
        unit: &'static str,
    },
    /// The place of a tensor's data isn't within the model's folder.
    #[error("tensor `{tensor}`: external data at `{location}`, expected {expected}")]
    ExternalLocation {
        /// The initialiser.
        tensor: String,
        /// The location as the file has it.
        location: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The file of a tensor's data can't be read.
    #[error("tensor `{tensor}`: {}: can't be read", path.display())]
    ExternalRead {
        /// The initialiser.
        tensor: String,
        /// The data file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A weight is NaN or infinite, as stored or once batch norm is folded in.
    #[error("tensor `{tensor}`: expected finite values, found {value} at element {index}")]
    NotFinite {
        /// The initialiser or constant.
        tensor: String,
        /// The position of the value, in row-major order.
        index: usize,
        /// The value.
        value: f32,
    },
    /// The graph isn't that of a ResNet: the first node that doesn't fit.
    #[error("not a resnet: node `{node}` ({op}) doesn't fit, expected {expected}")]
    NotAResNet {
        /// The node.
        node: String,
        /// Its operator.
        op: String,
        /// What a ResNet has in its place.
        expected: String,
    },
    /// A graph needs operators that aren't known.
    #[error("operators that aren't known: {}", listed(found))]
    UnknownOperators {
        /// Each operator, with the nodes that are of it.
        found: Vec<(String, Vec<String>)>,
    },
    /// A node of a graph can't be computed.
    #[error("node `{node}` ({op}): {fault}")]
    Operator {
        /// The node.
        node: String,
        /// Its operator.
        op: String,
        /// What was expected, and what there is.
        fault: String,
    },
    /// A graph's output isn't a row of scores for each image.
    #[error("expected an output [{images}, labels] of {images} images, found one of {found:?}")]
    NotScores {
        /// The number of images that it was tried with.
        images: usize,
        /// The output's shape.
        found: Vec<usize>,
    },
    /// Neither the content nor the name is that of a model file.
    #[error("not a model: expected an onnx, safetensors or pytorch file")]
    UnknownFormat,
    /// The file is of another kind.
    #[error("it is {found}, expected an onnx, safetensors or pytorch file with weights: {advice}")]
    Foreign {
        /// What it is.
        found: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The bytes aren't a safetensors file, or are cut short.
    #[error("not a safetensors file, or a truncated one")]
    NotSafetensors {
        /// What its reader said.
        #[source]
        source: safetensors::SafeTensorError,
    },
    /// The file isn't a PyTorch one, is cut short, or holds no dictionary of tensors.
    #[error("not a pytorch file with tensors, or a truncated one")]
    NotPyTorch {
        /// What its reader said.
        #[source]
        source: Box<pytorch_reader::PytorchError>,
    },
    /// The metadata of a safetensors file say something that can't be.
    #[error("metadata `{key}`: expected {expected}, found `{found}`")]
    Metadata {
        /// The key.
        key: &'static str,
        /// What its value should be.
        expected: &'static str,
        /// The value.
        found: String,
    },
    /// The tensors' names aren't those of torchvision's ResNets.
    #[error(
        "not a resnet's state dict: expected `conv1.weight` and `layer1.0.conv1.weight`, under one \
         prefix if any, found {found}; {OTHERS}"
    )]
    NoNetwork {
        /// How many tensors there are, and some of their names.
        found: String,
    },
    /// There are networks under several prefixes, and none is that of a usual key.
    #[error("expected one network, found several, with the prefixes {prefixes:?}")]
    SeveralNetworks {
        /// The prefixes of their tensors' names.
        prefixes: Vec<String>,
    },
    /// A tensor that a ResNet needs isn't there.
    #[error("tensor `{tensor}`: expected {expected}, found none of that name")]
    MissingTensor {
        /// The name that it should have.
        tensor: String,
        /// What it should be.
        expected: String,
    },
    /// A tensor is of another shape.
    #[error("tensor `{tensor}`: expected {expected}, found the shape {found:?}")]
    TensorFit {
        /// The tensor.
        tensor: String,
        /// What it should be.
        expected: String,
        /// Its shape.
        found: Vec<usize>,
    },
    /// A tensor has no place in a ResNet: the network computes something else.
    #[error("tensor `{tensor}`: a torchvision resnet has none of that name; {OTHERS}")]
    UnexpectedTensor {
        /// The tensor.
        tensor: String,
    },
    /// A tensor of a state dict isn't of a float type.
    #[error("tensor `{tensor}`: expected f32, f16, bf16 or f64 values, found {found}")]
    NotFloats {
        /// The tensor.
        tensor: String,
        /// Its type, as the file's reader calls it.
        found: String,
    },
    /// A tensor's values can't be read from a PyTorch file.
    #[error("tensor `{tensor}`: can't be read")]
    TensorRead {
        /// The tensor.
        tensor: String,
        /// What the file's reader said.
        #[source]
        source: std::io::Error,
    },
    /// The network can't be trained.
    #[error("can't be trained: {reason}")]
    NotTrainable {
        /// Why not.
        reason: &'static str,
    },
    /// A file beside the model's that isn't what its name says.
    #[error("expected {expected}")]
    Description {
        /// What it should be.
        expected: &'static str,
        /// What its reader said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A field of such a file has a value that it can't have.
    #[error("`{field}`: expected {expected}, found `{found}`")]
    Field {
        /// The field.
        field: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// How the network is said to see images can't be.
    #[error(transparent)]
    Tagger(#[from] tkmia_core::CoreError),
    /// There are more, or fewer, names of labels than scores.
    #[error("expected names of {expected} labels, as many as there are scores, found {found}")]
    LabelNames {
        /// The number of scores.
        expected: usize,
        /// The number of names.
        found: usize,
    },
    /// There is no such network to create.
    #[error(
        "no network `{name}` of width {width} with {classes} labels: expected {}, and at least 1 of both",
        architectures()
    )]
    UnknownArchitecture {
        /// Its name.
        name: String,
        /// The width of its first stage.
        width: usize,
        /// The number of labels.
        classes: usize,
    },
    /// A file can't be written.
    #[error("{}: can't be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

fn architectures() -> String {
    let [names @ .., last] = ARCHITECTURES.map(|(name, ..)| name);
    format!("{} or {last}", names.join(", "))
}

/// Each operator with the first of its nodes.
fn listed(found: &[(String, Vec<String>)]) -> String {
    let line = |(op, nodes): &(String, Vec<String>)| {
        let first: Vec<String> = nodes.iter().take(3).map(|node| format!("`{node}`")).collect();
        let more =
            if nodes.len() > 3 { format!(" and {} more", nodes.len() - 3) } else { String::new() };
        format!("{op} (node {}{more})", first.join(", "))
    };
    found.iter().map(line).collect::<Vec<_>>().join(", ")
}

impl ModelError {
    /// The fault, with the file that has it.
    pub(crate) fn in_file(path: &std::path::Path, fault: Self) -> Self {
        match fault {
            Self::Read { .. } | Self::TooLarge { .. } | Self::InFile { .. } => fault,
            fault => Self::InFile { path: path.to_owned(), fault: Box::new(fault) },
        }
    }
}
