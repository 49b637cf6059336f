//! What rearranges elements or makes shapes.

use burn::backend::Dispatch;
use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::tensor::{Device, ops::PadMode};

use super::{Inputs, Operation, Row, choice, one};
use crate::format::onnx::node::Node;
use crate::graph::constant;
use crate::graph::value::{Fault, Kind, Value, axes, axis, broadcast, elements, host};

pub const OPERATORS: &[Row] = &[
    ("Concat", concat),
    ("ConstantOfShape", constant_of_shape),
    ("DepthToSpace", depth_to_space),
    ("Expand", expand),
    ("EyeLike", eye_like),
    ("Flatten", flatten),
    ("Pad", pad),
    ("Range", range),
    ("Reshape", reshape),
    ("Shape", shape),
    ("Size", size),
    ("Slice", slice),
    ("SpaceToDepth", space_to_depth),
    ("Split", split),
    ("Squeeze", squeeze),
    ("Tile", tile),
    ("Transpose", transpose),
    ("Trilu", trilu),
    ("Unsqueeze", unsqueeze),
];

/// Integers as lengths.
fn lengths(ints: &[i64]) -> Result<Vec<usize>, Fault> {
    let lengths = ints.iter().map(|&int| usize::try_from(int).ok()).collect::<Option<_>>();
    lengths.ok_or_else(|| format!("expected lengths from 0 on, found {ints:?}"))
}

/// The axes of input 1, or of the attribute before opset 13.
fn given_axes(
    inputs: &mut Inputs,
    attribute: &Option<Vec<i64>>,
) -> Result<Option<Vec<i64>>, Fault> {
    Ok(inputs.ints(1)?.or(attribute.clone()))
}

/// The shape of its elements by input 1: 0 keeps a dimension (not with `allowzero`), −1 takes what is left.
fn reshape(node: &Node, _: i64) -> Result<Operation, Fault> {
    let allow_zero = node.int("allowzero", 0) != 0;
    let attribute = node.ints("shape").map(<[i64]>::to_vec);
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let target = inputs.ints(1)?.or(attribute.clone()).ok_or("expected a shape, found none")?;
        let from = x.shape();
        let dim = |(at, &dim): (usize, &i64)| match dim {
            0 if !allow_zero => from.get(at).copied(),
            -1 => Some(1),
            dim => usize::try_from(dim).ok(),
        };
        let to = target.iter().enumerate().map(dim).collect::<Option<Vec<usize>>>();
        let mut to =
            to.ok_or_else(|| format!("expected a shape for {from:?}, found {target:?}"))?;
        if let Some(free) = target.iter().position(|&dim| dim == -1) {
            to[free] = x.len() / elements(&to)?.max(1);
        }
        x.reshape(&to)
    })
}

/// Two dimensions: those before an axis, and those from it on.
fn flatten(node: &Node, _: i64) -> Result<Operation, Fault> {
    let at = node.int("axis", 1);
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let shape = x.shape();
        let at = if at == shape.len() as i64 { shape.len() } else { axis(at, shape.len())? };
        let (rows, columns) = shape.split_at(at);
        x.reshape(&[rows.iter().product(), columns.iter().product()])
    })
}

/// Without dimensions of 1: those given, or all.
fn squeeze(node: &Node, _: i64) -> Result<Operation, Fault> {
    let attribute = node.ints("axes").map(<[i64]>::to_vec);
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let shape = x.shape();
        let gone = match given_axes(&mut inputs, &attribute)? {
            Some(given) => axes(&given, shape.len())?,
            None => (0..shape.len()).filter(|&axis| shape[axis] == 1).collect(),
        };
        let left = (0..shape.len()).filter(|axis| !gone.contains(axis)).map(|axis| shape[axis]);
        x.reshape(&left.collect::<Vec<_>>())
    })
}

/// With dimensions of 1 at the given places of the result.
fn unsqueeze(node: &Node, _: i64) -> Result<Operation, Fault> {
    let attribute = node.ints("axes").map(<[i64]>::to_vec);
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let mut shape = x.shape();
        let given = given_axes(&mut inputs, &attribute)?.ok_or("expected axes, found none")?;
        for axis in axes(&given, shape.len() + given.len())? {
            shape.insert(axis, 1);
        }
        x.reshape(&shape)
    })
}

