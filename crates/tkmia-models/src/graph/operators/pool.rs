//! Poolings: the largest, the mean or a norm of what a window covers.
//!
//! Largest element and sum of a box are those along one axis after the other, so that two axes at a time
//! serve lines, images and blocks.

use burn::backend::Dispatch;
use burn::backend::ops::{FloatTensorOps, ModuleOps};

use super::shape::filled;
use super::window::{Declared, Window};
use super::{Inputs, Operation, Row, one};
use crate::format::onnx::node::Node;
use crate::graph::value::{Fault, Kind, Value, elements, host};
use crate::graph::work::spend;

pub const OPERATORS: &[Row] = &[
    ("AveragePool", average_pool),
    ("GlobalAveragePool", |_, _| global(|x, axes| x.mean(axes))),
    ("GlobalLpPool", global_lp_pool),
    ("GlobalMaxPool", |_, _| {
        global(|x, axes| {
            Ok(axes.iter().fold(x, |x, &at| x.map(|t| Dispatch::float_max_dim(t, at))))
        })
    }),
    ("LpPool", lp_pool),
    ("MaxPool", max_pool),
];

fn global(f: fn(Value, &[usize]) -> Result<Value, Fault>) -> Result<Operation, Fault> {
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        x.expect_kind(Kind::Float)?;
        let axes: Vec<usize> = (2..x.rank()).collect();
        f(x, &axes)
    })
}

/// A pooling of the two spatial axes of `[n, c, h, w]` without padding.
type Flat<'f> = &'f dyn Fn(Value, [usize; 2], [usize; 2], [usize; 2]) -> Result<Value, Fault>;

/// A pooling over one to three spatial axes, by two at a time.
fn along_axes(x: Value, window: &Window, flat: Flat) -> Result<Value, Fault> {
    let shape = x.shape();
    let (kernel, strides, dilations) = (&window.kernel, &window.strides, &window.dilations);
    match kernel.len() {
        1 => {
            let image = x.reshape(&[shape[0], shape[1], shape[2], 1])?;
            let pooled = flat(image, [kernel[0], 1], [strides[0], 1], [dilations[0], 1])?;
            let length = pooled.dim(2);
            pooled.reshape(&[shape[0], shape[1], length])
        }
        2 => {
            flat(x, [kernel[0], kernel[1]], [strides[0], strides[1]], [dilations[0], dilations[1]])
        }
        _ => {
            let [n, c, d, h, w] = [0, 1, 2, 3, 4].map(|axis| shape[axis]);
            let deep = x.reshape(&[n, c, d, h * w])?;
            let pooled = flat(deep, [kernel[0], 1], [strides[0], 1], [dilations[0], 1])?;
            let d = pooled.dim(2);
            let pooled = flat(
                pooled.reshape(&[n, c * d, h, w])?,
                [kernel[1], kernel[2]],
                [strides[1], strides[2]],
                [dilations[1], dilations[2]],
            )?;
            let (h, w) = (pooled.dim(2), pooled.dim(3));
            pooled.reshape(&[n, c, d, h, w])
        }
    }
}

/// A map with so much around it that every place of the window lies within.
struct Surrounded {
    map: Value,
    /// What the node pads each spatial axis with.
    padding: Vec<(usize, usize)>,
    places: Vec<usize>,
}

/// Puts around a map what its windows need.
fn surrounded(x: Value, window: &Window, fill: f32) -> Result<Surrounded, Fault> {
    x.expect_kind(Kind::Float)?;
    let shape = x.shape();
    if shape.len() != window.kernel.len() + 2 || !(1..=3).contains(&window.kernel.len()) {
        return Err(format!("expected a map for a kernel of {:?}, found {shape:?}", window.kernel));
    }
    let padding = window.padding(&shape[2..]);
    let places = window.places(&shape[2..], &padding)?;
    let count = elements(&[&shape[..2], &places[..]].concat())?;
    spend(count, window.kernel.iter().product())?;
    let mut x = x;
    let mut sides = vec![(0, 0); 2];
    for axis in 0..places.len() {
        let covered = (places[axis] - 1) * window.strides[axis] + window.extent(axis);
        let before = padding[axis].0;
        // What no window covers may lie behind.
        let size = shape[axis + 2].min(covered.saturating_sub(before));
        x = x.slice(axis + 2, 0, size, 1);
        sides.push((before, covered - before - size));
    }
    Ok(Surrounded { map: filled(x, &sides, fill)?, padding, places })
}

/// The largest element that each window covers; of equal ones the gradient goes to the first.
fn max_pool(node: &Node, _: i64) -> Result<Operation, Fault> {
    if node.outputs().count() > 1 {
        return Err("expected one output, found the places of the largest elements too".into());
    }
    let window = Declared::read(node)?.window()?;
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let kind = x.kind();
        let x = surrounded(x.cast(Kind::Float), &window, f32::NEG_INFINITY)?.map;
        let largest = along_axes(x, &window, &|x, kernel, strides, dilations| {
            let x = x.float()?;
            Ok(Value::made_of(Dispatch::max_pool2d(x, kernel, strides, [0, 0], dilations, false)))
        });
        Ok(largest?.cast(kind))
    })
}

