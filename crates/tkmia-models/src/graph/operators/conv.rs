//! Convolutions over lines, images and blocks.

use burn::tensor::Tensor;
use burn::tensor::module::{
    conv_transpose1d, conv_transpose2d, conv_transpose3d, conv1d, conv2d, conv3d,
};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};

use super::shape::filled;
use super::window::{Declared, Window};
use super::{Operation, Row, one};
use crate::format::onnx::node::Node;
use crate::graph::value::{Fault, Value, elements};
use crate::graph::work::spend;

pub const OPERATORS: &[Row] = &[("Conv", conv), ("ConvTranspose", conv_transpose)];

/// `y[o] = b[o] + Σ_i w[o, i] ⋆ x[i]` over the channels of a group.
fn conv(node: &Node, _: i64) -> Result<Operation, Fault> {
    let (declared, groups) = (Declared::read(node)?, groups(node)?);
    one(move |mut inputs| {
        let (x, weights, bias) = (inputs.take(0)?, inputs.take(1)?, inputs.optional(2));
        let (of_x, of_weights) = (x.shape(), weights.shape());
        let window = declared.of(kernel(&of_weights)?)?;
        let sound = of_x.len() == of_weights.len()
            && Some(of_x[1]) == of_weights[1].checked_mul(groups)
            && of_weights[0].is_multiple_of(groups)
            && of_weights[0] > 0;
        if !sound {
            return Err(format!(
                "expected weights for {of_x:?} in {groups} groups, found {of_weights:?}"
            ));
        }
        check_bias(bias.as_ref(), of_weights[0])?;
        let padding = window.padding(&of_x[2..]);
        let places = window.places_in(&of_x, &padding)?;
        let count = elements(&[&[of_x[0], of_weights[0]], &places[..]].concat())?;
        spend(count, of_weights[1..].iter().product())?;
        match window.kernel.len() {
            1 => {
                let options = options::<1>(&window, &padding, groups);
                Ok(Value::of(conv1d(x.tensor()?, weights.tensor()?, vector(bias)?, options)))
            }
            2 => {
                let options = options::<2>(&window, &padding, groups);
                Ok(Value::of(conv2d(x.tensor()?, weights.tensor()?, vector(bias)?, options)))
            }
            _ => {
                let options = options::<3>(&window, &padding, groups);
                Ok(Value::of(conv3d(x.tensor()?, weights.tensor()?, vector(bias)?, options)))
            }
        }
    })
}

fn options<const N: usize>(
    window: &Window,
    padding: &[(usize, usize)],
    groups: usize,
) -> ConvOptions<N> {
    let mut options =
        ConvOptions::new(array(&window.strides), [0; N], array(&window.dilations), groups);
    options.padding = std::array::from_fn(|axis| padding[axis]);
    options
}

