//! Quantisation, as it is simulated with floats.

use burn::backend::Dispatch;
use burn::backend::ops::FloatTensorOps;

use super::{Operation, Row, one};
use crate::format::onnx::node::Node;
use crate::graph::value::{Fault, Kind, Value, axis};

pub const OPERATORS: &[Row] = &[("DequantizeLinear", dequantise), ("QuantizeLinear", quantise)];

/// Scale or zero point of a whole tensor, of each entry of an axis, or of blocks along it, in the shape of `x`.
fn spread(value: Value, x: &Value, along: i64, block: usize) -> Result<Value, Fault> {
    if value.len() == 1 {
        return value.reshape(&[]);
    }
    let along = axis(along, x.rank())?;
    if value.rank() == 1 {
        let mut line = vec![1; x.rank()];
        line[along] = value.len();
        return value.reshape(&line);
    }
    let mut apart = value.shape();
    if apart.len() != x.rank() || block == 0 {
        return Err(format!("expected one scale, one a channel, or blocks, found {apart:?}"));
    }
    apart.insert(along + 1, 1);
    let value = value.reshape(&apart)?;
    apart[along + 1] = block;
    let value = value.expand(&apart)?;
    apart[along] *= apart.remove(along + 1);
    Ok(value.reshape(&apart)?.slice(along, 0, x.dim(along).min(apart[along]), 1))
}

fn block(node: &Node) -> usize {
    usize::try_from(node.int("block_size", 0)).unwrap_or(0)
}

/// `(x − zero point) · scale`
fn dequantise(node: &Node, _: i64) -> Result<Operation, Fault> {
    // Floats of any width are computed with 32 bits.
    node.attribute("output_dtype");
    let (along, block) = (node.int("axis", 1), block(node));
    one(move |mut inputs| {
        let (x, scale, zero) =
            (inputs.take(0)?.cast(Kind::Float), inputs.take(1)?, inputs.optional(2));
        let centred = match zero {
            Some(zero) => x.clone().sub(spread(zero.cast(Kind::Float), &x, along, block)?)?,
            None => x.clone(),
        };
        centred.mul(spread(scale, &x, along, block)?)
    })
}

/// `round(x / scale) + zero point`, within what the integers of `output_dtype` can be.
fn quantise(node: &Node, _: i64) -> Result<Operation, Fault> {
    let (along, block) = (node.int("axis", 1), block(node));
    let (low, high) = match node.int("output_dtype", 0) {
        0 | 2 => (0.0, 255.0),
        3 => (-128.0, 127.0),
        4 => (0.0, 65_535.0),
        5 => (-32_768.0, 32_767.0),
        other => {
            return Err(format!("expected integers of 8 or 16 bits, found onnx data type {other}"));
        }
    };
    one(move |mut inputs| {
        let (x, scale, zero) = (inputs.take(0)?, inputs.take(1)?, inputs.optional(2));
        let steps = x.clone().div(spread(scale, &x, along, block)?)?.map(Dispatch::float_round);
        let shifted = match zero {
            Some(zero) => steps.add(spread(zero.cast(Kind::Float), &x, along, block)?)?,
            None => steps,
        };
        Ok(shifted.map(|t| Dispatch::float_clamp(t, low.into(), high.into())).cast(Kind::Int))
    })
}
