//! [`Values`]: what a file may give one of or several.

use serde::{Deserialize, Serialize};

use super::error::SpecError;

/// One value, or a list of values: `delta = 1` or `delta = [1, 2]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a value or a list of values")]
pub enum Values<T> {
    /// A value.
    One(T),
    /// A list, in its order.
    Many(Vec<T>),
}

impl<T> Values<T> {
    /// The values as a list.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

pub(super) fn at_least_one(
    place: &str,
    field: &'static str,
    found: usize,
) -> Result<(), SpecError> {
    if found > 0 {
        return Ok(());
    }
    Err(SpecError::OutOfRange {
        place: place.to_owned(),
        field,
        expected: "at least 1".to_owned(),
        found: "0".to_owned(),
    })
}
