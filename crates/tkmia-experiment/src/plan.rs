//! [`Plan`]: what a folder of records is of.

use std::fmt;
use std::iter;
use std::path::Path;
use std::rc::Rc;

use serde::de::Error;
use serde::{Deserialize, Serialize};
use tkmia_attacks::{AttackSettings, View};
use tkmia_core::LARGEST_SIDE;
use tkmia_file::read_text;

use crate::error::{ExperimentError, corrupt, read_failed};
use crate::folder::{PLAN, RECORDS, write_json};
use crate::journal::{self, Expected};
use crate::manifest::{Input, Manifest, ManifestEntry, Origin};
use crate::missed::Missed;
use crate::record::{Named, Record};
use crate::shard::Shard;
use crate::spec::Table;
use crate::tuning::Trial;

/// What a folder of records is of: `plan.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What reports are headed with.
    pub title: String,
    /// What the records depend on; a run is continued only if none of it has changed.
    pub inputs: Inputs,
    /// Which part of the samples, if not all.
    pub shard: Option<Shard>,
    /// The manifests, in the order in which settings first appear.
    pub manifests: Vec<ManifestEntry>,
    /// How hyper-parameters were chosen.
    pub trials: Vec<Trial>,
    /// The images that universal perturbations are fitted to: a manifest for each setting and view that has
    /// some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fits: Vec<ManifestEntry>,
    /// The attacks, in the order of their records.
    pub jobs: Vec<Job>,
}

/// What records depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inputs {
    /// The form of these files, [`FORMAT`].
    pub format: u32,
    /// The classifier.
    pub victim: VictimFacts,
    /// The images.
    pub data: DataFacts,
    /// How images become the classifier's input.
    pub input: Input,
    /// Of the random scheme's first draw.
    pub seed: u64,
    /// Draws of the random scheme for each image.
    pub draws: usize,
    /// Images in a setting at most.
    pub samples: usize,
    /// Samples of each setting whose images are kept.
    pub pictures: usize,
    /// Settings, and the attacks on each.
    pub tables: Vec<Table>,
    /// The samples that hyper-parameters are chosen on.
    pub tuning: Option<TuningFacts>,
    /// The images that universal perturbations are fitted to, where there are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<FitImages>,
}

/// The form of plans, manifests and records that this version writes.
pub const FORMAT: u32 = 3;

/// Samples of a setting at most: more than there are images in any data set that is read.
const MOST_SAMPLES: usize = 1 << 26;
/// Draws for each image at most.
const MOST_DRAWS: usize = 1 << 16;

/// A classifier, for a plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VictimFacts {
    /// SHA-256 of its files, as `tkmia_models::fingerprint` gives it.
    pub sha256: String,
    /// What it is, in words.
    pub description: String,
    /// What is attacked in its place, where that is another one: the SHA-256 of the files, and in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surrogate: Option<String>,
    /// The split of the data that it was trained on, or `other`; none if that isn't stated.
    pub trained_on: Option<String>,
    /// Whether nothing about the attacks was chosen on it.
    pub held_out: bool,
}

/// A data set, for a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataFacts {
    /// Its name.
    pub name: String,
    /// Which part of it, in words; empty where it has none.
    pub split: String,
    /// The number of its images.
    pub images: usize,
    /// [`list_sha256`](crate::list_sha256) of it.
    pub sha256: String,
    /// The label names, in label order.
    pub classes: Vec<String>,
}

/// `VOC 2012, val, 300 images`.
impl fmt::Display for DataFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, split, images, .. } = self;
        let comma = if split.is_empty() { "" } else { ", " };
        write!(f, "{name}{comma}{split}, {images} images")
    }
}

/// Where hyper-parameters are chosen, for a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TuningFacts {
    /// The images.
    pub data: DataFacts,
    /// Samples in a setting at most.
    pub samples: usize,
}

/// Where universal perturbations are fitted, for a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitImages {
    /// The images.
    pub data: DataFacts,
    /// Images for a setting at most.
    pub samples: usize,
}

/// An attack on the samples of a manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Position in [`Inputs::tables`].
    pub table: usize,
    /// Position in [`Plan::manifests`].
    pub manifest: usize,
    /// The attack.
    pub run: AttackSettings,
}

impl Inputs {
    /// The manifests that are asked for: of each setting, in the order of their first appearance, one for
    /// each view that the methods have.
    pub(crate) fn origins(&self) -> Vec<Origin> {
        self.origins_of(&self.data, self.samples, self.draws, |_| true)
    }