fn transpose(node: &Node, _: i64) -> Result<Operation, Fault> {
    let order = node.ints("perm").map(lengths).transpose()?;
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let reversed = || (0..x.rank()).rev().collect();
        let order = order.clone().unwrap_or_else(reversed);
        x.permute(&order)
    })
}

/// Broadcast with a shape, in either direction.
fn expand(_: &Node, _: i64) -> Result<Operation, Fault> {
    one(|mut inputs| {
        let x = inputs.take(0)?;
        let target = lengths(&inputs.take(1)?.to_ints()?)?;
        let to = broadcast(&[&x.shape(), &target])?;
        x.expand(&to)
    })
}

/// Each axis as often as input 1 says.
fn tile(_: &Node, _: i64) -> Result<Operation, Fault> {
    one(|mut inputs| {
        let x = inputs.take(0)?;
        let repeats = lengths(&inputs.take(1)?.to_ints()?)?;
        let shape = x.shape();
        if repeats.len() != shape.len() {
            return Err(format!("expected a number for each of {shape:?}, found {repeats:?}"));
        }
        let interleaved = |counts: &[usize]| -> Vec<usize> {
            counts.iter().zip(&shape).flat_map(|(&count, &dim)| [count, dim]).collect()
        };
        let to: Vec<usize> =
            repeats.iter().zip(&shape).map(|(r, d)| r.saturating_mul(*d)).collect();
        elements(&to)?;
        let apart = x.reshape(&interleaved(&vec![1; shape.len()]))?;
        apart.expand(&interleaved(&repeats))?.reshape(&to)
    })
}

fn concat(node: &Node, _: i64) -> Result<Operation, Fault> {
    let along = node.int("axis", 1);
    one(move |inputs| {
        let values: Vec<Value> = inputs.0.into_iter().flatten().collect();
        let rank = values.first().map_or(0, Value::rank);
        Value::cat(values, axis(along, rank)?)
    })
}

/// Parts along an axis: of the lengths given, or of one length and a shorter last one.
fn split(node: &Node, _: i64) -> Result<Operation, Fault> {
    let along = node.int("axis", 0);
    let attribute = node.ints("split").map(<[i64]>::to_vec);
    let count = node.outputs().count().max(1);
    if usize::try_from(node.int("num_outputs", count as i64)) != Ok(count) {
        return Err(format!("expected as many outputs as num_outputs, found {count}"));
    }
    Ok(Box::new(move |mut inputs: Inputs| {
        let x = inputs.take(0)?;
        let along = axis(along, x.rank())?;
        let whole = x.dim(along);
        let parts = match inputs.ints(1)?.or(attribute.clone()) {
            Some(parts) => lengths(&parts)?,
            None => {
                let length = whole.div_ceil(count);
                let part = |at: usize| whole.saturating_sub(at * length).min(length);
                (0..count).map(part).collect()
            }
        };
        if parts.len() != count
            || parts.iter().try_fold(0_usize, |n, &d| n.checked_add(d)) != Some(whole)
        {
            return Err(format!("expected {count} parts of {whole}, found {parts:?}"));
        }
        let mut start = 0;
        Ok(parts
            .into_iter()
            .map(|part| {
                start += part;
                x.clone().slice(along, start - part, start, 1)
            })
            .collect())
    }))
}

