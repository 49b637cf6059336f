//! Fingerprints of what an experiment depends on: [`model_sha256`], [`list_sha256`].

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tkmia_data::Dataset;
use tkmia_file::{sha256, sha256_read};

use crate::error::{ExperimentError, read_failed};

/// SHA-256 of a model's file, in hexadecimal digits.
///
/// Where a file `<name>.data` lies beside it, as PyTorch writes the weights of a large ONNX model, that
/// follows in the same hash.
///
/// # Errors
/// [`ExperimentError::Read`].
pub fn model_sha256(path: &Path) -> Result<String, ExperimentError> {
    let mut external = path.as_os_str().to_owned();
    external.push(".data");
    let external = PathBuf::from(external);
    let hash = || -> io::Result<String> {
        let model = File::open(path)?;
        match external.is_file() {
            true => sha256_read(model.chain(File::open(&external)?)),
            false => sha256_read(model),
        }
    };
    hash().map_err(read_failed(path))
}

/// SHA-256 of a data set's list: a line with the class names, then one with the id and the relevant
/// labels of each image, as JSON: `["2008_000002",[14,19]]`.
pub fn list_sha256(dataset: &dyn Dataset) -> String {
    let mut lines = serde_json::json!(dataset.classes()).to_string() + "\n";
    for index in 0..dataset.len() {
        let line = serde_json::json!([dataset.id(index), dataset.labels().indices(index)]);
        lines += &format!("{line}\n");
    }
    sha256(lines)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn weights_beside_a_model_are_part_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model.onnx");
        fs::write(&model, "ab").unwrap();
        let alone = model_sha256(&model).unwrap();
        // echo -n ab | sha256sum
        assert_eq!(alone, "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603");
        fs::write(folder.path().join("model.onnx.data"), "c").unwrap();
        assert_eq!(model_sha256(&model).unwrap(), sha256("abc"));
        fs::remove_file(&model).unwrap();
        assert!(matches!(model_sha256(&model), Err(ExperimentError::Read { .. })));
    }
}
