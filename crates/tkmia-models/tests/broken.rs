//! Files that are no ResNet, or damaged: each has an error that says what and where.
//!
//! `golden/variants/record.py` made the files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use std::fmt::Debug;
use std::path::PathBuf;

use burn::tensor::Device;
use golden::golden;
use tkmia_models::{ModelError, architecture, from_onnx_bytes, load};

fn path(name: &str) -> PathBuf {
    golden(format!("variants/broken/{name}.onnx"))
}

/// The fault that is found in a file.
fn fault<T: Debug>(name: &str, found: Result<T, ModelError>) -> ModelError {
    match found {
        Err(ModelError::InFile { path: named, fault }) if named == path(name) => *fault,
        other => panic!("{name}: {other:?}"),
    }
}

fn refused(name: &str) -> ModelError {
    fault(name, load(path(name), &Device::flex()))
}

#[test]
fn a_graph_that_is_no_resnet_is_refused_at_the_first_node_that_does_not_fit() {
    let cases = [
        ("vgg", "/2/Conv", "Conv", "a MaxPool, or the start of a residual block"),
        (
            "densenet",
            "/norm/BatchNormalization",
            "BatchNormalization",
            "the start of a residual block",
        ),
        ("relu6", "/blocks/blocks.0/Relu", "Clip", "Relu"),
        ("softmax", "softmax", "Softmax", "the end of the graph"),
        ("same-padding", "/stem/Conv", "Conv", "auto_pad NOTSET or VALID, found SAME_UPPER"),
        ("wrong-rank", "/stem/Conv", "Conv", "rank 4, found dimensions [4, 147]"),
        ("training-norm", "/norm/BatchNormalization", "BatchNormalization", "training_mode 0"),
        (
            "features-only",
            "/global_pool/GlobalAveragePool",
            "GlobalAveragePool",
            "Gemm or MatMul behind",
        ),
        ("part-of-the-image", "/fixed_pool/AveragePool", "AveragePool", "a kernel of [4, 4]"),
    ];
    for (file, node, op, expected) in cases {
        let error = fault(file, architecture(path(file)));
        println!("{file}: {error}");
        let ModelError::NotAResNet { node: at, op: found, expected: why } = error else {
            panic!("{file}: {error}");
        };
        assert_eq!((at.as_str(), found.as_str()), (node, op), "{file}: {why}");
        assert!(why.contains(expected), "{file}: {why}");
    }
}

#[test]
fn another_network_is_computed_node_by_node() {
    for (file, classes) in
        [("vgg", 5), ("densenet", 5), ("relu6", 5), ("same-padding", 5), ("softmax", 5)]
    {
        let network = load(path(file), &Device::flex()).unwrap();
        assert_eq!(
            (network.classes(), network.notes().len()),
            (classes, usize::from(file == "softmax"))
        );
    }
}

#[test]
fn a_graph_that_cannot_be_computed_is_refused_with_its_node() {
    let cases = [
        ("wrong-rank", "node `/stem/Conv` (Conv): expected weights"),
        (
            "training-norm",
            "node `/norm/BatchNormalization` (BatchNormalization): expected inference",
        ),
        ("features-only", "expected an output [1, labels] of 1 images, found one of [1, "),
    ];
    for (file, expected) in cases {
        let message = refused(file).to_string();
        println!("{file}: {message}");
        assert!(message.contains(expected), "{file}: {message}");
    }
}

#[test]
fn a_damaged_tensor_is_named() {
    let cases = [
        ("nan-weight", "tensor `fc.weight`: expected finite values, found NaN at element 17"),
        (
            "negative-variance",
            "tensor `norm.running_var`: expected finite values, found NaN at element 0",
        ),
        ("missing-initialiser", "node `/stem/Conv` reads `onnx::Conv_66`, expected"),
        ("absurd-shape", "tensor `onnx::Conv_65`: dimensions"),
        ("two-inputs", r#"expected one graph input (the images), found ["images", "mask"]"#),
        (
            "grey-images",
            "input `images`: expected float images [batch, 3, height, width], found [n, 1, 32, 32]",
        ),
        ("integer-images", "found onnx data type 2"),
    ];
    for (file, expected) in cases {
        let message = refused(file).to_string();
        println!("{file}: {message}");
        assert!(message.contains(expected), "{file}: {message}");
    }
}

#[test]
fn an_empty_truncated_or_foreign_file_is_an_error() {
    let device = Device::flex();
    let bytes = std::fs::read(golden("variants/legacy-17.onnx")).unwrap();
    assert!(matches!(from_onnx_bytes(&[], &device), Err(ModelError::NoGraph)));
    for length in [1, 10, 100, bytes.len() / 2, bytes.len() - 1] {
        assert!(from_onnx_bytes(&bytes[..length], &device).is_err(), "{length} bytes");
    }
    let text = from_onnx_bytes(b"import torch\nprint('not a model')\n", &device);
    assert!(matches!(text, Err(ModelError::NotOnnx { .. })));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let message = load("no/such.onnx", &Device::flex()).unwrap_err().to_string();
    assert_eq!(message, "no/such.onnx: can't be read");
}
