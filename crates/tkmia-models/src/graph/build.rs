//! From a file's graph to the program that computes it: [`build`].

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use burn::tensor::Device;
use prost::Message;
use tkmia_core::Tagger;

use super::operators::{self, Inputs, Operation};
use super::program::{Program, Step};
use super::value::{Fault, Kind, Value, host};
use super::{constant, inline};
use crate::budget::Budget;
use crate::format::onnx::node::{Node, name};
use crate::format::onnx::proto::{AttributeProto, FunctionProto, GraphProto, NodeProto};
use crate::format::onnx::tensor::{float_type, is_float};
use crate::format::onnx::{Model, graph};
use crate::{FloatType, ModelError};

/// Nodes that a graph may have once its functions are written out: a few lines can call themselves apart.
const MOST_NODES: usize = 1 << 17;
/// Functions that may call each other in turn; none may call itself.
const DEEPEST_CALLS: usize = 32;

/// A graph that is ready to be computed, and what was seen of it.
#[derive(Debug)]
pub struct Built {
    pub program: Program,
    /// The batch size that the file declares.
    pub batch: Option<usize>,
    /// Height and width of the images, where the file fixes both.
    pub size: Option<[usize; 2]>,
    /// The nodes in the file.
    pub nodes: usize,
    /// The elements of its weights.
    pub parameters: usize,
    /// The types of the stored weights, the narrowest first.
    pub weight_types: Vec<FloatType>,
    /// Whether the output goes through a sigmoid, which is left out.
    pub sigmoid: bool,
    /// What a user should know.
    pub notes: Vec<String>,
}

/// Why a node can't be computed; it matters if the output needs the node.
pub enum Problem {
    Unknown,
    Fault(Fault),
}

/// A node on the way to a step.
pub struct Draft {
    pub name: String,
    pub op: String,
    pub operation: Result<Operation, Problem>,
    inputs: Vec<Option<usize>>,
    outputs: Vec<Option<usize>>,
}

/// A graph under construction.
pub struct Builder<'a> {
    /// By domain and name.
    functions: HashMap<[&'a str; 2], &'a FunctionProto>,
    opset: i64,
    path: Option<&'a Path>,
    host: Device,
    /// Whether the operations of our own on the CPU are taken where there are some.
    direct: bool,
    pub names: HashMap<String, usize>,
    /// The constants among the values.
    pub places: Vec<Option<Value>>,
    /// The data types of stored integers, which tell what a quantised value can be.
    types: HashMap<usize, i32>,
    pub drafts: Vec<Draft>,
    computed: Budget,
    calls: Budget,
    /// What operations of our own lay out.
    laid_out: Budget,
    notes: Vec<String>,
}

/// Reads a graph; data kept outside the file lie beside it, at `path`.
///
/// # Errors
/// [`ModelError::UnknownOperators`] with all that the output needs, [`ModelError::Operator`] for the first node
/// that makes no sense, and those of the graph's ends and of reading weights.
pub fn build(
    model: &Model,
    path: Option<&Path>,
    options: &Tagger,
    device: &Device,
) -> Result<Built, ModelError> {
    let proto = &model.graph;
    let images = graph::images(proto)?;
    let mut builder = Builder::new(model, path, device);
    builder.initialisers(proto)?;
    builder.check_numbers(proto)?;
    let images_at = builder.define(images.name, None)?;
    builder.walk(proto)?;
    let named = graph::output(proto, options.scores_output.as_deref())?;
    let end = builder.names.get(named).copied().ok_or_else(|| ModelError::Undefined {
        node: "graph output".into(),
        value: named.to_owned(),
    })?;
    let (end, sigmoid) = builder.end(end, options.keep_sigmoid == Some(true));
    let Builder { drafts, mut places, mut notes, .. } = builder;
    let needed = needed(drafts, end);
    let steps = steps(needed, end, &places)?;

    let read = steps.iter().flat_map(|step| step.inputs.iter().copied().flatten()).chain([end]);
    let read: HashSet<usize> = read.collect();
    for (at, place) in places.iter_mut().enumerate() {
        *place = place.take().filter(|_| read.contains(&at)).map(|value| match value.kind() {
            Kind::Float => value.on(device),
            _ => value,
        });
    }
    let weights = || proto.initializer.iter().filter(|tensor| !tensor.dims.is_empty());
    let mut weight_types: Vec<FloatType> =
        weights().filter_map(|tensor| float_type(tensor.data_type)).collect();
    weight_types.sort_unstable();
    weight_types.dedup();
    let floats = weights().filter(|tensor| is_float(tensor.data_type));
    let parameters =
        floats.map(|tensor| tensor.dims.iter().product::<i64>().unsigned_abs() as usize).sum();
    flat_steps(&steps, images_at, &mut notes);
    let program = Program { steps, places, images: images_at, output: end };
    let (batch, size, nodes) = (images.batch, images.size, proto.node.len());
    Ok(Built { program, batch, size, nodes, parameters, weight_types, sigmoid, notes })
}

