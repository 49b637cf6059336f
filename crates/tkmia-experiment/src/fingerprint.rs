//! The fingerprint of the images that an experiment depends on: [`list_sha256`].

use std::fs;
use std::path::PathBuf;

use tkmia_data::Dataset;
use tkmia_file::sha256;

/// The file of an image, by which it is the same under any other name of its folder.
pub(crate) fn image_file(dataset: &dyn Dataset, index: usize) -> PathBuf {
    let path = dataset.image_path(index);
    fs::canonicalize(&path).unwrap_or(path)
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
