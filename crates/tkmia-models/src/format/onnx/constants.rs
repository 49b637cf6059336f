//! The constants of a graph, stored and computed: [`Constants`].

use std::collections::HashMap;
use std::path::Path;

use super::node::Node;
use super::proto::{GraphProto, TensorProto};
use super::tensor::{Tensor, Values, dims, float_type, read};
use crate::budget::Budget;
use crate::{FloatType, ModelError};

/// The values that don't depend on the images.
#[derive(Debug)]
pub struct Constants<'a> {
    stored: HashMap<&'a str, &'a TensorProto>,
    computed: HashMap<&'a str, (Tensor, FloatType)>,
    model: Option<&'a Path>,
    /// Elements that are read, and those that are computed.
    budgets: [Budget; 2],
}

impl<'a> Constants<'a> {
    pub fn new(proto: &'a GraphProto, model: Option<&'a Path>) -> Result<Self, ModelError> {
        let mut stored = HashMap::new();
        for tensor in &proto.initializer {
            if stored.insert(tensor.name.as_str(), tensor).is_some() {
                return Err(ModelError::DefinedTwice { value: tensor.name.clone() });
            }
        }
        let budgets = [Budget::of_weights(), Budget::of_constants()];
        Ok(Self { stored, computed: HashMap::new(), model, budgets })
    }

    pub fn contains(&self, name: &str) -> bool {
        self.stored.contains_key(name) || self.computed.contains_key(name)
    }

    /// The dimensions of a constant, without its data.
    pub fn dims(&self, name: &str) -> Result<Vec<usize>, ModelError> {
        match self.stored.get(name) {
            Some(proto) => dims(proto, name),
            None => Ok(self.computed.get(name).map(|(t, _)| t.shape.clone()).unwrap_or_default()),
        }
    }

    /// A constant that is known to be there.
    pub fn tensor(&self, name: &str) -> Result<Tensor, ModelError> {
        self.budgets[0].spend(self.dims(name)?.iter().product())?;
        match (self.computed.get(name), self.stored.get(name)) {
            (Some((tensor, _)), _) => Ok(tensor.clone()),
            (None, Some(proto)) => read(proto, name, self.model),
            (None, None) => {
                Err(ModelError::Undefined { node: name.to_owned(), value: name.to_owned() })
            }
        }
    }

    /// A short list of integers (axes, a shape), or `None` if it isn't a constant one.
    pub fn ints(&self, name: &str) -> Option<Vec<i64>> {
        if !self.contains(name) || self.dims(name).ok()?.iter().product::<usize>() > 16 {
            return None;
        }
        match self.tensor(name).ok()?.values {
            Values::Ints(values) => Some(values),
            Values::Floats(_) => None,
        }
    }

    /// The axes of a node, which are an input in later versions and an attribute in earlier ones.
    pub fn axes(&self, node: &Node) -> Option<Vec<i64>> {
        match node.input(1) {
            Some(axes) => self.ints(axes),
            None => node.ints("axes").map(<[i64]>::to_vec),
        }
    }

    /// The float type in which the file holds a constant, or what it's computed from.
    pub fn float_type(&self, name: &str) -> FloatType {
        let stored = self.stored.get(name).and_then(|proto| float_type(proto.data_type));
        stored.or(self.computed.get(name).map(|(_, stored)| *stored)).unwrap_or(FloatType::F32)
    }

    /// Adds a constant that a node computes from others.
    pub fn insert(&mut self, node: &Node<'a>, tensor: Tensor) {
        let own = node.attribute("value").and_then(|attribute| attribute.t.as_ref());
        let stored = own.and_then(|proto| float_type(proto.data_type));
        let stored = stored.unwrap_or_else(|| self.float_type(node.input(0).unwrap_or_default()));
        self.computed.insert(node.output(), (tensor, stored));
    }

    /// Counts elements of the given dimensions that are about to be computed.
    ///
    /// # Errors
    /// [`ModelError::TooMuch`] once the file's constants have become too many.
    pub fn spend(&self, shape: &[usize]) -> Result<(), ModelError> {
        self.budgets[1].spend(shape.iter().product())
    }
}
