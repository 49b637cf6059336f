//! What is computed over axes: sums, means, extremes, and what is normalised by them.

use burn::backend::ops::{ActivationOps, FloatTensorOps, IntTensorOps};
use burn::backend::{Dispatch, DispatchTensor};

use super::shape::filled;
use super::{Inputs, Operation, Row, one};
use crate::format::onnx::node::Node;
use crate::graph::value::{Fault, Kind, Value, axes, axis};

pub const OPERATORS: &[Row] = &[
    ("ArgMax", |node, _| extreme_place(node, Dispatch::float_argmax)),
    ("ArgMin", |node, _| extreme_place(node, Dispatch::float_argmin)),
    ("CumProd", |node, _| cumulative(node, Dispatch::float_cumprod, Dispatch::int_cumprod, 1.0)),
    ("CumSum", |node, _| cumulative(node, Dispatch::float_cumsum, Dispatch::int_cumsum, 0.0)),
    ("Hardmax", hardmax),
    ("LogSoftmax", |node, opset| softmax(node, opset, Dispatch::log_softmax)),
    ("ReduceL1", |node, _| reduce(node, |x, axes| x.map(Dispatch::float_abs).sum(axes))),
    ("ReduceL2", |node, _| {
        reduce(node, |x, axes| Ok(square(x)?.sum(axes)?.map(Dispatch::float_sqrt)))
    }),
    ("ReduceLogSum", |node, _| reduce(node, |x, axes| Ok(x.sum(axes)?.map(Dispatch::float_log)))),
    ("ReduceLogSumExp", |node, _| reduce(node, log_sum_exp)),
    ("ReduceMax", |node, _| {
        reduce(node, |x, axes| Ok(each(x, axes, Dispatch::float_max_dim, Dispatch::int_max_dim)))
    }),
    ("ReduceMean", |node, _| reduce(node, |x, axes| x.cast(Kind::Float).mean(axes))),
    ("ReduceMin", |node, _| {
        reduce(node, |x, axes| Ok(each(x, axes, Dispatch::float_min_dim, Dispatch::int_min_dim)))
    }),
    ("ReduceProd", |node, _| {
        reduce(node, |x, axes| Ok(each(x, axes, Dispatch::float_prod_dim, Dispatch::int_prod_dim)))
    }),
    ("ReduceSum", |node, _| {
        reduce(node, |x, axes| Ok(each(x, axes, Dispatch::float_sum_dim, Dispatch::int_sum_dim)))
    }),
    ("ReduceSumSquare", |node, _| reduce(node, |x, axes| square(x)?.sum(axes))),
    ("Softmax", |node, opset| softmax(node, opset, Dispatch::softmax)),
];

type Along = fn(DispatchTensor, usize) -> DispatchTensor;

fn square(x: Value) -> Result<Value, Fault> {
    x.clone().mul(x)
}

/// One axis after the other, each left with a length of 1.
fn each(x: Value, axes: &[usize], float: Along, int: Along) -> Value {
    let f = if x.kind() == Kind::Float { float } else { int };
    axes.iter().fold(x, |x, &axis| x.map(|t| f(t, axis)))
}

/// Over the axes of the attribute (before opset 13 or 18) or of input 1; all without any.
///
/// `f` leaves an axis with a length of 1; it goes where `keepdims` is 0.
fn reduce(node: &Node, f: fn(Value, &[usize]) -> Result<Value, Fault>) -> Result<Operation, Fault> {
    let attribute = node.ints("axes").map(<[i64]>::to_vec);
    let keep = node.int("keepdims", 1) != 0;
    let noop = node.int("noop_with_empty_axes", 0) != 0;
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let given = inputs.ints(1)?.or(attribute.clone()).filter(|axes| !axes.is_empty());
        let over = match given {
            Some(given) => axes(&given, x.rank())?,
            None if noop => Vec::new(),
            None => (0..x.rank()).collect(),
        };
        let flags = x.kind() == Kind::Bool;
        let x = if flags { x.cast(Kind::Int) } else { x };
        let shape = x.shape();
        if over.iter().any(|&axis| shape[axis] == 0) {
            return Err(format!("expected axes with elements, found {shape:?}"));
        }
        let reduced = f(x, &over)?;
        let reduced = if flags { reduced.cast(Kind::Bool) } else { reduced };
        if keep {
            return Ok(reduced);
        }
        let left = (0..shape.len()).filter(|axis| !over.contains(axis)).map(|axis| shape[axis]);
        reduced.reshape(&left.collect::<Vec<_>>())
    })
}

