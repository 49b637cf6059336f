//! Normalisations: what is measured is taken away, and learned scales and shifts are put in its place.

use burn::backend::Dispatch;
use burn::backend::ops::FloatTensorOps;

use super::pool::sums_across;
use super::{Inputs, Operation, Row, one};
use crate::format::onnx::node::Node;
use crate::graph::value::{Fault, Kind, Value, axis};

pub const OPERATORS: &[Row] = &[
    ("BatchNormalization", batch_normalization),
    ("GroupNormalization", group_normalization),
    ("InstanceNormalization", instance_normalization),
    ("LRN", local_response_normalization),
    ("LayerNormalization", layer_normalization),
    ("LpNormalization", lp_normalization),
    ("MeanVarianceNormalization", mean_variance_normalization),
    ("RMSNormalization", rms_normalization),
];

/// `(x − mean) / √(variance + ε)` over axes; the variance is that of the values, not an estimate.
fn standardised(x: Value, axes: &[usize], epsilon: f64) -> Result<Value, Fault> {
    x.expect_kind(Kind::Float)?;
    let mean = x.clone().mean(axes)?;
    let centred = x.sub(mean)?;
    let variance = centred.clone().mul(centred.clone())?.mean(axes)?;
    centred.mul(inverse_deviation(variance, epsilon))
}

/// `1 / √(variance + ε)`
fn inverse_deviation(variance: Value, epsilon: f64) -> Value {
    variance.shift(epsilon).map(Dispatch::float_sqrt).map(Dispatch::float_recip)
}

/// One value of each channel, in the shape that maps of that rank broadcast with.
fn by_channel(values: Value, rank: usize) -> Result<Value, Fault> {
    let mut line = vec![1; rank.max(2)];
    line[1] = values.len();
    values.reshape(&line)
}

/// `γ (x − mean) / √(variance + ε) + β`, with the mean and the variance of training.
fn batch_normalization(node: &Node, _: i64) -> Result<Operation, Fault> {
    if node.int("training_mode", 0) != 0 || node.int("spatial", 1) != 1 {
        return Err(
            "expected inference with one mean a channel (training_mode 0, spatial 1)".into()
        );
    }
    let epsilon = f64::from(node.float("epsilon", 1e-5));
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let [gamma, beta, mean, variance] =
            [inputs.take(1)?, inputs.take(2)?, inputs.take(3)?, inputs.take(4)?];
        let scale = gamma.mul(inverse_deviation(variance, epsilon))?;
        let shift = beta.sub(mean.mul(scale.clone())?)?;
        let rank = x.rank();
        x.mul(by_channel(scale, rank)?)?.add(by_channel(shift, rank)?)
    })
}

/// `γ (x − mean) / √(variance + ε) + β` over each channel of each image.
fn instance_normalization(node: &Node, _: i64) -> Result<Operation, Fault> {
    let epsilon = f64::from(node.float("epsilon", 1e-5));
    one(move |mut inputs| {
        let (x, gamma, beta) = (inputs.take(0)?, inputs.take(1)?, inputs.take(2)?);
        let rank = x.rank();
        let axes: Vec<usize> = (2..rank).collect();
        let x = standardised(x, &axes, epsilon)?;
        x.mul(by_channel(gamma, rank)?)?.add(by_channel(beta, rank)?)
    })
}

/// `γ (x − mean) / √(variance + ε) + β` over groups of channels; before opset 21 γ and β are a group's.
fn group_normalization(node: &Node, opset: i64) -> Result<Operation, Fault> {
    let epsilon = f64::from(node.float("epsilon", 1e-5));
    let groups = usize::try_from(node.int("num_groups", 0)).ok().filter(|&groups| groups > 0);
    let groups = groups.ok_or("expected num_groups of at least 1")?;
    one(move |mut inputs| {
        let (x, gamma, beta) = (inputs.take(0)?, inputs.take(1)?, inputs.take(2)?);
        let shape = x.shape();
        let [n, c, ..] = shape[..] else {
            return Err(format!("expected a map of channels, found {shape:?}"));
        };
        if !c.is_multiple_of(groups) {
            return Err(format!("expected channels of {groups} groups, found {c}"));
        }
        let each = c / groups;
        let size: usize = shape[2..].iter().product();
        let grouped = standardised(x.reshape(&[n, groups, each * size])?, &[2], epsilon)?;
        if opset < 21 {
            let affine = grouped.mul(by_channel(gamma, 3)?)?.add(by_channel(beta, 3)?)?;
            return affine.reshape(&shape);
        }
        let x = grouped.reshape(&shape)?;
        x.mul(by_channel(gamma, shape.len())?)?.add(by_channel(beta, shape.len())?)
    })
}

