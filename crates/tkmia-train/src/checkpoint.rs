//! What a run continues from: [`Checkpoint`].

use std::io;
use std::path::Path;

use burn::module::Module;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tkmia_file::sha256;
use tkmia_models::TrainableResNet;

use crate::{Curve, TrainError};

/// The version of the file's layout.
const VERSION: u32 = 2;

/// The state of a run after an epoch.
///
/// Its file is a line of JSON, then the records of the network and of the optimiser, as Burn packs
/// them. The records keep the parameters' ids, by which an optimiser knows its state.
#[derive(Debug)]
pub struct Checkpoint {
    pub curve: Curve,
    network: Vec<u8>,
    optimiser: Vec<u8>,
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    version: u32,
    /// What the run is: a run of another is refused.
    run: Value,
    curve: Curve,
    network: usize,
    optimiser: usize,
    /// Of both: a bit that has flipped would train on.
    sha256: String,
}

impl Checkpoint {
    /// Of a network whose running statistics are at rest.
    pub fn new(
        curve: &Curve,
        network: &TrainableResNet,
        optimiser: &ModuleOptimizer,
    ) -> Result<Self, TrainError> {
        let packed = |bytes: Result<Bytes, RecordError>| {
            bytes.map(|bytes| bytes.to_vec()).map_err(TrainError::Record)
        };
        Ok(Self {
            curve: curve.clone(),
            network: packed(network.clone().into_record().into_bytes())?,
            optimiser: packed(optimiser.to_record().into_bytes())?,
        })
    }

    /// Puts the network and the optimiser into the state that it holds.
    pub fn restore(
        self,
        path: &Path,
        network: TrainableResNet,
        optimiser: ModuleOptimizer,
    ) -> Result<(TrainableResNet, ModuleOptimizer), TrainError> {
        let damaged = |error: RecordError| damaged(path, error.to_string());
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(self.network));
        let network = record.and_then(|record| network.try_load_record(record)).map_err(damaged)?;
        let record = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(self.optimiser));
        Ok((network, optimiser.load_record(record.map_err(damaged)?)))
    }

    /// Writes it, whole or not at all.
    pub fn write(&self, path: &Path, run: &Value) -> Result<(), TrainError> {
        let records = [&self.network[..], &self.optimiser].concat();
        let head = Head {
            version: VERSION,
            run: run.clone(),
            curve: self.curve.clone(),
            network: self.network.len(),
            optimiser: self.optimiser.len(),
            sha256: sha256(&records),
        };
        let head = serde_json::to_vec(&head).map_err(io::Error::from);
        write_whole(path, head.map(|head| [&head, &b"\n"[..], &records].concat()))
    }

    /// Reads that of a run, or `None` if there is none.
    ///
    /// # Errors
    /// [`TrainError::Changed`] if it is of another run, [`TrainError::Checkpoint`] if it's damaged.
    pub fn read(path: &Path, run: &Value) -> Result<Option<Self>, TrainError> {
        let bytes = match tkmia_file::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TrainError::Read { path: path.to_owned(), source }),
        };
        let line = bytes.iter().position(|&byte| byte == b'\n');
        let line = line.ok_or_else(|| damaged(path, "expected a line of json".to_owned()))?;
        let head: Head = serde_json::from_slice(&bytes[..line])
            .map_err(|error| damaged(path, error.to_string()))?;
        let changed = (head.version != VERSION)
            .then(|| ("layout".to_owned(), VERSION.to_string(), head.version.to_string()))
            .or_else(|| difference("", run, &head.run));
        if let Some((field, expected, found)) = changed {
            return Err(TrainError::Changed { path: path.to_owned(), field, expected, found });
        }
        let rest = &bytes[line + 1..];
        if head.network.checked_add(head.optimiser) != Some(rest.len()) {
            let reason = format!("{} bytes after its first line", rest.len());
            return Err(damaged(path, reason));
        }
        let found = sha256(rest);
        if found != head.sha256 {
            let expected = head.sha256;
            return Err(damaged(path, format!("expected SHA-256 {expected}, found {found}")));
        }
        let (network, optimiser) = rest.split_at(head.network);
        let (network, optimiser) = (network.to_vec(), optimiser.to_vec());
        Ok(Some(Self { curve: head.curve, network, optimiser }))
    }
}

fn damaged(path: &Path, reason: String) -> TrainError {
    TrainError::Checkpoint { path: path.to_owned(), reason }
}

/// The first field in which two descriptions differ, and its two values.
fn difference(name: &str, expected: &Value, found: &Value) -> Option<(String, String, String)> {
    match (expected, found) {
        _ if expected == found => None,
        (Value::Object(left), Value::Object(right)) => left
            .iter()
            .find_map(|(key, value)| {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                difference(&name, value, right.get(key).unwrap_or(&Value::Null))
            })
            .or_else(|| Some((name.to_owned(), expected.to_string(), found.to_string()))),
        _ => Some((name.to_owned(), expected.to_string(), found.to_string())),
    }
}

/// Writes a file whole or not at all, if its contents could be made.
pub fn write_whole(path: &Path, bytes: io::Result<Vec<u8>>) -> Result<(), TrainError> {
    let written = bytes.and_then(|bytes| tkmia_file::write_whole(path, bytes));
    written.map_err(TrainError::write(path))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_difference_is_named_with_both_values() {
        let run = json!({ "classes": 20, "settings": { "epochs": 3, "seed": 1 } });
        assert_eq!(difference("", &run, &run), None);
        let other = json!({ "classes": 20, "settings": { "epochs": 3, "seed": 2 } });
        let expected = Some(("settings.seed".to_owned(), "1".to_owned(), "2".to_owned()));
        assert_eq!(difference("", &run, &other), expected);
    }
}