/// `start..end` of some axes in steps; attributes before opset 10.
fn slice(node: &Node, _: i64) -> Result<Operation, Fault> {
    let [starts, ends, axes_given] =
        ["starts", "ends", "axes"].map(|name| node.ints(name).map(<[i64]>::to_vec));
    one(move |mut inputs| {
        let mut x = inputs.take(0)?;
        let starts = inputs.ints(1)?.or(starts.clone()).ok_or("expected starts, found none")?;
        let ends = inputs.ints(2)?.or(ends.clone()).ok_or("expected ends, found none")?;
        let all = || (0..starts.len() as i64).collect();
        let along: Vec<i64> = inputs.ints(3)?.or(axes_given.clone()).unwrap_or_else(all);
        let steps = inputs.ints(4)?.unwrap_or_else(|| vec![1; starts.len()]);
        if [ends.len(), along.len(), steps.len()] != [starts.len(); 3] {
            return Err("expected as many starts, ends, axes and steps".into());
        }
        for (((&start, &end), &along), &step) in starts.iter().zip(&ends).zip(&along).zip(&steps) {
            let along = axis(along, x.rank())?;
            let dim = x.dim(along) as i64;
            let from_front = |at: i64| if at < 0 { at.saturating_add(dim) } else { at };
            let (start, end) = (from_front(start), from_front(end));
            let (first, last) = match step {
                0 => return Err("expected steps other than 0".into()),
                1.. => (start.clamp(0, dim), end.clamp(0, dim)),
                // From `start` down to what lies above `end`.
                _ => (end.clamp(-1, dim - 1) + 1, start.clamp(-1, dim - 1) + 1),
            };
            // A step beyond the axis takes one element, as the longest step within it does.
            let step = step.clamp(-dim.max(1), dim.max(1)) as isize;
            x = x.slice(along, first as usize, last.max(first) as usize, step);
        }
        Ok(x)
    })
}

/// The dimensions from `start` to `end`.
fn shape(node: &Node, _: i64) -> Result<Operation, Fault> {
    let (start, end) = (node.int("start", 0), node.attribute("end").map(|attribute| attribute.i));
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let shape = x.shape();
        let rank = shape.len() as i64;
        let clamped =
            |at: i64| (if at < 0 { at.saturating_add(rank) } else { at }).clamp(0, rank) as usize;
        let (start, end) = (clamped(start), clamped(end.unwrap_or(rank)));
        let dims = shape[start..end.max(start)].iter().map(|&dim| dim as i64).collect();
        Ok(Value::list(dims, &host(&x.device())))
    })
}

/// The number of elements.
fn size(_: &Node, _: i64) -> Result<Operation, Fault> {
    one(|mut inputs| {
        let x = inputs.take(0)?;
        Value::ints(vec![x.len() as i64], &[], &host(&x.device()))
    })
}

/// One value, in the shape of input 0.
fn constant_of_shape(node: &Node, _: i64) -> Result<Operation, Fault> {
    let stored = node.attribute("value").and_then(|attribute| attribute.t.as_ref());
    // Read where shapes are computed.
    let device = host(&Device::default());
    let value = match stored {
        Some(proto) => constant::stored(proto, node.output(), None, &device)
            .map_err(|error| error.to_string())?,
        None => Value::floats(vec![0.0], &[], &device)?,
    };
    let value = value.reshape(&[])?;
    one(move |mut inputs| {
        let to = inputs.take(0)?;
        value.clone().on(&to.device()).expand(&lengths(&to.to_ints()?)?)
    })
}

/// `start`, `start + delta`, … before `limit`.
fn range(_: &Node, _: i64) -> Result<Operation, Fault> {
    one(|mut inputs| {
        let values = [inputs.take(0)?, inputs.take(1)?, inputs.take(2)?];
        let device = values[0].device();
        if values.iter().any(|value| value.len() != 1) {
            return Err("expected one number each for start, limit and delta".into());
        }
        if values[0].kind() == Kind::Float {
            let [start, limit, delta] = [&values[0], &values[1], &values[2]].map(Value::to_floats);
            let (start, limit, delta) = (start?[0], limit?[0], delta?[0]);
            let count = ((limit - start) / delta).ceil().max(0.0);
            let count = elements(&[if count.is_finite() { count as usize } else { usize::MAX }])?;
            let numbers = (0..count).map(|at| start + at as f32 * delta).collect();
            return Value::floats(numbers, &[count], &device);
        }
        let [start, limit, delta] = [&values[0], &values[1], &values[2]].map(Value::to_ints);
        let (start, limit, delta) = (start?[0], limit?[0], delta?[0]);
        if delta == 0 {
            return Err("expected a delta other than 0".into());
        }
        let span = (i128::from(limit) - i128::from(start)) * i128::from(delta.signum());
        let count = (span.max(0) as u128).div_ceil(u128::from(delta.unsigned_abs()));
        let count = elements(&[usize::try_from(count).unwrap_or(usize::MAX)])?;
        Ok(Value::list((0..count as i64).map(|at| start + at * delta).collect(), &device))
    })
}

