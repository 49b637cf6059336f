//! What can go wrong with an experiment.

use std::path::PathBuf;

use tkmia_attacks::AttackError;
use tkmia_core::CoreError;
use tkmia_data::DataError;
use tkmia_metrics::MetricsError;

/// Why a run, its records, or a table of them can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
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
    /// An output file can't be written.
    #[error("{path}: can't be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Results can't be put into the file's format.
    #[error("{path}: can't be encoded: {reason}")]
    Encode {
        /// The file.
        path: PathBuf,
        /// What the encoder said.
        reason: String,
    },
    /// A sample couldn't be attacked or judged.
    #[error("attack on {ids}")]
    Attack {
        /// The samples of the batch, in its order.
        ids: String,
        /// What was wrong.
        #[source]
        source: AttackError,
    },
    /// A picture can't be drawn.
    #[error("picture")]
    Figure(#[from] crate::figure::FigureError),
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
