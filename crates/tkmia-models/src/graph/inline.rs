//! Functions of a file, and branches whose condition is known, as nodes of the graph itself.

use std::collections::HashMap;

use crate::format::onnx::proto::{AttributeProto, FunctionProto, GraphProto, NodeProto};

/// Characters of a call's name in the names of what it stands for: the number tells calls apart.
const LONGEST_CALLER: usize = 64;

/// The nodes that a call of a function stands for.
///
/// Names inside get the call's name in front, so that two calls don't meet.
pub fn function(function: &FunctionProto, call: &NodeProto, number: usize) -> Vec<NodeProto> {
    let mut names: HashMap<String, String> = HashMap::new();
    let outer = |list: &[String], at: usize| list.get(at).cloned().unwrap_or_default();
    for (at, input) in function.input.iter().enumerate() {
        names.insert(input.clone(), outer(&call.input, at));
    }
    for (at, output) in function.output.iter().enumerate() {
        let name = outer(&call.output, at);
        if !name.is_empty() {
            names.insert(output.clone(), name);
        }
    }
    let caller = if call.name.is_empty() { &call.op_type } else { &call.name };
    let caller: String = caller.chars().take(LONGEST_CALLER).collect();
    let prefix = format!("{caller}#{number}/");
    let attribute = |name: &str| {
        let given = call.attribute.iter().find(|attribute| attribute.name == name);
        given.or(function.attribute_proto.iter().find(|attribute| attribute.name == name))
    };
    let renamed = function.node.iter().map(|node| renamed(node, &mut names, &prefix, &attribute));
    renamed.collect()
}

/// A node of a function, as it stands in the graph.
fn renamed<'a>(
    node: &NodeProto,
    names: &mut HashMap<String, String>,
    prefix: &str,
    attribute: &dyn Fn(&str) -> Option<&'a AttributeProto>,
) -> NodeProto {
    let mut node = node.clone();
    node.name =
        format!("{prefix}{}", if node.name.is_empty() { &node.op_type } else { &node.name });
    for name in node.input.iter_mut().chain(&mut node.output).filter(|name| !name.is_empty()) {
        let to = names.entry(name.clone()).or_insert_with(|| format!("{prefix}{name}"));
        *name = to.clone();
    }
    node.attribute.retain_mut(|own| {
        if !own.ref_attr_name.is_empty() {
            let Some(given) = attribute(&own.ref_attr_name) else { return false };
            *own = AttributeProto { name: own.name.clone(), ..given.clone() };
        }
        if let Some(graph) = &mut own.g {
            for tensor in &mut graph.initializer {
                let to = names.entry(tensor.name.clone());
                tensor.name = to.or_insert_with(|| format!("{prefix}{}", tensor.name)).clone();
            }
            graph.node =
                graph.node.iter().map(|node| renamed(node, names, prefix, attribute)).collect();
            for output in &mut graph.output {
                let to = names.entry(output.name.clone());
                output.name = to.or_insert_with(|| format!("{prefix}{}", output.name)).clone();
            }
        }
        true
    });
    node
}

/// The nodes of a branch, which give the outputs of the `If` their values.
pub fn branch(branch: &GraphProto, of: &NodeProto) -> Vec<NodeProto> {
    let named = |(value, output): (&String, &String)| NodeProto {
        name: format!("{}/{output}", of.name),
        op_type: "Identity".into(),
        input: vec![value.clone()],
        output: vec![output.clone()],
        ..Default::default()
    };
    let outputs = branch.output.iter().map(|output| &output.name).zip(&of.output);
    branch.node.iter().cloned().chain(outputs.map(named)).collect()
}