/// The sum of what each window covers.
fn sums(x: Value, window: &Window) -> Result<Value, Fault> {
    along_axes(x, window, &|x, kernel, strides, dilations| {
        if dilations != [1, 1] {
            return sums_of_shifted(x, kernel, strides, dilations);
        }
        let x = x.float()?;
        let mean = Dispatch::avg_pool2d(x, kernel, strides, [0, 0], true, false);
        Ok(Value::made_of(mean).scale((kernel[0] * kernel[1]) as f64))
    })
}

/// The map at each place of the kernel, added.
fn sums_of_shifted(
    x: Value,
    kernel: [usize; 2],
    strides: [usize; 2],
    dilations: [usize; 2],
) -> Result<Value, Fault> {
    let covered = |axis: usize| x.dim(axis + 2) - dilations[axis] * (kernel[axis] - 1);
    let lengths = [covered(0), covered(1)];
    let mut total: Option<Value> = None;
    for row in 0..kernel[0] {
        for column in 0..kernel[1] {
            let [top, left] = [row * dilations[0], column * dilations[1]];
            let rows = x.clone().slice(2, top, top + lengths[0], strides[0] as isize);
            let part = rows.slice(3, left, left + lengths[1], strides[1] as isize);
            total = Some(match total {
                Some(total) => total.add(part)?,
                None => part,
            });
        }
    }
    total.ok_or_else(|| "expected a kernel, found none".into())
}

/// The sum of what lies around each element along an axis: `(size − 1) / 2` of them before it, rounded down.
pub fn sums_across(x: Value, axis: usize, size: usize) -> Result<Value, Fault> {
    let (length, before) = (x.dim(axis), (size - 1) / 2);
    let mut sides = vec![(0, 0); x.rank()];
    sides[axis] = (before, size - 1 - before);
    let x = filled(x, &sides, 0.0)?;
    let part = |at: usize| x.clone().slice(axis, at, at + length, 1);
    (1..size).map(part).try_fold(part(0), Value::add)
}

/// The mean of what each window covers: of the map alone, or with `count_include_pad` of its padding too.
fn average_pool(node: &Node, _: i64) -> Result<Operation, Fault> {
    let with_padding = node.int("count_include_pad", 0) != 0;
    let window = Declared::read(node)?.window()?;
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let size = x.shape().get(2..).map(<[usize]>::to_vec).unwrap_or_default();
        let Surrounded { map, padding, places } = surrounded(x, &window, 0.0)?;
        let mut mean = sums(map, &window)?;
        // How many elements count is a product over the axes.
        for axis in 0..places.len() {
            let (before, behind) = padding[axis];
            let counted = match with_padding {
                true => 0..size[axis] + before + behind,
                false => before..before + size[axis],
            };
            let count = |place: usize| {
                let first = place * window.strides[axis];
                let taps = (0..window.kernel[axis]).map(|tap| first + tap * window.dilations[axis]);
                1.0 / taps.filter(|at| counted.contains(at)).count().max(1) as f32
            };
            let shares: Vec<f32> = (0..places[axis]).map(count).collect();
            if shares.windows(2).all(|pair| pair[0] == pair[1]) {
                mean = mean.scale(f64::from(shares[0]));
                continue;
            }
            let mut line = vec![1; places.len() + 2];
            line[axis + 2] = places[axis];
            let shares = Value::floats(shares, &line, &host(&mean.device()))?;
            mean = mean.mul(shares)?;
        }
        Ok(mean)
    })
}

/// `(Σ |x|ᵖ)^(1/p)` of what each window covers.
fn lp_pool(node: &Node, _: i64) -> Result<Operation, Fault> {
    let (p, window) = (node.int("p", 2) as f64, Declared::read(node)?.window()?);
    one(move |mut inputs| {
        let powers = powers(inputs.take(0)?, p);
        Ok(root(sums(surrounded(powers, &window, 0.0)?.map, &window)?, p))
    })
}

fn global_lp_pool(node: &Node, _: i64) -> Result<Operation, Fault> {
    let p = node.int("p", 2) as f64;
    one(move |mut inputs: Inputs| {
        let x = inputs.take(0)?;
        let axes: Vec<usize> = (2..x.rank()).collect();
        Ok(root(powers(x, p).sum(&axes)?, p))
    })
}

fn powers(x: Value, p: f64) -> Value {
    x.map(Dispatch::float_abs).map(|t| Dispatch::float_powf_scalar(t, p.into()))
}

fn root(x: Value, p: f64) -> Value {
    x.map(|t| Dispatch::float_powf_scalar(t, (1.0 / p).into()))
}
