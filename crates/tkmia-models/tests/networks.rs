//! Networks of many architectures against PyTorch's scores and input gradients.
//!
//! `golden/networks` has three; more, of the same form, are looked for where `TKMIA_NETWORKS` says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use golden::golden;
use ndarray::ArrayD;
use ndarray_npy::NpzReader;
use serde_json::Value;
use tkmia_core::{Classifier, Tagger};
use tkmia_models::{load, load_with};

/// Of the L2 norm, with 32 bits.
const RELATIVE: f64 = 1e-4;
/// With weights and constants of 16 bits.
const RELATIVE_16: f64 = 1e-2;

struct Case {
    network: Box<dyn Classifier>,
    images: Tensor<4>,
    cotangent: Tensor<2>,
    scores: Vec<f32>,
    gradient: Vec<f32>,
    tolerance: f64,
}

impl Case {
    fn read(folder: &Path) -> Self {
        let case: Value =
            serde_json::from_slice(&fs::read(folder.join("case.json")).unwrap()).unwrap();
        let triple = |name: &str| -> Option<[f32; 3]> {
            serde_json::from_value(case.get(name)?.clone()).ok()
        };
        let tagger = Tagger {
            mean: triple("mean"),
            std: triple("std"),
            keep_sigmoid: Some(folder.ends_with("shufflenet-sigmoid")),
            ..Tagger::default()
        };
        let mut npz = NpzReader::new(File::open(folder.join("case.npz")).unwrap()).unwrap();
        let mut array = |name: &str| -> (Vec<f32>, Vec<usize>) {
            let array: ArrayD<f32> = npz.by_name(&format!("{name}.npy")).unwrap();
            let shape = array.shape().to_vec();
            (array.into_iter().collect(), shape)
        };
        let device = Device::flex();
        let (images, shape) = array("input");
        let images = Tensor::from_data(TensorData::new(images, shape), &device);
        let (cotangent, shape) = array("cotangent");
        let cotangent = Tensor::from_data(TensorData::new(cotangent, shape), &device);
        Self {
            network: load_with(folder.join("model.onnx"), &tagger, &device).unwrap().classifier,
            images,
            cotangent,
            scores: array("scores").0,
            gradient: array("gradient").0,
            tolerance: if case["dtype"] == "float16" { RELATIVE_16 } else { RELATIVE },
        }
    }

    /// Scores of some of the images, and the gradient of their sum with the cotangent.
    fn pass(&self, first: usize, count: usize) -> [Vec<f32>; 2] {
        let images = self.images.clone().narrow(0, first, count).autodiff().require_grad();
        let scores = self.network.scores(images.clone());
        let cotangent = self.cotangent.clone().narrow(0, first, count).to_device(&scores.device());
        let gradient = images.grad(&(scores.clone() * cotangent).sum().backward()).unwrap();
        [scores.inner().try_to_vec_as().unwrap(), gradient.try_to_vec_as().unwrap()]
    }
}

/// The L2 norm of the difference, over that of what is expected.
fn apart(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| f64::from(a - b)));
    difference / norm(&mut expected.iter().map(|&v| f64::from(v)))
}

fn check(folder: &Path) {
    let name = folder.file_name().unwrap().to_string_lossy();
    let case = Case::read(folder);
    let [scores, gradient] = case.pass(0, 2);
    let (of_scores, of_gradient) = (apart(&scores, &case.scores), apart(&gradient, &case.gradient));
    println!("{name}: scores {of_scores:.1e}, gradient {of_gradient:.1e}");
    assert!(of_scores < case.tolerance, "{name}: {of_scores}");
    assert!(of_gradient < case.tolerance, "{name}: {of_gradient}");
    // Alone an image has what it has in company, but for rounding.
    let alone = [case.pass(0, 1), case.pass(1, 1)].concat();
    let of_alone = apart(&[&alone[0][..], &alone[2]].concat(), &scores);
    assert!(of_alone < RELATIVE, "{name}: {of_alone}");
    let of_alone = apart(&[&alone[1][..], &alone[3]].concat(), &gradient);
    assert!(of_alone < RELATIVE, "{name}: {of_alone}");
}

#[test]
fn networks_score_and_lead_back_as_in_pytorch() {
    for name in ["inception", "swin", "shufflenet-sigmoid"] {
        check(&golden(format!("networks/{name}")));
    }
}

#[test]
#[ignore = "needs the networks of the folder TKMIA_NETWORKS"]
fn more_networks_score_and_lead_back_as_in_pytorch() {
    let folder = PathBuf::from(std::env::var_os("TKMIA_NETWORKS").expect("TKMIA_NETWORKS is set"));
    let mut cases: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|case| case.join("model.onnx").exists());
    cases.sort();
    assert!(!cases.is_empty(), "no networks");
    cases.iter().for_each(|case| check(case));
}

#[test]
fn a_sigmoid_at_the_end_is_undone() {
    let folder = golden("networks/shufflenet-sigmoid");
    let case = Case::read(&folder);
    let logits =
        load(folder.join("model.onnx"), &Device::flex()).unwrap().scores(case.images.clone());
    let logits: Vec<f32> = logits.try_to_vec_as().unwrap();
    let probabilities: Vec<f32> = logits.iter().map(|score| 1.0 / (1.0 + (-score).exp())).collect();
    assert!(apart(&probabilities, &case.scores) < RELATIVE);
    assert_eq!(case.network.notes().len(), 1, "{:?}", case.network.notes());
}
