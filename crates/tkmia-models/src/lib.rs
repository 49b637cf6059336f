//! Victims of the attacks: networks read from ONNX, safetensors and PyTorch files at run time.
//!
//! [`load`] returns the [`Classifier`](tkmia_core::Classifier) in a file that PyTorch or another exporter
//! wrote, its weights frozen; [`holding`] says what the file holds. [`TrainableResNet`] is a ResNet with batch
//! norms of its own, to be trained further.
//!
//! A ResNet in an ONNX file has kernels of its own on CPUs: basic and bottleneck blocks, any depths, widths, groups and
//! dilations, folded or separate batch norms. Any other graph is computed node by node with Burn's operations, on any device.
//! State dicts are those of ResNets: torchvision's names, any depths, widths, groups and float types,
//! torchvision's strides.

mod error;
mod format;
mod graph;
mod load;
mod normalised;
mod options;
mod resnet;

pub use error::ModelError;
pub use format::{FloatType, Format};
pub use graph::GraphSummary;
pub use load::{
    Holding, architecture, fingerprint, from_onnx_bytes, holding, load, load_with, model_files,
};
pub use normalised::Normalisation;
pub use options::LoadOptions;
pub use resnet::architecture::{Architecture, BlockKind};
pub use resnet::trainable::{ARCHITECTURES, TrainableResNet};
