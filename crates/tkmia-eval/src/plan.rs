//! [`Plan`]: what a folder of records is of.

use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::experiment::{Run, Table, View};
use crate::journal::Entry;
use crate::manifest::{Input, Manifest};
use crate::tuning::Trial;
use crate::{EvalError, Setting};

/// What a folder of records is of: `plan.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What reports are headed with.
    pub title: String,
    /// What the records depend on; a run goes on only where none of it has changed.
    pub inputs: Inputs,
    /// Which part of the samples, if not all.
    pub shard: Option<Shard>,
    /// The manifests, in the order in which settings first appear.
    pub manifests: Vec<ManifestEntry>,
    /// How hyper-parameters were chosen.
    pub trials: Vec<Trial>,
    /// The attacks, in the order of their records.
    pub jobs: Vec<Job>,
}

/// What records depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inputs {
    /// The form of these files.
    pub format: u32,
    /// The classifier.
    pub victim: VictimFacts,
    /// The images.
    pub data: DataFacts,
    /// How images come to the classifier's input.
    pub input: Input,
    /// Of the random scheme.
    pub seed: u64,
    /// Samples in a setting at most.
    pub samples: usize,
    /// Samples of each setting whose images are kept.
    pub pictures: usize,
    /// Settings, and the attacks on each.
    pub tables: Vec<Table>,
    /// The samples that hyper-parameters are chosen on.
    pub tuning: Option<TuningFacts>,
}

/// The form of plans, manifests and records that this version writes.
pub(crate) const FORMAT: u32 = 1;

/// A classifier, for a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VictimFacts {
    /// [`file_sha256`](crate::file_sha256) of its file.
    pub sha256: String,
    /// What it is, in words.
    pub description: String,
}

/// A data set, for a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataFacts {
    /// Its name.
    pub name: String,
    /// The number of its images.
    pub images: usize,
    /// [`list_sha256`](crate::list_sha256) of it.
    pub sha256: String,
    /// The label names, in label order.
    pub classes: Vec<String>,
}

/// Where hyper-parameters are chosen, for a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TuningFacts {
    /// The images.
    pub data: DataFacts,
    /// Samples in a setting at most.
    pub samples: usize,
}

/// A manifest of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManifestEntry {
    /// Its file within the folder.
    pub file: String,
    /// Data set, selection, k and δ.
    pub setting: Setting,
    /// What the classifier sees without a perturbation.
    pub view: View,
    /// The number of samples.
    pub samples: usize,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// An attack on the samples of a manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Position in [`Inputs::tables`].
    pub table: usize,
    /// Position in [`Plan::manifests`].
    pub manifest: usize,
    /// The attack.
    pub run: Run,
}

/// One of several parts of an experiment's samples: those at positions `index − 1`, `index − 1 + count`, …
/// of each manifest.
///
/// # Example
///
/// ```
/// use tkmia_eval::Shard;
///
/// let shard: Shard = "2/3".parse()?;
/// assert_eq!((0..7).filter(|&at| shard.holds(at)).collect::<Vec<_>>(), [1, 4]);
/// assert!("4/3".parse::<Shard>().is_err());
/// # Ok::<(), tkmia_eval::NotAShard>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which part, from 1.
    pub index: usize,
    /// How many parts there are.
    pub count: usize,
}

/// A text that names no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected I/N with 1 ≤ I ≤ N, as in 3/16, found `{0}`")]
pub struct NotAShard(String);

impl FromStr for Shard {
    type Err = NotAShard;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('/');
        let numbers =
            parts.and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match numbers {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err(NotAShard(text.to_owned())),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl Shard {
    /// Whether the sample at this position of a manifest belongs to the part.
    pub fn holds(self, position: usize) -> bool {
        position % self.count == self.index - 1
    }
}

impl Plan {
    /// Reads the plan of a folder.
    ///
    /// # Errors
    /// [`EvalError::NotAnExperiment`] if the folder holds none, [`EvalError::Corrupt`] if it isn't one.
    pub fn read(folder: &Path) -> Result<Self, EvalError> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Err(EvalError::NotAnExperiment { path: folder.to_owned() });
        }
        let text = std::fs::read(&path)
            .map_err(|source| EvalError::Read { path: path.clone(), source })?;
        serde_json::from_slice(&text).map_err(|error| EvalError::Corrupt {
            path,
            line: error.line(),
            reason: error.to_string(),
        })
    }

    /// Which positions of a manifest this folder has records of.
    pub(crate) fn positions(&self, manifest: usize) -> Vec<usize> {
        let all = 0..self.manifests[manifest].samples;
        all.filter(|&position| self.shard.is_none_or(|shard| shard.holds(position))).collect()
    }

