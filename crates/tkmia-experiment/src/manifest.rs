//! [`Manifest`]: which samples a setting attacks and what is specified of each, as a file.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use tkmia_attacks::View;
use tkmia_core::{Fit, Tagger};
use tkmia_data::Dataset;
use tkmia_file::{read, sha256, within};

use crate::cohort::{Cohort, Drawn, Member};
use crate::error::{ExperimentError, corrupt, read_failed};
use crate::folder::{self, MANIFESTS, write_json};
use crate::setting::Setting;

/// The samples of a setting, with everything that they follow from.
///
/// Any method, machine or year that takes it attacks the same thing. Eligibility and, under the random
/// scheme, `S` depend on the clean scores; and the published form of an attack shows the classifier
/// `tanh(x)` even without a perturbation. A setting therefore has a manifest for each [`View`] that is
/// used, `Image` and `Tanh`, and methods are compared within one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// What the samples follow from.
    #[serde(flatten)]
    pub origin: Origin,
    /// The samples, in the order of their draw: that of the data set, or by the seed for those that
    /// perturbations are fitted to. What later draws of `S` gave comes after the first draw of all.
    pub samples: Vec<Listed>,
    /// Images that might have been samples, but for scores that aren't finite.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// The same that can't be decoded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undecodable: Vec<String>,
}

/// What the samples of a setting follow from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// Data set, selection, k and δ.
    pub setting: Setting,
    /// What the classifier sees without a perturbation.
    pub view: View,
    /// Of the random scheme's first draw; the next have the next seeds.
    pub seed: u64,
    /// Draws of the random scheme for each image.
    pub draws: usize,
    /// Images at most.
    pub limit: usize,
    /// The part of the data that they are from.
    pub split: String,
    /// [`VictimFacts::sha256`](crate::VictimFacts::sha256) of the victim.
    pub victim_sha256: String,
    /// [`list_sha256`](crate::list_sha256) of the data.
    pub data_sha256: String,
    /// How images become the classifier's input.
    pub input: Input,
}

impl Origin {
    /// The seeds of the random scheme's draws.
    pub fn seeds(&self) -> Range<u64> {
        self.seed..self.seed.saturating_add(self.draws as u64)
    }
}

/// How images become a classifier's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// `short-side` or `square`.
    pub resize: Fit,
    /// Height and width.
    pub side: u32,
    /// The value of a black pixel.
    pub low: f32,
    /// The value of a white pixel.
    pub high: f32,
    /// What else was said of how the classifier sees images; what files beside its own say is part of its SHA-256.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tagger: Tagger,
}

fn is_default(tagger: &Tagger) -> bool {
    *tagger == Tagger::default()
}

/// A sample in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed {
    /// The data set's own name for it.
    pub id: String,
    /// `Y_p`, label indices ascending.
    pub relevant: Vec<usize>,
    /// `S`, label indices ascending.
    pub specified: Vec<usize>,
    /// Which of the random scheme's draws gave it, from 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub draws: Vec<usize>,
}

/// A manifest as a plan has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManifestEntry {
    /// Its file within the folder.
    #[serde(deserialize_with = "file")]
    pub file: String,
    /// Data set, selection, k and δ.
    pub setting: Setting,
    /// What the classifier sees without a perturbation.
    pub view: View,
    /// The number of samples.
    pub samples: usize,
    /// Images that might have been samples, but for scores that aren't finite.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// The same that can't be decoded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undecodable: Vec<String>,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// A file in the folder of the one that names it.
fn file<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let file = String::deserialize(from)?;
    match within(Path::new(""), &file) {
        Some(_) => Ok(file),
        None => Err(D::Error::custom(format!("expected a file in the folder, found `{file}`"))),
    }
}

impl Manifest {
    /// The manifest of what was drawn.
    pub fn of(
        Drawn { cohort, lost, undecodable }: &Drawn,
        origin: Origin,
        dataset: &dyn Dataset,
    ) -> Self {
        let listed = |member: &Member| Listed {
            id: dataset.id(member.index).to_owned(),
            relevant: dataset.labels().indices(member.index),
            specified: member.specified.clone(),
            draws: member.draws.clone(),
        };
        let ids = |indices: &[usize]| -> Vec<String> {
            indices.iter().map(|&index| dataset.id(index).to_owned()).collect()
        };
        Self {
            origin,
            samples: cohort.members.iter().map(listed).collect(),
            lost: ids(lost),
            undecodable: ids(undecodable),
        }
    }

    /// The cohort, found again by the samples' ids.
    pub fn cohort(&self, dataset: &dyn Dataset) -> Result<Cohort, ExperimentError> {
        let ids = (0..dataset.len()).map(|index| (dataset.id(index), index));
        let indices: HashMap<&str, usize> = ids.collect();
        let member = |listed: &Listed| {
            let index = indices.get(listed.id.as_str()).copied();
            let index = index
                .filter(|&index| dataset.labels().indices(index) == listed.relevant)
                .ok_or_else(|| ExperimentError::Unlisted {
                dataset: dataset.name().to_owned(),
                id: listed.id.clone(),
            })?;
            let (specified, draws) = (listed.specified.clone(), listed.draws.clone());
            Ok(Member { index, specified, draws })
        };
        let members = self.samples.iter().map(member).collect::<Result<_, ExperimentError>>()?;
        Ok(Cohort { setting: self.origin.setting.clone(), members })
    }

    /// Writes it into an experiment's folder; its file's name begins like this.
    pub fn write(&self, folder: &Path, prefix: &str) -> Result<ManifestEntry, ExperimentError> {
        folder::make(&folder.join(MANIFESTS))?;
        let Origin { setting, view, .. } = &self.origin;
        let file = format!("{MANIFESTS}/{prefix}-{}.json", slug(setting, *view));
        let text = write_json(&folder.join(&file), self, false)?;
        Ok(ManifestEntry {
            file,
            setting: setting.clone(),
            view: *view,
            samples: self.samples.len(),
            lost: self.lost.clone(),
            undecodable: self.undecodable.clone(),
            sha256: sha256(text),
        })
    }
}

impl ManifestEntry {
    /// The manifest, as it was written.
    pub(crate) fn read(&self, folder: &Path) -> Result<Manifest, ExperimentError> {
        let path = folder.join(&self.file);
        let text = read(&path).map_err(read_failed(&path))?;
        let found = sha256(&text);
        if found != self.sha256 {
            let expected = self.sha256.clone();
            return Err(ExperimentError::ManifestChanged { path, expected, found });
        }
        let manifest: Manifest = serde_json::from_slice(&text).map_err(corrupt(&path))?;
        match manifest.samples.len() {
            found if found == self.samples => Ok(manifest),
            found => {
                let expected = self.samples;
                let reason = format!("expected {expected} samples as planned, found {found}");
                Err(ExperimentError::Corrupt { path, line: 1, reason })
            }
        }
    }

    /// Whether it is that of a setting as attacks of a view see it.
    pub(crate) fn is_of(&self, setting: &Setting, view: View) -> bool {
        (&self.setting, self.view) == (setting, view)
    }
}

/// A setting as part of a file's name.
pub(crate) fn slug(setting: &Setting, view: View) -> String {
    let text = setting.to_string().replace("|S|", "s").replace('δ', "delta").to_lowercase();
    let mut slug: String =
        text.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    while slug.contains("--") {
        slug = slug.replace("--", "-");
    }
    match view {
        View::Image => slug,
        View::Tanh => slug + "-tanh",
    }
}