/// `m + ln Σ e^(x − m)`, with `m` the largest.
fn log_sum_exp(x: Value, axes: &[usize]) -> Result<Value, Fault> {
    let largest = each(x.clone(), axes, Dispatch::float_max_dim, Dispatch::int_max_dim);
    let largest = largest.map(Dispatch::float_detach);
    let sum = x.sub(largest.clone())?.map(Dispatch::float_exp).sum(axes)?;
    sum.map(Dispatch::float_log).add(largest)
}

/// `eˣ / Σ eˣ` along an axis, or its logarithm; before opset 13 along all axes from that one on.
fn softmax(node: &Node, opset: i64, f: Along) -> Result<Operation, Fault> {
    let along = node.int("axis", if opset < 13 { 1 } else { -1 });
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        x.expect_kind(Kind::Float)?;
        if opset >= 13 {
            let along = axis(along, x.rank())?;
            return Ok(x.map(|t| f(t, along)));
        }
        let shape = x.shape();
        let (rows, columns) = shape.split_at(axis(along, x.rank())?);
        let flat = x.reshape(&[rows.iter().product(), columns.iter().product()])?;
        flat.map(|t| f(t, 1)).reshape(&shape)
    })
}

/// 1 at the first largest element along an axis, 0 elsewhere.
fn hardmax(node: &Node, opset: i64) -> Result<Operation, Fault> {
    let along = node.int("axis", if opset < 13 { 1 } else { -1 });
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let shape = x.shape();
        let along = axis(along, x.rank())?;
        let ints = x.int_type();
        let places = Value::made_of(Dispatch::float_argmax(x.float()?, along, ints));
        let device = places.device();
        let mut line = vec![1; shape.len()];
        line[along] = shape[along];
        let places_of_axis = Value::ints((0..shape[along] as i64).collect(), &line, &device)?;
        let (a, b) = (places_of_axis.expand(&shape)?, places.expand(&shape)?);
        let flags = a.bool_type();
        Ok(a.with(b, |a, b| Dispatch::int_equal(a, b, flags))?.cast(Kind::Float))
    })
}

/// The place of the first largest or smallest element along an axis.
fn extreme_place(
    node: &Node,
    f: fn(DispatchTensor, usize, burn::tensor::IntDType) -> DispatchTensor,
) -> Result<Operation, Fault> {
    let (along, keep) = (node.int("axis", 0), node.int("keepdims", 1) != 0);
    let last = node.int("select_last_index", 0) != 0;
    one(move |mut inputs| {
        let x = inputs.take(0)?.cast(Kind::Float);
        let along = axis(along, x.rank())?;
        let (mut shape, ints) = (x.shape(), x.int_type());
        let x = if last { x.flip(along) } else { x };
        let mut places = Value::made_of(f(x.float()?, along, ints));
        if last {
            let end = Value::list(vec![shape[along] as i64 - 1], &places.device());
            places = end.reshape(&vec![1; shape.len()])?.sub(places)?;
        }
        match keep {
            true => Ok(places),
            false => {
                shape.remove(along);
                places.reshape(&shape)
            }
        }
    })
}

/// The sum or product of what stands before along an axis, with the element itself unless `exclusive`.
fn cumulative(node: &Node, f: Along, int: Along, none: f32) -> Result<Operation, Fault> {
    let (exclusive, reverse) = (node.int("exclusive", 0) != 0, node.int("reverse", 0) != 0);
    one(move |mut inputs: Inputs| {
        let mut x = inputs.take(0)?;
        let along = inputs.take(1)?.to_ints()?;
        let along = axis(*along.first().ok_or("expected an axis, found none")?, x.rank())?;
        x = if reverse { x.flip(along) } else { x };
        let length = x.dim(along);
        if exclusive {
            // Everything moves on by one place, and the last falls out.
            let mut sides = vec![(0, 0); x.rank()];
            sides[along].0 = 1;
            x = filled(x.slice(along, 0, length.saturating_sub(1), 1), &sides, none)?;
        }
        let f = if x.kind() == Kind::Int { int } else { f };
        let sums = x.map(|t| f(t, along));
        Ok(if reverse { sums.flip(along) } else { sums })
    })
}
