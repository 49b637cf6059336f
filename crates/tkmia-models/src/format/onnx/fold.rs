//! Constants that are computed from constants: [`fold`].
//!
//! Exporters that don't simplify their graphs reshape, transpose and expand weights in it, and
//! some files spell a weight as a `ConstantOfShape`.

use super::constants::Constants;
use super::node::Node;
use super::tensor::{Tensor, Values, read};
use crate::ModelError;

/// The constant that a node computes, or `None` if it isn't one.
///
/// # Errors
/// Those of reading the constants that it computes from.
pub fn fold(node: &Node, constants: &Constants) -> Result<Option<Tensor>, ModelError> {
    if node.op == "Constant" {
        return constant(node);
    }
    if node.inputs.is_empty() || !node.inputs.iter().all(|input| constants.contains(input)) {
        return Ok(None);
    }
    match &*node.op {
        "Shape" => {
            let dims: Vec<i64> =
                constants.dims(node.inputs[0])?.iter().map(|&d| d as i64).collect();
            let range = shape_range(node, dims.len());
            Ok(Some(Tensor::ints(dims[range].to_vec())))
        }
        "ConstantOfShape" => {
            let Some(dims) = constants.ints(node.inputs[0]) else {
                return Ok(None);
            };
            let value = match node.attribute("value").and_then(|attribute| attribute.t.as_ref()) {
                Some(proto) => read(proto, node.output(), None)?.values,
                None => Values::Floats(vec![0.0]),
            };
            filled(&value, &dims, node, constants)
        }
        "Expand" => {
            let Some(dims) = node.input(1).and_then(|dims| constants.ints(dims)) else {
                return Ok(None);
            };
            constants.spend(&constants.dims(node.inputs[0])?)?;
            let tensor = constants.tensor(node.inputs[0])?;
            let to: Vec<usize> = dims.iter().map(|&d| d.max(0) as usize).collect();
            if tensor.shape.ends_with(&to) || to == [1] {
                return Ok(Some(tensor));
            }
            filled(&tensor.values, &dims, node, constants)
        }
        "Reshape" | "Unsqueeze" | "Squeeze" | "Transpose" => {
            constants.spend(&constants.dims(node.inputs[0])?)?;
            let tensor = constants.tensor(node.inputs[0])?;
            Ok(rearranged(node, tensor, constants))
        }
        _ => Ok(None),
    }
}

fn constant(node: &Node) -> Result<Option<Tensor>, ModelError> {
    if let Some(proto) = node.attribute("value").and_then(|attribute| attribute.t.as_ref()) {
        return read(proto, node.output(), None).map(Some);
    }
    let scalar = |values| Tensor { shape: Vec::new(), values };
    let get = |name| node.attribute(name);
    Ok(get("value_float")
        .map(|a| scalar(Values::Floats(vec![a.f])))
        .or_else(|| get("value_int").map(|a| scalar(Values::Ints(vec![a.i]))))
        .or_else(|| get("value_floats").map(|a| Tensor::floats(a.floats.clone())))
        .or_else(|| get("value_ints").map(|a| Tensor::ints(a.ints.clone()))))
}

/// The part of a shape that a `Shape` node's `start` and `end` keep.
pub fn shape_range(node: &Node, rank: usize) -> std::ops::Range<usize> {
    let start = clamped(node.int("start", 0), rank);
    start..clamped(node.int("end", rank as i64), rank).max(start)
}

/// A bound within a list, below 0 from its end; one outside it is moved to the nearer end.
pub fn clamped(at: i64, rank: usize) -> usize {
    let rank = rank as i64;
    let at = if at < 0 { at.saturating_add(rank) } else { at };
    at.clamp(0, rank) as usize
}

/// A place counted from the front, below 0 from the end; `None` if it lies outside the rank.
pub fn from_front(at: i64, rank: usize) -> Option<usize> {
    let at = if at < 0 { at.checked_add(rank as i64)? } else { at };
    usize::try_from(at).ok().filter(|&at| at < rank)
}

/// One value, repeated to fill `dims`.
fn filled(
    value: &Values,
    dims: &[i64],
    node: &Node,
    constants: &Constants,
) -> Result<Option<Tensor>, ModelError> {
    let (shape, count) = super::tensor::shape(dims, node.output())?;
    constants.spend(&shape)?;
    Ok(value.repeated(count).map(|values| Tensor { shape, values }))
}

