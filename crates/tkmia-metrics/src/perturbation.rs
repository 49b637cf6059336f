//! The size of perturbations over samples: APer, the success rate, means and quantiles of norms.
//!
//! Norms of any kind (L2 or L∞, of any space) may be given; the result is in their unit.

use crate::rows::check_length;
use crate::{MetricsError, interval, mean};
use alloc::vec::Vec;

/// Mean norm of the perturbations of the successful samples, `APer` of the paper.
///
/// Sun et al. 2023, Eq. 13: `APer = (1/n) Σ ‖ε_i‖₂`, over *successful* samples as in the published
/// code; in the unit of the norms. `None` when no sample succeeded. Norms of failed samples aren't
/// read.
///
/// # Shapes
/// - norms: `[samples]`
/// - succeeded: `[samples]`
///
/// # Errors
/// [`MetricsError::LengthMismatch`], and [`MetricsError::NormOutOfRange`] if a successful sample's
/// norm is negative or not finite.
///
/// # Example
///
/// ```
/// use tkmia_metrics::aper;
///
/// assert_eq!(aper(&[1.0, 9.0, 2.0], &[true, false, true])?, Some(1.5));
/// assert_eq!(aper(&[9.0], &[false])?, None);
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
pub fn aper(norms: &[f64], succeeded: &[bool]) -> Result<Option<f64>, MetricsError> {
    check_length("success flags", norms.len(), succeeded.len())?;
    let norms = norms.iter().copied().enumerate();
    checked_mean(norms.filter(|&(sample, _)| succeeded[sample]))
}

/// Share of samples on which the attack succeeded, in `[0, 1]`; `None` without a sample.
///
/// # Example
///
/// ```
/// assert_eq!(tkmia_metrics::success_rate(&[true, false, true, true]), Some(0.75));
/// ```
pub fn success_rate(succeeded: &[bool]) -> Option<f64> {
    let successes = succeeded.iter().filter(|&&success| success).count();
    (!succeeded.is_empty()).then(|| successes as f64 / succeeded.len() as f64)
}

/// Mean norm over all samples given, in the unit of the norms; `None` without a sample.
///
/// # Errors
/// [`MetricsError::NormOutOfRange`] if a norm is negative or not finite.
pub fn mean_norm(norms: &[f64]) -> Result<Option<f64>, MetricsError> {
    checked_mean(norms.iter().copied().enumerate())
}

/// Quantile of the norms given, in their unit; `None` without a sample.
///
/// Between two samples it is interpolated linearly, at position `q · (n − 1)` of the sorted norms
/// (type 7 of Hyndman & Fan 1996, the default of NumPy and R).
///
/// # Errors
/// [`MetricsError::QuantileOutOfRange`] if `quantile` isn't in `[0, 1]`,
/// [`MetricsError::NormOutOfRange`] if a norm is negative or not finite.
///
/// # Example
///
/// ```
/// use tkmia_metrics::norm_quantile;
///
/// let norms = [4.0, 1.0, 2.0, 3.0];
/// assert_eq!(norm_quantile(&norms, 0.5)?, Some(2.5));
/// assert_eq!(norm_quantile(&norms, 1.0)?, Some(4.0));
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
pub fn norm_quantile(norms: &[f64], quantile: f64) -> Result<Option<f64>, MetricsError> {
    if !(0.0..=1.0).contains(&quantile) {
        return Err(MetricsError::QuantileOutOfRange { quantile });
    }
    for (sample, &norm) in norms.iter().enumerate() {
        check_norm(sample, norm)?;
    }
    let mut sorted = norms.to_vec();
    sorted.sort_by(f64::total_cmp);
    Ok((!sorted.is_empty()).then(|| interval::quantile(&sorted, quantile)))
}

fn checked_mean(norms: impl Iterator<Item = (usize, f64)>) -> Result<Option<f64>, MetricsError> {
    let checked = norms.map(|(sample, norm)| check_norm(sample, norm).map(|()| norm));
    Ok(mean(checked.collect::<Result<Vec<_>, _>>()?))
}

fn check_norm(sample: usize, norm: f64) -> Result<(), MetricsError> {
    if norm.is_finite() && norm >= 0.0 {
        Ok(())
    } else {
        Err(MetricsError::NormOutOfRange { sample, norm })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_norms_that_are_averaged_must_be_norms() -> Result<(), MetricsError> {
        let norms = [1.0, f64::INFINITY];
        assert_eq!(aper(&norms, &[true, false])?, Some(1.0));
        assert_eq!(
            mean_norm(&norms),
            Err(MetricsError::NormOutOfRange { sample: 1, norm: f64::INFINITY })
        );
        assert!(norm_quantile(&[-1.0], 0.5).is_err());
        assert!(aper(&norms, &[true]).is_err());
        Ok(())
    }

    #[test]
    fn without_a_sample_there_is_nothing_to_report() -> Result<(), MetricsError> {
        assert_eq!(aper(&[], &[])?, None);
        assert_eq!(mean_norm(&[])?, None);
        assert_eq!(norm_quantile(&[], 0.5)?, None);
        assert_eq!(success_rate(&[]), None);
        Ok(())
    }

    #[test]
    fn quantiles_interpolate_between_samples() -> Result<(), MetricsError> {
        // numpy.quantile([1, 2, 4, 8, 16], [0, .1, .25, .9]) gives [1, 1.4, 2, 12.8]
        let norms = [16.0, 1.0, 8.0, 2.0, 4.0];
        let expected = [(0.0, 1.0), (0.1, 1.4), (0.25, 2.0), (0.9, 12.8)];
        for (quantile, expected) in expected {
            let found = norm_quantile(&norms, quantile)?.unwrap();
            approx::assert_abs_diff_eq!(found, expected, epsilon = 1e-12);
        }
        for quantile in [-0.1, 1.1, f64::NAN] {
            assert!(norm_quantile(&norms, quantile).is_err());
        }
        Ok(())
    }
}
