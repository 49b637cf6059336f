//! How far a figure over samples can be trusted: [`share_interval`], [`mean_interval`], [`median_interval`],
//! [`ratio_interval`], [`median_ratio_interval`].
//!
//! All are of 95 %. There is none of fewer than two samples, and none of values that are all the same, which say
//! nothing about the spread of others; a share alone has one then.

use alloc::vec::Vec;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The 97.5 % quantile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;
const RESAMPLES: usize = 1000;
/// Samples that are resampled at most.
const MOST_RESAMPLED: usize = 10_000;

/// The interval of a share, `[low, high]` within `[0, 1]`, by Wilson's score.
///
/// Wilson 1927: the shares `p` with `|p̂ − p| ≤ z √(p (1 − p) / n)`. `successes` may be fractional, where a sample
/// was tried several times; the interval is then wider than it had to be.
///
/// # Example: twenty of twenty
///
/// ```
/// use tkmia_metrics::share_interval;
///
/// let [low, high] = share_interval(20.0, 20).expect("there are samples");
/// assert!((low - 0.8389).abs() < 1e-4 && high == 1.0);
/// assert_eq!(share_interval(1.0, 1), None);
/// ```
pub fn share_interval(successes: f64, samples: usize) -> Option<[f64; 2]> {
    if samples < 2 {
        return None;
    }
    let n = samples as f64;
    let share = successes / n;
    let middle = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let square = share * (1.0 - share) / n + (Z / n) * (Z / n) / 4.0;
    let half = Z / (1.0 + Z * Z / n) * libm::sqrt(square);
    // At the ends rounding alone would keep it off them.
    let low = if share == 0.0 { 0.0 } else { middle - half };
    let high = if share == 1.0 { 1.0 } else { middle + half };
    Some([low, high])
}

/// The interval of a median, `[low, high]`: two of the values, between which the median of what they are drawn from lies
/// with at least 95 %, whatever its distribution. There is none of fewer than six values.
///
/// A value may be infinite, where something never happened.
///
/// # Example
///
/// ```
/// use tkmia_metrics::median_interval;
///
/// let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, f64::INFINITY];
/// // One of eight is below the median, and one above, with 1 − 2 (1 + 8) / 2⁸.
/// assert_eq!(median_interval(&values), Some([1.0, f64::INFINITY]));
/// assert_eq!(median_interval(&values[..5]), None);
/// ```
pub fn median_interval(values: &[f64]) -> Option<[f64; 2]> {
    let n = values.len();
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    // How likely at most `r` of them are below the median: binomial with ½, term by term in logarithms.
    let (mut log, mut below, mut rank) = (-(n as f64) * core::f64::consts::LN_2, 0.0, None);
    for r in 0..n / 2 {
        below += libm::exp(log);
        if below > 0.025 {
            break;
        }
        rank = Some(r);
        log += libm::log((n - r) as f64 / (r + 1) as f64);
    }
    rank.map(|rank| [sorted[rank], sorted[n - 1 - rank]])
}

