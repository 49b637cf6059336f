//! What can be wrong with the files that are given, and how an error is told.

use std::error::Error;
use std::path::PathBuf;

use tkmia_core::{Bounds, CoreError};
use tkmia_experiment::SpecError;
use tkmia_file::{ArrayError, Place};
use tkmia_metrics::MetricsError;

/// A file that can't be used as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The file can't be opened or read.
    #[error("{path}: can't be read")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// An npz or npy file can't be used.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// A value of an image is outside the model's range, or NaN.
    #[error("{place}, row {row}: expected values in [{low}, {high}], found {found}{}", within.map_or(String::new(), |range| format!(" (all are within {range})")))]
    Pixel { place: Place, row: usize, low: f32, high: f32, found: f32, within: Option<Bounds> },
    /// `k` isn't one for the model.
    #[error("--k")]
    K(#[source] CoreError),
    /// The labels of a row don't go together.
    #[error("{place}")]
    Labels {
        place: Place,
        #[source]
        source: CoreError,
    },
    /// The scores can't be measured.
    #[error("{place}")]
    Scores {
        place: Place,
        #[source]
        source: MetricsError,
    },
    /// No row has a relevant label.
    #[error("{place}: expected a row with a relevant label, found none")]
    NothingRelevant { place: Place },
    /// δ is given to a criterion that doesn't count.
    #[error(
        "--delta counts specified labels that leave the top-k, as --stop excluded does; --stop {stop} doesn't"
    )]
    DeltaUnused { stop: String },
    /// Something is said of photographs, and there are none.
    #[error("{option}: that is for photographs, expected a folder of them or one, found {path}")]
    NoPhotographs { option: &'static str, path: PathBuf },
    /// No photograph has a label that is to leave the top-k.
    #[error("{path}: expected a photograph with a label that is specified ({labels}), found none")]
    NothingSpecified { path: PathBuf, labels: String },
    /// No image can be attacked, by its labels alone.
    #[error(
        "{path}: hiding a label from the top-{k} takes an image with {} labels, the most that one has is {most}{}",
        k + 1,
        if *most > 1 { ": give a smaller --k" } else { "" }
    )]
    TooFewLabels { path: PathBuf, k: usize, most: usize },
    /// No radius.
    #[error("--within must be a number above 0, found {found}")]
    Within { found: f64 },
    /// Neither the command nor the experiment says what is needed.
    #[error("{option} is needed: {place}")]
    OptionMissing { option: &'static str, place: &'static str },
    /// Two victims.
    #[error("victim: expected `model` or `command`, found both")]
    TwoVictims,
    /// Input diversity without a surrogate.
    #[error("diversity is for surrogates: expected --surrogate with one, found none")]
    DiversityUnused,
    /// Input diversity with an impossible probability.
    #[error("diversity: expected a number from 0 to 1, found {found}")]
    Diversity { found: f64 },
    /// Something is said of a victim or its passes, and there is none.
    #[error("{said}: that is for a victim, expected --model with one")]
    NoVictim { said: String },
    /// A universal method without images to fit to.
    #[error(
        "a universal method is fitted to other images than those of --input: expected --fit FIT.npz with them"
    )]
    NoFit,
    /// Images to fit to for another method.
    #[error("--fit is for universal methods, which find one perturbation for all images")]
    FitUnused,
    /// An image is both fitted to and attacked.
    #[error(
        "{fit}, row {fit_row}: expected images that aren't in --input, found that of {input}, row {row}"
    )]
    FittedInput { fit: PathBuf, fit_row: usize, input: PathBuf, row: usize },
    /// An experiment's file is no experiment that can be run.
    #[error("{path}")]
    Experiment {
        path: PathBuf,
        #[source]
        source: Box<SpecError>,
    },
    /// The experiment has no victim of this name.
    #[error("--victim: expected {}, found {found:?}", if names.is_empty() { "an experiment on several".to_owned() } else { format!("one of {}", names.join(", ")) })]
    Victim { names: Vec<String>, found: String },
    /// The folder has the records of an experiment on one victim.
    #[error("{path}: it holds an experiment on one victim, expected another folder for several")]
    OneVictim { path: PathBuf },
    /// The folder of the output file isn't there.
    #[error("{path}: expected a folder `{folder}` to write it in, found none")]
    NoFolder { path: PathBuf, folder: PathBuf },
    /// An output is an input.
    #[error("{path}: it is read here, and --output would overwrite it: give another")]
    Overwrites { path: PathBuf },
    /// The output file can't be written.
    #[error("{path}: can't be written")]
    Write {
        path: PathBuf,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}
