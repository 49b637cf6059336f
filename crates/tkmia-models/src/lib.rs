//! Victims of the attacks: ResNets read from ONNX, safetensors and PyTorch files at run time.
//!
//! [`load`] reads a file that PyTorch or another exporter wrote, recognises the network in it, and
//! gives a [`ResNet`] with its batch norms folded and its weights frozen, that
//! implements [`Classifier`](tkmia_core::Classifier). [`Architecture`] tells what it is. A file that
//! doesn't hold a ResNet gives an error with the first node or tensor that doesn't fit.
//! [`TrainableResNet`] is the same network with batch norms of its own, to be trained further.
//!
//! What is understood of ONNX: basic and bottleneck blocks, any depths, widths, groups and
//! dilations, folded or separate batch norms, operators of version 7 and later, fixed or dynamic
//! axes, weights of any float type inside the file or beside it. Of state dicts: torchvision's
//! names, any depths, widths, groups and float types, torchvision's strides.

mod architecture;
mod blueprint;
mod error;
mod float_type;
mod format;
#[cfg(feature = "flex")]
mod fused;
mod layers;
mod load;
mod memory;
mod onnx;
mod resnet;
mod state_dict;
mod trainable;

pub use architecture::{Architecture, BlockKind};
pub use error::ModelError;
pub use float_type::FloatType;
pub use format::Format;
pub use load::load;
pub use memory::PassMemory;
pub use onnx::from_onnx_bytes;
pub use resnet::ResNet;
pub use trainable::{ARCHITECTURES, TrainableResNet};
