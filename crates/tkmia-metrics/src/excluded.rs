//! Δl: how many specified labels an attack pushes out of the top k.

use crate::{MetricsError, Ranking};

/// How many fewer specified labels are in the perturbed top `k` than in the clean one.
///
/// The term of Sun et al. 2023, Eq. 12: `|S ∩ T_k(x)| − |S ∩ T_k(x*)|`, in `-k..=k`. It is a net
/// count: a specified label that enters the top-k makes up for one that leaves, and more entering
/// than leaving make it negative.
///
/// # Shapes
/// - specified: `[classes]`, in label order
///
/// # Errors
/// [`MetricsError::TopKOutOfRange`], and [`MetricsError::LengthMismatch`] if a ranking hasn't one
/// label per flag.
///
/// # Example
///
/// ```
/// use tkmia_metrics::{Ranking, excluded_count};
///
/// let clean = Ranking::new(&[0.9_f32, 0.8, 0.2, 0.1])?;
/// let perturbed = Ranking::new(&[0.3_f32, 0.8, 0.7, 0.1])?;
/// let specified = [true, true, false, false];
/// assert_eq!(excluded_count(&clean, &perturbed, &specified, 2)?, 1);
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
pub fn excluded_count(
    clean: &Ranking,
    perturbed: &Ranking,
    specified: &[bool],
    k: usize,
) -> Result<i64, MetricsError> {
    Ok(clean.count(specified, k)? as i64 - perturbed.count(specified, k)? as i64)
}

/// Mean of [`excluded_count`] over samples, `Δl` of the paper.
///
/// Sun et al. 2023, Eq. 12: `Δl = (1/n) Σ (|S ∩ T_k(x)| − |S ∩ T_k(x*)|)`, over all samples, failed
/// attacks included. `None` without a sample.
///
/// # Example
///
/// ```
/// assert_eq!(tkmia_metrics::mean_excluded(&[1, 2, 0, 1]), Some(1.0));
/// ```
pub fn mean_excluded(counts: &[i64]) -> Option<f64> {
    (!counts.is_empty()).then(|| counts.iter().sum::<i64>() as f64 / counts.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specified_label_that_enters_counts_against_the_attack() -> Result<(), MetricsError> {
        let clean = Ranking::new(&[0.9_f32, 0.8, 0.2])?;
        let perturbed = Ranking::new(&[0.9_f32, 0.1, 0.2])?;
        assert_eq!(excluded_count(&clean, &perturbed, &[false, false, true], 2)?, -1);
        assert_eq!(excluded_count(&clean, &perturbed, &[false, true, true], 2)?, 0);
        Ok(())
    }

    #[test]
    fn rankings_of_different_lengths_are_refused() -> Result<(), MetricsError> {
        let clean = Ranking::new(&[0.9_f32, 0.8, 0.2])?;
        let perturbed = Ranking::new(&[0.9_f32, 0.8])?;
        assert!(excluded_count(&clean, &perturbed, &[true; 3], 1).is_err());
        assert!(excluded_count(&clean, &perturbed, &[true; 2], 1).is_err());
        Ok(())
    }

    #[test]
    fn no_sample_has_no_mean() {
        assert_eq!(mean_excluded(&[]), None);
    }
}
