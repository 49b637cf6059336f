//! NDCG@k: hits discounted by the logarithm of their rank.

use crate::ranking::size;
use crate::{MetricsError, Ranking};

/// Normalised discounted cumulative gain of the top `k`, for relevance 0 or 1.
///
/// Sun et al. 2023, Eq. 11: `NDCG@k = DCG@k / IDCG@k` with `DCG@k = Σ_{i≤k} y_[i] / log2(i + 1)`
/// and `IDCG@k = Σ_{i≤N_k} 1 / log2(i + 1)`, `N_k = min(k, |Y_p|)`; in `[0, 1]`. Ties go to the
/// lower index here, where scikit-learn's `ndcg_score` (which the published code calls) averages
/// over their orders.
///
/// `None` when no label is relevant.
///
/// # Shapes
/// - relevant: `[classes]`, in label order
///
/// # Errors
/// [`MetricsError::TopKOutOfRange`] and [`MetricsError::LengthMismatch`].
///
/// # Example
///
/// One relevant label, at rank 3: `(1/log2(4)) / (1/log2(2))`.
///
/// ```
/// use tkmia_metrics::{Ranking, ndcg_at_k};
///
/// let ranking = Ranking::new(&[0.9_f32, 0.8, 0.7, 0.1])?;
/// assert_eq!(ndcg_at_k(&ranking, &[false, false, true, false], 3)?, Some(0.5));
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
pub fn ndcg_at_k(
    ranking: &Ranking,
    relevant: &[bool],
    k: usize,
) -> Result<Option<f64>, MetricsError> {
    let hits = ranking.hits(relevant, k)?.enumerate();
    let dcg: f64 = hits.map(|(index, hit)| f64::from(hit) * gain(index)).sum();
    let relevant = size(relevant);
    let ideal: f64 = (0..k.min(relevant)).map(gain).sum();
    Ok((relevant > 0).then(|| dcg / ideal))
}

/// `1 / log2(i + 1)` for rank `i = index + 1`.
fn gain(index: usize) -> f64 {
    1.0 / libm::log2((index + 2) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ideal_counts_no_more_than_k_labels() -> Result<(), MetricsError> {
        let ranking = Ranking::new(&[0.9_f32, 0.8, 0.7, 0.1])?;
        assert_eq!(ndcg_at_k(&ranking, &[true; 4], 2)?, Some(1.0));
        assert_eq!(ndcg_at_k(&ranking, &[true, false, false, false], 4)?, Some(1.0));
        Ok(())
    }

    #[test]
    fn without_a_hit_it_is_zero_without_a_sign() -> Result<(), MetricsError> {
        let ranking = Ranking::new(&[0.9_f32, 0.8])?;
        let found = ndcg_at_k(&ranking, &[false, true], 1)?;
        assert_eq!(found.map(f64::to_bits), Some(0.0_f64.to_bits()));
        Ok(())
    }

    #[test]
    fn without_a_relevant_label_there_is_none() -> Result<(), MetricsError> {
        let ranking = Ranking::new(&[0.9_f32, 0.8])?;
        assert_eq!(ndcg_at_k(&ranking, &[false, false], 1)?, None);
        Ok(())
    }
}