    /// The same of the images that universal perturbations are fitted to.
    pub(crate) fn fit_origins(&self) -> Vec<Origin> {
        let universal = |run: &&AttackSettings| run.name().is_universal();
        let fit = self.fit.as_ref();
        fit.map_or(Vec::new(), |fit| self.origins_of(&fit.data, fit.samples, 1, universal))
    }

    fn origins_of(
        &self,
        data: &DataFacts,
        limit: usize,
        draws: usize,
        of: impl Fn(&&AttackSettings) -> bool,
    ) -> Vec<Origin> {
        let mut origins: Vec<Origin> = Vec::new();
        for table in &self.tables {
            let mut views: Vec<View> = table.runs().filter(&of).map(AttackSettings::view).collect();
            views.sort();
            views.dedup();
            for setting in &table.settings {
                for &view in &views {
                    let known = |origin: &Origin| (&origin.setting, origin.view) == (setting, view);
                    if !origins.iter().any(known) {
                        origins.push(Origin {
                            setting: setting.clone(),
                            view,
                            seed: self.seed,
                            draws,
                            limit,
                            split: data.split.clone(),
                            victim_sha256: self.victim.sha256.clone(),
                            data_sha256: data.sha256.clone(),
                            input: self.input.clone(),
                        });
                    }
                }
            }
        }
        origins
    }

    /// The attacks, in the order of the tables' rows, without those points of grids that weren't chosen.
    pub(crate) fn jobs(&self, manifests: &[ManifestEntry], trials: &[Trial]) -> Vec<Job> {
        let mut jobs = Vec::new();
        for (number, table) in self.tables.iter().enumerate() {
            let rejected = |run: &AttackSettings| {
                let is_of = |trial: &Trial| (trial.table, &trial.run) == (number, run);
                trials.iter().any(|trial| is_of(trial) && !trial.chosen)
            };
            for (setting, run) in table.attacks().filter(|(_, run)| !rejected(run)) {
                let manifest = manifests.iter().position(|entry| entry.is_of(setting, run.view()));
                let manifest = manifest.expect("every setting and view has a manifest");
                jobs.push(Job { table: number, manifest, run: run.clone() });
            }
        }
        jobs
    }
}

impl Plan {
    /// Reads the plan of a folder.
    ///
    /// # Errors
    /// [`ExperimentError::NotAnExperiment`] if the folder holds none, [`ExperimentError::Format`] if it is
    /// of another version's form, [`ExperimentError::Corrupt`] if it isn't one.
    pub fn read(folder: &Path) -> Result<Self, ExperimentError> {
        let path = folder.join(PLAN);
        if !path.is_file() {
            return Err(ExperimentError::NotAnExperiment { path: folder.to_owned() });
        }
        let text = read_text(&path).map_err(read_failed(&path))?;
        let value: serde_json::Value = serde_json::from_str(&text).map_err(corrupt(&path))?;
        match value["inputs"]["format"].as_u64() {
            Some(found) if found != u64::from(FORMAT) => {
                Err(ExperimentError::Format { path: folder.to_owned(), expected: FORMAT, found })
            }
            _ => serde_json::from_str(&text).and_then(Self::consistent).map_err(corrupt(&path)),
        }
    }

    /// The plan, if what refers to a part of it refers to one that there is.
    fn consistent(self) -> Result<Self, serde_json::Error> {
        let refuse = |message: String| Err(serde_json::Error::custom(message));
        let entries = self.manifests.iter().chain(&self.fits);
        if let Some(entry) = entries.clone().find(|entry| entry.samples > MOST_SAMPLES) {
            return refuse(format!(
                "{}: expected at most {MOST_SAMPLES} samples, found {}",
                entry.file, entry.samples
            ));
        }
        if let Some(shard) = self.shard.filter(|shard| !(1..=shard.count).contains(&shard.index)) {
            return refuse(format!("shard: expected I/N with 1 ≤ I ≤ N, found {shard}"));
        }
        let Inputs { draws, input, .. } = &self.inputs;
        for (field, found, most) in [
            ("draws", *draws, MOST_DRAWS),
            ("input.side", input.side as usize, LARGEST_SIDE as usize),
        ] {
            if !(1..=most).contains(&found) {
                return refuse(format!("inputs.{field}: expected 1..={most}, found {found}"));
            }
        }
        let lists = [self.inputs.tables.len(), self.manifests.len()];
        let outside = |job: &Job| job.table >= lists[0] || job.manifest >= lists[1];
        match self.jobs.iter().position(outside) {
            Some(at) => {
                let Job { table, manifest, .. } = self.jobs[at];
                let [tables, manifests] = lists;
                refuse(format!(
                    "jobs[{at}]: expected one of {tables} tables and {manifests} manifests, found {table} and {manifest}"
                ))
            }
            None => Ok(self),
        }
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), ExperimentError> {
        write_json(&folder.join(PLAN), self, true).map(drop)
    }

