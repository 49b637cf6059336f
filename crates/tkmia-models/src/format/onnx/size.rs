//! How large a file's messages become: [`fields`].

use super::super::wire::Fields;

/// As deep as messages may be in each other; deeper ones are refused when they are built.
const DEEPEST: usize = 100;

/// The messages that hold others.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Function,
    Value,
}

impl Message {
    /// The message that a field of this number is.
    fn part(self, field: u64) -> Option<Self> {
        Some(match (self, field) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) => Self::Graph,
            (Self::Model, 25) => Self::Function,
            (Self::Graph, 1) | (Self::Function, 7) => Self::Node,
            (Self::Node, 5) | (Self::Function, 11) => Self::Attribute,
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) => Self::Tensor,
            // Types, shapes and dimensions are read alike, whichever they are.
            (Self::Graph, 11 | 12) | (Self::Value, 1 | 2) => Self::Value,
            _ => return None,
        })
    }
}

/// The fields with a length of all messages in a `ModelProto`, before any is built: one of two bytes may become a struct of
/// hundreds.
pub fn fields(model: &[u8]) -> usize {
    of(model, Message::Model, 0)
}

fn of(bytes: &[u8], message: Message, depth: usize) -> usize {
    let within = |(number, bytes)| match message.part(number) {
        Some(part) if depth < DEEPEST => 1 + of(bytes, part, depth + 1),
        _ => 1,
    };
    Fields::of(bytes).map(within).sum()
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::super::proto::{GraphProto, ModelProto, TensorProto, node, value};
    use super::*;

    #[test]
    fn fields_are_counted_at_every_depth() {
        let graph = GraphProto {
            node: vec![node("Add", &["a", "b"], "c")],
            initializer: vec![TensorProto { name: "a".into(), ..Default::default() }],
            input: vec![value("b")],
            ..Default::default()
        };
        let model = ModelProto { graph: Some(graph), ..Default::default() };
        // The graph; node, its two inputs, output and operator; tensor and input with their names.
        assert_eq!(fields(&model.encode_to_vec()), 1 + 5 + 2 + 2);
    }
}
