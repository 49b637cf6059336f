//! Files of other kinds in a model's place: each is named for what it is, with what to do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use burn::tensor::Device;
use files::Files;
use tkmia_models::load;
use zip::write::{SimpleFileOptions, ZipWriter};

/// A zip archive with a few bytes under each name.
fn archive(names: &[&str]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for name in names {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(b"\x80\x02}.").unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A field of a protobuf message that holds bytes.
fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut key = vec![(number << 3 | 2) as u8, bytes.len() as u8];
    key.extend(bytes);
    key
}

/// An error with its causes.
fn says(path: &Path) -> String {
    let error = load(path, &Device::flex()).unwrap_err();
    let mut says = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        says += &format!(": {cause}");
        source = cause.source();
    }
    says
}

#[test]
fn an_archive_or_message_of_another_kind_is_named_whatever_it_is_called() {
    let files = Files::new();
    let node = [field(1, b"x"), field(2, b"Placeholder")].concat();
    let graph = field(1, &node);
    let saved_model = [vec![0x08, 1], field(2, &field(2, &graph))].concat();
    let description = [field(1, &field(1, b"image")), field(10, &field(1, b"scores"))].concat();
    let core_ml = [vec![0x08, 5], field(2, &description)].concat();
    for (name, bytes, is) in [
        (
            "scripted.pt",
            archive(&["m/data.pkl", "m/code/__torch__.py", "m/constants.pkl"]),
            "TorchScript",
        ),
        ("mobile.ptl", archive(&["m/data.pkl", "m/bytecode.pkl", "m/version"]), "TorchScript"),
        ("exported.pt2", archive(&["m/archive_format", "m/models/model.json"]), "torch.export"),
        ("old.pt2", archive(&["serialized_exported_program.json", "version"]), "torch.export"),
        ("net.keras", archive(&["config.json", "metadata.json", "model.weights.h5"]), "Keras"),
        ("weights.npz", archive(&["conv1.weight.npy"]), "npz file"),
        ("model.zip", archive(&["model.onnx"]), "a zip archive"),
        ("net.h5", b"\x89HDF\r\n\x1a\n\0\0".to_vec(), "Keras"),
        ("net.tflite", b"\x1c\0\0\0TFL3\0\0".to_vec(), "TensorFlow Lite"),
        ("net.ort", b"\x1c\0\0\0ORTM\0\0".to_vec(), "ONNX Runtime"),
        ("net.pte", b"\x1c\0\0\0ET12\0\0".to_vec(), "ExecuTorch"),
        ("saved_model.pb", saved_model, "SavedModel"),
        ("frozen.pb", graph, "a frozen TensorFlow graph"),
        ("net.mlmodel", core_ml, "Core ML"),
        ("model.safetensors.index.json", br#"{"weight_map": {}}"#.to_vec(), "several files"),
        ("model.txt", b"404: Not Found".to_vec(), "a text file"),
    ] {
        for name in [name, "model.onnx", "model.pth", "model.safetensors"] {
            let says = says(&files.write(name, &bytes));
            assert!(says.contains(name) && says.contains(is), "{name}: {says}");
        }
    }
}

#[test]
fn a_beginning_of_a_model_is_taken_for_one() {
    for (name, bytes) in
        [("a.onnx", &b"\x08\x07"[..]), ("a.pth", b"\x80\x02"), ("a.safetensors", b"")]
    {
        let says = says(&Files::new().write(name, bytes));
        assert!(says.contains(": not a"), "{says}");
    }
}

#[test]
fn what_stands_in_for_a_model_is_named() {
    let files = Files::new();
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    for name in ["a.onnx", "a.pth", "a.safetensors"] {
        assert!(says(&files.write(name, pointer)).contains("Git LFS"));
        assert!(says(&files.write(name, b"<!DOCTYPE html><html>")).contains("HTML page"));
        assert!(says(&files.write(name, b"\x1f\x8b\x08\0\0")).contains("gzip"));
    }
}

#[test]
fn a_folder_is_named_for_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    assert!(says(folder.path()).contains("a folder"));
    fs::write(folder.path().join("saved_model.pb"), []).unwrap();
    assert!(says(folder.path()).contains("SavedModel"));
}
