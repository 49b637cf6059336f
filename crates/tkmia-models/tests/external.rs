//! Weights beside an ONNX file: every file of them is part of the network.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use std::fs;
use std::path::Path;

use golden::golden;
use tkmia_models::{fingerprint, model_files};

/// A network whose data are in a file of that name, as long as the name in the recording.
fn network(folder: &Path, data: &str) -> std::path::PathBuf {
    let recorded = golden("variants/dynamo-external.onnx");
    let (name, model) = (&b"dynamo-external.onnx.data"[..], folder.join("model.onnx"));
    assert_eq!(data.len(), name.len());
    let mut bytes = fs::read(&recorded).unwrap();
    let mut found = 0;
    while let Some(at) = bytes.windows(name.len()).position(|window| window == name) {
        bytes[at..at + name.len()].copy_from_slice(data.as_bytes());
        found += 1;
    }
    assert!(found > 0);
    fs::write(&model, bytes).unwrap();
    fs::create_dir_all(folder.join(data).parent().unwrap()).unwrap();
    fs::copy(recorded.with_extension("onnx.data"), folder.join(data)).unwrap();
    model
}

#[test]
fn a_fingerprint_has_every_file_by_its_content() {
    for data in
        ["a-network-of-ours.onnx_da", "weights.bin.................", "weights/of-the-model/w.bin"]
    {
        let data = &data[..25];
        let folder = tempfile::tempdir().unwrap();
        let model = network(folder.path(), data);
        let external = folder.path().join(data);
        assert_eq!(model_files(&model).unwrap(), [model.clone(), external.clone()]);
        let before = fingerprint(&model).unwrap();
        let mut bytes = fs::read(&external).unwrap();
        bytes[7] ^= 1;
        fs::write(&external, &bytes).unwrap();
        assert_ne!(fingerprint(&model).unwrap(), before);
        bytes[7] ^= 1;
        fs::write(&external, &bytes).unwrap();
        fs::write(folder.path().join("model.onnx.data"), "no part of it").unwrap();
        assert_eq!(fingerprint(&model).unwrap(), before);
    }
}

#[test]
fn a_file_of_its_own_has_its_own_hash() {
    // sha256sum legacy-17.onnx
    let model = golden("variants/legacy-17.onnx");
    assert_eq!(model_files(&model).unwrap(), std::slice::from_ref(&model));
    assert_eq!(fingerprint(&model).unwrap(), tkmia_file::sha256(fs::read(&model).unwrap()));
}
