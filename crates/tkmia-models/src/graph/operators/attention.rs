//! Attention as one operator, of opset 23 on.

use burn::backend::Dispatch;
use burn::backend::ops::{ActivationOps, BoolTensorOps, FloatTensorOps};

use super::{Inputs, Operation, Row};
use crate::format::onnx::node::Node;
use crate::graph::value::{Fault, Kind, Value, broadcast, host};

pub const OPERATORS: &[Row] = &[("Attention", attention)];

/// The score of a key that isn't seen: its weight is 0, and the gradient is a number even where no key is seen.
const NEVER: f32 = -1e30;

/// `softmax(Q Kᵀ · scale + mask) V`, head by head.
///
/// Queries may share keys and values in groups of heads. Operands of rank 3 hold the heads of a token one after
/// the other.
fn attention(node: &Node, _: i64) -> Result<Operation, Fault> {
    if node.outputs().count() > 1 {
        return Err("expected one output, found the keys, values or weights too".into());
    }
    let heads = |name| usize::try_from(node.int(name, 0)).ok().filter(|&heads| heads > 0);
    let (of_queries, of_keys) = (heads("q_num_heads"), heads("kv_num_heads"));
    let scale = node.attribute("scale").map(|attribute| f64::from(attribute.f));
    let (causal, cap) = (node.int("is_causal", 0) != 0, f64::from(node.float("softcap", 0.0)));
    Ok(Box::new(move |mut inputs: Inputs| {
        let (q, k, v) = (inputs.take(0)?, inputs.take(1)?, inputs.take(2)?);
        let mask = inputs.optional(3);
        if inputs.0.iter().skip(4).any(Option::is_some) {
            return Err(
                "expected queries, keys, values and a mask, found past keys or lengths too".into(),
            );
        }
        let flat = q.rank() == 3;
        let (q, k, v) = (by_head(q, of_queries)?, by_head(k, of_keys)?, by_head(v, of_keys)?);
        let [n, heads, tokens, width] = [0, 1, 2, 3].map(|axis| q.dim(axis));
        let (k, v) = (repeated(k, heads)?, repeated(v, heads)?);
        let scale = scale.unwrap_or_else(|| 1.0 / (width as f64).sqrt());
        let mut scores = super::matmul::product(q.scale(scale), k.permute(&[0, 1, 3, 2])?)?;
        let keys = scores.dim(3);
        if cap > 0.0 {
            scores = scores.scale(1.0 / cap).map(Dispatch::float_tanh).scale(cap);
        }
        let before = |query: usize| (0..keys).map(move |key| key <= query);
        let mut seen = match causal {
            true => Some(Value::bools(
                (0..tokens).flat_map(before).collect(),
                &[tokens, keys],
                &host(&scores.device()),
            )?),
            false => None,
        };
        match mask {
            Some(mask) if mask.kind() == Kind::Bool => {
                seen = Some(match seen {
                    Some(seen) => both(seen, mask)?,
                    None => mask,
                });
            }
            Some(mask) => scores = scores.add(mask)?,
            None => {}
        }
        let weights = match seen {
            // A query that sees no key has weights of 0.
            Some(seen) => {
                let filled = |x: Value, with: f32| -> Result<Value, Fault> {
                    let with = Value::full(with, &[], &x.device())?;
                    Value::choose(seen.clone(), x, with)
                };
                let weights = filled(scores, NEVER)?.map(|t| Dispatch::softmax(t, 3));
                filled(weights, 0.0)?
            }
            None => scores.map(|t| Dispatch::softmax(t, 3)),
        };
        let y = super::matmul::product(weights, v)?;
        if !flat {
            return Ok(vec![y]);
        }
        let width = y.dim(3);
        Ok(vec![y.permute(&[0, 2, 1, 3])?.reshape(&[n, tokens, heads * width])?])
    }))
}

/// As `[batch, heads, tokens, width]`.
fn by_head(x: Value, heads: Option<usize>) -> Result<Value, Fault> {
    let shape = x.shape();
    match (&shape[..], heads) {
        ([_, _, _, _], _) => Ok(x),
        (&[n, tokens, width], Some(heads)) if width % heads == 0 => {
            x.reshape(&[n, tokens, heads, width / heads])?.permute(&[0, 2, 1, 3])
        }
        (shape, heads) => {
            Err(format!("expected 4 dimensions, or 3 of {heads:?} heads, found {shape:?}"))
        }
    }
}

/// Each head of the keys or values for as many heads of the queries as share it.
fn repeated(x: Value, heads: usize) -> Result<Value, Fault> {
    let [n, own, tokens, width] = [0, 1, 2, 3].map(|axis| x.dim(axis));
    if own == heads {
        return Ok(x);
    }
    if own == 0 || !heads.is_multiple_of(own) {
        return Err(format!("expected heads that divide {heads}, found {own}"));
    }
    let apart = x.reshape(&[n, own, 1, tokens, width])?;
    apart.expand(&[n, own, heads / own, tokens, width])?.reshape(&[n, heads, tokens, width])
}

/// Flags that are set in both.
fn both(a: Value, b: Value) -> Result<Value, Fault> {
    let shape = broadcast(&[&a.shape(), &b.shape()])?;
    a.expand(&shape)?.with(b.expand(&shape)?, Dispatch::bool_and)
}
