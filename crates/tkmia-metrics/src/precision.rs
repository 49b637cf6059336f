//! P@k: the share of relevant labels among the top k.

use crate::{MetricsError, Ranking};

/// Share of the top `k` labels that are relevant.
///
/// Sun et al. 2023, Eq. 8: `P@k = (1/k) Σ_{i≤k} y_[i]`, in `[0, 1]`. It divides by `k` even when
/// fewer labels are relevant, so it reaches 1 only where `k` labels are; 0 without a relevant
/// label.
///
/// # Shapes
/// - relevant: `[classes]`, in label order
///
/// # Errors
/// [`MetricsError::TopKOutOfRange`] and [`MetricsError::LengthMismatch`].
///
/// # Example
///
/// ```
/// use tkmia_metrics::{Ranking, precision_at_k};
///
/// let ranking = Ranking::new(&[0.9_f32, 0.8, 0.7, 0.1])?;
/// assert_eq!(precision_at_k(&ranking, &[true, false, true, true], 2)?, 0.5);
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
pub fn precision_at_k(ranking: &Ranking, relevant: &[bool], k: usize) -> Result<f64, MetricsError> {
    Ok(ranking.count(relevant, k)? as f64 / k as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_relevant_labels_than_k_keep_precision_below_one() -> Result<(), MetricsError> {
        let ranking = Ranking::new(&[0.9_f32, 0.8, 0.7, 0.1])?;
        assert_eq!(precision_at_k(&ranking, &[true, false, false, false], 4)?, 0.25);
        assert_eq!(precision_at_k(&ranking, &[false; 4], 4)?, 0.0);
        Ok(())
    }
}
