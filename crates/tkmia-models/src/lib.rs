//! Victims of the attacks: ResNets read from ONNX files at run time.
//!
//! [`load_onnx`] reads a file that PyTorch or another exporter wrote, recognises the network in its
//! graph, and gives a [`ResNet`]: a Burn module with its batch norms folded and its weights frozen,
//! that implements [`Classifier`](tkmia_core::Classifier). [`Architecture`] tells what it is. A
//! graph that isn't a ResNet's gives an error with the first node that doesn't fit.
//!
//! What is understood: basic and bottleneck blocks, any depths, widths, groups and dilations, folded
//! or separate batch norms, operators of version 7 and later, fixed or dynamic axes, weights of
//! any float type inside the file or beside it.

mod architecture;
mod blueprint;
mod error;
mod layers;
mod onnx;
mod resnet;

pub use architecture::{Architecture, BlockKind};
pub use error::ModelError;
pub use onnx::{from_onnx_bytes, load_onnx};
pub use resnet::ResNet;
