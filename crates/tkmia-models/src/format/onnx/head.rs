//! From the last block to the scores: pooling, flattening, the linear layer. [`Pooled`].

use std::collections::HashMap;

use super::fold::{from_front, normalised};
use super::graph::Graph;
use super::node::Node;
use super::shape::{Dim, evaluate, shown};
use super::walk::Walk;
use super::window::window;
use crate::ModelError;
use crate::resnet::blueprint::{Head, check_finite, transposed};

/// The operators that may take the mean over height and width.
pub const POOLING: [&str; 3] = ["GlobalAveragePool", "ReduceMean", "AveragePool"];

/// The operators that may bring pooled features into a row.
const RESHAPING: [&str; 3] = ["Flatten", "Reshape", "Squeeze"];

/// The walk behind the pooling: the value reached, and the dimensions of values a shape may be of.
#[derive(Debug)]
pub struct Pooled<'g, 'a> {
    graph: &'g Graph<'a>,
    at: &'a str,
    dims: Vec<Dim>,
    shapes: HashMap<&'a str, Vec<Dim>>,
}

impl<'g, 'a> Pooled<'g, 'a> {
    /// Steps over a mean over height and width, from where the blocks end.
    ///
    /// # Errors
    /// [`ModelError::NotAResNet`] if it's a mean over something else.
    pub fn new(walk: &Walk<'g, 'a>, node: &'g Node<'a>) -> Result<Self, ModelError> {
        let graph = walk.graph;
        let keeps_dims = match &*node.op {
            "GlobalAveragePool" => true,
            "AveragePool" => averages_all(walk, node)?,
            _ => {
                let axes = graph.constants.axes(node);
                if axes.as_ref().and_then(|axes| normalised(axes, 4)) != Some(vec![2, 3]) {
                    let found = axes.unwrap_or_default();
                    return Err(node.misfit(format!("a mean over axes [2, 3], found {found:?}")));
                }
                node.int("keepdims", 1) != 0
            }
        };
        let image = |channels: usize, size: Option<[usize; 2]>| {
            let along =
                |axis: usize| size.map_or(Dim::Unknown, |size| Dim::Known(size[axis] as i64));
            vec![Dim::Batch, Dim::Known(channels as i64), along(0), along(1)]
        };
        let mut dims = image(walk.channels, Some([1, 1]));
        dims.truncate(if keeps_dims { 4 } else { 2 });
        let size = graph.images.size.map(|_| walk.size);
        let shapes = HashMap::from([
            (graph.images.name, image(3, graph.images.size)),
            (walk.at, image(walk.channels, size)),
            (node.output(), dims.clone()),
        ]);
        Ok(Self { graph, at: node.output(), dims, shapes })
    }

    /// Reads the linear layer, and whether a sigmoid ends the graph.
    ///
    /// # Errors
    /// [`ModelError::NotAResNet`] with the first node that doesn't fit.
    pub fn classifier(mut self) -> Result<(Head, bool), ModelError> {
        let node = loop {
            let expected = "Flatten, Reshape, Squeeze, Gemm or MatMul";
            let flat = |node: &Node| matches!(&*node.op, "Gemm" | "MatMul");
            let fits = |node: &Node| flat(node) || RESHAPING.contains(&&*node.op);
            let node = self.graph.only_reader(self.at, expected, fits)?;
            if flat(node) {
                break node;
            }
            self.flatten(node)?;
        };
        let [Dim::Batch, Dim::Known(features)] = self.dims[..] else {
            let found = shown(&self.dims);
            return Err(node.misfit(format!("[batch, features] to work on, found {found}")));
        };
        let mut head = linear(self.graph, node, self.at, features as usize)?;
        let weights = node.input(1).unwrap_or(node.name);
        self.at = node.output();
        let mut sigmoid = false;
        while self.at != self.graph.output {
            let node = self.graph.only_reader(self.at, "the output", |_| true)?;
            match &*node.op {
                "Add" if !sigmoid => {
                    let constant = usize::from(node.input(0) == Some(self.at));
                    let bias = row(self.graph, node, constant, head.classes)?;
                    head.bias.iter_mut().zip(bias).for_each(|(b, added)| *b += added);
                }
                "Sigmoid" if !sigmoid => sigmoid = true,
                _ => return Err(node.misfit("the end of the graph, with one Sigmoid at most")),
            }
            self.at = node.output();
        }
        check_finite(weights, &head.weights)?;
        check_finite(weights, &head.bias)?;
        Ok((head, sigmoid))
    }

    /// Steps over a change of shape.
    fn flatten(&mut self, node: &'g Node<'a>) -> Result<(), ModelError> {
        let to = match &*node.op {
            "Flatten" => self.flattened(node.int("axis", 1)),
            "Squeeze" => self.squeezed(node),
            _ => self.reshaped(node),
        };
        self.dims = to.ok_or_else(|| {
            node.misfit(format!("[batch, features] to come of it, from {}", shown(&self.dims)))
        })?;
        self.at = node.output();
        self.shapes.insert(self.at, self.dims.clone());
        Ok(())
    }

