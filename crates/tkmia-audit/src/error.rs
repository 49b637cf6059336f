//! [`AuditError`]: what can go wrong with an audit.

use std::path::PathBuf;

use tkmia_experiment::ExperimentError;
use tkmia_metrics::MetricsError;
use tkmia_report::ReportError;

/// Why an audit has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The folder is no experiment's, or a file can't be read or written.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A record's scores and labels can't be measured.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A picture can't be read or drawn.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The folder's records are of an experiment that is no audit.
    #[error("{path}: expected the folder of an audit, found another experiment's")]
    NoAudit {
        /// The folder.
        path: PathBuf,
    },
    /// Two audits have no attack in common.
    #[error(
        "{before} and {after}: no image with the same label to be hidden at the same k is in both"
    )]
    NothingInCommon {
        /// The first folder.
        before: PathBuf,
        /// The second folder.
        after: PathBuf,
    },
}
