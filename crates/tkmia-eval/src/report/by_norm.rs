//! [`AtNorm`]: what an attack does within each norm, from one run that looks for the smallest.

use super::svg::{Curve, steps};
use super::trade_off::decades;
use super::{ReportTable, Row, sample_changes};
use crate::{EvalError, Record};

/// A success: its norm, and what it changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Success {
    /// `‖x* − x̃‖₂` in model-input units.
    pub norm: f64,
    /// ΔP@k, ΔmAP@k by instance, ΔNDCG@k of this sample.
    pub changes: [f64; 3],
}

/// The attack held to a norm: a sample counts as attacked where the attack succeeds within it, and keeps
/// its clean measures where it doesn't.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AtNorm {
    /// The largest norm allowed.
    pub norm: f64,
    /// Share of samples on which the attack succeeds within it.
    pub success: f64,
    /// Means of ΔP@k, ΔmAP@k by instance and ΔNDCG@k over all samples.
    pub changes: [f64; 3],
}

/// What successes change, the smallest first.
pub(super) fn smallest_first(successes: &[&Record], k: usize) -> Result<Vec<Success>, EvalError> {
    let success = |record: &&Record| {
        let [_, p, ap, ndcg, _] = sample_changes(record, k)?;
        Ok(Success { norm: record.norm_input, changes: [p, ap, ndcg] })
    };
    let mut found = successes.iter().map(success).collect::<Result<Vec<_>, EvalError>>()?;
    found.sort_by(|a, b| a.norm.total_cmp(&b.norm));
    Ok(found)
}

/// One point for each success, in the order of norms, among `n` samples.
pub(super) fn sweep(mut successes: Vec<Success>, n: usize) -> Vec<AtNorm> {
    successes.sort_by(|a, b| a.norm.total_cmp(&b.norm));
    let mut sums = [0.0; 3];
    let points = (1..).zip(successes).map(|(count, Success { norm, changes })| {
        sums.iter_mut().zip(changes).for_each(|(sum, change)| *sum += change);
        let success = f64::from(count) / n as f64;
        AtNorm { norm, success, changes: sums.map(|sum| sum / n as f64) }
    });
    points.collect()
}

impl Row {
    /// The attack held to each norm at which it succeeds on one sample more.
    pub fn by_norm(&self) -> Vec<AtNorm> {
        sweep(self.successes.clone(), self.n)
    }
}

impl ReportTable {
    /// Success, and the change of mAP@k, within each norm, for each method over all settings of the table:
    /// titles and charts.
    pub(super) fn norm_curves(&self) -> Vec<(&'static str, String)> {
        let by_label: Vec<(String, Vec<AtNorm>)> = (self.by_label().into_iter())
            .map(|(label, rows)| {
                let n = rows.iter().map(|row| row.n).sum();
                let successes = rows.iter().flat_map(|row| row.successes.iter().copied()).collect();
                (label, sweep(successes, n))
            })
            .collect();
        let norms = || by_label.iter().flat_map(|(_, points)| points).map(|point| point.norm);
        let (low, high) = norms()
            .fold((f64::INFINITY, 0.0_f64), |(low, high), norm| (low.min(norm), high.max(norm)));
        if !(low > 0.0 && high > 0.0) {
            return Vec::new();
        }
        // Room before the first step and after the last.
        let range = [low / 1.2, high * 1.2];
        let ticks = decades(range[0], range[1]);
        let chart = |vertical: &str, value: fn(&AtNorm) -> f64| {
            let curve = |(label, points): &(String, Vec<AtNorm>)| Curve {
                name: label.clone(),
                points: points.iter().map(|point| (point.norm, value(point))).collect(),
            };
            let curves: Vec<Curve> = by_label.iter().map(curve).collect();
            steps(&curves, range, &ticks, "largest norm allowed (input)", vertical)
        };
        vec![
            ("Success by norm", chart("share of samples that succeeded", |point| point.success)),
            ("ΔmAP@k by norm", chart("ΔmAP@k", |point| point.changes[1])),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_counts_from_its_own_norm_on() {
        let at = |norm, p| Success { norm, changes: [p, 0.0, 0.0] };
        let points = sweep(vec![at(2.0, -0.5), at(1.0, 1.0)], 4);
        let point = |norm, success, p| AtNorm { norm, success, changes: [p, 0.0, 0.0] };
        assert_eq!(points, [point(1.0, 0.25, 0.25), point(2.0, 0.5, 0.125)]);
    }
}