    fn flattened(&self, axis: i64) -> Option<Vec<Dim>> {
        let first = from_front(axis, self.dims.len());
        (first == Some(1)).then(|| vec![Dim::Batch, Dim::Known(self.features())])
    }

    fn squeezed(&self, node: &Node) -> Option<Vec<Dim>> {
        let axes = normalised(&self.graph.constants.axes(node)?, self.dims.len())?;
        let sound = axes.iter().all(|&axis| self.dims[axis] == Dim::Known(1));
        let kept = self.dims.iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
        sound.then(|| kept.map(|(_, &dim)| dim).collect())
    }

    /// `Reshape` to a shape that keeps the batch apart, whether given or computed.
    fn reshaped(&self, node: &Node) -> Option<Vec<Dim>> {
        let target = evaluate(self.graph, node.input(1)?, &self.shapes)?;
        let keeps_zeros = node.int("allowzero", 0) != 0;
        let copied = |(axis, &dim): (usize, &Dim)| match dim {
            Dim::Known(0) if !keeps_zeros => self.dims.get(axis).copied(),
            dim => Some(dim),
        };
        let mut target: Vec<Dim> = target.iter().enumerate().map(copied).collect::<Option<_>>()?;
        let (batch, rest) = target.split_first_mut()?;
        let features = self.features();
        let product = |dims: &[Dim]| {
            dims.iter().try_fold(1_i64, |product, &dim| match dim {
                Dim::Known(-1) => Some(product),
                Dim::Known(dim) if dim > 0 => product.checked_mul(dim),
                _ => None,
            })
        };
        if let Some(free) = rest.iter().position(|&dim| dim == Dim::Known(-1)) {
            rest[free] = Dim::Known(features / product(rest)?);
        }
        // Rows are independent, so a file made for one batch size serves any.
        let fixed = self.graph.images.batch.unwrap_or(1) as i64;
        let any = [Dim::Batch, Dim::Known(-1), Dim::Known(fixed)].contains(batch);
        let whole = rest.iter().all(|&dim| dim != Dim::Known(-1)) && product(rest)? == features;
        *batch = Dim::Batch;
        (any && whole).then_some(target)
    }

    /// The number of values of each image.
    fn features(&self) -> i64 {
        let of = |&dim: &Dim| if let Dim::Known(dim) = dim { dim } else { 1 };
        self.dims.iter().map(of).product()
    }
}

/// Whether an `AveragePool`'s window is the whole image, as it must be.
fn averages_all(walk: &Walk, node: &Node) -> Result<bool, ModelError> {
    let window = window(node, None)?;
    let found = window.kernel;
    let expected = match walk.graph.images.size {
        None => "GlobalAveragePool, as the image size isn't fixed".to_owned(),
        Some(_) if window.padding != [0; 4] || window.dilation != [1; 2] => {
            "GlobalAveragePool, or neither pads nor dilations".to_owned()
        }
        Some(_) if found != walk.size => {
            format!("GlobalAveragePool, or a kernel of {:?}, found {found:?}", walk.size)
        }
        Some(_) => return Ok(true),
    };
    Err(node.misfit(expected))
}

/// A `Gemm` or `MatMul` of the features with constant weights.
///
/// Source: <https://onnx.ai/onnx/operators/onnx__Gemm.html>: `alpha · A · B + beta · C`
fn linear(graph: &Graph, node: &Node, value: &str, features: usize) -> Result<Head, ModelError> {
    let gemm = node.op == "Gemm";
    if node.input(0) != Some(value) || (gemm && node.int("transA", 0) != 0) {
        return Err(node.misfit("the features as its first operand, not transposed"));
    }
    let (shape, mut weights) = graph.floats(node, 1)?;
    let by_class = gemm && node.int("transB", 0) != 0;
    let classes = match (shape.as_slice(), by_class) {
        (&[classes, inner], true) | (&[inner, classes], false) if inner == features => classes,
        _ => 0,
    };
    if classes == 0 {
        return Err(node.misfit(format!("weights for {features} features, found {shape:?}")));
    }
    if by_class {
        weights = transposed(&weights, features);
    }
    let mut bias = match node.input(2) {
        Some(_) => row(graph, node, 2, classes)?,
        None => vec![0.0; classes],
    };
    if gemm {
        let (alpha, beta) = (node.float("alpha", 1.0), node.float("beta", 1.0));
        weights.iter_mut().for_each(|w| *w *= alpha);
        bias.iter_mut().for_each(|b| *b *= beta);
    }
    let stored = graph.constants.float_type(node.input(1).unwrap_or_default());
    Ok(Head { features, classes, weights, bias, stored })
}

/// A constant that is added to every row of the scores.
fn row(graph: &Graph, node: &Node, at: usize, classes: usize) -> Result<Vec<f32>, ModelError> {
    let (shape, values) = graph.floats(node, at)?;
    match (shape.as_slice(), values.len()) {
        (_, 1) => Ok(vec![values[0]; classes]),
        ([n] | [1, n], _) if *n == classes => Ok(values),
        _ => Err(node.misfit(format!("a bias of {classes} values, found {shape:?}"))),
    }
}
