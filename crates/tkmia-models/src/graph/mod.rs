//! Any network, as its file's graph has it: [`GraphNetwork`].

mod build;
mod constant;
mod inline;
mod operators;
mod program;
mod value;
mod work;

#[cfg(test)]
mod gradients;
#[cfg(test)]
mod standard;
#[cfg(test)]
pub mod written;

use std::fmt;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;
use tkmia_core::{Bounds, Classifier, PassMemory, Tagger};

use self::build::Built;
use self::program::Program;
use self::value::{Kind, elements};
use crate::format::onnx::Model;
use crate::{FloatType, Format, ModelError};

/// Heights and widths that a network is tried with whose file fixes none.
const TRIED_SIDES: [usize; 10] = [224, 256, 384, 448, 336, 299, 512, 128, 64, 32];

/// How far the scores of an image in a batch may be from those that it has alone, of the largest score: rounding.
const APART: f32 = 1e-3;

/// What a file holds that isn't a ResNet.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GraphSummary {
    /// The kind of file it was in.
    pub format: Format,
    /// The types in which the file holds the weights, the narrowest first.
    pub weight_types: Vec<FloatType>,
    /// The number of nodes in the file.
    pub nodes: usize,
    /// The number of labels.
    pub classes: usize,
    /// Height and width of the images, or `None` where any will do.
    pub input_size: Option<[usize; 2]>,
    /// The number of weights.
    pub parameters: usize,
    /// The batch size that the file's graph works with, where it works with no other: larger batches are cut up.
    pub fixed_batch: Option<usize>,
    /// Whether the file ended in a sigmoid, which the scores leave out.
    pub sigmoid: bool,
    /// What a user should know: where no gradient goes through, or where the scores aren't logits.
    pub notes: Vec<String>,
}

impl fmt::Display for GraphSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, parameters, classes, .. } = self;
        write!(f, "graph of {nodes} nodes ({parameters} weights, {classes} labels, ")?;
        match self.input_size {
            Some([height, width]) => write!(f, "{height}×{width})"),
            None => write!(f, "any size)"),
        }
    }
}

/// A network that is computed node by node.
///
/// The weights stay on a device without autodiff and ask for no gradient, so that a backward pass leads to the
/// images alone. A row's scores don't depend on the other rows; on rounding they may, in the last bit, since a matrix
/// product of a whole batch is summed in another order.
#[derive(Debug)]
pub struct GraphNetwork {
    program: Program,
    summary: GraphSummary,
    device: Device,
    bounds: Bounds,
    label_names: Option<Vec<String>>,
    /// Bytes that a pass of one image keeps, for each pixel.
    of_a_pixel: f64,
}

impl GraphNetwork {
    /// Builds the network, and tries it: with one image, and with one more than the file's batch.
    ///
    /// # Errors
    /// Those of building it, [`ModelError::Operator`] for a node that can't be computed, and
    /// [`ModelError::NotScores`] if what comes out isn't a row of scores for each image.
    pub fn new(
        model: &Model,
        path: Option<&Path>,
        options: &Tagger,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let device = device.clone().without_autodiff();
        let bounds = options.range.unwrap_or(Bounds::UNIT);
        let built = work::limited(|| build::build(model, path, options, &device))?;
        let Built { program, batch, size, nodes, parameters, weight_types, sigmoid, mut notes } =
            built;
        let own = batch.unwrap_or(1);
        let (tried, size) = match size {
            Some(size) => (size, Some(size)),
            None => unfixed_size(&program, own, bounds, &device, &mut notes)?,
        };
        let (alone, bytes) = scores_of(&program, own, tried, bounds, &device)?;
        let classes = alone.len() / own;
        // A graph that works with one image more, and gives the others what they had without it, takes any number.
        let larger = scores_of(&program, own + 1, tried, bounds, &device);
        let free = larger.is_ok_and(|(together, _)| agree(&alone, &together));
        let summary = GraphSummary {
            format: Format::Onnx,
            weight_types,
            nodes,
            classes,
            input_size: size,
            parameters,
            fixed_batch: (!free).then_some(own),
            sigmoid,
            notes,
        };
        let of_a_pixel = bytes as f64 / (own * tried[0] * tried[1]) as f64;
        let label_names = model.label_names(classes);
        Ok(Self { program, summary, device, bounds, label_names, of_a_pixel })
    }

