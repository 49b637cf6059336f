//! One operation of the graph, with its inputs resolved: [`Node`].

use std::borrow::Cow;
use std::cell::RefCell;

use super::proto::{AttributeProto, NodeProto};
use crate::ModelError;

#[derive(Debug, Clone)]
pub struct Node<'a> {
    /// Its name in the file, or that of its first output.
    pub name: &'a str,
    /// The operator; with its domain where that isn't ONNX's own.
    pub op: Cow<'a, str>,
    /// The values it reads, aliases followed; an absent optional input is empty.
    pub inputs: Vec<&'a str>,
    outputs: &'a [String],
    attributes: &'a [AttributeProto],
    /// The attributes that were asked for.
    asked: RefCell<Vec<&'a str>>,
}

impl<'a> Node<'a> {
    pub fn new(proto: &'a NodeProto, inputs: Vec<&'a str>) -> Self {
        let op = match proto.domain.as_str() {
            "" | "ai.onnx" => Cow::Borrowed(proto.op_type.as_str()),
            domain => Cow::Owned(format!("{domain}::{}", proto.op_type)),
        };
        Self {
            name: name(proto),
            op,
            inputs,
            outputs: &proto.output,
            attributes: &proto.attribute,
            asked: RefCell::default(),
        }
    }

    /// The values it defines.
    pub fn outputs(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.outputs.iter().map(String::as_str).filter(|output| !output.is_empty())
    }

    /// The value that matters: every operator here has one, besides outputs for training.
    pub fn output(&self) -> &'a str {
        self.outputs.first().map_or("", String::as_str)
    }

    /// An input by position, or `None` where it's left out.
    pub fn input(&self, index: usize) -> Option<&'a str> {
        self.inputs.get(index).copied().filter(|input| !input.is_empty())
    }

    pub fn attribute(&self, name: &str) -> Option<&'a AttributeProto> {
        let found = self.attributes.iter().find(|attribute| attribute.name == name)?;
        self.asked.borrow_mut().push(&found.name);
        Some(found)
    }

    /// An attribute that nobody has asked for.
    pub fn unread(&self) -> Option<&'a str> {
        let mut names = self.attributes.iter().map(|attribute| attribute.name.as_str());
        names.find(|name| !self.asked.borrow().contains(name))
    }

    /// An integer attribute, or its default.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.i)
    }

    /// A float attribute, or its default.
    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |attribute| attribute.f)
    }

    pub fn ints(&self, name: &str) -> Option<&'a [i64]> {
        self.attribute(name).map(|attribute| attribute.ints.as_slice())
    }

    /// A text attribute, or its default.
    pub fn text(&self, name: &str, default: &'a str) -> &'a str {
        self.attribute(name)
            .map_or(default, |attribute| std::str::from_utf8(&attribute.s).unwrap_or("?"))
    }

    /// The error that this node is the first that doesn't fit.
    pub fn misfit(&self, expected: impl Into<String>) -> ModelError {
        ModelError::NotAResNet {
            node: self.name.to_owned(),
            op: self.op.clone().into_owned(),
            expected: expected.into(),
        }
    }
}

/// What errors call a node.
pub fn name(proto: &NodeProto) -> &str {
    if proto.name.is_empty() {
        proto.output.first().map_or("", String::as_str)
    } else {
        &proto.name
    }
}
