//! [`AtNorm`]: what an attack does within each norm, from one run that looks for the smallest.

use tkmia_attacks::Norm;

use crate::by_image::Images;
use crate::samples::{Measured, Samples};
use crate::{Column, Form, Row, columns};

/// Successes of about the same norm, and what they change. One alone, where a row has no more than a thousand of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Successes {
    /// The largest norm of `x* − x̃`, as the attack measures it, in model-input units.
    pub norm: f64,
    /// How many they are.
    pub count: usize,
    /// Δ in each of the [`changes_by_norm`], summed over them.
    pub changes: Vec<f64>,
}

/// Points of a row's curve at most.
const MOST_POINTS: usize = 1000;

/// The attack held to a norm: a sample counts as attacked where the attack succeeds within it, and keeps
/// its clean measures where it doesn't.
#[derive(Debug, Clone, PartialEq)]
pub struct AtNorm {
    /// The largest norm allowed.
    pub norm: f64,
    /// Share of samples on which the attack succeeds within it.
    pub success: f64,
    /// Means of the [`changes_by_norm`] over all samples.
    pub changes: Vec<f64>,
}

/// The Δs that are followed over norms.
pub fn changes_by_norm() -> impl Iterator<Item = &'static Column> {
    columns().iter().filter(|column| column.is_of(Form::ByNorm))
}

/// What successes change, the smallest first.
pub(crate) fn smallest_first(samples: &Samples, images: &Images, norm: Norm) -> Vec<Successes> {
    let drawn = samples.drawn(images);
    let norms = drawn.filter_map(|(_, sample)| Some((sample, sample.size(norm)?)));
    let mut norms: Vec<(&Measured, f64)> = norms.collect();
    norms.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let together = |successes: &[(&Measured, f64)]| {
        // A sample takes part only with relevant labels, and then has every measure.
        let change = |sample: &Measured, column: &Column| {
            column.measure().and_then(|measure| sample.changes.get(measure.name)).unwrap_or(0.0)
        };
        let sum = |column| successes.iter().map(|(sample, _)| change(sample, column)).sum();
        Successes {
            norm: successes[successes.len() - 1].1,
            count: successes.len(),
            changes: changes_by_norm().map(sum).collect(),
        }
    };
    norms.chunks(norms.len().div_ceil(MOST_POINTS).max(1)).map(together).collect()
}

/// One point for each of these, in the order of norms, among `n` samples.
pub(crate) fn sweep<'a>(successes: impl Iterator<Item = &'a Successes>, n: usize) -> Vec<AtNorm> {
    let mut successes: Vec<&Successes> = successes.collect();
    successes.sort_by(|a, b| a.norm.total_cmp(&b.norm));
    let mut count = 0;
    let mut sums = vec![0.0; successes.first().map_or(0, |success| success.changes.len())];
    let point = |success: &Successes| {
        count += success.count;
        sums.iter_mut().zip(&success.changes).for_each(|(sum, change)| *sum += change);
        AtNorm {
            norm: success.norm,
            success: count as f64 / n as f64,
            changes: sums.iter().map(|sum| sum / n as f64).collect(),
        }
    };
    successes.into_iter().map(point).collect()
}

impl Row {
    /// The attack held to each norm at which it succeeds on one sample more; to a thousand of them, if they are more.
    pub fn by_norm(&self) -> Vec<AtNorm> {
        sweep(self.successes.iter(), self.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_counts_from_its_own_norm_on() {
        let at = |norm, count, p| Successes { norm, count, changes: vec![p, 0.0] };
        let points = sweep([at(2.0, 2, -0.5), at(1.0, 1, 1.0)].iter(), 4);
        let point = |norm, success, p| AtNorm { norm, success, changes: vec![p, 0.0] };
        assert_eq!(points, [point(1.0, 0.25, 0.25), point(2.0, 0.75, 0.125)]);
    }
}
