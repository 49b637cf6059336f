//! [`Fit`]: the universal perturbation of an attack on a setting, fitted once and kept in the folder.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};
use tkmia_attacks::{
    AttackBatch, AttackError, AttackSettings, Controls, Passes, Step, UniversalAttack,
    UniversalPerturbation,
};
use tkmia_core::Classifier;

use crate::error::{ExperimentError, corrupt, read_failed};
use crate::folder::{self, PERTURBATIONS, write_json};
use crate::perturbation::{read_perturbation, values_sha256, write_perturbation};
use crate::workers::Workers;

/// A universal perturbation and what is known of its fit.
#[derive(Debug)]
pub(crate) struct Fit {
    pub perturbation: UniversalPerturbation,
    pub facts: FitFacts,
}

/// What is known of a universal perturbation's fit: beside it, and in every record of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitFacts {
    /// SHA-256 of the perturbation's values.
    pub sha256: String,
    /// Images that it was fitted to; none is a reported sample of the setting.
    pub images: usize,
    /// The share of these on which it succeeds. It says nothing of other images.
    pub success: f64,
    /// Rounds over these images.
    pub rounds: usize,
    /// Forward passes of the fit, of each image in the mean.
    pub forward: f64,
    /// Backward passes.
    pub backward: f64,
}

/// A universal perturbation on one sample, beside its controls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Controlled {
    /// The fit.
    pub fit: FitFacts,
    /// The controls.
    #[serde(flatten)]
    pub controls: Controls,
}

/// What a folder's files say of a fit.
#[derive(Serialize, Deserialize)]
struct Kept {
    method: String,
    key: String,
    #[serde(flatten)]
    facts: FitFacts,
}

/// Where the perturbation of the attack at this position of a plan's jobs is.
fn path(folder: &Path, job: usize, extension: &str) -> PathBuf {
    folder.join(PERTURBATIONS).join(format!("a{:03}.{extension}", job + 1))
}

impl Fit {
    /// Fits to a batch; nothing if the work was stopped before.
    pub fn new(
        attack: &UniversalAttack,
        classifier: &dyn Classifier,
        batch: &AttackBatch,
        workers: Workers<'_>,
    ) -> Result<Option<Self>, AttackError> {
        let mut watch = |_: &Step<'_>| match workers.stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let fitted = attack.fit(classifier, batch, &mut watch)?;
        if fitted.interrupted {
            return Ok(None);
        }
        let perturbation = fitted.perturbation;
        let images = batch.rows();
        let passes = |of: fn(&Passes) -> usize| {
            fitted.passes.iter().map(of).sum::<usize>() as f64 / images as f64
        };
        let facts = FitFacts {
            sha256: values_sha256(&perturbation),
            images,
            success: fitted.success,
            rounds: fitted.rounds,
            forward: passes(|passes| passes.forward),
            backward: passes(|passes| passes.backward),
        };
        Ok(Some(Self { perturbation, facts }))
    }

    /// Keeps it as that of a job; what says that it is whole comes last.
    pub fn write(
        &self,
        folder: &Path,
        job: usize,
        run: &AttackSettings,
        classifier: &dyn Classifier,
    ) -> Result<(), ExperimentError> {
        folder::make(&folder.join(PERTURBATIONS))?;
        write_perturbation(&path(folder, job, "npz"), &self.perturbation, classifier.bounds())?;
        let kept = Kept { method: run.to_string(), key: run.key(), facts: self.facts.clone() };
        write_json(&path(folder, job, "json"), &kept, true).map(drop)
    }

    /// That of a job, if it is there.
    ///
    /// # Errors
    /// [`ExperimentError::PerturbationChanged`] if it isn't the one that was fitted.
    pub fn read(
        folder: &Path,
        job: usize,
        run: &AttackSettings,
        classifier: &dyn Classifier,
    ) -> Result<Option<Self>, ExperimentError> {
        let json = path(folder, job, "json");
        if !json.is_file() {
            return Ok(None);
        }
        let text = fs::read(&json).map_err(read_failed(&json))?;
        let Kept { key, facts, .. } = serde_json::from_slice(&text).map_err(corrupt(&json))?;
        let path = path(folder, job, "npz");
        let (perturbation, _) = read_perturbation(&path, &classifier.device())?;
        match values_sha256(&perturbation) {
            found if found == facts.sha256 && key == run.key() => {
                Ok(Some(Self { perturbation, facts }))
            }
            found => {
                let expected = facts.sha256;
                Err(ExperimentError::PerturbationChanged { path, expected, found })
            }
        }
    }
}
