//! Fingerprints of what an experiment depends on: [`file_sha256`], [`list_sha256`].

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tkmia_data::Dataset;

use crate::EvalError;

/// SHA-256 of a file, in hexadecimal digits.
///
/// Where a file `<name>.data` lies beside it, as PyTorch writes the weights of a large ONNX model, that
/// follows in the same hash.
///
/// # Errors
/// [`EvalError::Read`].
pub fn file_sha256(path: &Path) -> Result<String, EvalError> {
    let mut hash = Sha256::new();
    feed(path, &mut hash)?;
    let mut external = path.as_os_str().to_owned();
    external.push(".data");
    let external = PathBuf::from(external);
    if external.is_file() {
        feed(&external, &mut hash)?;
    }
    Ok(hexadecimal(hash))
}

fn feed(path: &Path, hash: &mut Sha256) -> Result<(), EvalError> {
    let copied = File::open(path).and_then(|mut file| io::copy(&mut file, hash));
    copied.map(drop).map_err(|source| EvalError::Read { path: path.to_owned(), source })
}

/// SHA-256 of a data set's list: a line with the class names, then one with the id and the relevant
/// labels of each image, as JSON: `["2008_000002",[14,19]]`.
pub fn list_sha256(dataset: &dyn Dataset) -> String {
    let mut hash = Sha256::new();
    let mut line = |json: serde_json::Value| {
        hash.update(json.to_string());
        hash.update("\n");
    };
    line(dataset.classes().into());
    for index in 0..dataset.len() {
        line(serde_json::json!([dataset.id(index), dataset.labels().indices(index)]));
    }
    hexadecimal(hash)
}

/// SHA-256 of bytes, in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hexadecimal(hash)
}

fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn weights_beside_a_model_are_part_of_it() {
        let folder = std::env::temp_dir().join(format!("fingerprint-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let model = folder.join("model.onnx");
        fs::write(&model, "ab").unwrap();
        let alone = file_sha256(&model).unwrap();
        // echo -n ab | sha256sum
        assert_eq!(alone, "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603");
        fs::write(folder.join("model.onnx.data"), "c").unwrap();
        assert_eq!(file_sha256(&model).unwrap(), sha256(b"abc"));
        fs::remove_dir_all(&folder).unwrap();
        assert!(matches!(file_sha256(&model), Err(EvalError::Read { .. })));
    }
}
