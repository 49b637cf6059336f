//! [`Change`]: Δ of each measure, what a perturbation takes from it.

use serde::{Deserialize, Serialize};

use crate::{MeanMeasures, MetricsError};

/// What a perturbation takes from each mean measure: its clean value less its perturbed one.
///
/// `Δ = clean − perturbed`, in `[-1, 1]`. The sign is the paper's: a drop is positive. (The
/// published code prints the opposite.) Both means are over the same samples, so a Δ of means is
/// the mean of Δs.
///
/// # Example
///
/// ```
/// use tkmia_metrics::{Change, mean_measures};
///
/// let relevant = [[true, false]];
/// let clean = mean_measures(&[[0.9_f32, 0.1]], &relevant, 1)?.expect("a label is relevant");
/// let perturbed = mean_measures(&[[0.4_f32, 0.6]], &relevant, 1)?.expect("a label is relevant");
/// assert_eq!(Change::between(&clean, &perturbed)?.p, 1.0);
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Δ of [`MeanMeasures::tkacc`].
    pub tkacc: f64,
    /// Δ of [`MeanMeasures::tkacc_released`]: ΔTkAcc of the paper's tables.
    pub tkacc_released: f64,
    /// Δ of [`MeanMeasures::p`].
    pub p: f64,
    /// Δ of [`MeanMeasures::ap`]: ΔmAP@k of the paper's tables.
    pub ap: f64,
    /// Δ of [`MeanMeasures::map_category`].
    pub map_category: f64,
    /// Δ of [`MeanMeasures::ndcg`].
    pub ndcg: f64,
}

impl Change {
    /// Compares the means of the same samples, clean and perturbed.
    ///
    /// # Errors
    /// [`MetricsError::UnpairedMeans`] if they can't be over the same samples: their numbers of
    /// samples, or of skipped ones, differ.
    pub fn between(clean: &MeanMeasures, perturbed: &MeanMeasures) -> Result<Self, MetricsError> {
        if (clean.n, clean.skipped) != (perturbed.n, perturbed.skipped) {
            return Err(MetricsError::UnpairedMeans {
                clean_n: clean.n,
                clean_skipped: clean.skipped,
                perturbed_n: perturbed.n,
                perturbed_skipped: perturbed.skipped,
            });
        }
        Ok(Self {
            tkacc: clean.tkacc - perturbed.tkacc,
            tkacc_released: clean.tkacc_released - perturbed.tkacc_released,
            p: clean.p - perturbed.p,
            ap: clean.ap - perturbed.ap,
            map_category: clean.map_category - perturbed.map_category,
            ndcg: clean.ndcg - perturbed.ndcg,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mean_measures;

    #[test]
    fn means_over_different_samples_are_not_compared() {
        let one = mean_measures(&[[0.9_f32, 0.1]], &[[true, false]], 1).unwrap().unwrap();
        let two = mean_measures(&[[0.9_f32, 0.1]; 2], &[[true, false]; 2], 1).unwrap().unwrap();
        let error = Change::between(&one, &two).unwrap_err();
        assert!(matches!(error, MetricsError::UnpairedMeans { clean_n: 1, perturbed_n: 2, .. }));
        assert_eq!(
            error.to_string(),
            "samples behind the perturbed means: expected 1 of which 0 skipped (as behind the \
             clean ones), found 2 of which 0 skipped"
        );
    }
}
