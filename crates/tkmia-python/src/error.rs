//! Errors of the library as exceptions.

use std::error::Error;

use pyo3::PyErr;
use pyo3::exceptions::PyValueError;
use tkmia_experiment::in_one_line;

/// A `ValueError` with the error and its causes in one line.
pub fn refused(error: impl Error) -> PyErr {
    PyValueError::new_err(in_one_line(&error))
}