/// More elements before and behind along each axis, or fewer where a number is below 0.
///
/// By `mode` they are one value, those behind the edge, the edge itself, or those of the other end.
fn pad(node: &Node, _: i64) -> Result<Operation, Fault> {
    let mode =
        choice(node, "mode", "constant", &["constant", "reflect", "edge", "wrap"])?.to_owned();
    let attribute = node.ints("pads").map(<[i64]>::to_vec);
    let value = node.float("value", 0.0);
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let pads = inputs.ints(1)?.or(attribute.clone()).ok_or("expected pads, found none")?;
        let fill = inputs.optional(2);
        let all = || (0..x.rank() as i64).collect();
        let along: Vec<i64> = inputs.ints(3)?.unwrap_or_else(all);
        if pads.len() != 2 * along.len() {
            return Err(format!(
                "expected two pads for each of {} axes, found {pads:?}",
                along.len()
            ));
        }
        let mut sides = vec![(0, 0); x.rank()];
        for (at, &along) in along.iter().enumerate() {
            sides[axis(along, x.rank())?] = (pads[at], pads[at + pads.len() / 2]);
        }
        let mut x = x;
        for (axis, sides) in sides.iter_mut().enumerate() {
            // What is cut off is cut off first.
            let dim = x.dim(axis) as i64;
            let (first, last) =
                (sides.0.saturating_neg().max(0), dim - sides.1.saturating_neg().max(0));
            if first > last {
                return Err(format!(
                    "expected pads that leave axis {axis} of {dim}, found {pads:?}"
                ));
            }
            x = x.slice(axis, first as usize, last as usize, 1);
            *sides = (sides.0.max(0), sides.1.max(0));
        }
        let sides: Vec<(usize, usize)> =
            sides.iter().map(|&(a, b)| (a as usize, b as usize)).collect();
        if mode != "constant" {
            return surrounded(x, &sides, &mode);
        }
        let fill = match fill {
            Some(fill) if x.kind() == Kind::Float => fill.to_floats()?.first().copied(),
            Some(fill) => fill.cast(Kind::Int).to_ints()?.first().map(|&fill| fill as f32),
            None => Some(value),
        };
        filled(x, &sides, fill.unwrap_or(0.0))
    })
}

/// The elements of a value with more before and behind along each axis.
fn padded(shape: &[usize], sides: &[(usize, usize)]) -> Result<usize, Fault> {
    let to = shape.iter().zip(sides).map(|(dim, (a, b))| dim.saturating_add(a.saturating_add(*b)));
    elements(&to.collect::<Vec<_>>())
}

/// With one value around it.
pub fn filled(x: Value, sides: &[(usize, usize)], fill: f32) -> Result<Value, Fault> {
    if sides.iter().all(|&sides| sides == (0, 0)) {
        return Ok(x);
    }
    padded(&x.shape(), sides)?;
    let mode = PadMode::Constant(fill);
    Ok(match x.kind() {
        Kind::Float => Value::made_of(Dispatch::float_pad(x.float()?, sides, mode)),
        Kind::Int => Value::made_of(Dispatch::int_pad(x.int()?, sides, mode)),
        Kind::Bool => filled(x.cast(Kind::Int), sides, fill)?.cast(Kind::Bool),
    })
}

/// With its own elements around it.
fn surrounded(mut x: Value, sides: &[(usize, usize)], mode: &str) -> Result<Value, Fault> {
    padded(&x.shape(), sides)?;
    for (axis, &(before, behind)) in sides.iter().enumerate() {
        let dim = x.dim(axis) as i64;
        if (before, behind) == (0, 0) {
            continue;
        }
        let source = |at: i64| match mode {
            "edge" => at.clamp(0, dim - 1),
            "wrap" => at.rem_euclid(dim),
            // 2 1 | 0 1 2 | 1 0
            _ => {
                let at = at.rem_euclid((2 * (dim - 1)).max(1));
                at.min(2 * (dim - 1) - at)
            }
        };
        if dim == 0 {
            return Err(format!("expected elements along axis {axis}, found none"));
        }
        let places = (-(before as i64)..dim + behind as i64).map(source).collect();
        let places = Value::list(places, &host(&x.device()));
        x = x.select(axis, places)?;
    }
    Ok(x)
}

