//! Nodes that the CPU backend computes by operations of our own: [`read`].
//!
//! They are those that passes spend their time in, in the forms that networks have. What isn't among them, and all on
//! other devices, is computed by the operators' own functions.

use std::sync::Arc;

use burn::backend::DispatchTensor;

use super::window::Declared;
use super::{Inputs, Operation};
use crate::direct::activation::{self, Function};
use crate::direct::convolution::{Convolution, Shape};
use crate::direct::product::{Linear, product};
use crate::direct::rows::{Norm, softmax};
use crate::format::onnx::node::Node;
use crate::graph::value::{Fault, Kind, Value, axis, elements};
use crate::graph::work::spend;

/// An input: nothing if it is computed from the images, otherwise a constant, or none where it is left out.
pub type Given = Option<Option<Value>>;

/// A constant's values and shape.
fn floats_of(given: &Given) -> Option<(Vec<f32>, Vec<usize>)> {
    let value = given.as_ref()?.as_ref()?;
    Some((value.to_floats().ok()?, value.shape()))
}

/// As many constants as that, or none where the input is left out.
fn optional(given: &Given, count: usize) -> Option<Vec<f32>> {
    match given {
        Some(None) => Some(Vec::new()),
        _ => floats_of(given).map(|(values, _)| values).filter(|values| values.len() == count),
    }
}

/// What computes a node on the CPU, and how many of its inputs that reads: `plain`, or what takes its place.
pub fn read(
    op: &str,
    node: &Node,
    opset: i64,
    given: &[Given],
    plain: Operation,
) -> (Operation, usize) {
    let of = |at: usize| given.get(at).unwrap_or(&Some(None));
    if of(0).is_some() {
        return (plain, given.len());
    }
    let of_weights = match op {
        "Conv" => conv(node, of(1), of(2)),
        "Gemm" => gemm(node, of(1), of(2)),
        "LayerNormalization" => layer_normalization(node, of(1), of(2)),
        "MatMul" => floats_of(of(1))
            .and_then(|(weights, shape)| linear(&weights, &shape, false, Vec::new())),
        _ => None,
    };
    if let Some(operation) = of_weights {
        return (operation, 1);
    }
    let all = given.len();
    match (op, activation(op, node, [of(1), of(2)])) {
        (_, Some(activation)) => (floats(plain, move |x| Some(x.map(&activation))), all),
        ("Softmax", _) if opset >= 13 => {
            let along = node.int("axis", -1);
            let of_rows = move |x: Value| {
                let last =
                    axis(along, x.rank()).is_ok_and(|at| at + 1 == x.rank() && x.dim(at) > 0);
                last.then(|| x.map(softmax))
            };
            (floats(plain, of_rows), all)
        }
        ("MatMul", _) => (matmul(plain), all),
        _ => (plain, all),
    }
}

/// `f` of floats, `plain` of all else and of what `f` doesn't compute.
fn floats(
    plain: Operation,
    f: impl Fn(Value) -> Option<Value> + Send + Sync + 'static,
) -> Operation {
    Box::new(move |inputs| {
        let x =
            inputs.0.first().cloned().flatten().filter(|x| x.kind() == Kind::Float && x.len() > 0);
        match x.and_then(&f) {
            Some(y) => Ok(vec![y]),
            None => plain(inputs),
        }
    })
}

/// `f` of a node's one input, if that is as expected.
fn of_floats(
    fault: impl Fn(&[usize]) -> Fault + Send + Sync + 'static,
    fits: impl Fn(&[usize]) -> bool + Send + Sync + 'static,
    f: impl Fn(Value) -> Result<Value, Fault> + Send + Sync + 'static,
) -> Option<Operation> {
    Some(Box::new(move |mut inputs: Inputs| {
        let x = inputs.take(0)?;
        x.expect_kind(Kind::Float)?;
        match fits(&x.shape()) && x.len() > 0 {
            true => Ok(vec![f(x)?]),
            false => Err(fault(&x.shape())),
        }
    }))
}

/// Pixels between strides, times those of the kernel: networks that cut images into patches have those of a patch.
const MOST_PLACES: usize = 1 << 24;

/// Over images, with constant weights and padding.
fn conv(node: &Node, weights: &Given, bias: &Given) -> Option<Operation> {
    let groups = usize::try_from(node.int("group", 1)).ok().filter(|&groups| groups > 0)?;
    let (values, shape) = floats_of(weights)?;
    let &[channels, inputs, height, width] = &shape[..] else { return None };
    if channels == 0 || inputs == 0 || channels % groups != 0 {
        return None;
    }
    let window = Declared::read(node).ok()?.of(&[height, width]).ok()?;
    let padding = window.declared_padding()?;
    if window.strides.iter().product::<usize>().saturating_mul(height * width) > MOST_PLACES {
        return None;
    }
    let bias = optional(bias, channels)?;
    let pair = |list: &[usize]| [list[0], list[1]];
    let shape = Shape {
        groups,
        inputs,
        outputs: channels / groups,
        kernel: [height, width],
        strides: pair(&window.strides),
        dilations: pair(&window.dilations),
        padding: [padding[0].0, padding[1].0],
    };
    let convolution = Arc::new(Convolution::new(&shape, &values, bias));
    let (of_input, of_output) = (inputs * groups, inputs * height * width);
    of_floats(
        move |x: &[usize]| format!("expected a map of {of_input} channels, found {x:?}"),
        move |x: &[usize]| x.len() == 4 && x[1] == of_input,
        move |x| {
            let shape = x.shape();
            let to = window.places_in(&shape, &padding)?;
            spend(elements(&[shape[0], channels, to[0], to[1]])?, of_output)?;
            Ok(x.map(|x| convolution.apply(x, [to[0], to[1]])))
        },
    )
}

