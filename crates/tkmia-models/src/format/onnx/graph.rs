//! A graph resolved: who defines a value, who reads it, what is constant. [`Graph`].

use std::collections::{HashMap, HashSet};
use std::path::Path;

use tkmia_core::LARGEST_SIDE;

use super::constants::Constants;
use super::fold::fold;
use super::node::{Node, name};
use super::proto::{DimensionProto, DimensionValue, GraphProto, NodeProto, ValueInfoProto};
use super::tensor::{Tensor, Values, is_float};
use crate::ModelError;
use crate::resnet::blueprint::check_finite;

/// The largest batch that a file may declare.
const LARGEST_BATCH: i64 = 1 << 16;

/// The nodes that lead from the images to the scores, in the file's order.
///
/// Constants are folded, aliases (`Identity`, inference `Dropout`, casts between float types) are
/// followed, and nodes that the output doesn't need are left out.
#[derive(Debug)]
pub struct Graph<'a> {
    pub images: Images<'a>,
    pub output: &'a str,
    pub constants: Constants<'a>,
    nodes: Vec<Node<'a>>,
    readers: HashMap<&'a str, Vec<usize>>,
    producers: HashMap<&'a str, usize>,
}

/// The graph's one input.
#[derive(Debug)]
pub struct Images<'a> {
    pub name: &'a str,
    /// The batch size, where the file fixes it.
    pub batch: Option<usize>,
    /// Height and width, where the file fixes both.
    pub size: Option<[usize; 2]>,
}