impl<'a> Builder<'a> {
    pub fn new(model: &'a Model, path: Option<&'a Path>, device: &Device) -> Self {
        Self {
            functions: model
                .functions
                .iter()
                .rev()
                .map(|function| ([&*function.domain, &*function.name], function))
                .collect(),
            opset: model.opset,
            path,
            host: host(device),
            direct: cfg!(feature = "flex") && *device == host(device),
            names: HashMap::new(),
            places: Vec::new(),
            types: HashMap::new(),
            drafts: Vec::new(),
            computed: Budget::of_constants(),
            calls: Budget::of_calls(),
            laid_out: Budget::of_weights(),
            notes: Vec::new(),
        }
    }

    fn define(&mut self, name: &str, value: Option<Value>) -> Result<usize, ModelError> {
        if self.names.insert(name.to_owned(), self.places.len()).is_some() {
            return Err(ModelError::DefinedTwice { value: name.to_owned() });
        }
        self.places.push(value);
        Ok(self.places.len() - 1)
    }

    pub fn initialisers(&mut self, graph: &GraphProto) -> Result<(), ModelError> {
        for tensor in &graph.initializer {
            let value = constant::stored(tensor, &tensor.name, self.path, &self.host)?;
            let at = self.define(&tensor.name, Some(value))?;
            self.types.insert(at, tensor.data_type);
        }
        Ok(())
    }

    /// Checks that the weights are numbers. Infinite ones are what masks are made of.
    fn check_numbers(&self, graph: &GraphProto) -> Result<(), ModelError> {
        for tensor in &graph.initializer {
            let value = self.names.get(&tensor.name).and_then(|&at| self.places[at].as_ref());
            let values = value.and_then(|value| value.to_floats().ok()).unwrap_or_default();
            if let Some(index) = values.iter().position(|value| value.is_nan()) {
                let (tensor, value) = (tensor.name.clone(), f32::NAN);
                return Err(ModelError::NotFinite { tensor, index, value });
            }
        }
        Ok(())
    }

    /// Goes through the nodes in their order; calls and branches are written out where they stand.
    pub fn walk(&mut self, graph: &GraphProto) -> Result<(), ModelError> {
        if graph.node.len() > MOST_NODES {
            return Err(fault(
                &graph.node[MOST_NODES],
                format!("expected at most {MOST_NODES} nodes"),
            ));
        }
        let mut waiting: VecDeque<(NodeProto, usize)> =
            graph.node.iter().map(|node| (node.clone(), 0)).collect();
        let mut seen = 0;
        while let Some((proto, depth)) = waiting.pop_front() {
            seen += 1;
            if seen > MOST_NODES {
                return Err(fault(&proto, format!("expected at most {MOST_NODES} nodes")));
            }
            let known = |value: &String| match value.as_str() {
                "" => Ok(None),
                value => self.names.get(value).copied().map(Some).ok_or_else(|| {
                    ModelError::Undefined { node: name(&proto).to_owned(), value: value.to_owned() }
                }),
            };
            let inputs = proto.input.iter().map(known).collect::<Result<Vec<_>, _>>()?;
            let written_out = match self.functions.get(&[&*proto.domain, &*proto.op_type]) {
                Some(_) if depth == DEEPEST_CALLS => {
                    return Err(fault(
                        &proto,
                        format!("expected calls at most {DEEPEST_CALLS} deep"),
                    ));
                }
                Some(function) => {
                    self.calls.spend(function.encoded_len())?;
                    inline::function(function, &proto, seen)
                }
                None if proto.op_type == "If" => self.branch(&proto, &inputs)?,
                None => {
                    self.node(&proto, inputs)?;
                    continue;
                }
            };
            if seen + waiting.len() + written_out.len() > MOST_NODES {
                return Err(fault(&proto, format!("expected at most {MOST_NODES} nodes")));
            }
            let written_out = written_out.into_iter().rev();
            written_out.for_each(|node| waiting.push_front((node, depth + 1)));
        }
        Ok(())
    }

