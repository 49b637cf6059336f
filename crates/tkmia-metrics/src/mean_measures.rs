//! [`MeanMeasures`]: the measures of a batch, averaged over its samples.

use serde::{Deserialize, Serialize};

use crate::rows::rank_rows;
use crate::{Measures, MetricsError, category_map_at_k};

/// The measures of a batch at one `k`, averaged over the samples that have a relevant label.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanMeasures {
    /// Mean of [`Measures::tkacc`].
    pub tkacc: f64,
    /// Mean of [`Measures::tkacc_released`].
    pub tkacc_released: f64,
    /// Mean of [`Measures::p`].
    pub p: f64,
    /// Mean of [`Measures::ap`]: the instance-wise mAP@k, which is that of the paper's tables.
    pub ap: f64,
    /// [`category_map_at_k`]: the category-wise mAP@k, Eq. 10.
    pub map_category: f64,
    /// Mean of [`Measures::ndcg`].
    pub ndcg: f64,
    /// Number of samples given, the skipped ones included.
    pub n: usize,
    /// Number of samples without a relevant label: they take part in none of the means.
    pub skipped: usize,
}

/// Measures a batch of samples at one `k` and averages over them.
///
/// A sample without a relevant label is left out of every mean and counted in `skipped`. `None`
/// when that leaves no sample.
///
/// # Shapes
/// - scores: `[rows, classes]`
/// - relevant: `[rows, classes]`
///
/// # Errors
/// [`MetricsError::LengthMismatch`] if the rows of scores and labels don't match,
/// [`MetricsError::TopKOutOfRange`], and [`MetricsError::Row`] around what is wrong with a row,
/// skipped rows included.
///
/// # Example
///
/// Two samples, a hit at the first place and one at the second; a third has no relevant label.
///
/// ```
/// use tkmia_metrics::mean_measures;
///
/// let scores = [[0.9_f32, 0.5, 0.1], [0.5, 0.9, 0.1], [0.3, 0.2, 0.1]];
/// let relevant = [[true, false, false], [true, false, false], [false, false, false]];
/// let means = mean_measures(&scores, &relevant, 2)?.expect("two samples have a relevant label");
/// assert_eq!((means.n, means.skipped), (3, 1));
/// assert_eq!(means.p, 0.5);
/// assert_eq!(means.ap, (1.0 + 0.5) / 2.0);
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
pub fn mean_measures<T, S, R>(
    scores: &[S],
    relevant: &[R],
    k: usize,
) -> Result<Option<MeanMeasures>, MetricsError>
where
    T: Copy + Into<f64>,
    S: AsRef<[T]>,
    R: AsRef<[bool]>,
{
    // None exactly when no sample has a relevant label.
    let Some(map_category) = category_map_at_k(scores, relevant, k)? else {
        return Ok(None);
    };

    let mut kept = Vec::new();
    for (ranking, relevant) in rank_rows(scores, relevant)?.iter().zip(relevant) {
        if relevant.as_ref().contains(&true) {
            kept.push(Measures::at_k(ranking, relevant.as_ref(), k)?);
        }
    }
    let mean = |measure: fn(&Measures) -> Option<f64>| {
        kept.iter().filter_map(measure).sum::<f64>() / kept.len() as f64
    };
    Ok(Some(MeanMeasures {
        tkacc: mean(|sample| Some(sample.tkacc)),
        tkacc_released: mean(|sample| Some(sample.tkacc_released)),
        p: mean(|sample| Some(sample.p)),
        ap: mean(|sample| sample.ap),
        map_category,
        ndcg: mean(|sample| sample.ndcg),
        n: scores.len(),
        skipped: scores.len() - kept.len(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_without_a_relevant_label_has_no_means() -> Result<(), MetricsError> {
        assert_eq!(mean_measures(&[[0.1_f32, 0.2]], &[[false; 2]], 1)?, None);
        assert_eq!(mean_measures::<f32, [f32; 2], [bool; 2]>(&[], &[], 1)?, None);
        Ok(())
    }

    #[test]
    fn k_is_checked_even_where_every_sample_is_skipped() {
        let error = mean_measures(&[[0.1_f32, 0.2]], &[[false; 2]], 3).unwrap_err();
        assert_eq!(error, MetricsError::TopKOutOfRange { k: 3, classes: 2 });
    }

    #[test]
    fn a_skipped_row_is_checked_like_any_other() {
        let scores = [[0.1, 0.2], [f64::NAN, 0.2]];
        let error = mean_measures(&scores, &[[true; 2], [false; 2]], 1).unwrap_err();
        assert!(matches!(error, MetricsError::Row { row: 1, .. }), "{error}");
    }
}
