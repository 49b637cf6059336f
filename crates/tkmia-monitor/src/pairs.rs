//! [`Pairs`]: how often labels stand in the top-k together.

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// How often labels, and pairs of them, are in the top-k of clean images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pairs {
    images: f64,
    classes: usize,
    /// `[classes, classes]`, symmetric; on the diagonal the labels alone.
    counts: Vec<f64>,
}

impl Pairs {
    pub fn of<'a>(classes: usize, tops: impl Iterator<Item = &'a [usize]>) -> Self {
        let mut pairs = Self { images: 0.0, classes, counts: vec![0.0; classes * classes] };
        for top in tops {
            pairs.images += 1.0;
            for &i in top {
                for &j in top {
                    pairs.counts[i * classes + j] += 1.0;
                }
            }
        }
        pairs
    }

    /// [`CoOccurrence`](crate::Statistic::CoOccurrence) of a top-k, O(k²).
    pub fn association(&self, top: &[usize]) -> f64 {
        let count = |i: usize, j: usize| self.counts[i * self.classes + j];
        let (mut sum, mut pairs) = (0.0, 0.0);
        for (place, &i) in top.iter().enumerate() {
            for &j in &top[..place] {
                let by_chance = count(i, i) * count(j, j) / self.images;
                sum += libm::log((count(i, j) + 1.0) / (by_chance + 1.0));
                pairs += 1.0;
            }
        }
        sum / pairs
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    #[test]
    fn what_stands_together_is_above_chance_and_what_never_does_below() {
        let tops: [&[usize]; 4] = [&[0, 1], &[1, 0], &[2, 3], &[2, 0]];
        let pairs = Pairs::of(4, tops.into_iter());
        // Two together, 3 · 2 / 4 by chance.
        assert_abs_diff_eq!(pairs.association(&[0, 1]), (3.0_f64 / 2.5).ln());
        // None together, 2 · 1 / 4 by chance.
        assert_abs_diff_eq!(pairs.association(&[1, 3]), (1.0_f64 / 1.5).ln());
        let both = ((3.0_f64 / 2.5).ln() + (1.0_f64 / 1.5).ln() + (1.0_f64 / 1.75).ln()) / 3.0;
        assert_abs_diff_eq!(pairs.association(&[0, 1, 3]), both, epsilon = 1e-12);
    }
}
