//! [`ByImage`]: sums over the samples of each image, which is one sample to an interval.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use tkmia_metrics::ratio_interval;

/// Of each image a numerator and a denominator, summed over the draws of its specified labels: draws of one image say
/// less than as many images.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ByImage(BTreeMap<String, [f64; 2]>);

/// The seed of all intervals: the same samples are resampled alike.
const SEED: u64 = 2023;

impl<'a> FromIterator<(&'a str, [f64; 2])> for ByImage {
    fn from_iter<I: IntoIterator<Item = (&'a str, [f64; 2])>>(pairs: I) -> Self {
        let mut images = Self::default();
        pairs.into_iter().for_each(|(id, pair)| images.add(id, pair));
        images
    }
}

impl ByImage {
    fn add(&mut self, id: &str, [a, b]: [f64; 2]) {
        let [sum, whole] = self.0.entry(id.to_owned()).or_default();
        (*sum, *whole) = (*sum + a, *whole + b);
    }

    /// Adds those of another setting, scaled so that each setting counts the same.
    pub fn add_setting(&mut self, other: &Self) {
        let whole: f64 = other.0.values().map(|pair| pair[1]).sum();
        other.0.iter().for_each(|(id, pair)| self.add(id, pair.map(|part| part / whole)));
    }

    /// The sum of numerators over that of denominators.
    pub fn ratio(&self) -> Option<f64> {
        let sum = |at: usize| self.0.values().map(|pair| pair[at]).sum::<f64>();
        (sum(1) > 0.0).then(|| sum(0) / sum(1))
    }

    /// Its 95 % interval.
    pub fn interval(&self) -> Option<[f64; 2]> {
        ratio_interval(&self.0.values().copied().collect::<Vec<_>>(), SEED)
    }

    /// Of how many images the first number is the smaller one, and the larger one.
    pub fn signs(&self) -> [usize; 2] {
        let count = |order| self.0.values().filter(|[a, b]| a.total_cmp(b) == order).count();
        [Ordering::Less, Ordering::Greater].map(count)
    }

    /// The ratio of each image, and the number of images.
    pub fn means(&self) -> (f64, usize) {
        (self.0.values().map(|[a, b]| a / b).sum(), self.0.len())
    }
}
