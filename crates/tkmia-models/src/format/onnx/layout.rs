//! Graphs that take images channels last: [`channels_first`].

use std::collections::HashSet;

use tkmia_core::Layout;

use super::graph::shown;
use super::proto::{AttributeProto, DimensionValue, GraphProto, NodeProto, TensorShapeProto};
use crate::ModelError;

/// Puts a transpose before a graph whose images are channels last, so that it takes them channels first as any other, and says
/// which it was.
///
/// It is where the input is declared as `[n, h, w, 3]`, or where that is said of one that declares nothing else.
///
/// # Errors
/// [`ModelError::InputType`] where the file declares something else than what is said.
pub fn channels_first(graph: &mut GraphProto, said: Option<Layout>) -> Result<Layout, ModelError> {
    let stored: HashSet<&String> = graph.initializer.iter().map(|tensor| &tensor.name).collect();
    let Some(input) = graph.input.iter_mut().find(|input| !stored.contains(&input.name)) else {
        return Ok(Layout::Nchw);
    };
    let tensor = input.r#type.as_mut().and_then(|declared| declared.tensor_type.as_mut());
    let shape = tensor.and_then(|tensor| tensor.shape.as_mut());
    match (shape, said) {
        (_, Some(Layout::Nchw)) | (None, None) => return Ok(Layout::Nchw),
        (None, Some(Layout::Nhwc)) => {}
        (Some(TensorShapeProto { dim }), said) => {
            let length = |at: usize| match dim.get(at)?.value {
                Some(DimensionValue::Value(length)) if length > 0 => Some(length),
                _ => None,
            };
            let three = Some(3);
            match said {
                None if !(dim.len() == 4 && length(3) == three && length(1) != three) => {
                    return Ok(Layout::Nchw);
                }
                Some(_) if !(dim.len() == 4 && matches!(length(3), None | Some(3))) => {
                    return Err(ModelError::InputType {
                        input: input.name.clone(),
                        expected: "float images [batch, height, width, 3]",
                        found: shown(dim),
                    });
                }
                _ => dim[1..].rotate_right(1),
            }
        }
    }
    let (last, first) = (input.name.clone(), format!("{} (channels first)", input.name));
    input.name = first.clone();
    let perm = AttributeProto { name: "perm".into(), ints: vec![0, 2, 3, 1], ..Default::default() };
    let transpose = NodeProto {
        op_type: "Transpose".into(),
        name: format!("{last} (channels last)"),
        input: vec![first],
        output: vec![last],
        attribute: vec![perm],
        ..Default::default()
    };
    graph.node.insert(0, transpose);
    Ok(Layout::Nhwc)
}
