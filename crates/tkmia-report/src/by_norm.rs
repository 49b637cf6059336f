//! [`AtNorm`]: what an attack does within each norm, from one run that looks for the smallest.

use crate::samples::Samples;
use crate::{Column, Form, Row, columns};

/// A success: its norm, and what it changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Success {
    /// Of `x* − x̃`, as the attack measures it, in model-input units.
    pub norm: f64,
    /// Δ of this sample in each of the [`changes_by_norm`].
    pub changes: Vec<f64>,
}

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
pub(crate) fn smallest_first(samples: &Samples<'_>) -> Vec<Success> {
    let successes = samples.changes.iter().enumerate().filter_map(|(at, changes)| {
        let norm = samples.found.norm_at(at)?;
        // A sample takes part only with relevant labels, and then has every measure.
        let change = |column: &Column| changes.get(column.measure()?.name);
        let changes = changes_by_norm().map(|column| change(column).unwrap_or(0.0)).collect();
        Some(Success { norm, changes })
    });
    let mut found: Vec<Success> = successes.collect();
    found.sort_by(|a, b| a.norm.total_cmp(&b.norm));
    found
}

/// One point for each success, in the order of norms, among `n` samples.
pub(crate) fn sweep<'a>(successes: impl Iterator<Item = &'a Success>, n: usize) -> Vec<AtNorm> {
    let mut successes: Vec<&Success> = successes.collect();
    successes.sort_by(|a, b| a.norm.total_cmp(&b.norm));
    let mut sums = vec![0.0; successes.first().map_or(0, |success| success.changes.len())];
    let point = |(count, success): (u32, &Success)| {
        sums.iter_mut().zip(&success.changes).for_each(|(sum, change)| *sum += change);
        AtNorm {
            norm: success.norm,
            success: f64::from(count) / n as f64,
            changes: sums.iter().map(|sum| sum / n as f64).collect(),
        }
    };
    (1..).zip(successes).map(point).collect()
}

impl Row {
    /// The attack held to each norm at which it succeeds on one sample more.
    pub fn by_norm(&self) -> Vec<AtNorm> {
        sweep(self.successes.iter(), self.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_counts_from_its_own_norm_on() {
        let at = |norm, p| Success { norm, changes: vec![p, 0.0] };
        let points = sweep([at(2.0, -0.5), at(1.0, 1.0)].iter(), 4);
        let point = |norm, success, p| AtNorm { norm, success, changes: vec![p, 0.0] };
        assert_eq!(points, [point(1.0, 0.25, 0.25), point(2.0, 0.5, 0.125)]);
    }
}