/// Of rows of the last axis.
fn linear(weights: &[f32], shape: &[usize], transposed: bool, bias: Vec<f32>) -> Option<Operation> {
    let (inputs, outputs) = match *shape {
        [outputs, inputs] if transposed => (inputs, outputs),
        [inputs, outputs] => (inputs, outputs),
        _ => return None,
    };
    if inputs == 0 || outputs == 0 {
        return None;
    }
    let linear = Arc::new(Linear::new(weights, [inputs, outputs], transposed, bias));
    let (of_weights, fits) =
        (shape.to_vec(), move |x: &[usize]| x.len() > 1 && x.ends_with(&[inputs]));
    let fault =
        move |x: &[usize]| format!("expected matrices that fit, found {x:?} and {of_weights:?}");
    of_floats(fault, fits, move |x| {
        let mut to = x.shape();
        to.pop();
        to.push(outputs);
        spend(elements(&to)?, inputs)?;
        Ok(x.map(|x| linear.apply(x)))
    })
}

fn gemm(node: &Node, weights: &Given, bias: &Given) -> Option<Operation> {
    let plain = node.float("alpha", 1.0) == 1.0 && node.float("beta", 1.0) == 1.0;
    let (values, shape) = floats_of(weights)?;
    let transposed = node.int("transB", 0) != 0;
    let outputs = *shape.get(usize::from(!transposed))?;
    if !plain || node.int("transA", 0) != 0 {
        return None;
    }
    linear(&values, &shape, transposed, optional(bias, outputs)?)
}

/// Over the last axis, with one output.
fn layer_normalization(node: &Node, gamma: &Given, beta: &Given) -> Option<Operation> {
    let (gamma, shape) = floats_of(gamma)?;
    if shape.len() != 1 || gamma.is_empty() || node.outputs().count() > 1 {
        return None;
    }
    let (width, beta, epsilon) =
        (gamma.len(), optional(beta, gamma.len())?, node.float("epsilon", 1e-5));
    let norm = Arc::new(Norm { gamma, beta, epsilon });
    let along = node.int("axis", -1);
    let fits = move |x: &[usize]| {
        x.ends_with(&[width]) && axis(along, x.len()).is_ok_and(|at| at + 1 == x.len())
    };
    let fault = move |x: &[usize]| format!("expected a last axis of {width}, found {x:?}");
    of_floats(fault, fits, move |x| Ok(x.map(|x| norm.apply(x))))
}

/// Of two computed stacks of matrices with the same axes before.
fn matmul(plain: Operation) -> Operation {
    Box::new(move |mut inputs: Inputs| {
        let shape = |at: usize| inputs.0.get(at)?.as_ref().map(Value::shape);
        let shapes = [0, 1].map(|at| shape(at).unwrap_or_default());
        let [a, b] = [&shapes[0], &shapes[1]];
        let axes = a.len().max(2) - 2;
        let fits = a.len() > 2
            && a.len() == b.len()
            && a[..axes] == b[..axes]
            && a[axes + 1] == b[axes]
            && !a.contains(&0)
            && !b.contains(&0);
        if !fits {
            return plain(inputs);
        }
        let to = [&a[..=axes], &b[axes + 1..]].concat();
        spend(elements(&to)?, b[axes])?;
        let (a, b) = (inputs.take(0)?, inputs.take(1)?);
        Ok(vec![Value::made_of(product(a.float()?, b.float()?))])
    })
}

type Unary = Box<dyn Fn(DispatchTensor) -> DispatchTensor + Send + Sync>;

fn activation(op: &str, node: &Node, bounds: [&Given; 2]) -> Option<Unary> {
    fn of(f: impl Function) -> Option<Unary> {
        Some(Box::new(move |x| activation::apply(f, x)))
    }
    match op {
        "Clip" => {
            let bound = |at: usize, name: &str, none: f32| match bounds[at] {
                Some(None) => Some(node.float(name, none)),
                given => floats_of(given)
                    .filter(|(values, _)| values.len() == 1)
                    .map(|(values, _)| values[0]),
            };
            let low = bound(0, "min", f32::NEG_INFINITY)?;
            let high = bound(1, "max", f32::INFINITY)?;
            if low <= high { of(activation::Clip(low, high)) } else { None }
        }
        "Gelu" if node.text("approximate", "none") == "none" => of(activation::Gelu),
        "HardSigmoid" => {
            of(activation::HardSigmoid(node.float("alpha", 0.2), node.float("beta", 0.5)))
        }
        "HardSwish" => of(activation::HardSwish),
        "Relu" => of(activation::Relu),
        "Sigmoid" => of(activation::Sigmoid),
        "Swish" if node.float("alpha", 1.0) == 1.0 => of(activation::Swish),
        _ => None,
    }
}
