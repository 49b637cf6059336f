//! What a computed shape comes to, as exporters write it for dynamic axes: [`evaluate`].
//!
//! `x.view(x.size(0), -1)` becomes `Shape`, `Gather`, `Unsqueeze`, `Concat` and a `Reshape`.

use std::collections::HashMap;

use super::fold::{clamped, from_front, shape_range};
use super::graph::Graph;

/// One dimension, or another entry of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dim {
    /// The number of images, whatever it is.
    Batch,
    Known(i64),
    /// One that depends on the images' size.
    Unknown,
}

/// Dimensions for people: `[batch, 512, any, any]`.
pub fn shown(dims: &[Dim]) -> String {
    let dims = dims.iter().map(|dim| match dim {
        Dim::Batch => "batch".to_owned(),
        Dim::Known(length) => length.to_string(),
        Dim::Unknown => "any".to_owned(),
    });
    format!("[{}]", dims.collect::<Vec<_>>().join(", "))
}

/// The entries of a value that is computed from constants and from the given shapes.
///
/// A scalar counts as a list of one. `None` if it's anything else, or takes more than a few steps.
pub fn evaluate(graph: &Graph, value: &str, shapes: &HashMap<&str, Vec<Dim>>) -> Option<Vec<Dim>> {
    Evaluation { graph, shapes, steps_left: 64 }.value(value)
}

struct Evaluation<'s, 'g, 'a> {
    graph: &'g Graph<'a>,
    shapes: &'s HashMap<&'s str, Vec<Dim>>,
    steps_left: u32,
}

impl Evaluation<'_, '_, '_> {
    fn value(&mut self, value: &str) -> Option<Vec<Dim>> {
        self.steps_left = self.steps_left.checked_sub(1)?;
        if let Some(ints) = self.graph.constants.ints(value) {
            return Some(ints.into_iter().map(Dim::Known).collect());
        }
        let node = self.graph.producer(value)?;
        let constant = |at| node.input(at).and_then(|name| self.graph.constants.ints(name));
        match &*node.op {
            "Shape" => {
                let dims = self.shapes.get(node.input(0)?)?;
                Some(dims[shape_range(node, dims.len())].to_vec())
            }
            "Gather" => {
                let at = constant(1)?;
                let from = self.value(node.input(0)?)?;
                at.iter().map(|&at| Some(from[from_front(at, from.len())?])).collect()
            }
            "Slice" => {
                let (start, end) = (constant(1)?, constant(2)?);
                if constant(4).is_some_and(|steps| steps != [1]) {
                    return None;
                }
                let from = self.value(node.input(0)?)?;
                let bound = |at: &Vec<i64>| Some(clamped(*at.first()?, from.len()));
                Some(from.get(bound(&start)?..bound(&end)?)?.to_vec())
            }
            "Concat" => {
                let mut all = Vec::new();
                for input in &node.inputs {
                    all.extend(self.value(input)?);
                }
                (all.len() <= 8).then_some(all)
            }
            "Unsqueeze" | "Squeeze" | "Cast" | "Reshape" => self.value(node.input(0)?),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::proto::{AttributeProto, GraphProto, NodeProto, node, value};
    use super::*;

    fn constant(values: &[i64], output: &str) -> NodeProto {
        let ints = AttributeProto {
            name: "value_ints".into(),
            ints: values.to_vec(),
            ..Default::default()
        };
        NodeProto { attribute: vec![ints], ..node("Constant", &[], output) }
    }

    fn evaluated(nodes: Vec<NodeProto>, output: &str) -> Option<Vec<Dim>> {
        let proto = GraphProto {
            node: nodes,
            input: vec![value("images")],
            output: vec![value(output)],
            ..Default::default()
        };
        let graph = Graph::new(&proto, None).unwrap();
        let dims = vec![Dim::Batch, Dim::Known(3), Dim::Unknown, Dim::Unknown];
        evaluate(&graph, output, &HashMap::from([("images", dims)]))
    }

    #[test]
    fn the_batch_and_minus_one_are_read_from_a_shape_subgraph() {
        let nodes = vec![
            node("Shape", &["images"], "shape"),
            constant(&[0], "zero"),
            node("Gather", &["shape", "zero"], "batch"),
            node("Unsqueeze", &["batch", "zero"], "batch_list"),
            constant(&[-1], "rest"),
            node("Concat", &["batch_list", "rest"], "target"),
        ];
        assert_eq!(evaluated(nodes, "target"), Some(vec![Dim::Batch, Dim::Known(-1)]));
    }

    #[test]
    fn a_slice_of_a_shape_counts_from_either_end() {
        let nodes = vec![
            node("Shape", &["images"], "shape"),
            constant(&[0], "from"),
            constant(&[-2], "to"),
            node("Slice", &["shape", "from", "to"], "front"),
        ];
        assert_eq!(evaluated(nodes, "front"), Some(vec![Dim::Batch, Dim::Known(3)]));
    }

    #[test]
    fn a_shape_that_takes_very_many_steps_is_given_up() {
        let mut nodes = vec![node("Shape", &["images"], "0")];
        nodes.extend((0..60).map(|i| {
            let from = i.to_string();
            node("Concat", &[&from, &from], &(i + 1).to_string())
        }));
        assert_eq!(evaluated(nodes, "60"), None);
    }
}
