//! What the golden tests share: recorded arrays as tensors, and how near scores must be.

// Each test file uses a part.
#![allow(dead_code)]

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array2, Array4};
use ndarray_npy::NpzReader;
use tkmia_core::Classifier;

/// Largest difference of two scores, over the largest score of the batch.
pub const RELATIVE: f32 = 1e-4;

/// A file of the crate's `tests/golden` folder.
pub fn golden(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(path)
}

/// The arrays of an npz file: images, and rows of scores.
pub struct Recorded {
    pub images: HashMap<String, Tensor<4>>,
    pub scores: HashMap<String, Vec<f32>>,
}

impl Recorded {
    pub fn read(path: impl AsRef<Path>) -> Self {
        let mut npz = NpzReader::new(File::open(golden(path)).unwrap()).unwrap();
        let mut recorded = Self { images: HashMap::new(), scores: HashMap::new() };
        for name in npz.names().unwrap() {
            let key = name.trim_end_matches(".npy").to_owned();
            if let Ok(array) = npz.by_name::<_, ndarray::Ix4>(&name) {
                let array: Array4<f32> = array;
                let shape: Vec<usize> = array.shape().to_vec();
                let data = TensorData::new(array.into_iter().collect::<Vec<_>>(), shape);
                recorded.images.insert(key, Tensor::from_data(data, &Device::flex()));
            } else {
                let array: Array2<f32> = npz.by_name(&name).unwrap();
                recorded.scores.insert(key, array.into_iter().collect());
            }
        }
        recorded
    }
}

pub fn values(scores: Tensor<2>) -> Vec<f32> {
    scores.try_into_data().unwrap().try_to_vec().unwrap()
}

/// The largest difference between a model's scores and the recorded ones, relative to the largest.
pub fn difference(model: &dyn Classifier, images: &Tensor<4>, expected: &[f32]) -> f32 {
    let found = values(model.scores(images.clone()));
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    let apart = found.iter().zip(expected).map(|(f, e)| (f - e).abs()).fold(0.0, f32::max);
    apart / largest
}
