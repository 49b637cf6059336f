//! [`Network`]: a network of a file.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use burn::tensor::{Tensor, TensorData};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::Deserialize;
use serde_json::Value;
use tkmia_core::{Bounds, Classifier, PassMemory, Tagger, device, scores_and_gradient};
use tkmia_experiment::Workers;
use tkmia_models::load_with;

use crate::arrays::{Axis, array, images, read};
use crate::error::refused;
use crate::interrupt::interruptible;
use crate::knobs::knobs;

/// The network of an ONNX file, or a ResNet of a safetensors or PyTorch file.
///
/// What the file doesn't say of its images is read from files beside it, or given by keywords: range="0..255", mean, std,
/// channels="bgr", scores_output, keep_sigmoid.
#[pyclass(frozen, module = "tkmia")]
#[derive(Debug)]
pub struct Network {
    pub classifier: Box<dyn Classifier>,
}

#[pymethods]
impl Network {
    #[new]
    #[pyo3(signature = (path, **tagger))]
    fn new(py: Python<'_>, path: PathBuf, tagger: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let tagger = Tagger::deserialize(Value::Object(knobs(py, tagger)?)).map_err(refused)?;
        tagger.check().map_err(refused)?;
        py.detach(|| {
            let loaded = load_with(path, &tagger, &device("cpu").map_err(refused)?);
            Ok(Self { classifier: loaded.map_err(refused)?.classifier })
        })
    }

    /// The number of labels.
    #[getter]
    fn classes(&self) -> usize {
        self.classifier.classes()
    }

    /// The values of black and white.
    #[getter]
    fn bounds(&self) -> (f32, f32) {
        let Bounds { low, high } = self.classifier.bounds();
        (low, high)
    }

    /// Height and width of the images; None if any will do.
    #[getter]
    fn input_size(&self) -> Option<(usize, usize)> {
        self.classifier.input_size().map(Into::into)
    }

    /// The labels' names, where they are known.
    #[getter]
    fn label_names(&self) -> Option<Vec<String>> {
        self.classifier.label_names().map(<[String]>::to_vec)
    }

    /// What one should know before one attacks it.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.classifier.notes().to_vec()
    }

    fn __repr__(&self) -> String {
        format!("<tkmia.Network: {}>", self.classifier.description())
    }

    /// Scores (logits) [n, c] of images [n, 3, h, w].
    #[pyo3(signature = (images))]
    fn scores<'py>(
        &self,
        py: Python<'py>,
        images: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (images, shape) = self::images(images, &*self.classifier)?;
        let scores =
            self.each(py, &images, shape, &|_, images| values(self.classifier.scores(images)))?;
        Ok(array(py, scores, [shape[0], self.classes()]))
    }

    /// The gradient [n, 3, h, w] of the sum of weights · scores by the images; weights are [n, c].
    #[pyo3(signature = (images, weights))]
    fn gradient<'py>(
        &self,
        py: Python<'py>,
        images: &Bound<'py, PyAny>,
        weights: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (images, shape) = self::images(images, &*self.classifier)?;
        let classes = self.classes();
        let (weights, _) =
            read::<f32, 2>(weights, "weights", [Axis::Is(shape[0]), Axis::Is(classes)])?;
        let gradient = self.each(py, &images, shape, &|rows, images| {
            let weights = weights[rows[0] * classes..][..rows.len() * classes].to_vec();
            let weights = TensorData::new(weights, [rows.len(), classes]);
            let weights = Tensor::from_data(weights, &images.device());
            values(scores_and_gradient(&*self.classifier, images, weights).1)
        })?;
        Ok(array(py, gradient, shape))
    }
}

impl Network {
    /// Workers for images of that shape.
    pub fn workers<'a>(&self, shape: [usize; 4], stop: &'a AtomicBool) -> Workers<'a> {
        let count = Workers::best_count("cpu");
        let memory = self.classifier.pass_memory([shape[2], shape[3]]);
        Workers { count, batch_size: memory.batch_size(count, PassMemory::LIMIT), stop }
    }

    /// What a function of consecutive rows and their images gives, one after the other.
    fn each(
        &self,
        py: Python<'_>,
        images: &[f32],
        shape: [usize; 4],
        of: &(dyn Fn(&[usize], Tensor<4>) -> Vec<f32> + Sync),
    ) -> PyResult<Vec<f32>> {
        let (stop, mut all) = (AtomicBool::new(false), Vec::new());
        let rows: Vec<usize> = (0..shape[0]).collect();
        interruptible(py, &stop, || {
            let batch = |rows: &[usize]| Ok(of(rows, tensor(images, shape, rows)));
            self.workers(shape, &stop).run(&rows, batch, |values| {
                all.extend(values);
                Ok(())
            })
        })?
        .map_err(refused)?;
        Ok(all)
    }
}

/// The images of consecutive rows.
pub fn tensor(images: &[f32], shape: [usize; 4], rows: &[usize]) -> Tensor<4> {
    let [_, channels, height, width] = shape;
    let size = channels * height * width;
    let images = images[rows[0] * size..][..rows.len() * size].to_vec();
    let cpu = device("cpu").expect("every build of the package has the CPU");
    Tensor::from_data(TensorData::new(images, [rows.len(), channels, height, width]), &cpu)
}

/// Row-major values.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_to_vec_as().expect("float tensors convert to f32")
}