    /// The branch of an `If` that is taken.
    fn branch(
        &mut self,
        proto: &NodeProto,
        inputs: &[Option<usize>],
    ) -> Result<Vec<NodeProto>, ModelError> {
        let condition = inputs.first().copied().flatten().and_then(|at| self.places[at].as_ref());
        let condition = condition.and_then(|value| value.to_bools().ok()?.first().copied());
        let expected =
            "expected a condition that the file fixes, found one that is computed from the images";
        let condition = condition.ok_or_else(|| fault(proto, expected.into()))?;
        let taken = if condition { "then_branch" } else { "else_branch" };
        let attribute = proto.attribute.iter().find(|attribute| attribute.name == taken);
        let branch = attribute.and_then(|attribute| attribute.g.as_ref());
        let branch =
            branch.ok_or_else(|| fault(proto, format!("expected a {taken}, found none")))?;
        self.initialisers(branch)?;
        let stored = branch.initializer.iter().filter_map(|tensor| self.names.get(&tensor.name));
        let stored = stored.filter_map(|&at| self.places[at].as_ref()).map(Value::len).sum();
        self.computed.spend(stored)?;
        Ok(inline::branch(branch, proto))
    }

    /// Adds a node, or what it computes if that is constant.
    fn node(&mut self, proto: &NodeProto, inputs: Vec<Option<usize>>) -> Result<(), ModelError> {
        let node = Node::new(proto, Vec::new());
        if node.op == "Constant"
            && let Some(value) = constant::of_node(&node, &self.host)
        {
            self.define(node.output(), Some(value?))?;
            return Ok(());
        }
        let (op, inputs) = self.unquantised(&node.op, inputs);
        let mut changed = proto.clone();
        if op != node.op {
            changed.attribute.clear();
        } else if op == "QuantizeLinear"
            && node.attribute("output_dtype").is_none()
            && let Some(&zero) = inputs.get(2).copied().flatten().and_then(|at| self.types.get(&at))
        {
            let (name, i) = ("output_dtype".into(), zero.into());
            changed.attribute.push(AttributeProto { name, i, ..Default::default() });
        }
        let node = Node::new(&changed, Vec::new());
        let operation = match operators::read(&op, &node, self.opset) {
            Some(operation) => operation.map_err(Problem::Fault),
            None => Err(Problem::Unknown),
        };
        let constant = |input: &Option<usize>| match input {
            Some(at) => self.places[*at].clone().map(Some),
            None => Some(None),
        };
        let given: Vec<Option<Option<Value>>> = inputs.iter().map(constant).collect();
        let constants: Option<Vec<Option<Value>>> = given.iter().cloned().collect();
        let (mut operation, mut inputs, mut values) = (operation, inputs, Vec::new());
        if let (Ok(computes), Some(constants)) =
            (&operation, constants.filter(|list| !list.is_empty()))
        {
            let computed = catch_unwind(AssertUnwindSafe(|| computes(Inputs(constants))));
            match computed.unwrap_or_else(|_| Err("it can't be computed".into())) {
                Ok(computed) => values = computed,
                Err(fault) => operation = Err(Problem::Fault(fault)),
            }
        }
        let count = values.iter().map(Value::len).sum();
        self.computed.spend(count).map_err(|error| fault(proto, error.to_string()))?;
        let folded = !values.is_empty();
        let mut values = values.into_iter();
        let mut outputs = Vec::new();
        for name in &proto.output {
            let value = values.next();
            outputs.push(match name.as_str() {
                "" => None,
                name => Some(self.define(name, value)?),
            });
        }
        if !folded {
            #[cfg(feature = "flex")]
            if self.direct
                && let Ok(plain) = operation
            {
                let constants = given.iter().flatten().flatten().map(Value::len).sum();
                self.laid_out.spend(constants).map_err(|error| fault(proto, error.to_string()))?;
                let (chosen, reads) =
                    operators::direct::read(&op, &node, self.opset, &given, plain);
                operation = Ok(chosen);
                inputs.truncate(reads);
            }
            let (name, op) = (node.name.to_owned(), op);
            self.drafts.push(Draft { name, op, operation, inputs, outputs });
        }
        Ok(())
    }

    /// A value that was rounded to few bits only to come back is taken as it was before.
    fn unquantised(
        &mut self,
        op: &str,
        inputs: Vec<Option<usize>>,
    ) -> (String, Vec<Option<usize>>) {
        let source = inputs.first().copied().flatten().filter(|_| op == "DequantizeLinear");
        let rounded = source.and_then(|source| {
            let made = |draft: &&Draft| {
                draft.op == "QuantizeLinear" && draft.outputs.first() == Some(&Some(source))
            };
            self.drafts.iter().find(made)?.inputs.first().copied().flatten()
        });
        match rounded {
            Some(before) => {
                let note = "activations are rounded to few bits in the file, and not here";
                if !self.notes.iter().any(|own| own == note) {
                    self.notes.push(note.into());
                }
                ("Identity".into(), vec![Some(before)])
            }
            None => (op.to_owned(), inputs),
        }
    }

