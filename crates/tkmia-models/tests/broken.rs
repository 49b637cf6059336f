//! Files that are no ResNet, or damaged: each has an error that says what and where.
//!
//! `golden/variants/record.py` made the files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;
mod random;

use std::path::Path;

use burn::tensor::Device;
use golden::golden;
use random::Random;
use tkmia_models::{ModelError, from_onnx_bytes, load};

fn refused(name: &str) -> ModelError {
    let path = golden(format!("variants/broken/{name}.onnx"));
    match load(&path, &Device::flex()) {
        Err(ModelError::InFile { path: named, fault }) if named == path => *fault,
        other => panic!("{name}: {other:?}"),
    }
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
        let error = refused(file);
        println!("{file}: {error}");
        let ModelError::NotAResNet { node: at, op: found, expected: why } = error else {
            panic!("{file}: {error}");
        };
        assert_eq!((at.as_str(), found.as_str()), (node, op), "{file}: {why}");
        assert!(why.contains(expected), "{file}: {why}");
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
        ("grey-images", "input `images`: expected float images [batch, 3, height, width], found"),
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
    assert_eq!(message, "cannot read no/such.onnx");
    let folder = load(Path::new("."), &Device::flex()).unwrap_err();
    assert!(matches!(folder, ModelError::Read { .. }), "{folder}");
}

#[test]
fn no_change_of_bytes_makes_the_loader_panic() {
    let device = Device::flex();
    let mut random = Random(7);
    let mut read = 0;
    for file in [
        "legacy-17",
        "legacy-bn-20",
        "legacy-reshape-11",
        "dynamo-unoptimised",
        "edit-constant-of-shape",
    ] {
        let bytes = std::fs::read(golden(format!("variants/{file}.onnx"))).unwrap();
        for _ in 0..1000 {
            let mut changed = bytes.clone();
            for _ in 0..=random.below(4) {
                let at = random.below(changed.len());
                match random.below(4) {
                    0 => changed[at] = random.below(256) as u8,
                    1 => changed[at] ^= 1 << random.below(8),
                    2 => drop(changed.drain(at..(at + random.below(8)).min(bytes.len()).max(at))),
                    _ => changed.insert(at, random.below(256) as u8),
                }
            }
            read += usize::from(from_onnx_bytes(&changed, &device).is_ok());
        }
    }
    println!("{read} of 5000 changed files still load");
}
