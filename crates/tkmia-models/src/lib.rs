//! Victims of the attacks: ResNets read from ONNX, safetensors and PyTorch files at run time.
//!
//! [`load`] returns the [`Classifier`](tkmia_core::Classifier) in a file that PyTorch or another exporter
//! wrote, its batch norms folded and its weights frozen; [`architecture()`] says what the file holds. A
//! file that doesn't hold a ResNet gives an error with the first node or tensor that doesn't fit.
//! [`TrainableResNet`] is the same network with batch norms of its own, to be trained further.
//!
//! What is understood of ONNX: basic and bottleneck blocks, any depths, widths, groups and
//! dilations, folded or separate batch norms, operators of version 7 and later, fixed or dynamic
//! axes, weights of any float type inside the file or beside it. Of state dicts: torchvision's
//! names, any depths, widths, groups and float types, torchvision's strides.

mod error;
mod format;
mod load;
mod resnet;

pub use error::ModelError;
pub use format::onnx::from_onnx_bytes;
pub use format::{FloatType, Format};
pub use load::{architecture, load, load_with_bounds};
pub use resnet::architecture::{Architecture, BlockKind};
pub use resnet::trainable::{ARCHITECTURES, TrainableResNet};
