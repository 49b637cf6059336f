//! What picks elements by indices, or puts them in their places.

use burn::backend::Dispatch;
use burn::backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn::tensor::{Device, IndexingUpdateOp};

use super::{Inputs, Operation, Row, choice, one};
use crate::format::onnx::node::Node;
use crate::graph::value::{Fault, Kind, Value, axis, elements, host};

pub const OPERATORS: &[Row] = &[
    ("Gather", gather),
    ("GatherElements", gather_elements),
    ("GatherND", gather_nd),
    ("NonZero", |_, _| one(|mut inputs| non_zero(inputs.take(0)?))),
    ("OneHot", one_hot),
    ("Scatter", scatter_elements),
    ("ScatterElements", scatter_elements),
    ("ScatterND", scatter_nd),
    ("TopK", top_k),
];

/// Indices into an axis of that length, counted from the front.
///
/// Those that the images don't have a part in lie on the host, and are checked there.
fn from_front(indices: Value, length: usize) -> Result<Value, Fault> {
    indices.expect_kind(Kind::Int)?;
    let device = indices.device();
    if device == host(&device) {
        let shape = indices.shape();
        let mut places = indices.to_ints()?;
        for place in &mut places {
            let at = if *place < 0 { *place + length as i64 } else { *place };
            if !(0..length as i64).contains(&at) {
                return Err(format!("expected indices of {length} entries, found {place}"));
            }
            *place = at;
        }
        return Value::ints(places, &shape, &device);
    }
    let flags = indices.bool_type();
    let negative = indices.clone().map(|t| Dispatch::int_lower_elem(t, 0_i64.into(), flags));
    let moved = indices.clone().map(|t| Dispatch::int_add_scalar(t, (length as i64).into()));
    Value::choose(negative, moved, indices)
}

/// Whole entries of an axis, in the shape of the indices.
fn gather(node: &Node, _: i64) -> Result<Operation, Fault> {
    let along = node.int("axis", 0);
    one(move |mut inputs| {
        let (x, indices) = (inputs.take(0)?, inputs.take(1)?);
        let shape = x.shape();
        let along = axis(along, shape.len())?;
        let indices = from_front(indices, shape[along])?;
        let of_indices = indices.shape();
        let to = [&shape[..along], &of_indices[..], &shape[along + 1..]].concat();
        elements(&to)?;
        if indices.len() == 1 {
            let at = indices.to_ints()?[0] as usize;
            return x.slice(along, at, at + 1, 1).reshape(&to);
        }
        let count = indices.len();
        x.select(along, indices.reshape(&[count])?)?.reshape(&to)
    })
}

/// `y[i][j] = x[index[i][j]][j]`, for axis 0.
fn gather_elements(node: &Node, _: i64) -> Result<Operation, Fault> {
    let along = node.int("axis", 0);
    one(move |mut inputs| {
        let (x, indices) = (inputs.take(0)?, inputs.take(1)?);
        let along = axis(along, x.rank())?;
        let indices = from_front(indices, x.dim(along))?.beside(&x);
        expect_within(&indices, &x, along)?;
        let others = (0..x.rank()).filter(|&at| at != along);
        let x = others.fold(x, |x, at| x.slice(at, 0, indices.dim(at), 1));
        let indices = indices.int()?;
        Ok(Value::made_of(match x.kind() {
            Kind::Float => Dispatch::float_gather(along, x.float()?, indices),
            Kind::Int => Dispatch::int_gather(along, x.int()?, indices),
            Kind::Bool => Dispatch::bool_gather(along, x.bool()?, indices),
        }))
    })
}

fn expect_within(indices: &Value, x: &Value, along: usize) -> Result<(), Fault> {
    let (of_indices, shape) = (indices.shape(), x.shape());
    let within = |axis: usize| axis == along || of_indices[axis] <= shape[axis];
    match of_indices.len() == shape.len() && (0..shape.len()).all(within) {
        true => Ok(()),
        false => Err(format!("expected indices within {shape:?}, found a shape of {of_indices:?}")),
    }
}

/// Of tuples of indices into the first axes, one number for each entry of the flattened axes.
fn flat_indices(tuples: Value, dims: &[usize]) -> Result<Value, Fault> {
    let shape = tuples.shape();
    let [ref over @ .., count] = shape[..] else {
        return Err("expected tuples of indices, found one number".into());
    };
    if count != dims.len() {
        return Err(format!("expected tuples of {} indices, found {count}", dims.len()));
    }
    let last = shape.len() - 1;
    let mut flat: Option<Value> = None;
    for (at, &dim) in dims.iter().enumerate() {
        let column = from_front(tuples.clone().slice(last, at, at + 1, 1), dim)?;
        flat = Some(match flat {
            Some(flat) => {
                flat.map(|t| Dispatch::int_mul_scalar(t, (dim as i64).into())).add(column)?
            }
            None => column,
        });
    }
    flat.ok_or("expected tuples of at least one index")?.reshape(&[over.iter().product()])
}

