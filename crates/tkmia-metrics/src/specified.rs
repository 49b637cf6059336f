//! How many specified labels are in the top k: what Δl is the change of.

use crate::{MetricsError, Ranking};

/// Number of specified labels in the top `k`, `|S ∩ T_k|`.
///
/// The term of Sun et al. 2023, Eq. 12, in `0..=k`. Its mean Δ over samples is the paper's
/// `Δl = (1/n) Σ (|S ∩ T_k(x)| − |S ∩ T_k(x*)|)`, failed attacks included. That is a net count: a
/// specified label that enters the top-k makes up for one that leaves.
///
/// # Shapes
/// - specified: `[classes]`, in label order
///
/// # Errors
/// [`MetricsError::TopKOutOfRange`] and [`MetricsError::LengthMismatch`].
///
/// # Example: one of two specified labels leaves
///
/// ```
/// use tkmia_metrics::{Ranking, specified_in_top_k};
///
/// let clean = Ranking::new(&[0.9_f32, 0.8, 0.2, 0.1])?;
/// let perturbed = Ranking::new(&[0.3_f32, 0.8, 0.7, 0.1])?;
/// let specified = [true, true, false, false];
/// assert_eq!(specified_in_top_k(&clean, &specified, 2)?, 2.0);
/// assert_eq!(specified_in_top_k(&perturbed, &specified, 2)?, 1.0);
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
pub fn specified_in_top_k(
    ranking: &Ranking,
    specified: &[bool],
    k: usize,
) -> Result<f64, MetricsError> {
    Ok(ranking.count(specified, k)? as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Measures, Sample};

    #[test]
    fn a_specified_label_that_enters_counts_against_the_attack() -> Result<(), MetricsError> {
        let clean = Ranking::new(&[0.9_f32, 0.8, 0.2])?;
        let perturbed = Ranking::new(&[0.9_f32, 0.1, 0.2])?;
        let delta_l = |specified: [bool; 3]| {
            let measures = |ranking| {
                let specified = Some(&specified[..]);
                Measures::of(&Sample { ranking, relevant: &[true; 3], specified, k: 2 })
            };
            let change = measures(&clean)? - measures(&perturbed)?;
            Ok(change.get("specified_in_top_k"))
        };
        assert_eq!(delta_l([false, false, true])?, Some(-1.0));
        assert_eq!(delta_l([false, true, true])?, Some(0.0));
        Ok(())
    }

    #[test]
    fn flags_of_another_length_are_refused() -> Result<(), MetricsError> {
        let ranking = Ranking::new(&[0.9_f32, 0.8])?;
        assert!(specified_in_top_k(&ranking, &[true; 3], 1).is_err());
        Ok(())
    }
}