/// A convolution's gradient by its input, as an operation: `x[i]` spread by `w[i, o]`.
fn conv_transpose(node: &Node, _: i64) -> Result<Operation, Fault> {
    let lengths = |name: &str| -> Option<Vec<usize>> {
        node.ints(name)?
            .iter()
            .map(|&n| usize::try_from(n).ok().filter(|&n| n <= 1 << 16))
            .collect()
    };
    let (more, sizes) = (lengths("output_padding"), lengths("output_shape"));
    let (declared, groups) = (Declared::read(node)?, groups(node)?);
    one(move |mut inputs| {
        let (x, weights, bias) = (inputs.take(0)?, inputs.take(1)?, inputs.optional(2));
        let (of_x, of_weights) = (x.shape(), weights.shape());
        let window = declared.of(kernel(&of_weights)?)?;
        let axes = window.kernel.len();
        let channels = of_weights[1].saturating_mul(groups);
        if of_x.len() != of_weights.len()
            || of_x[1] != of_weights[0]
            || !of_x[1].is_multiple_of(groups)
        {
            return Err(format!("expected weights for {of_x:?}, found {of_weights:?}"));
        }
        check_bias(bias.as_ref(), channels)?;
        // Everything that is spread, before padding cuts off its rim.
        let spread: Vec<usize> = (0..axes)
            .map(|axis| (of_x[axis + 2].max(1) - 1) * window.strides[axis] + window.extent(axis))
            .collect();
        elements(&[&[of_x[0], channels], &spread[..]].concat())?;
        spend(x.len(), of_weights[1..].iter().product())?;
        let mut more =
            more.clone().filter(|more| more.len() == axes).unwrap_or_else(|| vec![0; axes]);
        let sizes = match (&sizes, window.declared_padding()) {
            (Some(sizes), _) => Some(sizes[sizes.len().saturating_sub(axes)..].to_vec()),
            (None, None) => {
                Some((0..axes).map(|axis| of_x[axis + 2] * window.strides[axis]).collect())
            }
            (None, Some(_)) => None,
        };
        let padding = match sizes {
            Some(sizes) if sizes.len() == axes => {
                // A larger map than comes of spreading has nothing behind that.
                (0..axes).for_each(|axis| {
                    more[axis] = more[axis].max(sizes[axis].saturating_sub(spread[axis]))
                });
                let cut = |axis: usize| {
                    let total = (spread[axis] + more[axis]).saturating_sub(sizes[axis]);
                    let less = total / 2;
                    if window.more_behind() { (less, total - less) } else { (total - less, less) }
                };
                (0..axes).map(cut).collect()
            }
            _ => window.declared_padding().unwrap_or_else(|| vec![(0, 0); axes]),
        };
        let (strides, dilations) = (&window.strides, &window.dilations);
        let mut y = match axes {
            1 => {
                let options =
                    ConvTransposeOptions::new(array(strides), [0], [0], array(dilations), groups);
                Value::of(conv_transpose1d(x.tensor()?, weights.tensor()?, None, options))
            }
            2 => {
                let options = ConvTransposeOptions::new(
                    array(strides),
                    [0; 2],
                    [0; 2],
                    array(dilations),
                    groups,
                );
                Value::of(conv_transpose2d(x.tensor()?, weights.tensor()?, None, options))
            }
            _ => {
                let options = ConvTransposeOptions::new(
                    array(strides),
                    [0; 3],
                    [0; 3],
                    array(dilations),
                    groups,
                );
                Value::of(conv_transpose3d(x.tensor()?, weights.tensor()?, None, options))
            }
        };
        let mut behind = vec![(0, 0); axes + 2];
        for axis in 0..axes {
            let end = (spread[axis] + more[axis]).saturating_sub(padding[axis].1);
            let start = padding[axis].0.min(end);
            behind[axis + 2].1 = end.saturating_sub(spread[axis]);
            y = y.slice(axis + 2, start.min(spread[axis]), end.min(spread[axis]), 1);
        }
        let y = filled(y, &behind, 0.0)?;
        let mut line = vec![1; axes + 2];
        line[1] = channels;
        bias.map_or(Ok(y.clone()), |bias| y.add(bias.reshape(&line)?))
    })
}

/// The number of groups.
fn groups(node: &Node) -> Result<usize, Fault> {
    let groups = usize::try_from(node.int("group", 1)).ok().filter(|&groups| groups > 0);
    groups.ok_or_else(|| "expected groups of at least 1".into())
}

/// The sides of the kernel that weights are.
fn kernel(weights: &[usize]) -> Result<&[usize], Fault> {
    match weights {
        [_, _, kernel @ ..] if (1..=3).contains(&kernel.len()) && !kernel.contains(&0) => {
            Ok(kernel)
        }
        _ => Err(format!("expected weights of 3 to 5 dimensions, found {weights:?}")),
    }
}

fn check_bias(bias: Option<&Value>, channels: usize) -> Result<(), Fault> {
    match bias {
        Some(bias) if bias.shape() != [channels] => {
            Err(format!("expected a bias of {channels} values, found {:?}", bias.shape()))
        }
        _ => Ok(()),
    }
}

fn vector(bias: Option<Value>) -> Result<Option<Tensor<1>>, Fault> {
    bias.map(Value::tensor).transpose()
}

fn array<const N: usize>(list: &[usize]) -> [usize; N] {
    std::array::from_fn(|axis| list[axis])
}
