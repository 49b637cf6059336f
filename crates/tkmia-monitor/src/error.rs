//! What can be wrong with a monitor's images and settings.

use alloc::string::String;

use tkmia_metrics::MetricsError;

use crate::Statistic;

/// A monitor that can't be made, or an image that it can't see.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// Scores, labels or `k`.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// `k` leaves nothing to see.
    #[error("k: expected {expected} for {statistic}, found {found}")]
    TopK {
        /// What the statistic takes.
        expected: &'static str,
        /// The statistic.
        statistic: Statistic,
        /// The `k` that was given.
        found: usize,
    },
    /// Too few clean images for a threshold.
    #[error("clean images with {statistic}: expected at least {expected}, found {found}")]
    TooFewClean {
        /// The statistic.
        statistic: Statistic,
        /// [`MIN_CLEAN`](crate::MIN_CLEAN).
        expected: usize,
        /// Images that have a value.
        found: usize,
    },
    /// The image has scores of other labels than the clean ones.
    #[error("scores: expected {expected} (as of the clean images), found {found}")]
    Classes {
        /// Labels of the clean images.
        expected: usize,
        /// Scores that were given.
        found: usize,
    },
    /// The stated rate.
    #[error("false alarms per 10,000 images: expected a number in 0.1..=100, found {found}")]
    FalseAlarms {
        /// The rate that was given.
        found: f64,
    },
    /// No statistic is called that.
    #[error("statistic: expected {expected}, found `{found}`")]
    UnknownStatistic {
        /// All names.
        expected: String,
        /// The name that was given.
        found: String,
    },
}