    pub fn summary(&self) -> &GraphSummary {
        &self.summary
    }

    fn pass(&self, images: Tensor<4>) -> Tensor<2> {
        let scores = self.program.run(images).and_then(|value| {
            value.tensor().map_err(|_| ModelError::NotScores { images: 0, found: Vec::new() })
        });
        scores.unwrap_or_else(|error| panic!("images of a size that the network takes: {error}"))
    }
}

/// A size that a graph works with, and whether it is the only one.
///
/// # Errors
/// That of the first size, if it works with none.
fn unfixed_size(
    program: &Program,
    count: usize,
    bounds: Bounds,
    device: &Device,
    notes: &mut Vec<String>,
) -> Result<([usize; 2], Option<[usize; 2]>), ModelError> {
    let tried = |side: usize| scores_of(program, count, [side; 2], bounds, device);
    let first = tried(TRIED_SIDES[0]);
    let works = |side: &usize| *side != TRIED_SIDES[0] && tried(*side).is_ok();
    let found = match &first {
        Ok(_) if tried(TRIED_SIDES[1]).is_ok() => return Ok(([TRIED_SIDES[0]; 2], None)),
        Ok(_) => Some(TRIED_SIDES[0]),
        Err(_) => TRIED_SIDES.into_iter().find(works),
    };
    match (found, first) {
        (Some(side), _) => {
            notes.push(format!(
                "the file doesn't fix the images' size: {side}×{side} is one that it works with"
            ));
            Ok(([side; 2], Some([side; 2])))
        }
        (None, Err(error)) => Err(error),
        (None, Ok(_)) => Ok(([TRIED_SIDES[0]; 2], None)),
    }
}

/// Scores of as many images, row by row, and the bytes that were computed on the way.
fn scores_of(
    program: &Program,
    count: usize,
    [height, width]: [usize; 2],
    bounds: Bounds,
    device: &Device,
) -> Result<(Vec<f32>, u64), ModelError> {
    // Images whose values differ everywhere, and from each other.
    let of_place = |at: usize| {
        let wave = 0.5 + 0.5 * (at as f32 * 0.37).sin() * (at as f32 * 0.0013).cos();
        bounds.low + (bounds.high - bounds.low) * wave
    };
    let shape = [count, 3, height, width];
    let refuse = |node: &str, op: &str, fault| {
        let (node, op) = (node.to_owned(), op.to_owned());
        ModelError::Operator { node, op, fault }
    };
    let elements = elements(&shape).map_err(|fault| refuse("images", "graph input", fault))?;
    let values: Vec<f32> = (0..elements).map(of_place).collect();
    let images = Tensor::<4>::from_data(TensorData::new(values, shape), device);
    let (output, bytes) = work::limited(|| program.try_run(images))?;
    match (output.kind(), &output.shape()[..]) {
        (Kind::Float, &[rows, classes]) if rows == count && classes > 0 => {
            // A device that computes later fails here.
            let scores = output.to_floats();
            Ok((scores.map_err(|fault| refuse("scores", "graph output", fault))?, bytes))
        }
        (_, found) => Err(ModelError::NotScores { images: count, found: found.to_vec() }),
    }
}

/// Whether the first images have the same scores among more of them.
fn agree(alone: &[f32], together: &[f32]) -> bool {
    let largest = alone.iter().fold(f32::MIN_POSITIVE, |most, score| most.max(score.abs()));
    let same = |(a, b): (&f32, &f32)| {
        a == b || (a - b).abs() <= APART * largest || (a.is_nan() && b.is_nan())
    };
    alone.iter().zip(together).all(same)
}

