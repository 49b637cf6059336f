//! A graph as it is computed: one step after the other. [`Program`].

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::Tensor;
use tkmia_file::memory_limit;

use super::operators::{Inputs, Operation};
use super::value::{Fault, Value};
use crate::ModelError;

/// Nodes in the order in which they are computed, and the values that they start from.
pub struct Program {
    pub steps: Vec<Step>,
    /// A place for each value; those that don't depend on the images are there from the beginning.
    pub places: Vec<Option<Value>>,
    pub images: usize,
    pub output: usize,
}

/// One node.
pub struct Step {
    pub name: String,
    pub op: String,
    pub operation: Operation,
    pub inputs: Vec<Option<usize>>,
    /// `None` for what nobody reads.
    pub outputs: Vec<Option<usize>>,
    /// Computed values that no later step reads.
    pub done: Vec<usize>,
}

/// The bytes of the values that a pass computes.
pub type Bytes = u64;

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("steps", &self.steps.len()).finish_non_exhaustive()
    }
}

impl Step {
    fn fault(&self, fault: impl Into<String>) -> ModelError {
        ModelError::Operator { node: self.name.clone(), op: self.op.clone(), fault: fault.into() }
    }

    fn compute(&self, places: &mut [Option<Value>]) -> Result<Vec<Value>, Fault> {
        let inputs =
            self.inputs.iter().map(|input| input.and_then(|at| places[at].clone())).collect();
        // What is read for the last time is the operation's own, which it may write over.
        self.done.iter().for_each(|&at| places[at] = None);
        (self.operation)(Inputs(inputs))
    }
}

impl Program {
    /// What the graph computes of a batch.
    ///
    /// # Errors
    /// [`ModelError::Operator`] with the first node whose inputs don't fit it.
    pub fn run(&self, images: Tensor<4>) -> Result<Value, ModelError> {
        self.pass(images, |step, places| step.compute(places).map_err(|fault| step.fault(fault)))
    }

    /// The same for images of a size that wasn't seen before: what Burn refuses is an error of the node too, and so is a value
    /// that takes too much memory beside the others.
    pub fn try_run(&self, images: Tensor<4>) -> Result<(Value, Bytes), ModelError> {
        let (mut bytes, mut held) = (0, 0);
        let output = self.pass(images, |step, places| {
            let done = step.done.iter().filter_map(|&at| places[at].as_ref());
            let done: Bytes = done.map(Value::bytes).sum();
            let computed = catch_unwind(AssertUnwindSafe(|| step.compute(places)));
            let refused = |panic: Box<dyn std::any::Any + Send>| {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or(panic.downcast_ref::<&str>().copied());
                step.fault(text.unwrap_or("it can't be computed"))
            };
            let values = computed.map_err(refused)?.map_err(|fault| step.fault(fault))?;
            let made: Bytes = values.iter().map(Value::bytes).sum();
            bytes += made;
            held = (held + made).saturating_sub(done);
            match held <= memory_limit() {
                true => Ok(values),
                false => {
                    let limit = memory_limit();
                    Err(step.fault(format!(
                        "expected at most {limit} bytes of values (TKMIA_MAX_MEMORY)"
                    )))
                }
            }
        })?;
        Ok((output, bytes))
    }

    fn pass(
        &self,
        images: Tensor<4>,
        mut compute: impl FnMut(&Step, &mut [Option<Value>]) -> Result<Vec<Value>, ModelError>,
    ) -> Result<Value, ModelError> {
        let mut places = self.places.clone();
        places[self.images] = Some(Value::of(images));
        for step in &self.steps {
            let values = compute(step, &mut places)?;
            if values.len() < step.outputs.len()
                && step.outputs[values.len()..].iter().any(Option::is_some)
            {
                let (expected, found) = (step.outputs.len(), values.len());
                return Err(step.fault(format!("expected {expected} outputs, found {found}")));
            }
            for (&at, value) in step.outputs.iter().zip(values) {
                if let Some(at) = at {
                    places[at] = Some(value);
                }
            }
        }
        Ok(places[self.output]
            .take()
            .expect("the output is computed, or was there from the beginning"))
    }
}
