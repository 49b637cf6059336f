//! Graphs written as text, for tests: [`graph`].

use prost::Message;

use crate::format::onnx::Model;
use crate::format::onnx::proto::{
    AttributeProto, DimensionProto, DimensionValue, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, value,
};

/// Names of weights, and their shapes.
pub type Weights<'w> = &'w [(&'w str, &'w [i64])];

/// A graph from `images` to `scores`, by lines such as `y = Conv(x, w) group=3 pads=1,1,1,1`.
///
/// Letters that no line defines are weights, whose shape `weights` has.
pub fn graph(lines: &str, weights: Weights, opset: i64) -> Model {
    Model::decode(&proto(lines, weights, opset).encode_to_vec()).unwrap()
}

/// The same as the bytes of a file, its images declared.
pub fn file(lines: &str, weights: Weights, images: &[i64]) -> Vec<u8> {
    let mut model = proto(lines, weights, 20);
    if let Some(graph) = &mut model.graph {
        graph.input[0].r#type = declared(images);
    }
    model.encode_to_vec()
}

fn proto(lines: &str, weights: Weights, opset: i64) -> ModelProto {
    let initializer = weights.iter().enumerate().map(|(at, (name, dims))| {
        let count: i64 = dims.iter().product();
        let values =
            (0..count).map(|i| (((i + 3) * (at as i64 + 7)) as f32 * 0.61).sin() * 0.5).collect();
        TensorProto {
            name: (*name).into(),
            dims: dims.to_vec(),
            data_type: 1,
            float_data: values,
            ..Default::default()
        }
    });
    let mut initializer: Vec<TensorProto> = initializer.collect();
    let mut nodes = Vec::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (outputs, rest) = line.split_once(" = ").unwrap();
        let (op, rest) = rest.split_once('(').unwrap();
        let (inputs, attributes) = rest.split_once(')').unwrap();
        let mut node = NodeProto {
            op_type: op.into(),
            output: outputs.split(", ").map(Into::into).collect(),
            ..Default::default()
        };
        for input in inputs.split(", ").filter(|input| !input.is_empty()) {
            // `[1;2]` is a list of integers.
            if let Some(list) = input.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
                let name = format!("list{}", initializer.len());
                let ints: Vec<i64> =
                    list.split(';').filter(|n| !n.is_empty()).map(|n| n.parse().unwrap()).collect();
                initializer.push(TensorProto {
                    name: name.clone(),
                    dims: vec![ints.len() as i64],
                    data_type: 7,
                    int64_data: ints,
                    ..Default::default()
                });
                node.input.push(name);
            } else {
                node.input.push(if input == "_" { String::new() } else { input.into() });
            }
        }
        for attribute in attributes.split_whitespace() {
            let (name, given) = attribute.split_once('=').unwrap();
            let mut attribute = AttributeProto { name: name.into(), ..Default::default() };
            if given.contains(',') && !given.contains("->") {
                attribute.ints = given.split(',').map(|n| n.parse().unwrap()).collect();
            } else if let Ok(int) = given.parse() {
                attribute.i = int;
            } else if let Ok(float) = given.parse() {
                attribute.f = float;
            } else {
                attribute.s = given.into();
            }
            node.attribute.push(attribute);
        }
        nodes.push(node);
    }
    let graph = GraphProto {
        node: nodes,
        initializer,
        input: vec![value("images")],
        output: vec![value("scores")],
    };
    let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: opset }];
    ModelProto { opset_import, graph: Some(graph), ..Default::default() }
}

/// A declared shape.
pub fn declared(dims: &[i64]) -> Option<TypeProto> {
    let dim = dims
        .iter()
        .map(|&dim| DimensionProto { value: Some(DimensionValue::Value(dim)) })
        .collect();
    Some(TypeProto {
        tensor_type: Some(TensorTypeProto { elem_type: 1, shape: Some(TensorShapeProto { dim }) }),
    })
}
