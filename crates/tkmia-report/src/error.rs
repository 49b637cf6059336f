//! [`ReportError`]: what can go wrong with a report.

use std::path::PathBuf;

use tkmia_data::DataError;
use tkmia_experiment::ExperimentError;
use tkmia_figure::FigureError;
use tkmia_metrics::MetricsError;

/// Why a report can't be drawn or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The folder is no experiment's, its records aren't those of its plan, or a file can't be read or written.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A record's scores and labels can't be measured.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A picture's values don't fit its size.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A picture can't be drawn.
    #[error("picture")]
    Figure(#[from] FigureError),
    /// Records can't be written as columns.
    #[cfg(feature = "parquet")]
    #[error("{path}: can't be written")]
    Columns {
        /// The file.
        path: PathBuf,
        /// What the writer said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An image can't be decoded or encoded.
    #[error("{path}: not an image that can be read or written")]
    Image {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        #[source]
        source: image::ImageError,
    },
}
