//! From files to blueprints, and back to one kind of file.

mod float_type;
pub(crate) mod foreign;
pub(crate) mod kind;
pub mod label_names;
pub(crate) mod onnx;
pub(crate) mod state_dict;
mod wire;

pub use float_type::FloatType;
pub use kind::Format;