/// The interval of a ratio of medians over samples, each with its own `[before, after]`: the median after over that before.
///
/// Percentiles of 1000 resamples of the pairs (Efron & Tibshirani 1993, section 13.3); a median is the lower of the two middle
/// values where there are two. A value may be infinite, and so may an end of the interval; there is none where both medians
/// are infinite in a resample, or of fewer than six pairs.
///
/// # Example
///
/// ```
/// use tkmia_metrics::median_ratio_interval;
///
/// let pairs: Vec<[f64; 2]> = (1..40).map(|at| [f64::from(at), 1.5 * f64::from(at)]).collect();
/// let [low, high] = median_ratio_interval(&pairs, 0).expect("there are enough");
/// assert!((low - 1.5).abs() < 1e-12 && (high - 1.5).abs() < 1e-12);
/// assert_eq!(median_ratio_interval(&pairs[..5], 0), None);
/// ```
pub fn median_ratio_interval(pairs: &[[f64; 2]], seed: u64) -> Option<[f64; 2]> {
    if pairs.len() < 6 {
        return None;
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let middle = (pairs.len() - 1) / 2;
    let mut ratio = || {
        let resample: Vec<[f64; 2]> = pairs.iter().map(|_| drawn(&mut random, pairs)).collect();
        let [before, after] = [0, 1].map(|at| {
            let mut values: Vec<f64> = resample.iter().map(|pair| pair[at]).collect();
            *values.select_nth_unstable_by(middle, f64::total_cmp).1
        });
        after / before
    };
    let mut ratios: Vec<f64> = (0..RESAMPLES).map(|_| ratio()).collect();
    ratios.sort_by(f64::total_cmp);
    let certain = ratios.iter().all(|ratio| !ratio.is_nan());
    certain.then(|| [0.025, 0.975].map(|share| quantile(&ratios, share)))
}

/// One of the samples.
fn drawn(random: &mut ChaCha8Rng, samples: &[[f64; 2]]) -> [f64; 2] {
    samples[((u128::from(random.next_u64()) * samples.len() as u128) >> 64) as usize]
}

/// The interval of a mean, as [`ratio_interval`] with the denominators 1.
///
/// # Example
///
/// ```
/// use tkmia_metrics::mean_interval;
///
/// let [low, high] = mean_interval(&[1.0, 2.0, 4.0, 3.0, 2.0], 0).expect("the values differ");
/// assert!(low < 2.4 && 2.4 < high);
/// assert_eq!(mean_interval(&[0.5; 10], 0), None);
/// ```
pub fn mean_interval(values: &[f64], seed: u64) -> Option<[f64; 2]> {
    let pairs: Vec<[f64; 2]> = values.iter().map(|&value| [value, 1.0]).collect();
    ratio_interval(&pairs, seed)
}

/// The interval of `Σ a / Σ b` over samples, each with its own `[a, b]`, `b ≥ 0`: a mean over samples that are
/// several values each (sum and number), or a ratio of two attacks on the same samples.
///
/// The studentised bootstrap (Efron & Tibshirani 1993, section 12.5) with the standard error of the linearised ratio:
/// it holds what it says at few samples, too, where percentiles of the means don't. If so many resamples have no
/// spread that its quantiles are infinite, as when all but a few values are the same, it is the BCa interval (Efron
/// 1987). Draws are those of ChaCha8 with this seed, and so the same on any machine. Of more than 10,000 pairs it is the
/// normal interval with the same standard error, from which resampling would not tell it apart by then.
pub fn ratio_interval(pairs: &[[f64; 2]], seed: u64) -> Option<[f64; 2]> {
    let pairs: Vec<[f64; 2]> = pairs.iter().copied().filter(|[_, b]| *b > 0.0).collect();
    let sum = |at: usize| pairs.iter().map(|pair| pair[at]).sum::<f64>();
    let ratio = sum(0) / sum(1);
    // What is left of each `a`: a resample's ratio is then a difference from this one.
    let left: Vec<[f64; 2]> = pairs.iter().map(|&[a, b]| [a - ratio * b, b]).collect();
    let size = pairs.iter().map(|[a, _]| a * a).sum::<f64>();
    let (_, error) = spread(&left, size).filter(|(_, error)| *error > 0.0)?;
    if left.len() > MOST_RESAMPLED {
        return Some([-Z, Z].map(|z| ratio + z * error));
    }

    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut resampled = || -> [f64; 2] {
        let resample: Vec<[f64; 2]> = left.iter().map(|_| drawn(&mut random, &left)).collect();
        let (shift, error) = spread(&resample, size).unwrap_or_default();
        [shift, if shift == 0.0 { 0.0 } else { shift / error }]
    };
    let resamples: Vec<[f64; 2]> = (0..RESAMPLES).map(|_| resampled()).collect();
    let sorted = |at: usize| {
        let mut values: Vec<f64> = resamples.iter().map(|resample| resample[at]).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let students = sorted(1);
    let ends = [0.975, 0.025].map(|share| ratio - quantile(&students, share) * error);
    if ends.iter().all(|end| end.is_finite()) {
        return Some(ends);
    }
    let shifts = sorted(0);
    Some(bca_shares(&shifts, &left).map(|share| ratio + quantile(&shifts, share)))
}

/// `Σ d / Σ b`, and the standard error of a ratio with these deviations: 0 where they are rounding, compared with
/// the size of what they are deviations of. `None` of fewer than two.
fn spread(left: &[[f64; 2]], size: f64) -> Option<(f64, f64)> {
    let n = left.len() as f64;
    let whole: f64 = left.iter().map(|[_, b]| b).sum();
    let shift = left.iter().map(|[d, _]| d).sum::<f64>() / whole;
    let deviation = |[d, b]: &[f64; 2]| d - shift * b;
    let square: f64 = left.iter().map(|pair| deviation(pair) * deviation(pair)).sum();
    let square = if square > 1e-24 * size { square } else { 0.0 };
    (n > 1.0).then(|| (shift, libm::sqrt(square * n / (n - 1.0)) / whole))
}

/// At which shares of the resampled shifts the BCa interval ends.
fn bca_shares(shifts: &[f64], left: &[[f64; 2]]) -> [f64; 2] {
    let count = |is: fn(&f64) -> bool| shifts.iter().filter(|shift| is(shift)).count() as f64;
    let below = (count(|s| *s < 0.0) + count(|s| *s == 0.0) / 2.0) / shifts.len() as f64;
    let bias = normal_quantile(below);
    let square: f64 = left.iter().map(|[d, _]| d * d).sum();
    let cube: f64 = left.iter().map(|[d, _]| d * d * d).sum();
    let skew = cube / (6.0 * libm::pow(square, 1.5));
    [-Z, Z].map(|z| {
        let shifted = bias + z;
        normal(bias + shifted / (1.0 - skew * shifted))
    })
}

/// The standard normal distribution function.
fn normal(z: f64) -> f64 {
    libm::erfc(-z / core::f64::consts::SQRT_2) / 2.0
}

/// Its inverse, within ±8.
fn normal_quantile(share: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        *(if normal(middle) < share { &mut low } else { &mut high }) = middle;
    }
    (low + high) / 2.0
}

/// A quantile of sorted values, interpolated between two (type 7 of Hyndman & Fan 1996).
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    // Truncation is rounding down: it isn't negative.
    let at = place as usize;
    let (below, above) = (sorted[at], sorted[libm::ceil(place) as usize]);
    if below == above { below } else { below + (above - below) * (place - at as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often the interval of `samples` values, drawn with `draw`, holds `truth`, of those times that there is one.
    fn coverage(
        samples: usize,
        truth: f64,
        draw: fn(f64) -> [f64; 2],
        interval: fn(&[[f64; 2]]) -> Option<[f64; 2]>,
    ) -> f64 {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut uniform = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let mut held = Vec::new();
        for _ in 0..400 {
            let values: Vec<_> = (0..samples).map(|_| draw(uniform())).collect();
            held.extend(interval(&values).map(|[low, high]| low <= truth && truth <= high));
        }
        held.iter().filter(|&&held| held).count() as f64 / held.len() as f64
    }

    #[test]
    fn resampled_or_not_is_the_same_where_that_changes() {
        let skewed = |at: usize| [-libm::log((at as f64 + 0.5) / 10_001.0), 1.0];
        let pairs: Vec<[f64; 2]> = (0..=MOST_RESAMPLED).map(skewed).collect();
        let [normal, resampled] =
            [&pairs[..], &pairs[1..]].map(|it| ratio_interval(it, 0).unwrap());
        // The one pair that they differ in moves the mean by less than a twentieth of the width.
        let width = normal[1] - normal[0];
        for (one, other) in normal.iter().zip(resampled) {
            assert!((one - other).abs() < 0.06 * width, "{normal:?} {resampled:?}");
        }
    }

    #[test]
    fn intervals_hold_what_they_say_at_few_samples() {
        let ratio = |pairs: &[[f64; 2]]| ratio_interval(pairs, 0);
        let uniform = |u| [u, 1.0];
        let skewed = |u: f64| [-(1.0 - u).ln(), 1.0];
        // 1/3 of one sample in seven: most differ in nothing.
        let rare = |u| [if u < 0.15 { 1.0 / 3.0 } else { 0.0 }, 1.0];
        // Numerators half as large as their denominators, which vary.
        let paired =
            |u: f64| [0.5 + u + (97.0 * u).fract() / 4.0, 2.0 + 2.0 * u + (89.0 * u).fract() / 2.0];
        for (found, least) in [
            (coverage(10, 0.5, uniform, ratio), 0.93),
            (coverage(10, 1.0, skewed, ratio), 0.90),
            (coverage(40, 1.0, skewed, ratio), 0.92),
            (coverage(20, 0.05, rare, ratio), 0.92),
            (coverage(10, 1.125 / 3.25, paired, ratio), 0.92),
        ] {
            assert!((least..0.999).contains(&found), "{found}, expected {least} at least");
        }
        let share = |pairs: &[[f64; 2]]| {
            share_interval(pairs.iter().map(|pair| pair[0]).sum(), pairs.len())
        };
        let mostly = |u| [f64::from(u < 0.95), 1.0];
        let found = coverage(20, 0.95, mostly, share);
        assert!(found > 0.92, "{found}");
    }

    #[test]
    fn a_share_is_wilsons() {
        // numpy.roots([1 + z * z / 10, -(0.6 + z * z / 10), 0.09])
        let [low, high] = share_interval(3.0, 10).unwrap();
        assert!((low - 0.107_791).abs() < 1e-6 && (high - 0.603_222).abs() < 1e-6, "{low} {high}");
        assert_eq!(share_interval(0.0, 5).unwrap()[0], 0.0);
        assert_eq!(share_interval(1.0, 1), None);
    }

    #[test]
    fn what_says_nothing_about_the_spread_has_no_interval() {
        for values in [&[][..], &[1.0], &[0.1; 7], &[0.3; 3]] {
            assert_eq!(mean_interval(values, 0), None, "{values:?}");
        }
        // Twice as large on each sample, whatever the samples.
        assert_eq!(ratio_interval(&[[2.0, 1.0], [0.2, 0.1], [6.0, 3.0]], 0), None);
        // Samples without a denominator don't count.
        let pairs = [[1.0, 1.0], [3.0, 1.0], [2.0, 1.0]];
        let with = [&pairs[..], &[[0.0, 0.0]]].concat();
        assert_eq!(ratio_interval(&pairs, 0), ratio_interval(&with, 0));
    }

    #[test]
    fn a_seed_gives_the_same_interval_again_and_pairing_a_narrower_one() {
        let values = [0.0, 1.0, 0.5, 0.25, 3.0];
        assert_eq!(mean_interval(&values, 1), mean_interval(&values, 1));
        assert_ne!(mean_interval(&values, 1), mean_interval(&values, 2));
        let width = |pairs: &[[f64; 2]]| {
            let [low, high] = ratio_interval(pairs, 0).unwrap();
            high - low
        };
        let paired = [[1.0, 2.0], [5.1, 10.0], [2.4, 5.0], [10.3, 20.0], [1.5, 3.0]];
        let mut crossed = paired;
        for (at, pair) in crossed.iter_mut().enumerate() {
            pair[0] = paired[(at + 2) % 5][0];
        }
        assert!(width(&paired) < width(&crossed) / 10.0);
    }

    #[test]
    fn the_normal_quantile_is_the_inverse() {
        assert!((normal_quantile(0.975) - Z).abs() < 1e-12);
        assert!((normal(-1.0) - 0.158_655_253_931).abs() < 1e-12);
    }
}
