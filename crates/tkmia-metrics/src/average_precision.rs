//! AP@k: the precision at each relevant label of the top k, averaged.

use crate::ranking::size;
use crate::{MetricsError, Ranking};

/// Average precision within the top `k`.
///
/// Sun et al. 2023, Eq. 9: `AP@k = (1/N_k) Σ_{i≤k} y_[i] · P@i` with `N_k = min(k, |Y_p|)`, in
/// `[0, 1]`. The equation prints `P@k` inside the sum; `P@i` is meant, and is what the published
/// code computes. Other libraries divide by `|Y_p|` (trec_eval) or by the number of hits
/// (torchmetrics).
///
/// `None` when no label is relevant. The mean over samples is the instance-wise mAP@k of the
/// paper's tables; for the category-wise one see [`category_map_at_k`](crate::category_map_at_k).
///
/// # Shapes
/// - relevant: `[classes]`, in label order
///
/// # Errors
/// [`MetricsError::TopKOutOfRange`] and [`MetricsError::LengthMismatch`].
///
/// # Example
///
/// Hits at ranks 1 and 3 of 3, three relevant labels: `(1/1 + 2/3) / 3`.
///
/// ```
/// use tkmia_metrics::{Ranking, average_precision_at_k};
///
/// let ranking = Ranking::new(&[0.9_f32, 0.8, 0.7, 0.1])?;
/// let ap = average_precision_at_k(&ranking, &[true, false, true, true], 3)?;
/// assert_eq!(ap, Some((1.0 + 2.0 / 3.0) / 3.0));
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
pub fn average_precision_at_k(
    ranking: &Ranking,
    relevant: &[bool],
    k: usize,
) -> Result<Option<f64>, MetricsError> {
    let hits = ranking.hits(relevant, k)?;
    Ok(average_precision(hits, k.min(size(relevant))))
}

/// `(1/N) Σ_i y_i · P@i` over a list, for `N` hits that there might have been; `None` for none.
pub(crate) fn average_precision(list: impl Iterator<Item = bool>, most: usize) -> Option<f64> {
    let mut hits = 0.0;
    let mut sum = 0.0;
    for (index, hit) in list.enumerate() {
        if hit {
            hits += 1.0;
            sum += hits / (index + 1) as f64;
        }
    }
    (most > 0).then(|| sum / most as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_count_for_more_at_the_top() -> Result<(), MetricsError> {
        let ranking = Ranking::new(&[0.9_f32, 0.8, 0.7, 0.1])?;
        let at_top = average_precision_at_k(&ranking, &[true, false, false, true], 3)?;
        let at_third = average_precision_at_k(&ranking, &[false, false, true, true], 3)?;
        assert_eq!((at_top, at_third), (Some(0.5), Some(1.0 / 6.0)));
        Ok(())
    }

    #[test]
    fn without_a_relevant_label_there_is_none() -> Result<(), MetricsError> {
        let ranking = Ranking::new(&[0.9_f32, 0.8])?;
        assert_eq!(average_precision_at_k(&ranking, &[false, false], 1)?, None);
        Ok(())
    }
}
