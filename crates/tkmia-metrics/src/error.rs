//! What can be wrong with scores, labels, `k` and norms.

use alloc::boxed::Box;
/// An input that can't be measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// A score is NaN or infinite, so it has no place in an order.
    #[error("score of label {label}: expected a finite number, found {score}")]
    NonFiniteScore {
        /// The label whose score it is.
        label: usize,
        /// The score that was given.
        score: f64,
    },
    /// `k` is 0 or above the number of labels.
    #[error("k: expected 1..={classes} (the number of labels), found {k}")]
    TopKOutOfRange {
        /// The `k` that was asked for.
        k: usize,
        /// The number of labels in the ranking.
        classes: usize,
    },
    /// A label index lies outside the ranking.
    #[error("label: expected an index below {classes}, found {label}")]
    LabelOutOfRange {
        /// The index that was given.
        label: usize,
        /// The number of labels in the ranking.
        classes: usize,
    },
    /// Two slices that belong together are of different lengths.
    #[error("number of {what}: expected {expected}, found {found}")]
    LengthMismatch {
        /// What was counted.
        what: &'static str,
        /// The length that was expected.
        expected: usize,
        /// The length that was found.
        found: usize,
    },
    /// A row of a batch can't be measured.
    #[error("row {row}: {fault}")]
    Row {
        /// The row, counted from 0.
        row: usize,
        /// What is wrong with it: part of the message, and so not repeated as a source.
        fault: Box<MetricsError>,
    },
    /// Means over different samples were compared.
    #[error(
        "samples behind the perturbed means: expected {clean_n} of which {clean_skipped} skipped \
         (as behind the clean ones), found {perturbed_n} of which {perturbed_skipped} skipped"
    )]
    UnpairedMeans {
        /// Rows behind the clean means.
        clean_n: usize,
        /// Rows that the clean means leave out.
        clean_skipped: usize,
        /// Rows behind the perturbed means.
        perturbed_n: usize,
        /// Rows that the perturbed means leave out.
        perturbed_skipped: usize,
    },
    /// A perturbation's norm is negative, NaN or infinite.
    #[error("norm of sample {sample}: expected a finite number of at least 0, found {norm}")]
    NormOutOfRange {
        /// The sample whose norm it is.
        sample: usize,
        /// The norm that was given.
        norm: f64,
    },
    /// A quantile outside `[0, 1]` was asked for.
    #[error("quantile: expected a number in [0, 1], found {quantile}")]
    QuantileOutOfRange {
        /// The quantile that was asked for.
        quantile: f64,
    },
}

impl MetricsError {
    /// The same fault, named as that of a row of a batch.
    pub(crate) fn in_row(self, row: usize) -> Self {
        Self::Row { row, fault: Box::new(self) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_in_a_row_says_all_in_one_line() {
        let fault = MetricsError::NonFiniteScore { label: 5, score: f64::NAN };
        assert_eq!(
            fault.in_row(3).to_string(),
            "row 3: score of label 5: expected a finite number, found NaN"
        );
    }
}
