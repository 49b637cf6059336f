//! What can be wrong with labels, goals, settings of an objective, descriptions of a tagger, and devices.

use std::error::Error;
use std::sync::Arc;

/// An input that the vocabulary of this crate refuses, or a classifier that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// `k` leaves no label outside the top-k, or none inside.
    #[error("k must be at least 1 and below the number of labels ({classes}), found {k}")]
    TopKOutOfRange {
        /// The `k` that was asked for.
        k: usize,
        /// The number of labels of the classifier.
        classes: usize,
    },
    /// Two label sets, or a label set and a batch, are of different shapes.
    #[error("{what}: expected {expected:?} (rows, labels), found {found:?}")]
    ShapeMismatch {
        /// What was being put together.
        what: &'static str,
        /// Rows and labels that were expected.
        expected: [usize; 2],
        /// Rows and labels that were found.
        found: [usize; 2],
    },
    /// A label index lies outside the label set.
    #[error("row {row}: label index {label} is outside 0..{classes}")]
    LabelOutOfRange {
        /// The row of the label set.
        row: usize,
        /// The index that was given.
        label: usize,
        /// The number of labels.
        classes: usize,
    },
    /// A specified label isn't a relevant one: `S` must lie within `Y_p`.
    #[error("row {row}: label {label} is specified but not relevant (S must lie within Y_p)")]
    SpecifiedNotRelevant {
        /// The row of the label set.
        row: usize,
        /// The offending label.
        label: usize,
    },
    /// A row has no specified label, so there is nothing to push out.
    #[error("row {row}: no label is specified (S is empty)")]
    NothingSpecified {
        /// The row of the label set.
        row: usize,
    },
    /// More specified labels are to leave the top-k than a row has, or none.
    #[error(
        "row {row}: δ must be in 1..={specified} (the number of specified labels), found {delta}"
    )]
    DeltaOutOfRange {
        /// The row of the label set.
        row: usize,
        /// How many were to leave.
        delta: usize,
        /// How many there are, `|S|`.
        specified: usize,
    },
    /// A row has a target that isn't `k` labels.
    #[error("row {row}: a target is k = {k} labels or none, found {found}")]
    TargetSize {
        /// The row of the label set.
        row: usize,
        /// The size of the predicted set.
        k: usize,
        /// The number of labels that were found.
        found: usize,
    },
    /// How a tagger is said to see images can't be.
    #[error("`{field}`: expected {expected}, found `{found}`")]
    Tagger {
        /// The field.
        field: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A classifier can't be attacked in place of another one.
    #[error("surrogate {number}: expected {expected}, found {found}")]
    Surrogate {
        /// Which one, from 1.
        number: usize,
        /// What it would have to be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A classifier gives no scores any more.
    #[error(transparent)]
    Victim(Arc<dyn Error + Send + Sync>),
    /// A device name that isn't in the vocabulary.
    #[error("unknown device `{name}`: expected cpu, ndarray, cuda, cuda:N or wgpu")]
    UnknownDevice {
        /// The name that was given.
        name: String,
    },
    /// The device's backend was left out of this build.
    #[error(
        "device `{name}` isn't compiled in: build with `--features {feature}` (compiled in: {available})"
    )]
    DeviceNotCompiledIn {
        /// The name that was given.
        name: String,
        /// The cargo feature that brings the backend.
        feature: &'static str,
        /// The device names that this build knows.
        available: String,
    },
    /// The backend is there, but the hardware or its driver isn't.
    #[error("device `{name}` isn't there: {reason}")]
    DeviceAbsent {
        /// The name that was given.
        name: String,
        /// What the backend said.
        reason: String,
    },
}
