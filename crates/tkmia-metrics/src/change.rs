//! [`change`]: Δ of each measure, what a perturbation takes from it.

use crate::{MeanMeasures, Measures, MetricsError};

/// What a perturbation takes from each mean measure: its clean value less its perturbed one.
///
/// `Δ = clean − perturbed`. The sign is the paper's: a drop is positive. (The published code prints
/// the opposite.) Both means are over the same samples, so a Δ of means is the mean of Δs.
///
/// # Errors
/// [`MetricsError::UnpairedMeans`] if they can't be over the same samples: their numbers of samples,
/// or of skipped ones, differ.
///
/// # Example
///
/// ```
/// use tkmia_metrics::{change, mean_measures};
///
/// let relevant = [[true, false]];
/// let means = |scores: [f32; 2]| mean_measures(&[scores], &relevant, Some(&relevant), 1);
/// let clean = means([0.9, 0.1])?.expect("a label is relevant");
/// let perturbed = means([0.4, 0.6])?.expect("a label is relevant");
/// let change = change(&clean, &perturbed)?;
/// assert_eq!(change.get("p"), Some(1.0));
/// assert_eq!(change.get("specified_in_top_k"), Some(1.0)); // Δl
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
pub fn change(clean: &MeanMeasures, perturbed: &MeanMeasures) -> Result<Measures, MetricsError> {
    if (clean.n, clean.skipped) != (perturbed.n, perturbed.skipped) {
        return Err(MetricsError::UnpairedMeans {
            clean_n: clean.n,
            clean_skipped: clean.skipped,
            perturbed_n: perturbed.n,
            perturbed_skipped: perturbed.skipped,
        });
    }
    Ok(clean.means - perturbed.means)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mean_measures;

    #[test]
    fn means_over_different_samples_are_not_compared() {
        let one = mean_measures(&[[0.9_f32, 0.1]], &[[true, false]], None, 1).unwrap().unwrap();
        let two =
            mean_measures(&[[0.9_f32, 0.1]; 2], &[[true, false]; 2], None, 1).unwrap().unwrap();
        let error = change(&one, &two).unwrap_err();
        assert!(matches!(error, MetricsError::UnpairedMeans { clean_n: 1, perturbed_n: 2, .. }));
        assert_eq!(
            error.to_string(),
            "samples behind the perturbed means: expected 1 of which 0 skipped (as behind the \
             clean ones), found 2 of which 0 skipped"
        );
    }
}