/// `y[i] = x[index[i]]`, where an index is a tuple; after `batch_dims` axes that both have.
fn gather_nd(node: &Node, _: i64) -> Result<Operation, Fault> {
    let batch =
        usize::try_from(node.int("batch_dims", 0)).map_err(|_| "expected batch_dims from 0 on")?;
    one(move |mut inputs| {
        let (x, tuples) = (inputs.take(0)?, inputs.take(1)?);
        let (shape, of_tuples) = (x.shape(), tuples.shape());
        let count = of_tuples.last().copied().unwrap_or(0);
        let sound = count > 0
            && batch + count <= shape.len()
            && batch < of_tuples.len()
            && shape[..batch] == of_tuples[..batch];
        if !sound {
            return Err(format!("expected tuples of indices into {shape:?}, found {of_tuples:?}"));
        }
        let rows: usize = shape[..batch].iter().product();
        let dims = &shape[batch..batch + count];
        let (entries, rest) = (elements(dims)?, &shape[batch + count..]);
        let mut flat = flat_indices(tuples, dims)?;
        if let Some(each) = flat.len().checked_div(rows) {
            // Entries of the second row come after those of the first.
            let offsets = (0..flat.len()).map(|at| (at / each * entries) as i64).collect();
            flat = flat.clone().add(Value::list(offsets, &flat.device()))?;
        }
        let to = [&of_tuples[..of_tuples.len() - 1], rest].concat();
        elements(&to)?;
        let size = rest.iter().product();
        x.reshape(&[rows * entries, size])?.select(0, flat)?.reshape(&to)
    })
}

/// How updates are put in: in place of what is there, or added to it.
fn reduction(node: &Node) -> Result<IndexingUpdateOp, Fault> {
    match choice(node, "reduction", "none", &["none", "add"])? {
        "add" => Ok(IndexingUpdateOp::Add),
        _ => Ok(IndexingUpdateOp::Assign),
    }
}

/// Values and their updates as floats, on the device of the network.
fn as_floats(x: Value, updates: Value) -> (Value, Value, Device) {
    let (x, updates) = (x.cast(Kind::Float), updates.cast(Kind::Float));
    let device =
        if updates.device() == host(&updates.device()) { x.device() } else { updates.device() };
    (x.on(&device), updates.on(&device), device)
}

/// The updates put in, given what adds updates to values at their indices.
fn scattered(
    reduction: &IndexingUpdateOp,
    x: Value,
    updates: Value,
    add: impl Fn(Value, Value) -> Result<Value, Fault>,
) -> Result<Value, Fault> {
    if let IndexingUpdateOp::Add = reduction {
        return add(x, updates);
    }
    let device = x.device();
    let zeros = Value::full(0.0, &x.shape(), &device)?;
    let ones = Value::full(1.0, &updates.shape(), &device)?;
    let touched = add(zeros.clone(), ones)?.cast(Kind::Bool);
    Value::choose(touched, add(zeros, updates)?, x)
}

/// `x` with `x[index[i][j]][j] = update[i][j]`, for axis 0; a place has one update, as the standard asks.
fn scatter_elements(node: &Node, _: i64) -> Result<Operation, Fault> {
    let (along, reduction) = (node.int("axis", 0), reduction(node)?);
    one(move |mut inputs| {
        let (x, indices, updates) = (inputs.take(0)?, inputs.take(1)?, inputs.take(2)?);
        let kind = x.kind();
        let (x, updates, device) = as_floats(x, updates);
        let along = axis(along, x.rank())?;
        let indices = from_front(indices, x.dim(along))?.on(&device);
        expect_within(&indices, &x, along)?;
        if indices.shape() != updates.shape() {
            let (of_indices, of_updates) = (indices.shape(), updates.shape());
            return Err(format!("expected updates of {of_indices:?}, found {of_updates:?}"));
        }
        let (shape, of_indices) = (x.shape(), indices.shape());
        if of_indices.contains(&0) {
            return Ok(x.cast(kind));
        }
        // Burn wants indices that span the other axes: those that are left out add nothing.
        let mut sides = vec![(0, 0); shape.len()];
        for at in (0..shape.len()).filter(|&at| at != along) {
            sides[at].1 = shape[at] - of_indices[at];
        }
        let places = |x: Value| super::shape::filled(x, &sides, 0.0);
        let put = |x: Value, updates: Value| -> Result<Value, Fault> {
            let indices = places(indices.clone())?.int()?;
            let (x, updates) = (x.float()?, places(updates)?.float()?);
            Ok(Value::made_of(Dispatch::float_scatter(
                along,
                x,
                indices,
                updates,
                IndexingUpdateOp::Add,
            )))
        };
        Ok(scattered(&reduction, x, updates, put)?.cast(kind))
    })
}

