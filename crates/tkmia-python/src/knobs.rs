//! Keyword arguments as settings.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::{Map, Value};

use crate::error::refused;

/// Keywords as the knobs of a file: `max_iterations` is `max-iterations` there.
pub fn knobs(py: Python<'_>, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Map<String, Value>> {
    let Some(keywords) = keywords else { return Ok(Map::new()) };
    let text: String = py.import("json")?.call_method1("dumps", (keywords,))?.extract()?;
    let knobs: Map<String, Value> = serde_json::from_str(&text).map_err(refused)?;
    Ok(knobs.into_iter().map(|(name, value)| (name.replace('_', "-"), value)).collect())
}
