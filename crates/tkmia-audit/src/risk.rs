//! [`Risk`]: how easily a label is hidden.

use serde::Serialize;
use tkmia_metrics::{median_interval, share_interval};

use crate::Visibility;

/// A share of images with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// In `[0, 1]`.
    pub share: f64,
    /// Wilson's; none of fewer than two images.
    pub interval: Option<[f64; 2]>,
}

impl Share {
    /// So many of so many.
    pub fn of(count: usize, all: usize) -> Self {
        Self {
            share: if all == 0 { 0.0 } else { count as f64 / all as f64 },
            interval: share_interval(count as f64, all),
        }
    }
}

/// How easily a label, or any label, is hidden: over images, each of which is attacked once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Risk {
    /// Images that were attacked.
    pub images: usize,
    /// On how many of them the label was hidden, and stays so when the image is saved with 8 bits.
    pub hidden: Share,
    /// Within each of [`Visibility::ALL`].
    pub within: [Share; 2],
    /// The median change in grey levels, root mean square; none if most images resisted.
    pub median_rms: Option<f64>,
    /// Its 95 % interval, without assumptions on the distribution; an end is none where images resisted.
    pub median_rms_interval: Option<[Option<f64>; 2]>,
    /// The median change as an L2 norm in pixels of `[0, 1]`.
    pub median_norm: Option<f64>,
}

impl Risk {
    /// Of images with these changes in grey levels, infinite where the label stayed; `values` are those of an image.
    pub fn new(rms: &[f64], values: usize) -> Self {
        let within =
            |most: f64| Share::of(rms.iter().filter(|rms| **rms <= most).count(), rms.len());
        let finite = |value: f64| value.is_finite().then_some(value);
        let median = median(rms);
        Self {
            images: rms.len(),
            hidden: within(f64::MAX),
            within: Visibility::ALL.map(|limit| within(limit.rms)),
            median_rms: median,
            median_rms_interval: median_interval(rms).map(|ends| ends.map(finite)),
            median_norm: median.map(|rms| rms * (values as f64).sqrt() / 255.0),
        }
    }
}

/// The lower of the two middle values where there are two, so that a half that resisted doesn't hide the other.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.get(sorted.len().checked_sub(1)? / 2)?;
    middle.is_finite().then_some(*middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_resist_count_against_the_median_and_the_shares() {
        let never = f64::INFINITY;
        let risk = Risk::new(&[0.5, 2.0, 9.0, never], 300);
        assert_eq!((risk.images, risk.hidden.share), (4, 0.75));
        assert_eq!(risk.within.map(|share| share.share), [0.25, 0.5]);
        assert_eq!(risk.median_rms, Some(2.0));
        // 2 grey levels on each of 300 values, in pixels of [0, 1].
        assert!((risk.median_norm.unwrap_or(0.0) - 2.0 * 300_f64.sqrt() / 255.0).abs() < 1e-12);
        assert_eq!(Risk::new(&[0.5, never, never], 3).median_rms, None);
        assert_eq!(Risk::new(&[], 3).median_rms, None);
    }
}
