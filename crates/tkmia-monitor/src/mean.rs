//! [`Mean`]: the clean mean of a number in `[0, 1]`, and how well it is known.

use serde::{Deserialize, Serialize};

/// The mean of a number in `[0, 1]` over clean images, and how well it is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mean {
    /// Its estimate, in `(0, 1)`.
    pub estimate: f64,
    /// The mean is below one of the bounds that are betted on with a probability of 2.5 % at most, shared by all bets of a gauge.
    pub low: f64,
    /// The same above.
    pub high: f64,
    /// The standard deviation of one image's number.
    pub deviation: f64,
}

/// How often one of a gauge's bounds may be wrong.
const ERROR: f64 = 0.025;

impl Mean {
    /// Of numbers with this sum and this sum of squares over so many images; `bets` are those of its gauge.
    ///
    /// Wilson's score interval: no other distribution in `[0, 1]` spreads more than one of zeros and ones.
    pub(crate) fn of(sum: f64, squares: f64, images: usize, bets: usize) -> Self {
        let n = images as f64;
        let mean = sum / n;
        let z2 = z(bets) * z(bets);
        let centre = (mean + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = libm::sqrt(z2 * (mean * (1.0 - mean) / n + z2 / (4.0 * n * n))) / (1.0 + z2 / n);
        // Krichevsky and Trofimov's: a label that was never seen isn't impossible.
        let estimate = (sum + 0.5) / (n + 1.0);
        let variance = (squares / n - mean * mean).max(estimate * (1.0 - estimate) / (n + 1.0));
        let deviation = libm::sqrt(variance);
        Self { estimate, low: (centre - half).max(0.0), high: (centre + half).min(1.0), deviation }
    }

    /// Of the rank among so many clean images, which is uniform: its mean, given these images, is the mean of so many
    /// independent uniform numbers.
    pub(crate) fn of_rank(images: usize, bets: usize) -> Self {
        let deviation = libm::sqrt(1.0 / 12.0);
        let half = z(bets) * deviation / libm::sqrt(images as f64);
        Self { estimate: 0.5, low: 0.5 - half, high: 0.5 + half, deviation }
    }
}

/// So many standard errors are exceeded on any of so many sides with the probability [`ERROR`] at most:
/// `P(Z > z) ≤ exp(−z²/2)/2`.
fn z(bets: usize) -> f64 {
    libm::sqrt(2.0 * libm::log(bets as f64 / (2.0 * ERROR)))
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    #[test]
    fn bounds_are_wilsons_and_those_of_a_mean_of_uniforms() {
        // z² = 2 ln 20, one half of a hundred: 0.5 ± sqrt(z² (0.25/100 + z²/40000)) / (1 + z²/100)
        let mean = Mean::of(50.0, 50.0, 100, 1);
        assert_abs_diff_eq!(mean.low, 0.381_122, epsilon = 1e-6);
        assert_abs_diff_eq!(mean.low + mean.high, 1.0, epsilon = 1e-12);
        assert_eq!((mean.estimate, mean.deviation), (0.5, 0.5));
        // 2.447747 / sqrt(1200)
        assert_abs_diff_eq!(Mean::of_rank(100, 1).low, 0.5 - 0.070_660, epsilon = 1e-6);
        let never = Mean::of(0.0, 0.0, 100, 20);
        assert!(never.low == 0.0 && never.estimate > 0.0 && never.deviation > 0.0);
        assert!((0.05..0.2).contains(&never.high), "{never:?}");
        let wide = Mean::of(50.0, 50.0, 100, 20);
        assert!(wide.low < mean.low && wide.high > mean.high);
    }
}
