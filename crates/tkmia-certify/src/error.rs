//! [`CertifyError`]: what can go wrong with a certificate.

use tkmia_attacks::AttackError;
use tkmia_core::CoreError;
use tkmia_metrics::MetricsError;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertifyError {
    /// A setting that can't be.
    #[error("{field}: expected {expected}, found {found}")]
    Setting {
        /// Its name.
        field: &'static str,
        /// What can be.
        expected: String,
        /// What is.
        found: String,
    },
    /// A score of a noisy image isn't finite.
    #[error("{id}, with noise {draw}")]
    Scores {
        /// The image.
        id: String,
        /// The noise's number.
        draw: u64,
        /// What is wrong with the scores.
        source: MetricsError,
    },
    /// An attacker's scores can't be ranked.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// What is to be attacked doesn't go together.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The attack can't be run.
    #[error(transparent)]
    Attack(#[from] AttackError),
}