    /// Its manifests, as they were written.
    pub(crate) fn read_manifests(&self, folder: &Path) -> Result<Vec<Manifest>, ExperimentError> {
        self.manifests.iter().map(|entry| entry.read(folder)).collect()
    }

    /// The records that its folder has by now, in the order of the [jobs](Self::jobs), each of the sample
    /// and the attack that is planned there.
    ///
    /// # Errors
    /// [`ExperimentError::Unplanned`] and [`ExperimentError::Corrupt`] for a line that is of something
    /// else, [`ExperimentError::ManifestChanged`], [`ExperimentError::File`].
    pub fn read_records(&self, folder: &Path) -> Result<Vec<Record>, ExperimentError> {
        let mut records = Vec::new();
        self.each_record(folder, |_, record| {
            records.push(record);
            Ok::<(), ExperimentError>(())
        })?;
        Ok(records)
    }

    /// The same one after another, with the position of their job: what is kept of them alone takes memory.
    ///
    /// # Errors
    /// As [`read_records`](Self::read_records), and what `take` fails with.
    pub fn each_record<E: From<ExperimentError>>(
        &self,
        folder: &Path,
        mut take: impl FnMut(usize, Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let path = folder.join(RECORDS);
        if !path.is_file() {
            return Ok(());
        }
        let manifests = self.read_manifests(folder)?;
        let (classes, draws) = (self.inputs.data.classes.len(), self.inputs.draws);
        let mut jobs =
            (0..self.jobs.len()).flat_map(|job| iter::repeat_n(job, self.samples_of(job)));
        let mut line = 0;
        journal::read(&path, self.expected(&manifests), |record| {
            line += 1;
            if !record.is_within(classes, draws) {
                let reason =
                    format!("expected scores of {classes} labels in {draws} draws, and no others");
                return Err(ExperimentError::Corrupt { path: path.clone(), line, reason }.into());
            }
            take(jobs.next().expect("the record is expected there"), record)
        })
        .map(drop)
    }

    /// The images that are in no manifest because they could not even be scored; [records](Record::is_lost) know of others.
    pub fn missed(&self) -> Missed {
        let entries = self.manifests.iter();
        Missed {
            lost: entries.clone().flat_map(|entry| &entry.lost).cloned().collect(),
            undecodable: entries.flat_map(|entry| &entry.undecodable).cloned().collect(),
        }
    }

    /// Which positions of a manifest this folder has records of.
    pub fn positions(&self, manifest: usize) -> Vec<usize> {
        self.each_position(manifest).collect()
    }

    fn each_position(&self, manifest: usize) -> impl Iterator<Item = usize> {
        let (all, shard) = (0..self.manifests[manifest].samples, self.shard);
        all.filter(move |&position| shard.is_none_or(|shard| shard.holds(position)))
    }

    /// Those of them whose images are kept.
    pub fn pictured(&self, manifest: usize) -> Vec<usize> {
        self.each_position(manifest)
            .take_while(|&position| position < self.inputs.pictures)
            .collect()
    }

    /// How many samples the attack at this position of [`jobs`](Self::jobs) is on.
    ///
    /// # Panics
    /// If there is no such attack.
    pub fn samples_of(&self, job: usize) -> usize {
        self.each_position(self.jobs[job].manifest).count()
    }

    /// How many records there are to be.
    pub fn records(&self) -> usize {
        (0..self.jobs.len()).map(|job| self.samples_of(job)).sum()
    }

    /// What each record is to be of, in their order.
    pub(crate) fn expected<'a>(
        &'a self,
        manifests: &'a [Manifest],
    ) -> impl Iterator<Item = Expected<'a>> {
        self.jobs.iter().flat_map(|job| {
            let Manifest { origin, samples, .. } = &manifests[job.manifest];
            let run = Rc::new(Named::from(&job.run));
            self.each_position(job.manifest).map(move |at| Expected {
                setting: &origin.setting,
                run: run.clone(),
                id: &samples[at].id,
                specified: &samples[at].specified,
            })
        })
    }
}
