//! [`frequencies`]: what counts say of probabilities.

use statrs::distribution::{Beta, ContinuousCDF};

/// A lower and an upper bound on the probability of each label, from how often it was seen in so many draws. One side of each
/// label, chosen without regard to the draws, holds for all labels at once with a probability of `1 − alpha` at least.
///
/// Each is that of Clopper & Pearson 1934 with `alpha / labels` (Bonferroni). A [`Certificate`] takes the lower one of relevant
/// labels and the upper one of others.
///
/// # Panics
/// If `alpha` isn't within 0 and 1, or a count is larger than `draws`.
///
/// [`Certificate`]: crate::Certificate
///
/// # Example
///
/// Of 100 draws a label was seen in all of them, another in none: `(α/2)^(1/100)`, and `1 − (α/2)^(1/100)`.
///
/// ```
/// use tkmia_certify::frequencies;
///
/// let bounds = frequencies(&[100, 0], 100, 0.002);
/// let end = 0.001_f64.powf(0.01);
/// assert!((bounds[0][0] - end).abs() < 1e-9 && bounds[0][1] == 1.0);
/// assert!((bounds[1][1] - (1.0 - end)).abs() < 1e-9 && bounds[1][0] == 0.0);
/// ```
pub fn frequencies(counts: &[u64], draws: u64, alpha: f64) -> Vec<[f64; 2]> {
    let error = alpha / counts.len() as f64;
    // A count is at most `draws`, so that both parameters are above 0.
    let quantile = |a: u64, b: u64, p: f64| {
        Beta::new(a as f64, b as f64).expect("parameters above 0").inverse_cdf(p)
    };
    let bounds = |&seen: &u64| {
        let low = if seen == 0 { 0.0 } else { quantile(seen, draws - seen + 1, error) };
        let high = if seen == draws { 1.0 } else { quantile(seen + 1, draws - seen, 1.0 - error) };
        [low, high]
    };
    counts.iter().map(bounds).collect()
}