impl<'a> Graph<'a> {
    /// Resolves a graph; external data is looked for beside the model's file.
    ///
    /// # Errors
    /// [`ModelError::Undefined`] and [`ModelError::DefinedTwice`] for values,
    /// [`ModelError::Inputs`], [`ModelError::InputType`] and [`ModelError::Outputs`] for its ends,
    /// and those of reading constants.
    pub fn new(proto: &'a GraphProto, model: Option<&'a Path>) -> Result<Self, ModelError> {
        let mut constants = Constants::new(proto, model)?;
        let images = images(proto)?;
        let mut nodes = Vec::new();
        let mut aliases: HashMap<&str, &str> = HashMap::new();
        let mut defined: HashSet<&str> = HashSet::from([images.name]);

        for proto in in_order(&proto.node) {
            let resolve = |value: &'a String| -> Result<&'a str, ModelError> {
                let value = aliases.get(value.as_str()).copied().unwrap_or(value);
                if value.is_empty() || defined.contains(value) || constants.contains(value) {
                    return Ok(value);
                }
                Err(ModelError::Undefined { node: name(proto).into(), value: value.into() })
            };
            let inputs = proto.input.iter().map(resolve).collect::<Result<_, _>>()?;
            let node = Node::new(proto, inputs);
            for output in node.outputs() {
                let again = constants.contains(output) || aliases.contains_key(output);
                if again || defined.contains(output) {
                    return Err(ModelError::DefinedTwice { value: output.to_owned() });
                }
            }
            if let Some(source) = alias(&node, &constants) {
                aliases.insert(node.output(), source);
            } else if let Some(tensor) = fold(&node, &constants)? {
                constants.insert(&node, tensor);
            } else {
                defined.extend(node.outputs());
                nodes.push(node);
            }
        }

        let output = output(proto, None)?;
        let output = aliases.get(output).copied().unwrap_or(output);
        let nodes = needed(nodes, output);
        let mut producers = HashMap::new();
        let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, node) in nodes.iter().enumerate() {
            producers.extend(node.outputs().map(|value| (value, at)));
            for &value in node.inputs.iter().filter(|value| !value.is_empty()) {
                let readers = readers.entry(value).or_default();
                // A shape is read, not the values: that is bookkeeping of dynamic axes.
                if node.op != "Shape" && readers.last() != Some(&at) {
                    readers.push(at);
                }
            }
        }
        if !producers.contains_key(output) {
            let expected = "a value that a node computes from the images".to_owned();
            return Err(end_misfit(output, "graph output", expected));
        }
        Ok(Self { images, output, constants, nodes, readers, producers })
    }

    /// The nodes that compute from a value, in the file's order.
    pub fn readers(&self, value: &str) -> impl ExactSizeIterator<Item = &Node<'a>> {
        self.readers.get(value).map_or(&[][..], Vec::as_slice).iter().map(|&at| &self.nodes[at])
    }

    /// The one node that computes from a value, if it's one that fits.
    ///
    /// # Errors
    /// [`ModelError::NotAResNet`] with the first reader that doesn't fit, the second where one is
    /// expected, or the node that defines the value where none reads it.
    pub fn only_reader(
        &self,
        value: &str,
        expected: &str,
        fits: impl Fn(&Node) -> bool,
    ) -> Result<&Node<'a>, ModelError> {
        if let Some(odd) = self.readers(value).find(|node| !fits(node)) {
            return Err(odd.misfit(expected));
        }
        let mut readers = self.readers(value);
        match (readers.next(), readers.next()) {
            (Some(reader), None) => Ok(reader),
            (_, Some(second)) => Err(second.misfit(format!("nothing else to read `{value}`"))),
            (None, None) => {
                let expected = format!("{expected} behind it, found the end of the graph");
                Err(match self.producer(value) {
                    Some(last) => last.misfit(expected),
                    None => end_misfit(value, "graph input", expected),
                })
            }
        }
    }

    /// The node that defines a value, or `None` for the images and for constants.
    pub fn producer(&self, value: &str) -> Option<&Node<'a>> {
        self.producers.get(value).map(|&at| &self.nodes[at])
    }

    /// An input of a node that must be constant floats.
    ///
    /// # Errors
    /// [`ModelError::NotAResNet`] where it's absent or computed, [`ModelError::NotFinite`].
    pub fn floats(&self, node: &Node, index: usize) -> Result<(Vec<usize>, Vec<f32>), ModelError> {
        let expected = || node.misfit(format!("a constant of floats as input {index}"));
        let name = node.input(index).filter(|name| self.constants.contains(name));
        let name = name.ok_or_else(expected)?;
        let Tensor { shape, values } = self.constants.tensor(name)?;
        let values = match values {
            Values::Floats(values) => values,
            Values::Ints(_) => return Err(expected()),
        };
        check_finite(name, &values)?;
        Ok((shape, values))
    }
}

/// The error that an end of the graph isn't joined to the rest.
fn end_misfit(value: &str, end: &str, expected: String) -> ModelError {
    ModelError::NotAResNet { node: value.to_owned(), op: end.to_owned(), expected }
}

/// The output of that name, or the one that there is.
///
/// # Errors
/// [`ModelError::Outputs`] with the names that there are.
pub fn output<'a>(proto: &'a GraphProto, name: Option<&str>) -> Result<&'a str, ModelError> {
    let mut outputs =
        proto.output.iter().filter(|output| name.is_none_or(|name| name == output.name));
    match (outputs.next(), outputs.next()) {
        (Some(output), None) => Ok(&output.name),
        _ => Err(ModelError::Outputs { found: names(proto.output.iter()) }),
    }
}