/// Blocks of channels become blocks of pixels.
fn depth_to_space(node: &Node, _: i64) -> Result<Operation, Fault> {
    let block = block(node)?;
    let columns_first = choice(node, "mode", "DCR", &["DCR", "CRD"])? == "CRD";
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let [n, c, h, w] = four(&x)?;
        let of_block = c.checked_div(block * block).filter(|d| d * block * block == c);
        let depth =
            of_block.ok_or_else(|| format!("expected channels of blocks of {block}, found {c}"))?;
        let (apart, order) = match columns_first {
            true => ([n, depth, block, block, h, w], [0, 1, 4, 2, 5, 3]),
            false => ([n, block, block, depth, h, w], [0, 3, 4, 1, 5, 2]),
        };
        x.reshape(&apart)?.permute(&order)?.reshape(&[n, depth, h * block, w * block])
    })
}

/// Blocks of pixels become blocks of channels.
fn space_to_depth(node: &Node, _: i64) -> Result<Operation, Fault> {
    let block = block(node)?;
    let columns_first = choice(node, "mode", "DCR", &["DCR", "CRD"])? == "CRD";
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let [n, c, h, w] = four(&x)?;
        if !h.is_multiple_of(block) || !w.is_multiple_of(block) {
            return Err(format!("expected an image of blocks of {block}, found {h}×{w}"));
        }
        let apart = x.reshape(&[n, c, h / block, block, w / block, block])?;
        let turned =
            apart.permute(if columns_first { &[0, 1, 3, 5, 2, 4] } else { &[0, 3, 5, 1, 2, 4] })?;
        turned.reshape(&[n, block * block * c, h / block, w / block])
    })
}

/// The side of blocks.
fn block(node: &Node) -> Result<usize, Fault> {
    let found = node.int("blocksize", 0);
    let block = usize::try_from(found).ok().filter(|block| (1..=1 << 16).contains(block));
    block.ok_or_else(|| format!("expected a blocksize of at least 1, found {found}"))
}

fn four(x: &Value) -> Result<[usize; 4], Fault> {
    x.shape().try_into().map_err(|shape| format!("expected 4 dimensions, found {shape:?}"))
}

/// What lies above or below a diagonal of the last two axes; 0 elsewhere.
fn trilu(node: &Node, _: i64) -> Result<Operation, Fault> {
    let upper = node.int("upper", 1) != 0;
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let diagonal = inputs.ints(1)?.and_then(|k| k.first().copied()).unwrap_or(0);
        let shape = x.shape();
        let [.., rows, columns] = shape[..] else {
            return Err(format!("expected 2 dimensions or more, found {shape:?}"));
        };
        let keeps = |row: usize, column: usize| {
            let over = column as i64 - row as i64;
            if upper { over >= diagonal } else { over <= diagonal }
        };
        elements(&[rows, columns])?;
        let flags = (0..rows).flat_map(|row| (0..columns).map(move |column| keeps(row, column)));
        let flags = Value::bools(flags.collect(), &[rows, columns], &host(&x.device()))?;
        let zero = Value::full(0.0, &[], &x.device())?.cast(x.kind());
        Value::choose(flags, x, zero)
    })
}

/// 1 on a diagonal, 0 elsewhere, in the shape of a matrix.
fn eye_like(node: &Node, _: i64) -> Result<Operation, Fault> {
    let diagonal = node.int("k", 0);
    let kind = constant::kind(node.int("dtype", 0));
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let shape = x.shape();
        let [rows, columns] = shape[..] else {
            return Err(format!("expected a matrix, found {shape:?}"));
        };
        let one = |at: usize| at % columns == (at / columns).wrapping_add_signed(diagonal as isize);
        let flags = (0..elements(&[rows, columns])?).map(one).collect();
        let flags = Value::bools(flags, &[rows, columns], &x.device())?;
        Ok(flags.cast(kind.unwrap_or(x.kind())))
    })
}