    /// How many samples the attack at this position of [`jobs`](Self::jobs) is on.
    ///
    /// # Panics
    /// If there is no such attack.
    pub fn samples_of(&self, job: usize) -> usize {
        self.positions(self.jobs[job].manifest).len()
    }

    /// What each record is to be of, in their order; `names` are the [names](Self::names) of the runs.
    pub(crate) fn entries<'a>(
        &'a self,
        names: &'a [String],
        manifests: &'a [Manifest],
    ) -> impl Iterator<Item = Entry<'a>> {
        self.jobs.iter().zip(names).flat_map(|(job, method)| {
            let Manifest { origin, samples } = &manifests[job.manifest];
            let positions = self.positions(job.manifest).into_iter();
            positions.map(move |at| Entry { setting: &origin.setting, method, id: &samples[at].id })
        })
    }

    /// The name of each job's run, as records have it.
    pub(crate) fn names(&self) -> Vec<String> {
        self.jobs.iter().map(|job| job.run.to_string()).collect()
    }

    /// How many records there are to be.
    pub fn records(&self) -> usize {
        self.jobs.iter().map(|job| self.positions(job.manifest).len()).sum()
    }
}

/// The name of a plan's file.
pub(crate) const FILE: &str = "plan.json";

/// Refuses `now` if it isn't what the folder was begun with, and names the first differences.
///
/// # Errors
/// [`EvalError::Changed`].
pub(crate) fn refuse_changes(
    folder: &Path,
    was: &impl Serialize,
    now: &impl Serialize,
) -> Result<(), EvalError> {
    const SHOWN: usize = 5;
    let value =
        |of: &dyn Fn() -> serde_json::Result<Value>| of().expect("plain values can be written");
    let (was, now) = (value(&|| serde_json::to_value(was)), value(&|| serde_json::to_value(now)));
    let mut found = Vec::new();
    differences("", &was, &now, &mut found);
    if found.is_empty() {
        return Ok(());
    }
    let more = found.len().saturating_sub(SHOWN);
    let mut differences = found.into_iter().take(SHOWN).collect::<Vec<_>>().join("; ");
    if more > 0 {
        differences += &format!("; and {more} more");
    }
    Err(EvalError::Changed { path: folder.to_owned(), differences })
}

fn differences(place: &str, was: &Value, now: &Value, found: &mut Vec<String>) {
    let inner = |key: &str| match place {
        "" => key.to_owned(),
        _ => format!("{place}.{key}"),
    };
    match (was, now) {
        (Value::Object(was), Value::Object(now)) => {
            let mut keys: Vec<&String> = was.keys().chain(now.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let at = |map: &serde_json::Map<String, Value>| map.get(key).cloned();
                let (was, now) = (at(was).unwrap_or_default(), at(now).unwrap_or_default());
                differences(&inner(key), &was, &now, found);
            }
        }
        (Value::Array(was), Value::Array(now)) if was.len() == now.len() => {
            for (number, (was, now)) in (1..).zip(was.iter().zip(now)) {
                differences(&format!("{place} {number}"), was, now, found);
            }
        }
        (Value::Array(was), Value::Array(now)) => {
            found.push(format!("{place}: {} were recorded, now {}", was.len(), now.len()));
        }
        _ if was == now => {}
        _ => found.push(format!("{place}: {was} was recorded, now {now}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_out_all_positions() {
        for count in 1..6 {
            let shards = (1..=count).map(|index| Shard { index, count });
            let mut all: Vec<usize> =
                shards.flat_map(|shard| (0..13).filter(move |&at| shard.holds(at))).collect();
            all.sort();
            assert_eq!(all, (0..13).collect::<Vec<_>>());
        }
        for bad in ["", "1", "0/2", "3/2", "a/b", "1/0", "-1/2"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
        assert_eq!("3/16".parse::<Shard>().unwrap().to_string(), "3/16");
    }

    #[test]
    fn differences_are_named_by_their_place() {
        let was = serde_json::json!({ "seed": 1, "tables": [{ "k": [1, 2] }], "title": "x" });
        let now =
            serde_json::json!({ "seed": 2, "tables": [{ "k": [1, 3] }], "title": "x", "new": 1 });
        let error = refuse_changes(Path::new("out"), &was, &now).unwrap_err().to_string();
        for expected in [
            "seed: 1 was recorded, now 2",
            "tables 1.k 2: 2 was recorded, now 3",
            "new: null was recorded, now 1",
        ] {
            assert!(error.contains(expected), "{error}");
        }
        assert!(!error.contains("title"));
        assert!(refuse_changes(Path::new("out"), &was, &was).is_ok());
    }
}
