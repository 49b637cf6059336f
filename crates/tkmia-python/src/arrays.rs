//! From NumPy's arrays, and what becomes one, to slices, and back.

use numpy::ndarray::{Array, Dim, Dimension, IntoDimension};
use numpy::{AllowTypeChange, Element, IntoPyArray, PyArrayLikeDyn};
use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tkmia_core::{Bounds, Classifier, LabelSet};

use crate::error::refused;

/// What arrays are read as.
pub trait Number: Element + Copy + for<'py> FromPyObjectOwned<'py> {}

impl Number for f32 {}
impl Number for f64 {}

/// The expected length of an axis, or the letter of one that may have any length but 0.
#[derive(Clone, Copy)]
pub enum Axis {
    Is(usize),
    Any(&'static str),
}

/// The values of an array in row-major order, and its shape.
pub fn read<T: Number, const D: usize>(
    array: &Bound<'_, PyAny>,
    name: &str,
    expected: [Axis; D],
) -> PyResult<(Vec<T>, [usize; D])> {
    let array: PyArrayLikeDyn<'_, T, AllowTypeChange> = array.extract()?;
    let array = array.as_array();
    let fits = |(&found, axis): (&usize, Axis)| match axis {
        Axis::Is(length) => found == length && found > 0,
        Axis::Any(_) => found > 0,
    };
    match <[usize; D]>::try_from(array.shape()) {
        Ok(shape) if shape.iter().zip(expected).all(fits) => {
            Ok((array.iter().copied().collect(), shape))
        }
        _ => {
            let axes = expected.map(|axis| match axis {
                Axis::Is(length) => length.to_string(),
                Axis::Any(name) => name.to_owned(),
            });
            let (axes, found) = (axes.join(", "), array.shape());
            let message = format!("`{name}`: expected shape [{axes}], found {found:?}");
            Err(PyValueError::new_err(message))
        }
    }
}

/// Scores, `[n, c]`, and their shape.
pub fn scores<T: Number>(array: &Bound<'_, PyAny>) -> PyResult<(Vec<T>, [usize; 2])> {
    read(array, "scores", [Axis::Any("n"), Axis::Any("c")])
}

/// Labels as 0 and 1 of any type, of a known shape.
pub fn labels(array: &Bound<'_, PyAny>, name: &str, shape: [usize; 2]) -> PyResult<LabelSet> {
    let (values, [_, classes]) = read::<f64, 2>(array, name, shape.map(Axis::Is))?;
    if let Some(at) = values.iter().position(|value| ![0.0, 1.0].contains(value)) {
        let (row, label, found) = (at / classes, at % classes, values[at]);
        let message = format!("`{name}`, row {row}, label {label}: expected 0 or 1, found {found}");
        return Err(PyValueError::new_err(message));
    }
    LabelSet::new(values.iter().map(|&value| value == 1.0).collect(), classes).map_err(refused)
}

/// Images as a classifier takes them, and their shape.
pub fn images(
    array: &Bound<'_, PyAny>,
    classifier: &dyn Classifier,
) -> PyResult<(Vec<f32>, [usize; 4])> {
    let size = classifier.input_size().map(|size| size.map(Axis::Is));
    let [height, width] = size.unwrap_or([Axis::Any("h"), Axis::Any("w")]);
    let (values, shape) =
        read::<f32, 4>(array, "images", [Axis::Any("n"), Axis::Is(3), height, width])?;
    let Bounds { low, high } = classifier.bounds();
    if let Some(at) = values.iter().position(|value| !(low..=high).contains(value)) {
        let (row, found) = (at / shape[1..].iter().product::<usize>(), values[at]);
        let message =
            format!("`images`, row {row}: expected values in [{low}, {high}], found {found}");
        return Err(PyValueError::new_err(message));
    }
    Ok((values, shape))
}

/// An array of as many values as its shape says.
pub fn array<'py, T: Element, const D: usize>(
    py: Python<'py>,
    values: Vec<T>,
    shape: [usize; D],
) -> Bound<'py, PyAny>
where
    [usize; D]: IntoDimension<Dim = Dim<[usize; D]>>,
    Dim<[usize; D]>: Dimension,
{
    let array = Array::from_shape_vec(shape, values);
    array.expect("there are as many values as the shape says").into_pyarray(py).into_any()
}
