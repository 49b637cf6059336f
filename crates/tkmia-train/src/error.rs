//! What can be wrong with a training.

use std::io;
use std::path::{Path, PathBuf};

use burn::store::RecordError;
use strum::VariantNames;
use tkmia_attacks::AttackError;
use tkmia_core::CoreError;
use tkmia_data::DataError;
use tkmia_metrics::MetricsError;
use tkmia_models::ModelError;

use crate::Published;

/// A training that can't be begun or continued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A setting is out of range.
    #[error("{field}: expected {expected}, found {found}")]
    Setting {
        /// Which one.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// There is no recipe of that name.
    #[error("unknown recipe `{name}`: expected one of {}", Published::VARIANTS.join(", "))]
    UnknownRecipe {
        /// The name.
        name: String,
    },
    /// The network hasn't a score for each label.
    #[error("the network has {network} scores, expected {labels}: one for each label of {dataset}")]
    Labels {
        /// The network's number of scores.
        network: usize,
        /// The data set's number of labels.
        labels: usize,
        /// The data set.
        dataset: String,
    },
    /// The two splits have other labels.
    #[error("label {at}: expected `{expected}` as in the training split, found `{found}`")]
    Splits {
        /// The label's index.
        at: usize,
        /// Its name in the training split.
        expected: String,
        /// Its name in the validation split.
        found: String,
    },
    /// The training split hasn't two images.
    #[error("expected at least 2 training images, found {found}")]
    TooFew {
        /// How many there are.
        found: usize,
    },
    /// The loss isn't a number any more.
    #[error("epoch {epoch}: the loss became {loss}: a smaller learning rate may help")]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The loss.
        loss: f64,
    },
    /// The checkpoint in the output folder is that of another run.
    #[error(
        "{}: the checkpoint is that of another run, whose {field} is {found} and not {expected}: give the \
         same recipe, or another output folder", path.display()
    )]
    Changed {
        /// The checkpoint.
        path: PathBuf,
        /// What differs.
        field: String,
        /// What this run has.
        expected: String,
        /// What the checkpoint has.
        found: String,
    },
    /// The checkpoint isn't one, or is damaged.
    #[error("{}: not a checkpoint: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file can't be read.
    #[error("{}: can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file can't be written.
    #[error("{}: can't be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// An image or a label.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The attack that makes examples.
    #[error(transparent)]
    Attack(#[from] AttackError),
    /// Labels of an example.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The measures of the validation split.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// Burn's records.
    #[error("the state of the training can't be packed")]
    Record(#[source] RecordError),
}

impl TrainError {
    /// What a failure to write this file is.
    pub(crate) fn write(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        |source| Self::Write { path: path.to_owned(), source }
    }
}
