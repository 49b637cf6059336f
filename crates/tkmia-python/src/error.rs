//! Errors of the library as exceptions.

use std::error::Error;

use pyo3::PyErr;
use pyo3::exceptions::PyValueError;

/// A `ValueError` with the error and its causes in one line.
pub fn refused(error: impl Error) -> PyErr {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Some messages quote their cause already.
        let says = cause.to_string();
        if !message.ends_with(&says) {
            message = format!("{message}: {says}");
        }
        source = cause.source();
    }
    PyValueError::new_err(message)
}
