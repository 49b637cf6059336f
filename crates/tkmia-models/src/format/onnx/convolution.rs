//! A convolution, and what is done to each channel: [`convolution`], [`channel_step`].

use super::graph::Graph;
use super::node::Node;
use super::window::{output_size, window};
use crate::ModelError;
use crate::resnet::blueprint::{BatchNorm, ChannelMap, Convolution};

/// Reads a `Conv` node over `channels` channels of `size`.
///
/// Source: <https://onnx.ai/onnx/operators/onnx__Conv.html>
///
/// # Errors
/// [`ModelError::NotAResNet`] where it isn't a 2-d convolution of these channels.
pub fn convolution(
    graph: &Graph,
    node: &Node,
    channels: usize,
    size: [usize; 2],
) -> Result<Convolution, ModelError> {
    let (shape, weights) = graph.floats(node, 1)?;
    let Ok(shape) = <[usize; 4]>::try_from(shape.as_slice()) else {
        return Err(node.misfit(format!("weights of rank 4, found dimensions {shape:?}")));
    };
    let [out, per_group, height, width] = shape;
    let groups = usize::try_from(node.int("group", 1)).unwrap_or(0);
    let sound = groups > 0
        && !weights.is_empty()
        && out.is_multiple_of(groups)
        && per_group.checked_mul(groups) == Some(channels);
    if !sound {
        return Err(node.misfit(format!(
            "weights for {channels} channels, found dimensions {shape:?} in {groups} groups"
        )));
    }
    let bias = match node.input(2) {
        Some(_) => graph.floats(node, 2)?.1,
        None => vec![0.0; out],
    };
    if bias.len() != out {
        return Err(node.misfit(format!("a bias of {out} values, found {}", bias.len())));
    }
    let window = window(node, Some([height, width]))?;
    let output_size = output_size(node, &window, size)?;
    let name = node.input(1).unwrap_or(node.name);
    let stored = graph.constants.float_type(name);
    let name = name.to_owned();
    Ok(Convolution { name, stored, shape, weights, bias, norm: None, window, groups, output_size })
}

/// What is done to each channel by itself.
#[derive(Debug)]
pub enum ChannelStep {
    /// A batch norm in inference mode.
    Norm(BatchNorm),
    /// One of `Add`, `Sub`, `Mul`, `Div` with a constant.
    Map(ChannelMap),
}

impl ChannelStep {
    pub fn map(&self) -> ChannelMap {
        match self {
            Self::Norm(norm) => norm.map(),
            Self::Map(map) => map.clone(),
        }
    }
}

/// What a node does to each of `channels` channels, or `None` if it isn't of that kind.
///
/// # Errors
/// [`ModelError::NotAResNet`] if it's in training mode, or its constant isn't one per channel;
/// [`ModelError::NotFinite`] as for a variance below −epsilon, or a division by 0.
pub fn channel_step(
    graph: &Graph,
    node: &Node,
    channels: usize,
) -> Result<Option<ChannelStep>, ModelError> {
    let is_constant = |&at: &usize| node.input(at).is_some_and(|v| graph.constants.contains(v));
    let (step, divisor) = match &*node.op {
        "BatchNormalization" => (ChannelStep::Norm(batch_norm(graph, node, channels)?), 4),
        "Add" | "Sub" | "Mul" | "Div" => match (0..2).find(is_constant) {
            Some(at) => (ChannelStep::Map(arithmetic(graph, node, at, channels)?), at),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    step.map().check_finite(node.input(divisor).unwrap_or_default())?;
    Ok(Some(step))
}

/// `Add`, `Sub`, `Mul` or `Div` whose operand `at` is constant.
fn arithmetic(
    graph: &Graph,
    node: &Node,
    at: usize,
    channels: usize,
) -> Result<ChannelMap, ModelError> {
    let (shape, values) = graph.floats(node, at)?;
    let constant = match shape.as_slice() {
        _ if values.len() == 1 => vec![f64::from(values[0]); channels],
        [1, c, 1, 1] | [c, 1, 1] if *c == channels => values.into_iter().map(f64::from).collect(),
        _ => {
            let expected = format!("a constant per channel ({channels}), found one of {shape:?}");
            return Err(node.misfit(expected));
        }
    };
    let same = |value| vec![value; channels];
    let each = |f: fn(f64) -> f64| constant.iter().map(|&v| f(v)).collect();
    match (&*node.op, at) {
        ("Add", _) => Ok(ChannelMap { scale: same(1.0), shift: constant }),
        ("Sub", 1) => Ok(ChannelMap { scale: same(1.0), shift: each(|v| -v) }),
        ("Sub", _) => Ok(ChannelMap { scale: same(-1.0), shift: constant }),
        ("Mul", _) => Ok(ChannelMap { scale: constant, shift: same(0.0) }),
        ("Div", 1) => Ok(ChannelMap { scale: each(f64::recip), shift: same(0.0) }),
        _ => Err(node.misfit("a constant divisor, found a constant dividend")),
    }
}

/// Source: <https://onnx.ai/onnx/operators/onnx__BatchNormalization.html>
fn batch_norm(graph: &Graph, node: &Node, channels: usize) -> Result<BatchNorm, ModelError> {
    if node.int("training_mode", 0) != 0 {
        return Err(node.misfit("a batch norm in inference mode (training_mode 0)"));
    }
    if node.int("spatial", 1) != 1 {
        return Err(node.misfit("a batch norm of whole channels (spatial 1), found spatial 0"));
    }
    let epsilon = f64::from(node.float("epsilon", 1e-5));
    let input = |at| -> Result<Vec<f64>, ModelError> {
        let (_, values) = graph.floats(node, at)?;
        if values.len() != channels {
            let found = values.len();
            return Err(node.misfit(format!("{channels} values as input {at}, found {found}")));
        }
        Ok(values.into_iter().map(f64::from).collect())
    };
    let (gamma, beta, mean, variance) = (input(1)?, input(2)?, input(3)?, input(4)?);
    Ok(BatchNorm { gamma, beta, mean, variance, epsilon })
}
