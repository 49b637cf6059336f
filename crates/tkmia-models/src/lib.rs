//! Victims of the attacks: networks read from ONNX, safetensors and PyTorch files at run time.
//!
//! [`load`] returns the [`Classifier`](tkmia_core::Classifier) in a file that PyTorch or another exporter
//! wrote, its weights frozen; [`load_with`] takes what the file doesn't say, and says what it holds. [`TrainableResNet`] is a ResNet with batch
//! norms of its own, to be trained further. [`scored_by`] takes the scores of any other function, with its way back; a
//! [`ScoringCommand`] those of any other program, without one. A [`Source`] is either, a file or a command.
//!
//! A ResNet in an ONNX file has kernels of its own on CPUs: basic and bottleneck blocks, any depths, widths, groups and
//! dilations, folded or separate batch norms. Any other graph is computed node by node with Burn's operations, on any device;
//! on CPUs the nodes that take the time have operations of their own.
//! State dicts are those of ResNets: torchvision's names, any depths, widths, groups and float types,
//! torchvision's strides.

mod adapted;
mod agreement;
mod beside;
mod budget;
mod command;
#[cfg(feature = "flex")]
mod direct;
mod error;
mod format;
mod graph;
mod load;
mod resnet;
mod source;

#[cfg(feature = "flex")]
pub use agreement::check_device;
pub use command::{CommandError, Fault, ScoringCommand, answer};
pub use direct::pullback::{Pullback, scored_by};
pub use error::ModelError;
pub use format::{FloatType, Format};
pub use graph::GraphSummary;
pub use load::{Holding, Loaded, architecture, from_onnx_bytes, load, load_with, model_files};
pub use resnet::architecture::{Architecture, BlockKind};
pub use resnet::trainable::{ARCHITECTURES, TrainableResNet};
pub use source::{Source, fingerprint};
