//! [`bootstrap_interval`]: how far a mean over samples can be trusted.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The 95 % percentile bootstrap interval of a mean: `[low, high]`; `None` without a value.
///
/// Efron 1979: `resamples` means, each of as many values drawn with replacement; `low` and `high` are their
/// 2.5 % and 97.5 % quantiles, interpolated between order statistics. The draws are those of ChaCha8 with
/// this seed, `⌊n · u / 2⁶⁴⌋` of its 64-bit words u, and so the same on any machine; values in the same order
/// are resampled alike, which keeps the intervals of several measures of the same samples comparable.
///
/// # Panics
/// If `resamples` is 0.
///
/// # Example: a value that doesn't vary
///
/// ```
/// use tkmia_metrics::bootstrap_interval;
///
/// assert_eq!(bootstrap_interval(&[0.5; 10], 1000, 0), Some([0.5, 0.5]));
/// assert_eq!(bootstrap_interval(&[], 1000, 0), None);
/// ```
pub fn bootstrap_interval(values: &[f64], resamples: usize, seed: u64) -> Option<[f64; 2]> {
    assert!(resamples > 0, "an interval needs at least one resample");
    if values.is_empty() {
        return None;
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let count = values.len();
    let mut draw = || {
        let place = (u128::from(random.next_u64()) * count as u128) >> 64;
        values[place as usize]
    };
    let mut means: Vec<f64> =
        (0..resamples).map(|_| (0..count).map(|_| draw()).sum::<f64>() / count as f64).collect();
    means.sort_by(f64::total_cmp);
    let quantile = |share: f64| {
        let place = share * (resamples - 1) as f64;
        let (below, above) = (means[place.floor() as usize], means[place.ceil() as usize]);
        below + (above - below) * place.fract()
    };
    Some([quantile(0.025), quantile(0.975)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_share_is_about_that_of_its_normal_approximation() {
        // p = 0.3, n = 400: 0.3 ± 1.96 √(0.3 · 0.7 / 400) = 0.3 ± 0.0449.
        let values: Vec<f64> = (0..400).map(|at| f64::from(at % 10 < 3)).collect();
        let [low, high] = bootstrap_interval(&values, 4000, 7).unwrap();
        assert!((low - 0.2551).abs() < 0.005 && (high - 0.3449).abs() < 0.005, "{low} {high}");
    }

    #[test]
    fn a_seed_gives_the_same_interval_again() {
        let values = [0.0, 1.0, 0.5, 0.25, 3.0];
        let interval = |seed| bootstrap_interval(&values, 100, seed);
        assert_eq!(interval(1), interval(1));
        assert_ne!(interval(1), interval(2));
    }

    #[test]
    fn the_mean_is_within_and_no_bound_leaves_the_values() {
        let values = [-1.0, 4.0, 0.5];
        let [low, high] = bootstrap_interval(&values, 1000, 0).unwrap();
        assert!((-1.0..=3.5 / 3.0).contains(&low) && (3.5 / 3.0..=4.0).contains(&high));
    }
}
