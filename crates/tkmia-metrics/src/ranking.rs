//! [`Ranking`]: the labels of one sample in the order of their scores.

use crate::MetricsError;
use crate::rows::check_length;
use alloc::vec::Vec;

/// The labels of one sample, from the highest score to the lowest.
///
/// It is computed once and every measure reads it, so that all measures see the same order. Ties
/// are broken by the lower label index, everywhere and always (`0.0` and `-0.0` are a tie). Only
/// the order of the scores counts: logits and their sigmoids give the same ranking, unless sigmoids
/// saturate and become ties.
///
/// # Example: ties go to the lower index
///
/// ```
/// use tkmia_metrics::Ranking;
///
/// let ranking = Ranking::new(&[0.5_f32, 0.9, 0.5, 0.1])?;
/// assert_eq!(ranking.order(), [1, 0, 2, 3]);
/// assert_eq!(ranking.top(2)?, [1, 0]);
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranking {
    order: Vec<usize>,
}

impl Ranking {
    /// Ranks the labels by their scores.
    ///
    /// # Shapes
    /// - scores: `[classes]`, of `f32` or `f64`
    ///
    /// # Errors
    /// [`MetricsError::NonFiniteScore`] naming the first label whose score is NaN or infinite.
    pub fn new<T: Copy + Into<f64>>(scores: &[T]) -> Result<Self, MetricsError> {
        let scores: Vec<f64> = scores.iter().map(|&score| score.into()).collect();
        if let Some(label) = scores.iter().position(|score| !score.is_finite()) {
            return Err(MetricsError::NonFiniteScore { label, score: scores[label] });
        }
        let mut order: Vec<usize> = (0..scores.len()).collect();
        // The sort is stable: equal scores stay in the order of their indices.
        order.sort_by(|&a, &b| {
            scores[b].partial_cmp(&scores[a]).expect("finite scores are always comparable")
        });
        Ok(Self { order })
    }

    /// All labels, the highest score first.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Number of labels, `c` in the paper.
    pub fn classes(&self) -> usize {
        self.order.len()
    }

    /// The `k` labels with the highest scores, in rank order: `T_k(x)` in the paper.
    ///
    /// # Errors
    /// [`MetricsError::TopKOutOfRange`] if `k` is 0 or above the number of labels.
    pub fn top(&self, k: usize) -> Result<&[usize], MetricsError> {
        let classes = self.classes();
        if !(1..=classes).contains(&k) {
            return Err(MetricsError::TopKOutOfRange { k, classes });
        }
        Ok(&self.order[..k])
    }

    /// Whether a label is among the `k` with the highest scores.
    ///
    /// # Errors
    /// [`MetricsError::LabelOutOfRange`] if there is no such label, and those of
    /// [`top`](Self::top).
    pub fn contains(&self, label: usize, k: usize) -> Result<bool, MetricsError> {
        let classes = self.classes();
        if label >= classes {
            return Err(MetricsError::LabelOutOfRange { label, classes });
        }
        Ok(self.top(k)?.contains(&label))
    }

    /// The flags of the labels at ranks 1 to `k`: `y_[1], …, y_[k]` in the paper.
    ///
    /// # Shapes
    /// - flags: `[classes]`, in label order
    /// - output: `[k]`, in rank order
    ///
    /// # Errors
    /// [`MetricsError::LengthMismatch`] if there isn't one flag per label, and those of
    /// [`top`](Self::top).
    pub fn hits(
        &self,
        flags: &[bool],
        k: usize,
    ) -> Result<impl ExactSizeIterator<Item = bool>, MetricsError> {
        check_length("label flags", self.classes(), flags.len())?;
        Ok(self.top(k)?.iter().map(|&label| flags[label]))
    }

    /// How many of the flagged labels are among the top `k`, `|Y ∩ T_k|`.
    ///
    /// # Errors
    /// As [`hits`](Self::hits).
    pub fn count(&self, flags: &[bool], k: usize) -> Result<usize, MetricsError> {
        Ok(self.hits(flags, k)?.filter(|&hit| hit).count())
    }
}

/// How many labels are flagged, `|Y|`.
pub(crate) fn size(flags: &[bool]) -> usize {
    flags.iter().filter(|&&flag| flag).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_rank_by_the_lower_index() -> Result<(), MetricsError> {
        assert_eq!(Ranking::new(&[0.5_f64; 4])?.order(), [0, 1, 2, 3]);
        assert_eq!(Ranking::new(&[-0.0_f32, 0.0, -1.0, 0.0])?.order(), [0, 1, 3, 2]);
        Ok(())
    }

    #[test]
    fn a_score_without_a_place_in_an_order_is_named() {
        assert!(matches!(
            Ranking::new(&[0.1_f32, f32::NAN, f32::INFINITY]),
            Err(MetricsError::NonFiniteScore { label: 1, score }) if score.is_nan()
        ));
        assert_eq!(
            Ranking::new(&[0.1, f64::NEG_INFINITY]),
            Err(MetricsError::NonFiniteScore { label: 1, score: f64::NEG_INFINITY })
        );
    }

    #[test]
    fn k_goes_from_one_to_the_number_of_labels() -> Result<(), MetricsError> {
        let ranking = Ranking::new(&[0.1_f32, 0.2, 0.3])?;
        assert_eq!(ranking.top(3)?, [2, 1, 0]);
        for k in [0, 4] {
            assert_eq!(ranking.top(k), Err(MetricsError::TopKOutOfRange { k, classes: 3 }));
        }
        let empty = Ranking::new::<f32>(&[])?;
        assert_eq!(empty.top(1), Err(MetricsError::TopKOutOfRange { k: 1, classes: 0 }));
        Ok(())
    }

    #[test]
    fn membership_and_hits_follow_the_order() -> Result<(), MetricsError> {
        let ranking = Ranking::new(&[0.1_f32, 0.3, 0.2])?;
        assert!(ranking.contains(2, 2)?);
        assert!(!ranking.contains(0, 2)?);
        assert!(ranking.contains(3, 2).is_err());
        assert!(ranking.hits(&[false, false, true], 3)?.eq([false, true, false]));
        assert_eq!(ranking.count(&[true, false, true], 2)?, 1);
        assert_eq!(
            ranking.count(&[true, false], 2),
            Err(MetricsError::LengthMismatch { what: "label flags", expected: 3, found: 2 })
        );
        Ok(())
    }
}
