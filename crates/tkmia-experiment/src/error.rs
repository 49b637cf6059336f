//! What can go wrong with an experiment.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use tkmia_attacks::AttackError;
use tkmia_core::CoreError;
use tkmia_data::DataError;
use tkmia_metrics::MetricsError;

use crate::spec::SpecError;

/// Why a run, its records, or a table of them can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// Dataset and classifier name different numbers of labels.
    #[error("the data set `{dataset}` has {data} labels, the classifier gives {classifier} scores")]
    LabelCount {
        /// The name of the dataset.
        dataset: String,
        /// Its number of labels.
        data: usize,
        /// The classifier's number of scores.
        classifier: usize,
    },
    /// A number that must be at least 1 is 0.
    #[error("{what} must be at least 1")]
    Zero {
        /// What is 0.
        what: &'static str,
    },
    /// The same labels are asked for twice at the same `k`.
    #[error("`{types}` at k = {k} is asked for twice")]
    Twice {
        /// The type of labels, by the second name that it is given.
        types: String,
        /// Size of the predicted set.
        k: usize,
    },
    /// The work was stopped before anything was attacked.
    #[error("stopped before any attack: {done} of {of} images had been scored")]
    Interrupted {
        /// Images that had been scored.
        done: usize,
        /// Images that there are.
        of: usize,
    },
    /// The worker threads can't be started.
    #[error("worker threads can't be started")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// A file can't be read or written.
    #[error("{path}: can't be {what}")]
    File {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is no npy array of the right kind.
    #[error(transparent)]
    Npy(#[from] tkmia_file::ArrayError),
    /// A sample couldn't be attacked or judged.
    #[error("attack on {ids}")]
    Attack {
        /// The samples of the batch, in its order.
        ids: String,
        /// What was wrong.
        #[source]
        source: AttackError,
    },
    /// A folder holds no experiment.
    #[error("{path}: expected the folder of an experiment, found no plan.json in it")]
    NotAnExperiment {
        /// The folder.
        path: PathBuf,
    },
    /// A folder's files are of another form than this version's.
    #[error(
        "{path} is of format {found}, and this version continues and reports format {expected} only: use the version of tkmia that began it, or another output folder to start afresh"
    )]
    Format {
        /// The folder.
        path: PathBuf,
        /// The form that this version has.
        expected: u32,
        /// The form that the folder has.
        found: u64,
    },
    /// Another process works in the folder.
    #[error("{path}: another process works in this folder")]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// A folder was begun with something else.
    #[error(
        "{path} was begun with something else and is continued only with the same: {differences} (another output folder starts afresh)"
    )]
    Changed {
        /// The folder.
        path: PathBuf,
        /// The differences, by their place in `plan.json`.
        differences: String,
    },
    /// A manifest isn't the one that was written.
    #[error("{path}: expected SHA-256 {expected}, found {found}")]
    ManifestChanged {
        /// The manifest.
        path: PathBuf,
        /// What the plan says.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A folder has no manifest of a setting.
    #[error("{path}: expected a manifest of {setting}, found none")]
    NoManifest {
        /// The folder.
        path: PathBuf,
        /// The setting.
        setting: String,
    },
    /// A sample of a manifest isn't in the data set, or has other labels there.
    #[error("{dataset}: no sample `{id}` with the labels that the manifest has")]
    Unlisted {
        /// The data set.
        dataset: String,
        /// The sample.
        id: String,
    },
    /// A line of a file isn't what it should be.
    #[error("{path}, line {line}: {reason}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A record is of something that isn't planned there.
    #[error("{path}, line {line}: expected {expected}, found {found}")]
    Unplanned {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the plan says.
        expected: String,
        /// What the record is of.
        found: String,
    },
    /// A folder lacks records.
    #[error("{path}: expected {of} records of all samples, found {found}")]
    Incomplete {
        /// The folder.
        path: PathBuf,
        /// Records that there are.
        found: usize,
        /// Records that there are to be.
        of: usize,
    },
    /// Shards don't make up a whole.
    #[error("shards: expected each of 1/{count} to {count}/{count} once, found {found}")]
    Shards {
        /// How many there are to be.
        count: usize,
        /// What there is.
        found: String,
    },
    /// A shard alone can't choose hyper-parameters.
    #[error(
        "a shard can't choose hyper-parameters alone: try the grids first, whole or in shards, and take them from there"
    )]
    ShardedTuning,
    /// A part of the samples has another universal perturbation than all of them.
    #[error(
        "`{run}`: each shard would fit a universal perturbation of its own: run it without `--shard`"
    )]
    ShardedUniversal {
        /// The attack.
        run: String,
    },
    /// Every image that a universal perturbation could be fitted to is a reported one.
    #[error(
        "{setting}: no image is left to fit a universal perturbation to: expected fewer `samples` in `[budget]`, or \
         another `split` in `[fit]`"
    )]
    NothingToFit {
        /// The setting.
        setting: String,
    },
    /// A universal perturbation isn't the one that was fitted.
    #[error(
        "{path}: its values have the SHA-256 {found}, fitted was {expected} by the same attack"
    )]
    PerturbationChanged {
        /// The file.
        path: PathBuf,
        /// What it was.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A file that holds no universal perturbation.
    #[error("{path}: expected `perturbation`, `tanh` and `bounds` as tkmia writes them: {reason}")]
    NoPerturbation {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A grid has no sample to choose by.
    #[error("`{run}`: no tuning sample takes part in the settings of its table")]
    NothingToTune {
        /// The attack.
        run: String,
    },
    /// A tuning image is a reported one, or one of the victim's training images.
    #[error(
        "hyper-parameters must be chosen on other images than the {what} ones, `{id}` is among both"
    )]
    TunedOnOthers {
        /// The image.
        id: String,
        /// `reported` or `training`.
        what: &'static str,
    },
    /// The victim's training images aren't known, and might be tuned on.
    #[error(
        "`trained-on` is missing under [victim], or --trained-on with another model: hyper-parameters are not chosen on the victim's training images (a split of the data, or `other` for none of its images)"
    )]
    TrainedOnUnknown,
    /// The tuning images, or those to fit to, have other labels.
    #[error("`{dataset}`, for tuning or fitting: expected the labels of the reported images")]
    TuningClasses {
        /// The data set.
        dataset: String,
    },
    /// The experiment can't be run.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Labels or `k`.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// Measures.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

/// What a failure to write this file is.
pub fn write_failed(path: &Path) -> impl Fn(io::Error) -> ExperimentError + '_ {
    |source| ExperimentError::File { path: path.to_owned(), what: "written", source }
}

/// What a failure to read this file is.
pub fn read_failed(path: &Path) -> impl Fn(io::Error) -> ExperimentError + '_ {
    |source| ExperimentError::File { path: path.to_owned(), what: "read", source }
}

/// What a failure to understand this JSON file is.
pub(crate) fn corrupt(path: &Path) -> impl Fn(serde_json::Error) -> ExperimentError + '_ {
    |error| ExperimentError::Corrupt {
        path: path.to_owned(),
        line: error.line(),
        reason: error.to_string(),
    }
}

/// An error and its causes in one line.
pub fn in_one_line(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Some messages quote their cause already.
        let says = cause.to_string();
        if !message.ends_with(&says) {
            message = format!("{message}: {says}");
        }
        source = cause.source();
    }
    message
}
