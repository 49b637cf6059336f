//! [`Function`]: a classifier that Python computes.

use std::sync::{Arc, OnceLock};

use burn::tensor::{Device, Tensor};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use tkmia_core::{Bounds, Classifier, device};
use tkmia_models::{Pullback, scored_by};

use crate::arrays::{Axis, array, read};

/// A function from images to scores and a function back: from weights of the scores to the gradient of their sum by the images.
///
/// Attacks know no exceptions: the first one is kept, and from then on scores are NaN, with which an attack ends.
#[derive(Debug)]
pub struct Function {
    pub call: Py<PyAny>,
    pub classes: usize,
    pub bounds: Bounds,
    pub raised: Arc<OnceLock<PyErr>>,
}

impl Function {
    fn scored(&self, images: &[f32], shape: [usize; 4]) -> PyResult<(Vec<f32>, Pullback)> {
        Python::attach(|py| {
            let images = array(py, images.to_vec(), shape);
            let found = self.call.bind(py).call1((images,))?;
            let (scores, back): (Bound<'_, PyAny>, Py<PyAny>) = found.extract().map_err(|_| {
                let kind = found.get_type();
                let message =
                    format!("`model`: expected it to return scores and a function, found {kind}");
                PyTypeError::new_err(message)
            })?;
            let expected = [shape[0], self.classes].map(Axis::Is);
            let (scores, of_scores) = read::<f32, 2>(&scores, "scores of the model", expected)?;
            let raised = Arc::clone(&self.raised);
            let back = move |weights: &[f32]| {
                let gradient = Python::attach(|py| {
                    let weights = array(py, weights.to_vec(), of_scores);
                    let gradient = back.bind(py).call1((weights,))?;
                    let (gradient, _) =
                        read::<f32, 4>(&gradient, "gradient of the model", shape.map(Axis::Is))?;
                    Ok(gradient)
                });
                gradient.unwrap_or_else(|error| {
                    let _ = raised.set(error);
                    vec![0.0; shape.iter().product()]
                })
            };
            Ok((scores, Box::new(back) as Pullback))
        })
    }
}

impl Classifier for Function {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let shape = images.dims();
        let nothing = || {
            let back = move |_: &[f32]| vec![0.0_f32; shape.iter().product()];
            (vec![f32::NAN; shape[0] * self.classes], Box::new(back) as Pullback)
        };
        scored_by(images, |images| {
            if self.raised.get().is_some() {
                return nothing();
            }
            self.scored(images, shape).unwrap_or_else(|error| {
                let _ = self.raised.set(error);
                nothing()
            })
        })
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        None
    }

    fn device(&self) -> Device {
        device("cpu").expect("every build of the package has the CPU")
    }
}