/// `γ (x − mean) / √(variance + ε) + β` over the axes from one on.
fn layer_normalization(node: &Node, _: i64) -> Result<Operation, Fault> {
    let epsilon = f64::from(node.float("epsilon", 1e-5));
    let first = node.int("axis", -1);
    let outputs = node.outputs().count();
    Ok(Box::new(move |mut inputs: Inputs| {
        let (x, gamma, beta) = (inputs.take(0)?, inputs.take(1)?, inputs.optional(2));
        x.expect_kind(Kind::Float)?;
        let axes: Vec<usize> = (axis(first, x.rank())?..x.rank()).collect();
        let mean = x.clone().mean(&axes)?;
        let centred = x.sub(mean.clone())?;
        let variance = centred.clone().mul(centred.clone())?.mean(&axes)?;
        let inverse = inverse_deviation(variance, epsilon);
        let scaled = centred.mul(inverse.clone())?.mul(gamma)?;
        let y = match beta {
            Some(beta) => scaled.add(beta)?,
            None => scaled,
        };
        Ok(vec![y, mean, inverse].into_iter().take(outputs.max(1)).collect())
    }))
}

/// `γ x / √(mean of x² + ε)` over the axes from one on.
fn rms_normalization(node: &Node, _: i64) -> Result<Operation, Fault> {
    let epsilon = f64::from(node.float("epsilon", 1e-5));
    let first = node.int("axis", -1);
    one(move |mut inputs| {
        let (x, gamma) = (inputs.take(0)?, inputs.take(1)?);
        x.expect_kind(Kind::Float)?;
        let axes: Vec<usize> = (axis(first, x.rank())?..x.rank()).collect();
        let squares = x.clone().mul(x.clone())?.mean(&axes)?;
        x.mul(inverse_deviation(squares, epsilon))?.mul(gamma)
    })
}

/// `x / (Σ |x|ᵖ)^(1/p)` along an axis; 0 where that is 0.
fn lp_normalization(node: &Node, _: i64) -> Result<Operation, Fault> {
    let (p, along) = (node.int("p", 2), node.int("axis", -1));
    if !(1..=2).contains(&p) {
        return Err(format!("expected p 1 or 2, found {p}"));
    }
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let along = axis(along, x.rank())?;
        let size = match p {
            1 => x.clone().map(Dispatch::float_abs).sum(&[along])?,
            _ => x.clone().mul(x.clone())?.sum(&[along])?.map(Dispatch::float_sqrt),
        };
        let flags = size.bool_type();
        let none = size.clone().map(|t| Dispatch::float_equal_elem(t, 0.0.into(), flags)).bool()?;
        x.div(size.map(|t| Dispatch::float_mask_fill(t, none, 1.0.into())))
    })
}

/// `(x − mean) / (√variance + 1e-9)` over axes.
fn mean_variance_normalization(node: &Node, _: i64) -> Result<Operation, Fault> {
    let given = node.ints("axes").unwrap_or(&[0, 2, 3]).to_vec();
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let axes = crate::graph::value::axes(&given, x.rank())?;
        let centred = x.clone().sub(x.mean(&axes)?)?;
        let variance = centred.clone().mul(centred.clone())?.mean(&axes)?;
        centred.div(variance.map(Dispatch::float_sqrt).shift(1e-9))
    })
}

/// `x / (bias + α/size · Σ x²)^β` over channels nearby.
fn local_response_normalization(node: &Node, _: i64) -> Result<Operation, Fault> {
    let [alpha, beta, bias] = [("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)]
        .map(|(name, default)| f64::from(node.float(name, default)));
    let size =
        usize::try_from(node.int("size", 0)).ok().filter(|&size| (1..=1 << 16).contains(&size));
    let size = size.ok_or("expected a size of at least 1")?;
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let sums = sums_across(x.clone().mul(x.clone())?, 1, size)?;
        let divisor = sums.scale(alpha / size as f64).shift(bias);
        x.div(divisor.map(|t| Dispatch::float_powf_scalar(t, beta.into())))
    })
}
