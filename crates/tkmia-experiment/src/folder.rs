//! What lies where in an experiment's folder, and [`lock`]: that one process works there.
//!
//! ```text
//! plan.json        what the records depend on, and the attacks in their order
//! manifests/       the samples of each setting
//! records.jsonl    a line for each setting, attack and sample
//! perturbations/   the universal ones: as npz and as a picture, and how they were fitted
//! images/          of the first samples of each setting
//! tuning/          the same of the samples on which hyper-parameters are chosen
//! lock             held while a process works here
//! ```

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;
use tkmia_file::write_whole;

use crate::error::{ExperimentError, write_failed};

pub(crate) const PLAN: &str = "plan.json";
pub(crate) const MANIFESTS: &str = "manifests";
pub(crate) const RECORDS: &str = "records.jsonl";
pub(crate) const IMAGES: &str = "images";
pub(crate) const PERTURBATIONS: &str = "perturbations";
pub(crate) const TUNING: &str = "tuning";

/// Makes a folder.
pub(crate) fn make(path: &Path) -> Result<(), ExperimentError> {
    fs::create_dir_all(path).map_err(write_failed(path))
}

/// Makes a folder, and keeps other processes out of it until the file is dropped.
///
/// What a killed process has left there half written is removed.
///
/// # Errors
/// [`ExperimentError::Locked`], and [`ExperimentError::File`].
pub fn lock(folder: &Path) -> Result<File, ExperimentError> {
    let path = folder.join("lock");
    make(folder)?;
    let file = File::create(&path).map_err(write_failed(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(ExperimentError::Locked { path: folder.to_owned() });
        }
        // Some file systems of clusters have no locks; the shards of one have folders of their own.
        Err(TryLockError::Error(source)) if source.kind() == ErrorKind::Unsupported => {}
        Err(TryLockError::Error(source)) => return Err(write_failed(&path)(source)),
    }
    for place in ["", MANIFESTS, IMAGES, PERTURBATIONS] {
        for entry in fs::read_dir(folder.join(place)).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "partial") {
                fs::remove_file(entry.path()).map_err(write_failed(&entry.path()))?;
            }
        }
    }
    Ok(file)
}

/// Writes a value as JSON, with a line's end, and gives the file's bytes.
pub(crate) fn write_json(
    path: &Path,
    value: &impl Serialize,
    pretty: bool,
) -> Result<Vec<u8>, ExperimentError> {
    let to_json = if pretty { serde_json::to_vec_pretty } else { serde_json::to_vec };
    let mut text = to_json(value).expect("plain values can be written");
    text.push(b'\n');
    write_whole(path, &text).map_err(write_failed(path))?;
    Ok(text)
}
