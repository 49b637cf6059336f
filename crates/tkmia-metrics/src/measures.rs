//! [`Measures`]: all measures of one sample.

use serde::{Deserialize, Serialize};

use crate::{
    MetricsError, Ranking, average_precision_at_k, ndcg_at_k, precision_at_k, top_k_accuracy,
    top_k_accuracy_released,
};

/// All measures of one sample at one `k`.
///
/// # Example
///
/// ```
/// use tkmia_metrics::{Measures, Ranking};
///
/// let ranking = Ranking::new(&[0.9_f32, 0.8, 0.7, 0.1])?;
/// let measures = Measures::at_k(&ranking, &[true, false, true, false], 2)?;
/// assert_eq!((measures.tkacc, measures.p, measures.ap), (0.0, 0.5, Some(0.5)));
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// [`top_k_accuracy`], Eq. 7.
    pub tkacc: f64,
    /// [`top_k_accuracy_released`].
    pub tkacc_released: f64,
    /// [`precision_at_k`], Eq. 8.
    pub p: f64,
    /// [`average_precision_at_k`], Eq. 9; `None` without a relevant label.
    pub ap: Option<f64>,
    /// [`ndcg_at_k`], Eq. 11; `None` without a relevant label.
    pub ndcg: Option<f64>,
}

impl Measures {
    /// Measures the top `k` of a ranking.
    ///
    /// # Shapes
    /// - relevant: `[classes]`, in label order
    ///
    /// # Errors
    /// [`MetricsError::TopKOutOfRange`] and [`MetricsError::LengthMismatch`].
    pub fn at_k(ranking: &Ranking, relevant: &[bool], k: usize) -> Result<Self, MetricsError> {
        Ok(Self {
            tkacc: top_k_accuracy(ranking, relevant, k)?,
            tkacc_released: top_k_accuracy_released(ranking, relevant, k)?,
            p: precision_at_k(ranking, relevant, k)?,
            ap: average_precision_at_k(ranking, relevant, k)?,
            ndcg: ndcg_at_k(ranking, relevant, k)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    /// `[tkacc, tkacc_released, p, ap, ndcg]`, worked by hand; NaN stands for `None`.
    fn check(relevant: &str, scores: &[f64], k: usize, expected: [f64; 5]) {
        let relevant: Vec<bool> = relevant.chars().map(|flag| flag == '1').collect();
        let ranking = Ranking::new(scores).unwrap();
        let found = Measures::at_k(&ranking, &relevant, k).unwrap();
        let some = |value: f64| (!value.is_nan()).then_some(value);
        assert_eq!([found.tkacc, found.tkacc_released], expected[..2]);
        assert_abs_diff_eq!(found.p, expected[2], epsilon = 1e-6);
        for (found, expected) in [(found.ap, some(expected[3])), (found.ndcg, some(expected[4]))] {
            assert_eq!(found.is_some(), expected.is_some());
            assert_abs_diff_eq!(
                found.unwrap_or_default(),
                expected.unwrap_or_default(),
                epsilon = 1e-6
            );
        }
    }

    #[test]
    fn more_relevant_labels_than_places() {
        let scores = [0.9, 0.2, 0.8, 0.1, 0.3, 0.85, 0.7, 0.05];
        check("11111000", &scores, 3, [0.0, 0.0, 2.0 / 3.0, 0.555556, 0.703918]);
    }

    #[test]
    fn negative_scores_are_ranked_like_any_others() {
        let scores = [0.9, 0.2, 0.8, 0.1, 0.3, 0.85, 0.7, 0.05].map(|score| score - 1.0);
        check("11111000", &scores, 3, [0.0, 0.0, 2.0 / 3.0, 0.555556, 0.703918]);
    }

    #[test]
    fn a_tie_across_the_kth_place_goes_to_the_lower_index() {
        check("10100", &[0.9, 0.5, 0.5, 0.5, 0.1], 2, [0.0, 0.0, 0.5, 0.5, 0.613147]);
    }

    #[test]
    fn fewer_relevant_labels_than_places() {
        check("010001", &[0.6, 0.5, 0.4, 0.3, 0.2, 0.1], 4, [0.0, 0.0, 0.25, 0.25, 0.386853]);
    }

    #[test]
    fn without_a_relevant_label_the_averages_are_absent() {
        check("0000", &[0.4, 0.3, 0.2, 0.1], 2, [1.0, 1.0, 0.0, f64::NAN, f64::NAN]);
    }

    #[test]
    fn with_all_scores_tied_the_first_labels_are_the_top() {
        check("1001", &[0.5; 4], 2, [0.0, 0.0, 0.5, 0.5, 0.613147]);
    }

    #[test]
    fn a_single_hit_at_the_kth_place() {
        check(
            "001011",
            &[0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
            3,
            [0.0, 0.0, 1.0 / 3.0, 1.0 / 9.0, 0.234639],
        );
    }
}
