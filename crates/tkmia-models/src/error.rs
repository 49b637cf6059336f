//! What can be wrong with a model file.

use std::path::PathBuf;

/// A model file that can't be read, or isn't a network this crate knows.
///
/// Where a node is named, it is by its name in the file, or by its first output if it has none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file can't be opened or read.
    #[error("cannot read {}", path.display())]
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
    /// What a file holds isn't right, in the way that the fault tells.
    #[error("{}: {fault}", path.display())]
    InFile {
        /// The model file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        fault: Box<ModelError>,
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
    #[error("expected one graph output (the scores), found {found:?}")]
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
    #[error("tensor `{tensor}`: cannot read {}", path.display())]
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
}
