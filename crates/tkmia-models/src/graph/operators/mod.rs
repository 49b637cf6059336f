//! The operators that are known: [`read`] reads a node of one.
//!
//! Each is one row of its family's table, a name and a function. That function reads the node's attributes
//! once, when a file is loaded, and gives the operation that is computed in every pass. All are those of
//! ONNX's standard, `https://onnx.ai/onnx/operators/onnx__NAME.html`, as of opsets 7 to 23; a function's
//! comment has the equation, with `x` for the first input.

mod attention;
mod conv;
#[cfg(feature = "flex")]
pub mod direct;
mod einsum;
mod elementwise;
mod index;
mod matmul;
mod norm;
mod pool;
mod quantise;
mod reduce;
mod resize;
mod shape;
mod window;

use super::value::{Fault, Value};
use crate::format::onnx::node::Node;

/// What a node computes in a pass: its outputs, of its inputs.
pub type Operation = Box<dyn Fn(Inputs) -> Result<Vec<Value>, Fault> + Send + Sync>;

/// Reads the attributes of a node, of an operator of the opset; all of them, since one that is left is an error.
pub type Reader = fn(&Node, i64) -> Result<Operation, Fault>;

type Row = (&'static str, Reader);

/// Attributes that change nothing here: those of training, of accuracy, and of orders in memory.
const WITHOUT_EFFECT: [&str; 13] = [
    "consumed_inputs",
    "is_test",
    "momentum",
    "precision",
    "qk_matmul_output_mode",
    "ratio",
    "round_mode",
    "saturate",
    "seed",
    "softmax_precision",
    "sorted",
    "stash_type",
    "storage_order",
];

/// Reads a node of an operator, or `None` if that isn't known.
///
/// # Errors
/// The fault of an attribute that isn't known, or that makes no sense.
pub fn read(op: &str, node: &Node, opset: i64) -> Option<Result<Operation, Fault>> {
    let operation = find(op)?(node, opset);
    Some(operation.and_then(|operation| match node.unread() {
        Some(name) if !WITHOUT_EFFECT.contains(&name) => {
            Err(format!("an attribute `{name}` isn't known"))
        }
        _ => Ok(operation),
    }))
}

fn find(op: &str) -> Option<Reader> {
    families().into_iter().flatten().find(|(name, _)| *name == op).map(|&(_, reader)| reader)
}

fn families() -> [&'static [Row]; 12] {
    [
        elementwise::OPERATORS,
        reduce::OPERATORS,
        shape::OPERATORS,
        matmul::OPERATORS,
        einsum::OPERATORS,
        attention::OPERATORS,
        conv::OPERATORS,
        pool::OPERATORS,
        norm::OPERATORS,
        index::OPERATORS,
        resize::OPERATORS,
        quantise::OPERATORS,
    ]
}

/// Whether images that change a little leave what an operator computes unchanged: no gradient leads back.
pub fn is_flat(op: &str) -> bool {
    let flat = ["ArgMax", "ArgMin", "Ceil", "Floor", "QuantizeLinear", "Round", "Sign"];
    flat.contains(&op)
}

/// The values that a node reads, by position.
pub struct Inputs(pub Vec<Option<Value>>);

impl Inputs {
    /// An input that the operator needs.
    pub fn take(&mut self, index: usize) -> Result<Value, Fault> {
        self.optional(index).ok_or_else(|| format!("expected an input {index}, found none"))
    }

    /// An input that may be left out.
    pub fn optional(&mut self, index: usize) -> Option<Value> {
        self.0.get_mut(index).and_then(Option::take)
    }

    /// A short list of integers, as shapes and axes are.
    pub fn ints(&mut self, index: usize) -> Result<Option<Vec<i64>>, Fault> {
        self.optional(index).map(|value| value.to_ints()).transpose()
    }
}

/// An operation of one output.
fn one(
    f: impl Fn(Inputs) -> Result<Value, Fault> + Send + Sync + 'static,
) -> Result<Operation, Fault> {
    Ok(Box::new(move |inputs| f(inputs).map(|value| vec![value])))
}

/// A text attribute that must be one of those known.
fn choice<'n>(
    node: &Node<'n>,
    name: &str,
    default: &'n str,
    known: &[&str],
) -> Result<&'n str, Fault> {
    let found = node.text(name, default);
    match known.contains(&found) {
        true => Ok(found),
        false => Err(format!("expected {name} of {known:?}, found {found:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_operator_and_no_name_stands_twice() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/networks.md");
        let page = std::fs::read_to_string(page).unwrap();
        let mut names: Vec<&str> =
            families().into_iter().flatten().map(|(name, _)| *name).collect();
        let count = names.len();
        assert!(page.contains(&format!("{count} operators")), "{count}");
        names.iter().for_each(|name| assert!(page.contains(&format!("`{name}`")), "{name}"));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
