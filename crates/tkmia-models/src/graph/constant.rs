//! What a file holds as numbers, as values of the graph.

use std::path::Path;

use burn::tensor::Device;

use super::value::{Kind, Value};
use crate::ModelError;
use crate::format::onnx::node::Node;
use crate::format::onnx::proto::TensorProto;
use crate::format::onnx::tensor::{self, Tensor, Values};

/// The kind of values that an ONNX data type is computed as.
pub fn kind(data_type: i64) -> Option<Kind> {
    let data_type = i32::try_from(data_type).ok()?;
    if tensor::is_float(data_type) {
        Some(Kind::Float)
    } else if tensor::is_bool(data_type) {
        Some(Kind::Bool)
    } else {
        tensor::is_int(data_type).then_some(Kind::Int)
    }
}

/// A stored tensor, its data in the message or in a file beside the model's.
///
/// # Errors
/// Those of reading it.
pub fn stored(
    proto: &TensorProto,
    name: &str,
    path: Option<&Path>,
    device: &Device,
) -> Result<Value, ModelError> {
    let Tensor { shape, values } = tensor::read(proto, name, path)?;
    let value = match values {
        Values::Floats(values) => Value::floats(values, &shape, device),
        Values::Ints(values) if tensor::is_bool(proto.data_type) => {
            Value::bools(values.into_iter().map(|value| value != 0).collect(), &shape, device)
        }
        Values::Ints(values) => Value::ints(values, &shape, device),
    };
    let dims = || proto.dims.clone();
    value.map_err(|_| ModelError::TensorShape { tensor: name.to_owned(), dims: dims() })
}

/// What a `Constant` node holds, or `None` if that is no number.
pub fn of_node(node: &Node, device: &Device) -> Option<Result<Value, ModelError>> {
    let get = |name| node.attribute(name);
    if let Some(proto) = get("value").and_then(|attribute| attribute.t.as_ref()) {
        return Some(stored(proto, node.output(), None, device));
    }
    let floats = |values: Vec<f32>, shape: &[usize]| Value::floats(values, shape, device).ok();
    let value = if let Some(one) = get("value_float") {
        floats(vec![one.f], &[])
    } else if let Some(many) = get("value_floats") {
        floats(many.floats.clone(), &[many.floats.len()])
    } else if let Some(one) = get("value_int") {
        Value::ints(vec![one.i], &[], device).ok()
    } else {
        get("value_ints").map(|many| Value::list(many.ints.clone(), device))
    };
    value.map(Ok)
}