/// The one input that isn't an initialiser, as a batch of images.
///
/// # Errors
/// [`ModelError::Inputs`] and [`ModelError::InputType`].
pub fn images(proto: &GraphProto) -> Result<Images<'_>, ModelError> {
    let stored: HashSet<&str> =
        proto.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let inputs = || proto.input.iter().filter(|input| !stored.contains(input.name.as_str()));
    let mut found = inputs();
    let (Some(input), None) = (found.next(), found.next()) else {
        return Err(ModelError::Inputs { found: names(inputs()) });
    };
    let refuse = |found: String| ModelError::InputType {
        input: input.name.clone(),
        expected: "float images [batch, 3, height, width]",
        found,
    };
    let unknown = Images { name: &input.name, batch: None, size: None };
    let Some(tensor) = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()) else {
        return Ok(unknown);
    };
    if tensor.elem_type != 0 && !is_float(tensor.elem_type) {
        return Err(refuse(format!("onnx data type {}", tensor.elem_type)));
    }
    let Some(shape) = &tensor.shape else {
        return Ok(unknown);
    };
    let dims: Vec<Option<i64>> = shape
        .dim
        .iter()
        .map(|dim| match &dim.value {
            Some(DimensionValue::Value(value)) if *value > 0 => Some(*value),
            _ => None,
        })
        .collect();
    let [batch, None | Some(3), height, width] = dims[..] else {
        return Err(refuse(shown(&shape.dim)));
    };
    let exceeds = |dim: Option<i64>, most: i64| dim.is_some_and(|dim| dim > most);
    if exceeds(batch, LARGEST_BATCH)
        || [height, width].iter().any(|&side| exceeds(side, LARGEST_SIDE.into()))
    {
        return Err(refuse(format!(
            "{}: sides of at most {LARGEST_SIDE}, and {LARGEST_BATCH} images, are read",
            shown(&shape.dim)
        )));
    }
    let size = height.zip(width).map(|(height, width)| [height as usize, width as usize]);
    Ok(Images { batch: batch.map(|batch| batch as usize), size, ..unknown })
}

/// Declared dimensions, for people.
pub fn shown(dims: &[DimensionProto]) -> String {
    let dims = dims.iter().map(|dim| match &dim.value {
        Some(DimensionValue::Value(value)) => value.to_string(),
        Some(DimensionValue::Name(name)) => name.clone(),
        None => "any".to_owned(),
    });
    format!("[{}]", dims.collect::<Vec<_>>().join(", "))
}

fn names<'a>(values: impl Iterator<Item = &'a ValueInfoProto>) -> Vec<String> {
    values.map(|value| value.name.clone()).collect()
}

/// The nodes in the file's order, but each behind those that it reads from: converters leave some at the end.
fn in_order(nodes: &[NodeProto]) -> Vec<&NodeProto> {
    let mut producers: HashMap<&str, usize> = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        // An absent output is no absent input's source.
        let outputs = node.output.iter().filter(|name| !name.is_empty());
        producers.extend(outputs.map(|name| (name.as_str(), at)));
    }
    let (mut begun, mut done) = (vec![false; nodes.len()], vec![false; nodes.len()]);
    let mut ordered = Vec::with_capacity(nodes.len());
    let mut stack: Vec<usize> = (0..nodes.len()).rev().collect();
    while let Some(&at) = stack.last() {
        if begun[at] {
            stack.pop();
            if !std::mem::replace(&mut done[at], true) {
                ordered.push(&nodes[at]);
            }
        } else {
            begun[at] = true;
            let sources =
                nodes[at].input.iter().filter_map(|input| producers.get(input.as_str()).copied());
            stack.extend(sources.filter(|&source| !begun[source]));
        }
    }
    ordered
}

/// The value that a node passes on unchanged, or `None` if it computes something.
fn alias<'a>(node: &Node<'a>, constants: &Constants) -> Option<&'a str> {
    let source = node.input(0)?;
    let passes = match &*node.op {
        "Identity" => true,
        // A rate of dropout at inference is no rate at all.
        "Dropout" => node.input(2).is_none_or(|flag| constants.ints(flag) == Some(vec![0])),
        "Cast" => {
            constants.contains(source) || i32::try_from(node.int("to", 0)).is_ok_and(is_float)
        }
        "CastLike" => constants.contains(source),
        _ => false,
    };
    passes.then_some(source)
}

