//! What exporters write, against the scores that onnxruntime gives.
//!
//! `golden/variants/record.py` made the files and recorded the scores.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use burn::tensor::Device;
use golden::{RELATIVE, Recorded, difference, golden};
use tkmia_core::Classifier;
use tkmia_models::{FloatType, Format, ModelError, ResNet, from_onnx_bytes};

fn load(name: &str) -> ResNet {
    let path = golden(format!("variants/{name}.onnx"));
    tkmia_models::load(path, &Device::flex()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_way_of_writing_a_resnet_scores_as_onnxruntime_does() {
    let mut recorded = Recorded::read("variants/scores.npz");
    // Its graph ends in a sigmoid, which the scores leave out.
    for score in recorded.scores.get_mut("legacy-sigmoid").unwrap() {
        *score = (*score / (1.0 - *score)).ln();
    }
    assert_eq!(recorded.scores.len(), 45);
    for (key, expected) in &recorded.scores {
        let (name, images) = key.split_once('/').unwrap_or((key, "images"));
        let apart = difference(&load(name), &recorded.images[images], expected);
        println!("{key}: {apart:.1e}");
        assert!(apart < RELATIVE, "{key}: {apart}");
    }
}

#[test]
fn the_architecture_tells_what_was_in_the_file() {
    let sigmoid = load("legacy-sigmoid");
    assert!(sigmoid.architecture().sigmoid && sigmoid.architecture().normalisation);
    assert_eq!(
        sigmoid.architecture().to_string(),
        "ResNet-8 (bottleneck 1-1, width 2-4, 5 labels, 32×32)"
    );
    assert!(load("legacy-bn-11").architecture().batch_norm);
    assert_eq!(load("legacy-groups-dilation").architecture().depths, [1, 1, 1]);
    assert_eq!(load("legacy-small-stem").architecture().depths, [2, 1]);
    assert_eq!(load("edit-constant-of-shape").architecture().widths, [4, 8]);
    let types = |name: &str| load(name).architecture().weight_types.clone();
    assert_eq!(types("legacy-17"), [FloatType::F32]);
    assert_eq!(types("edit-half-weights"), [FloatType::F16]);
    assert_eq!(types("edit-half-inside"), [FloatType::F16]);
    assert_eq!(types("edit-bfloat-weights"), [FloatType::Bf16]);
    assert_eq!(sigmoid.architecture().format, Format::Onnx);
}

#[test]
fn dynamic_axes_take_images_of_any_size() {
    assert_eq!(load("legacy-any-size").input_size(), None);
    assert_eq!(load("legacy-any-size").architecture().multiply_adds, None);
    assert_eq!(load("legacy-17").input_size(), Some([32, 32]));
}

#[test]
fn multiply_adds_are_those_of_the_layers() {
    // Stem 16²·588; stage one 8²·(144 + 144); stage two 4²·(288 + 576 + 32); linear 40.
    let expected = 256 * 588 + 64 * 288 + 16 * 896 + 40;
    assert_eq!(load("legacy-17").architecture().multiply_adds, Some(expected));
}

#[test]
fn data_outside_the_file_needs_the_file_and_not_its_bytes() {
    let path = golden("variants/dynamo-external.onnx");
    let error = from_onnx_bytes(&std::fs::read(path).unwrap(), &Device::flex()).unwrap_err();
    assert!(matches!(error, ModelError::ExternalLocation { .. }), "{error}");
    let bytes = std::fs::read(golden("variants/legacy-17.onnx")).unwrap();
    assert_eq!(from_onnx_bytes(&bytes, &Device::flex()).unwrap().classes(), 5);
}