/// `x` with `x[index[i]] = update[i]`, where an index is a tuple.
fn scatter_nd(node: &Node, _: i64) -> Result<Operation, Fault> {
    let reduction = reduction(node)?;
    one(move |mut inputs| {
        let (x, tuples, updates) = (inputs.take(0)?, inputs.take(1)?, inputs.take(2)?);
        let kind = x.kind();
        let (x, updates, device) = as_floats(x, updates);
        let (shape, of_tuples) = (x.shape(), tuples.shape());
        let count = of_tuples.last().copied().unwrap_or(0);
        if count == 0 || count > shape.len() {
            return Err(format!("expected tuples of indices into {shape:?}, found {of_tuples:?}"));
        }
        let (dims, rest) = shape.split_at(count);
        let (entries, size): (usize, usize) = (elements(dims)?, rest.iter().product());
        let flat = flat_indices(tuples, dims)?.on(&device);
        let rows = flat.len();
        let (x, updates) = (x.reshape(&[entries, size])?, updates.reshape(&[rows, size])?);
        let put = |x: Value, updates: Value| -> Result<Value, Fault> {
            let indices = flat.clone().int()?;
            let (x, updates) = (x.float()?, updates.float()?);
            Ok(Value::made_of(Dispatch::float_select_assign(
                x,
                0,
                indices,
                updates,
                IndexingUpdateOp::Add,
            )))
        };
        scattered(&reduction, x, updates, put)?.reshape(&shape).map(|sum| sum.cast(kind))
    })
}

/// A new axis with one value at an index and another elsewhere; no index outside the depth has one.
fn one_hot(node: &Node, _: i64) -> Result<Operation, Fault> {
    let along = node.int("axis", -1);
    one(move |mut inputs| {
        let (indices, depth, values) = (inputs.take(0)?, inputs.take(1)?, inputs.take(2)?);
        let depth = depth.cast(Kind::Int).to_ints()?.first().and_then(|&d| usize::try_from(d).ok());
        let depth = depth.ok_or("expected a depth from 0 on")?;
        if values.len() != 2 {
            return Err(format!("expected two values, off and on, found {:?}", values.shape()));
        }
        let indices = indices.cast(Kind::Int);
        let mut shape = indices.shape();
        let along = axis(along, shape.len() + 1)?;
        shape.insert(along, 1);
        let indices = indices.reshape(&shape)?;
        let flags = indices.bool_type();
        let negative = indices.clone().map(|t| Dispatch::int_lower_elem(t, 0_i64.into(), flags));
        let moved = indices.clone().map(|t| Dispatch::int_add_scalar(t, (depth as i64).into()));
        let indices = Value::choose(negative, moved, indices)?;
        let mut line = vec![1; shape.len()];
        line[along] = depth;
        shape[along] = depth;
        elements(&shape)?;
        let places = Value::ints((0..depth as i64).collect(), &line, &indices.device())?;
        let (a, b) = (indices.expand(&shape)?, places.expand(&shape)?);
        let hot = a.with(b, |a, b| Dispatch::int_equal(a, b, flags))?;
        let pick = |at: usize| values.clone().slice(0, at, at + 1, 1);
        Value::choose(hot, pick(1), pick(0))
    })
}

/// The k largest or smallest elements along an axis, in order, and their places.
fn top_k(node: &Node, _: i64) -> Result<Operation, Fault> {
    let (along, largest) = (node.int("axis", -1), node.int("largest", 1) != 0);
    let attribute = node.attribute("k").map(|attribute| attribute.i);
    Ok(Box::new(move |mut inputs: Inputs| {
        let x = inputs.take(0)?;
        let kind = x.kind();
        let k = inputs.ints(1)?.and_then(|k| k.first().copied()).or(attribute).unwrap_or(-1);
        let along = axis(along, x.rank())?;
        let k = usize::try_from(k).ok().filter(|&k| k <= x.dim(along));
        let k = k.ok_or_else(|| format!("expected k of at most {}", x.dim(along)))?;
        let ints = x.int_type();
        let x = x.cast(Kind::Float).float()?;
        let (values, places) = Dispatch::float_sort_with_indices(x, along, largest, ints);
        let first = |t| Value::made_of(t).slice(along, 0, k, 1);
        Ok(vec![first(values).cast(kind), first(places)])
    }))
}

/// The places of all elements but 0, one row for each axis.
fn non_zero(x: Value) -> Result<Value, Fault> {
    let device = x.device();
    if device != host(&device) {
        return Err("expected values that don't depend on the images".into());
    }
    let (shape, flags) = (x.shape(), x.cast(Kind::Bool).to_bools()?);
    let places: Vec<usize> = (0..flags.len()).filter(|&at| flags[at]).collect();
    let along = |axis: usize| {
        let step: usize = shape[axis + 1..].iter().product();
        places.iter().map(|at| (at / step % shape[axis]) as i64).collect::<Vec<_>>()
    };
    Value::ints((0..shape.len()).flat_map(along).collect(), &[shape.len(), places.len()], &device)
}