impl Classifier for GraphNetwork {
    /// Images are of [`input_size`](Classifier::input_size), or of a size that the network's layers fit.
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let Some(batch) = self.summary.fixed_batch else {
            return self.pass(images);
        };
        let count = images.dims()[0];
        let missing = count.next_multiple_of(batch) - count;
        let images = match missing {
            0 => images,
            // The last image once more, until the batch is full.
            _ => Tensor::cat(
                vec![images.clone(), images.narrow(0, count - 1, 1).repeat_dim(0, missing)],
                0,
            ),
        };
        let passes = images.split(batch, 0).into_iter().map(|images| self.pass(images)).collect();
        Tensor::cat(passes, 0).narrow(0, 0, count)
    }

    fn classes(&self) -> usize {
        self.summary.classes
    }

    fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        self.summary.input_size
    }

    fn device(&self) -> Device {
        self.device.clone()
    }

    fn pass_memory(&self, size: [usize; 2]) -> PassMemory {
        let pixels = (size[0] * size[1]) as f64;
        // What is computed is kept until the way back, and has a gradient there.
        let kept = (2.0 * self.of_a_pixel * pixels) as u64;
        PassMemory {
            // On the CPU they are laid out for both ways.
            weights: (2 * size_of::<f32>() * self.summary.parameters) as u64,
            worker: 0,
            image: kept + PassMemory::attacked_image(size),
        }
    }

    fn label_names(&self) -> Option<&[String]> {
        self.label_names.as_deref()
    }

    fn notes(&self) -> &[String] {
        &self.summary.notes
    }

    fn description(&self) -> String {
        self.summary.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::written::{declared, graph};
    use super::*;

    fn network(model: &Model) -> Result<GraphNetwork, ModelError> {
        GraphNetwork::new(model, None, &Tagger::default(), &Device::flex())
    }

    fn images(count: usize, side: usize) -> Tensor<4> {
        let values =
            (0..count * 3 * side * side).map(|at| (at as f32 * 0.1).sin()).collect::<Vec<f32>>();
        Tensor::from_data(TensorData::new(values, [count, 3, side, side]), &Device::flex())
    }

    #[test]
    fn a_batch_of_any_size_goes_through_a_graph_that_fixes_one() {
        for (fixed, reshape) in [(1, "[1;108]"), (2, "[2;108]")] {
            let lines = format!("a = Reshape(images, {reshape})\nscores = MatMul(a, w)");
            let mut model = graph(&lines, &[("w", &[108, 4])], 20);
            model.graph.input[0].r#type = declared(&[fixed, 3, 6, 6]);
            let network = network(&model).unwrap();
            assert_eq!(network.summary().fixed_batch, Some(fixed as usize));
            let three = network.scores(images(3, 6));
            let alone = network.scores(images(3, 6).narrow(0, 2, 1));
            assert_eq!(three.dims(), [3, 4]);
            assert_eq!(three.narrow(0, 2, 1).into_data(), alone.into_data());
        }
    }

    #[test]
    fn a_batch_that_the_file_fixes_and_the_graph_does_not_is_free() {
        let mut model =
            graph("a = Flatten(images)\nscores = MatMul(a, w)", &[("w", &[108, 4])], 20);
        model.graph.input[0].r#type = declared(&[1, 3, 6, 6]);
        assert_eq!(network(&model).unwrap().summary().fixed_batch, None);
    }

    #[test]
    fn images_that_would_influence_each_other_go_through_alone() {
        let lines = "a = Flatten(images)\nb = Softmax(a) axis=0\nscores = MatMul(b, w)";
        let mut model = graph(lines, &[("w", &[108, 4])], 20);
        model.graph.input[0].r#type = declared(&[-1, 3, 6, 6]);
        assert_eq!(network(&model).unwrap().summary().fixed_batch, Some(1));
    }

    #[test]
    fn a_size_that_the_file_does_not_fix_is_found_and_noted() {
        let found = network(&graph(
            "a = Flatten(images)\nscores = MatMul(a, w)",
            &[("w", &[12288, 2])],
            20,
        ))
        .unwrap();
        assert_eq!(found.input_size(), Some([64, 64]));
        assert_eq!(found.notes().len(), 1, "{:?}", found.notes());
        let any =
            network(&graph("scores = ReduceMean(images, [2;3]) keepdims=0", &[], 20)).unwrap();
        assert_eq!((any.input_size(), any.classes()), (None, 3));
    }

    #[test]
    fn all_unknown_operators_are_named_at_once_and_those_that_nothing_needs_are_not() {
        let lines = "a = Odd(images)\nb = Strange(a)\nc = Odd(b)\nunused = Rare(images)\nscores = Flatten(c)";
        let message = network(&graph(lines, &[], 20)).unwrap_err().to_string();
        assert_eq!(message, "operators that aren't known: Odd (node `a`, `c`), Strange (node `b`)");
    }

    #[test]
    fn a_node_that_does_not_fit_is_named() {
        let mut model =
            graph("a = Flatten(images)\nscores = MatMul(a, w)", &[("w", &[100, 4])], 20);
        model.graph.input[0].r#type = declared(&[-1, 3, 6, 6]);
        let message = network(&model).unwrap_err().to_string();
        assert!(
            message.starts_with("node `scores` (MatMul): expected matrices that fit, found"),
            "{message}"
        );
        let odd = graph("scores = LeakyRelu(images) alhpa=2", &[], 20);
        let message = network(&odd).unwrap_err().to_string();
        assert_eq!(message, "node `scores` (LeakyRelu): an attribute `alhpa` isn't known");
    }

    #[test]
    fn what_a_few_bytes_ask_for_is_refused_before_it_is_made() {
        // 10.8 million elements along the last axis.
        let long = "a = Reshape(images, [1;1;108])\nb = Tile(a, [1;1;100000])\n";
        let nothing = "a = Slice(images, [0], [0], [1])\n";
        for (lines, node) in [
            (&*format!("{long}scores = Resize(b, _, _, [1;1;65536]) mode=linear"), "scores"),
            (&*format!("{long}scores = Resize(b, _, _, [65536;1;1])"), "scores"),
            (&*format!("{long}scores = LRN(b) size=65535"), "scores"),
            (
                &*format!(
                    "{nothing}b = Reshape(a, [0;4294967296;2147483648]) allowzero=1\nscores = Trilu(b)"
                ),
                "b",
            ),
            ("scores = Conv(images, w) pads=65536,65536,65536,65536 strides=65536,65536", "scores"),
            ("scores = Pad(images, [0;0;0;0;0;0;65536;65536])", "scores"),
            ("scores = DepthToSpace(images) blocksize=4294967296", "scores"),
            ("scores = Pad(images, [0;0;0;0;0;0;0;-9223372036854775808])", "scores"),
            ("scores = Mod([3], [0])", "scores"),
            ("scores = Div([3], [0])", "scores"),
        ] {
            let mut model = graph(lines, &[("w", &[4, 3, 1, 1])], 22);
            model.graph.input[0].r#type = declared(&[1, 3, 6, 6]);
            let message = network(&model).unwrap_err().to_string();
            assert!(message.starts_with(&format!("node `{node}`")), "{message}");
            assert!(message.contains("expected "), "{message}");
        }
        let mut model = graph("scores = Flatten(images)", &[], 20);
        model.graph.input[0].r#type = declared(&[65536, 3, 8192, 8192]);
        let message = network(&model).unwrap_err().to_string();
        assert!(message.starts_with("node `images` (graph input): expected at most"), "{message}");
    }

    #[test]
    fn a_node_without_its_input_is_an_error_at_the_end_too() {
        for op in ["Identity", "Cast", "Sigmoid"] {
            let message = network(&graph(&format!("scores = {op}(_) to=1"), &[], 20)).unwrap_err();
            assert!(message.to_string().contains(op), "{message}");
        }
    }

    #[test]
    fn a_function_that_calls_itself_is_refused() {
        use crate::format::onnx::proto::FunctionProto;

        let mut model = graph("scores = Again(images)", &[], 20);
        model.functions.push(FunctionProto {
            name: "Again".into(),
            input: vec!["x".into()],
            output: vec!["y".into()],
            node: graph("t = Relu(x)\ny = Again(t)", &[], 20).graph.node,
            ..Default::default()
        });
        let message = network(&model).unwrap_err().to_string();
        assert!(message.ends_with("(Again): expected calls at most 32 deep"), "{message}");
    }

    #[test]
    fn functions_and_branches_of_known_conditions_are_written_out() {
        use crate::format::onnx::proto::{AttributeProto, FunctionProto, GraphProto, value};

        let inner = graph("y = LeakyRelu(x)\nt = Neg(y)\nz = Neg(t)", &[], 20).graph;
        let mut model = graph(
            "a = Twice(images)\nb = Twice(a)\nscores = ReduceMean(b, [2;3]) keepdims=0",
            &[],
            20,
        );
        let mut nodes = inner.node;
        let (name, ref_attr_name) = ("alpha".into(), "slope".into());
        nodes[0].attribute.push(AttributeProto { name, ref_attr_name, ..Default::default() });
        let slope = AttributeProto { name: "slope".into(), f: 0.5, ..Default::default() };
        model.functions.push(FunctionProto {
            name: "Twice".into(),
            input: vec!["x".into()],
            output: vec!["z".into()],
            node: nodes,
            attribute_proto: vec![slope],
            ..Default::default()
        });
        let plain = graph(
            "a = LeakyRelu(images) alpha=0.25\nscores = ReduceMean(a, [2;3]) keepdims=0",
            &[],
            20,
        );
        let scores = |model: &Model| network(model).unwrap().scores(images(2, 6)).into_data();
        assert_eq!(scores(&model), scores(&plain));

        let mut model = graph(
            "k = Equal([1], [1])\na = If(k)\nscores = ReduceMean(a, [2;3]) keepdims=0",
            &[],
            20,
        );
        let branch = |name: &str, lines: &str| {
            let graph = GraphProto { output: vec![value("out")], ..graph(lines, &[], 20).graph };
            AttributeProto { name: name.into(), g: Some(Box::new(graph)), ..Default::default() }
        };
        let branches = [
            branch("then_branch", "out = LeakyRelu(images) alpha=0.25"),
            branch("else_branch", "out = Odd(images)"),
        ];
        model.graph.node[1].attribute = branches.to_vec();
        assert_eq!(scores(&model), scores(&plain));
        model.graph.node[1].input = vec!["images".into()];
        let message = network(&model).unwrap_err().to_string();
        assert!(
            message.starts_with("node `a` (If): expected a condition that the file fixes"),
            "{message}"
        );
    }

    #[test]
    fn what_is_rounded_to_few_bits_and_back_is_left_as_it_was() {
        let lines = "q = QuantizeLinear(images, s)\nd = DequantizeLinear(q, s)\nscores = ReduceMean(d, [2;3]) keepdims=0";
        let found = network(&graph(lines, &[("s", &[])], 20)).unwrap();
        let plain =
            network(&graph("scores = ReduceMean(images, [2;3]) keepdims=0", &[], 20)).unwrap();
        assert_eq!(found.scores(images(1, 6)).into_data(), plain.scores(images(1, 6)).into_data());
        assert_eq!(found.notes().len(), 1, "{:?}", found.notes());
    }

    #[test]
    fn an_output_is_chosen_by_its_name() {
        let mut model = graph(
            "a = Flatten(images)\nscores = MatMul(a, w)\nb = MatMul(a, v)",
            &[("w", &[108, 4]), ("v", &[108, 2])],
            20,
        );
        model.graph.output.push(crate::format::onnx::proto::value("b"));
        model.graph.input[0].r#type = declared(&[-1, 3, 6, 6]);
        let message = network(&model).unwrap_err().to_string();
        assert_eq!(
            message,
            r#"expected one graph output (the scores), found ["scores", "b"]: `scores-output` says which of several it is"#
        );
        let options = Tagger { scores_output: Some("b".into()), ..Tagger::default() };
        let found = GraphNetwork::new(&model, None, &options, &Device::flex()).unwrap();
        assert_eq!(found.classes(), 2);
    }
}
