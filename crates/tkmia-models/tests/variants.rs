//! What exporters write, against the scores that onnxruntime gives.
//!
//! `golden/variants/record.py` made the files and recorded the scores.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use std::path::PathBuf;

use burn::tensor::Device;
use golden::{RELATIVE, Recorded, difference, golden};
use tkmia_core::Classifier;
use tkmia_models::{Architecture, FloatType, Format, ModelError, from_onnx_bytes};

fn path(name: &str) -> PathBuf {
    golden(format!("variants/{name}.onnx"))
}

fn load(name: &str) -> Box<dyn Classifier> {
    let found = tkmia_models::load(path(name), &Device::flex());
    found.unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn architecture(name: &str) -> Architecture {
    tkmia_models::architecture(path(name)).unwrap()
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
    let sigmoid = architecture("legacy-sigmoid");
    assert!(sigmoid.sigmoid && sigmoid.normalisation);
    let text = "ResNet-8 (bottleneck 1-1, width 2-4, 5 labels, 32×32)";
    assert_eq!(sigmoid.to_string(), text);
    assert!(architecture("legacy-bn-11").batch_norm);
    assert_eq!(architecture("legacy-groups-dilation").depths, [1, 1, 1]);
    assert_eq!(architecture("legacy-small-stem").depths, [2, 1]);
    assert_eq!(architecture("edit-constant-of-shape").widths, [4, 8]);
    let types = |name: &str| architecture(name).weight_types;
    assert_eq!(types("legacy-17"), [FloatType::F32]);
    assert_eq!(types("edit-half-weights"), [FloatType::F16]);
    assert_eq!(types("edit-half-inside"), [FloatType::F16]);
    assert_eq!(types("edit-bfloat-weights"), [FloatType::Bf16]);
    assert_eq!(sigmoid.format, Format::Onnx);
}

#[test]
fn dynamic_axes_take_images_of_any_size() {
    assert_eq!(load("legacy-any-size").input_size(), None);
    assert_eq!(architecture("legacy-any-size").multiply_adds, None);
    assert_eq!(load("legacy-17").input_size(), Some([32, 32]));
}

#[test]
fn multiply_adds_are_those_of_the_layers() {
    // Stem 16²·588; stage one 8²·(144 + 144); stage two 4²·(288 + 576 + 32); linear 40.
    let expected = 256 * 588 + 64 * 288 + 16 * 896 + 40;
    assert_eq!(architecture("legacy-17").multiply_adds, Some(expected));
}

#[test]
fn data_outside_the_file_needs_the_file_and_not_its_bytes() {
    let path = golden("variants/dynamo-external.onnx");
    let error = from_onnx_bytes(&std::fs::read(path).unwrap(), &Device::flex()).unwrap_err();
    assert!(matches!(error, ModelError::ExternalLocation { .. }), "{error}");
    let bytes = std::fs::read(golden("variants/legacy-17.onnx")).unwrap();
    assert_eq!(from_onnx_bytes(&bytes, &Device::flex()).unwrap().classes(), 5);
}

#[test]
fn metadata_tell_the_label_names() {
    // The field `metadata_props` of a ModelProto, and in it key and value, each with its length.
    let entry = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8], bytes].concat();
    let named = |key: &str, text: &str| {
        let pair = [entry(1, key.as_bytes()), entry(2, text.as_bytes())].concat();
        let bytes = std::fs::read(path("legacy-17")).unwrap();
        from_onnx_bytes(&[bytes, entry(14, &pair)].concat(), &Device::flex()).unwrap()
    };
    let model = named("labels", r#"{"0": "a", "1": "b", "2": "c", "3": "d", "4": "e"}"#);
    assert_eq!(model.label_names().unwrap(), ["a", "b", "c", "d", "e"]);
    assert_eq!(named("labels", "a,b").label_names(), None);
    assert_eq!(load("legacy-17").label_names(), None);
}
