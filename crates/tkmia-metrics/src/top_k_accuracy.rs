//! TkAcc: whether the top k and the relevant labels agree, in its printed and its released form.

use crate::ranking::size;
use crate::{MetricsError, Ranking};

/// 1 when every relevant label is in the top `k`, else 0.
///
/// Sun et al. 2023, Eq. 7: `TkAcc = 1[Y_p ⊆ T_k]`. It is always 0 where more than `k` labels are
/// relevant, so on the paper's samples (`|Y_p| ≥ k + |S|`) it says nothing: see
/// [`top_k_accuracy_released`]. 1 without a relevant label.
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
/// use tkmia_metrics::{Ranking, top_k_accuracy};
///
/// let ranking = Ranking::new(&[0.9_f32, 0.8, 0.7, 0.1])?;
/// assert_eq!(top_k_accuracy(&ranking, &[false, true, false, false], 2)?, 1.0);
/// assert_eq!(top_k_accuracy(&ranking, &[false, true, true, false], 2)?, 0.0);
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
pub fn top_k_accuracy(ranking: &Ranking, relevant: &[bool], k: usize) -> Result<f64, MetricsError> {
    Ok(f64::from(ranking.count(relevant, k)? == size(relevant)))
}

/// 1 when the smaller of the top `k` and the relevant labels lies within the other, else 0.
///
/// The published code's TkAcc, and the only one that can stand behind the paper's tables:
/// `1[Y_p ⊆ T_k]` where `k > |Y_p|`, otherwise `1[T_k ⊆ Y_p]`. Both say that
/// `|Y_p ∩ T_k| = min(k, |Y_p|)`. 1 without a relevant label.
///
/// # Shapes
/// - relevant: `[classes]`, in label order
///
/// # Errors
/// [`MetricsError::TopKOutOfRange`] and [`MetricsError::LengthMismatch`].
///
/// # Example: more relevant labels than places
///
/// ```
/// use tkmia_metrics::{Ranking, top_k_accuracy, top_k_accuracy_released};
///
/// let ranking = Ranking::new(&[0.9_f32, 0.8, 0.7, 0.1])?;
/// let relevant = [true, true, true, false];
/// assert_eq!(top_k_accuracy_released(&ranking, &relevant, 2)?, 1.0);
/// assert_eq!(top_k_accuracy(&ranking, &relevant, 2)?, 0.0);
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
pub fn top_k_accuracy_released(
    ranking: &Ranking,
    relevant: &[bool],
    k: usize,
) -> Result<f64, MetricsError> {
    Ok(f64::from(ranking.count(relevant, k)? == k.min(size(relevant))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_forms_agree_up_to_k_relevant_labels() -> Result<(), MetricsError> {
        let ranking = Ranking::new(&[0.9_f32, 0.8, 0.7, 0.1])?;
        for relevant in [[true, false, false, false], [true, true, false, false], [false; 4]] {
            assert_eq!(top_k_accuracy(&ranking, &relevant, 2)?, 1.0);
            assert_eq!(top_k_accuracy_released(&ranking, &relevant, 2)?, 1.0);
        }
        let relevant = [true, false, true, false];
        assert_eq!(top_k_accuracy(&ranking, &relevant, 2)?, 0.0);
        assert_eq!(top_k_accuracy_released(&ranking, &relevant, 2)?, 0.0);
        Ok(())
    }
}