    /// The value that the scores are, and whether a sigmoid of them was left out.
    fn end(&mut self, mut end: usize, keep_sigmoid: bool) -> (usize, bool) {
        while let Some(draft) =
            self.drafts.iter().find(|draft| draft.outputs.first() == Some(&Some(end)))
        {
            let source = draft.inputs.first().copied().flatten();
            match (draft.op.as_str(), source) {
                ("Identity" | "Cast", Some(source)) => {
                    end = source;
                    continue;
                }
                ("Sigmoid", Some(source)) if !keep_sigmoid => return (source, true),
                ("Sigmoid", _) => self.notes.push(
                    "the scores are probabilities: their gradients vanish where they are sure"
                        .into(),
                ),
                ("Softmax" | "LogSoftmax", _) => self.notes.push(format!(
                    "the scores go through {}, which one label of many is trained with: \
                     a top-k of several labels means little",
                    draft.op
                )),
                _ => {}
            }
            break;
        }
        (end, false)
    }
}

fn fault(node: &NodeProto, fault: String) -> ModelError {
    let op = node.op_type.clone();
    ModelError::Operator { node: name(node).to_owned(), op, fault }
}

/// The nodes on some path to the output, in their order.
fn needed(drafts: Vec<Draft>, output: usize) -> Vec<Draft> {
    let mut wanted = HashSet::from([output]);
    let mut kept = Vec::new();
    for draft in drafts.into_iter().rev() {
        if draft.outputs.iter().flatten().any(|at| wanted.contains(at)) {
            wanted.extend(draft.inputs.iter().copied().flatten());
            kept.push(draft);
        }
    }
    kept.reverse();
    kept
}

/// The steps of nodes that are all known, each with what it reads for the last time.
fn steps(
    drafts: Vec<Draft>,
    output: usize,
    places: &[Option<Value>],
) -> Result<Vec<Step>, ModelError> {
    let mut unknown: Vec<(String, Vec<String>)> = Vec::new();
    for draft in drafts.iter().filter(|draft| matches!(draft.operation, Err(Problem::Unknown))) {
        match unknown.iter_mut().find(|(op, _)| *op == draft.op) {
            Some((_, nodes)) => nodes.push(draft.name.clone()),
            None => unknown.push((draft.op.clone(), vec![draft.name.clone()])),
        }
    }
    if !unknown.is_empty() {
        return Err(ModelError::UnknownOperators { found: unknown });
    }
    let mut last: HashMap<usize, usize> = HashMap::new();
    for (at, draft) in drafts.iter().enumerate() {
        let computed =
            draft.inputs.iter().copied().flatten().filter(|&value| places[value].is_none());
        last.extend(computed.map(|value| (value, at)));
    }
    last.remove(&output);
    let mut steps = Vec::new();
    for (at, draft) in drafts.into_iter().enumerate() {
        let Draft { name, op, operation, inputs, outputs } = draft;
        let operation = operation.map_err(|problem| match problem {
            Problem::Fault(fault) => {
                ModelError::Operator { node: name.clone(), op: op.clone(), fault }
            }
            Problem::Unknown => {
                ModelError::UnknownOperators { found: vec![(op.clone(), vec![name.clone()])] }
            }
        })?;
        let mut done: Vec<usize> =
            inputs.iter().copied().flatten().filter(|value| last.get(value) == Some(&at)).collect();
        done.sort_unstable();
        done.dedup();
        let read =
            |value: &Option<usize>| value.filter(|at| last.contains_key(at) || *at == output);
        let outputs = outputs.iter().map(read).collect();
        steps.push(Step { name, op, operation, inputs, outputs, done });
    }
    Ok(steps)
}

/// Notes the steps between images and scores that no gradient goes through.
fn flat_steps(steps: &[Step], images: usize, notes: &mut Vec<String>) {
    let mut of_images = HashSet::from([images]);
    for step in steps {
        if !step.inputs.iter().flatten().any(|at| of_images.contains(at)) {
            continue;
        }
        if operators::is_flat(&step.op) {
            notes.push(format!("no gradient goes through node `{}` ({})", step.name, step.op));
        }
        if step.op != "Shape" && step.op != "Size" {
            of_images.extend(step.outputs.iter().flatten());
        }
    }
}