/// The same elements in another shape, or transposed; `None` where the node makes no sense.
fn rearranged(node: &Node, tensor: Tensor, constants: &Constants) -> Option<Tensor> {
    let Tensor { shape, values } = tensor;
    let axes = || constants.axes(node);
    let count: usize = shape.iter().product();
    let shape = match &*node.op {
        "Reshape" => reshaped(&shape, &axes()?)?,
        "Unsqueeze" => {
            let axes = axes()?;
            let axes = normalised(&axes, shape.len() + axes.len())?;
            let mut longer = shape;
            for axis in axes {
                longer.insert(axis.min(longer.len()), 1);
            }
            longer
        }
        "Squeeze" => match axes() {
            Some(axes) => {
                let axes = normalised(&axes, shape.len())?;
                let kept = shape.iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
                kept.map(|(_, &dim)| dim).collect()
            }
            None => shape.into_iter().filter(|&dim| dim != 1).collect(),
        },
        _ => return transposed(node, shape, values),
    };
    (shape.iter().product::<usize>() == count).then_some(Tensor { shape, values })
}

/// Axes counted from the front, ascending; `None` if one lies outside the rank.
pub fn normalised(axes: &[i64], rank: usize) -> Option<Vec<usize>> {
    let axes = axes.iter().map(|&axis| from_front(axis, rank));
    let mut axes: Vec<usize> = axes.collect::<Option<_>>()?;
    axes.sort_unstable();
    Some(axes)
}

/// `Reshape`'s rule: 0 keeps a dimension, one −1 takes what is left.
fn reshaped(shape: &[usize], target: &[i64]) -> Option<Vec<usize>> {
    let kept = |(i, &dim): (usize, &i64)| match dim {
        0 => shape.get(i).copied(),
        -1 => Some(1),
        dim => usize::try_from(dim).ok(),
    };
    let mut reshaped: Vec<usize> = target.iter().enumerate().map(kept).collect::<Option<_>>()?;
    let known = reshaped.iter().try_fold(1_usize, |n, &d| n.checked_mul(d))?;
    if let Some(free) = target.iter().position(|&dim| dim == -1) {
        reshaped[free] = shape.iter().product::<usize>().checked_div(known)?;
    }
    Some(reshaped)
}

fn transposed(node: &Node, shape: Vec<usize>, values: Values) -> Option<Tensor> {
    let rank = shape.len();
    let order = match node.ints("perm") {
        Some(perm) => perm.iter().map(|&axis| usize::try_from(axis).ok()).collect::<Option<_>>()?,
        None => (0..rank).rev().collect::<Vec<usize>>(),
    };
    if normalised(node.ints("perm").unwrap_or_default(), rank).is_none()
        || (0..rank).any(|axis| order.iter().filter(|&&o| o == axis).count() != 1)
    {
        return None;
    }
    let stride = |axis: usize| shape[axis + 1..].iter().product::<usize>();
    let to: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    let steps: Vec<usize> = order.iter().map(|&axis| stride(axis)).collect();
    let count = shape.iter().product();
    let source = |mut index: usize| {
        let mut from = 0;
        for (dim, step) in to.iter().zip(&steps).rev() {
            from += index % dim * step;
            index /= dim;
        }
        from
    };
    let values = values.pick((0..count).map(source));
    Some(Tensor { shape: to, values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::onnx::proto::{AttributeProto, NodeProto};

    fn transpose(perm: &[i64], shape: &[usize]) -> Option<Tensor> {
        let perm =
            AttributeProto { name: "perm".into(), ints: perm.to_vec(), ..Default::default() };
        let proto = NodeProto { attribute: vec![perm], ..Default::default() };
        let count: usize = shape.iter().product();
        let values = Values::Ints((0..count as i64).collect());
        transposed(&Node::new(&proto, Vec::new()), shape.to_vec(), values)
    }

    #[test]
    fn transposing_moves_elements_with_their_axes() {
        let matrix = transpose(&[1, 0], &[2, 3]).unwrap();
        assert_eq!(matrix.shape, [3, 2]);
        assert_eq!(matrix.values, Values::Ints(vec![0, 3, 1, 4, 2, 5]));
        let cube = transpose(&[2, 0, 1], &[2, 1, 3]).unwrap();
        assert_eq!(cube.shape, [3, 2, 1]);
        assert_eq!(cube.values, Values::Ints(vec![0, 3, 1, 4, 2, 5]));
        assert_eq!(transpose(&[0, 0], &[2, 3]), None);
        assert_eq!(transpose(&[0], &[2, 3]), None);
        assert_eq!(transpose(&[0, 5], &[2, 3]), None);
    }

    #[test]
    fn reshaping_keeps_zeros_and_fills_minus_one() {
        assert_eq!(reshaped(&[2, 6], &[0, 3, -1]).unwrap(), [2, 3, 2]);
        assert_eq!(reshaped(&[], &[-1]).unwrap(), [1]);
        assert_eq!(reshaped(&[2], &[1, 0]), None);
        assert_eq!(reshaped(&[2], &[i64::MAX, i64::MAX]), None);
    }
}