/// The nodes on some path to the output, in their order.
fn needed<'a>(nodes: Vec<Node<'a>>, output: &'a str) -> Vec<Node<'a>> {
    let mut wanted = HashSet::from([output]);
    let mut kept: Vec<Node> = nodes
        .into_iter()
        .rev()
        .filter(|node| {
            let needed = node.outputs().any(|value| wanted.contains(value));
            if needed {
                wanted.extend(&node.inputs);
            }
            needed
        })
        .collect();
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::super::proto::{NodeProto, TensorProto, node, value};
    use super::*;

    fn graph(nodes: Vec<NodeProto>) -> GraphProto {
        let weight = TensorProto {
            name: "w".into(),
            dims: vec![2],
            data_type: 1,
            float_data: vec![1.0, 2.0],
            ..Default::default()
        };
        GraphProto {
            node: nodes,
            initializer: vec![weight],
            input: vec![value("w"), value("images")],
            output: vec![value("scores")],
        }
    }

    #[test]
    fn initialisers_among_the_inputs_are_not_the_images() {
        let proto = graph(vec![node("Relu", &["images"], "scores")]);
        assert_eq!(Graph::new(&proto, None).unwrap().images.name, "images");
    }

    #[test]
    fn aliases_are_followed_and_dead_nodes_left_out() {
        let proto = graph(vec![
            node("Identity", &["images"], "a"),
            node("Dropout", &["a"], "b"),
            node("Relu", &["b"], "c"),
            node("Exp", &["c"], "unused"),
            node("Identity", &["w"], "also_w"),
            node("Add", &["c", "also_w"], "d"),
            node("Identity", &["d"], "scores"),
        ]);
        let graph = Graph::new(&proto, None).unwrap();
        let ops = |value| graph.readers(value).map(|node| node.op.to_string()).collect::<Vec<_>>();
        assert_eq!(ops("images"), ["Relu"]);
        assert_eq!(ops("c"), ["Add"]);
        assert_eq!(graph.output, "d");
        let add = graph.producer("d").unwrap();
        assert_eq!(graph.floats(add, 1).unwrap(), (vec![2], vec![1.0, 2.0]));
    }

    #[test]
    fn a_value_that_nothing_defines_or_that_two_define_is_an_error() {
        let missing = graph(vec![node("Add", &["images", "bias"], "scores")]);
        let message = Graph::new(&missing, None).unwrap_err().to_string();
        assert!(message.starts_with("node `scores` reads `bias`"), "{message}");
        let twice = graph(vec![node("Relu", &["images"], "w")]);
        let error = Graph::new(&twice, None).unwrap_err();
        assert!(matches!(error, ModelError::DefinedTwice { .. }), "{error}");
    }

    #[test]
    fn nodes_may_stand_in_any_order_but_not_in_a_circle() {
        let chain = [("images", "a"), ("a", "b"), ("b", "c"), ("c", "scores")];
        let nodes = chain.map(|(from, to)| node("Relu", &[from], to));
        let [mut a, b, mut c, d] = nodes;
        a.input.push(String::new());
        c.output.push(String::new());
        let proto = graph(vec![d, b, c, a]);
        let graph = Graph::new(&proto, None).unwrap();
        let outputs: Vec<_> = graph.nodes.iter().map(Node::output).collect();
        assert_eq!(outputs, ["a", "b", "c", "scores"]);
        let circle =
            self::graph(vec![node("Add", &["images", "b"], "a"), node("Relu", &["a"], "b")]);
        assert!(matches!(Graph::new(&circle, None), Err(ModelError::Undefined { .. })));
    }

    #[test]
    fn an_output_that_no_node_computes_is_an_error() {
        for nodes in [vec![], vec![node("Identity", &["images"], "scores")]] {
            let proto = graph(nodes);
            let error = Graph::new(&proto, None).unwrap_err();
            assert!(matches!(error, ModelError::NotAResNet { .. }), "{error}");
        }
    }
}
