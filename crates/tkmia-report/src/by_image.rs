//! [`Images`]: which samples are of one image; [`ByImage`]: sums over them, one sample to an interval.

use std::cmp::Ordering;
use std::sync::Arc;

use tkmia_metrics::ratio_interval;

/// The images that a manifest's samples are of, and the draws that gave them their specified labels.
#[derive(Debug, Default)]
pub(crate) struct Images {
    /// Each once, in their order: that in which intervals resample.
    names: Vec<Arc<str>>,
    /// For each sample the place of its image among them.
    of: Vec<u32>,
    /// For each draw the samples that it gave, ascending.
    draws: Vec<Vec<u32>>,
}

impl Images {
    /// Adds the images of samples that come after those that are known, each with the draws that gave it.
    pub fn extend(&mut self, samples: Vec<(String, Vec<usize>)>) {
        if samples.is_empty() {
            return;
        }
        let mut ids: Vec<Arc<str>> =
            self.of.iter().map(|&image| self.names[image as usize].clone()).collect();
        for (id, draws) in samples {
            for draw in draws {
                if self.draws.len() <= draw {
                    self.draws.resize_with(draw + 1, Vec::new);
                }
                self.draws[draw].push(ids.len() as u32);
            }
            ids.push(id.into());
        }
        self.names.clone_from(&ids);
        self.names.sort();
        self.names.dedup();
        let place = |id: &Arc<str>| self.names.binary_search(id).expect("it is one of them") as u32;
        self.of = ids.iter().map(place).collect();
    }

    /// How many samples are known.
    pub fn samples(&self) -> usize {
        self.of.len()
    }

    /// How many images the first samples are of.
    pub fn count(&self, samples: usize) -> usize {
        let mut seen = vec![false; self.names.len()];
        self.of[..samples].iter().for_each(|&image| seen[image as usize] = true);
        seen.into_iter().filter(|&seen| seen).count()
    }

    /// Of the first samples those that each draw gave; there is a draw even without a sample.
    pub fn draws(&self, samples: usize) -> Vec<&[u32]> {
        let within = |draw: &Vec<u32>| draw.partition_point(|&at| (at as usize) < samples);
        let mut draws: Vec<&[u32]> = self.draws.iter().map(|draw| &draw[..within(draw)]).collect();
        while draws.len() > 1 && draws[draws.len() - 1].is_empty() {
            draws.pop();
        }
        if draws.is_empty() { vec![&[]] } else { draws }
    }

    /// The first samples draw by draw: one that several draws gave comes as often.
    pub fn drawn(&self, samples: usize) -> impl Iterator<Item = usize> {
        self.draws(samples).into_iter().flatten().map(|&at| at as usize)
    }

    /// Sums pairs of samples over those of an image.
    pub fn sum(&self, pairs: impl IntoIterator<Item = (usize, [f64; 2])>) -> ByImage {
        let mut sums = vec![[0.0; 2]; self.names.len()];
        for (at, [a, b]) in pairs {
            let [sum, whole] = &mut sums[self.of[at] as usize];
            (*sum, *whole) = (*sum + a, *whole + b);
        }
        ByImage(sums)
    }

    /// The sums of those images that have some, by their names.
    pub fn named(&self, sums: &ByImage) -> Vec<(Arc<str>, [f64; 2])> {
        let named = self.names.iter().cloned().zip(sums.0.iter().copied());
        named.filter(|(_, sums)| *sums != [0.0; 2]).collect()
    }
}

/// Of each image a numerator and a denominator, summed over the draws of its specified labels: draws of one image say
/// less than as many images. Both are 0 for one that has none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ByImage(pub Vec<[f64; 2]>);

/// The seed of all intervals: the same samples are resampled alike.
const SEED: u64 = 2023;

impl ByImage {
    /// The sum of numerators over that of denominators.
    pub fn ratio(&self) -> Option<f64> {
        let sum = |at: usize| self.0.iter().map(|pair| pair[at]).sum::<f64>();
        (sum(1) > 0.0).then(|| sum(0) / sum(1))
    }

    /// Its 95 % interval.
    pub fn interval(&self) -> Option<[f64; 2]> {
        ratio_interval(&self.0, SEED)
    }

    /// Of how many images the first number is the smaller one, and the larger one.
    pub fn signs(&self) -> [usize; 2] {
        let count = |order| self.0.iter().filter(|[a, b]| a.total_cmp(b) == order).count();
        [Ordering::Less, Ordering::Greater].map(count)
    }

    /// The sum of the images' ratios, and the number of images.
    pub fn means(&self) -> (f64, usize) {
        let ratios = self.0.iter().filter(|[_, b]| *b > 0.0).map(|[a, b]| a / b);
        ratios.fold((0.0, 0), |(sum, count), ratio| (sum + ratio, count + 1))
    }
}
