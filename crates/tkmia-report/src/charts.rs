//! The charts of a table: each attack over all its settings.

use std::collections::BTreeMap;

use tkmia_attacks::Norm;
use tkmia_figure::{Axis, Chart, Series, Shape};

use crate::by_norm::{AtNorm, changes_by_norm, sweep};
use crate::{Form, ReportTable, Row};

/// A name, and the points of its curve.
type Curve = (String, Vec<(f64, f64)>);

impl ReportTable {
    /// For each norm that its attacks keep small: the mean of their successes (logarithmic) against the mean ΔmAP@k, a
    /// numbered point for each attack: what it pays against what it shows. The fuller a point, the higher the success rate.
    pub(crate) fn trade_offs(&self) -> Vec<(Norm, Chart)> {
        let chart = |norm| {
            let series = |(label, rows): (String, Vec<&Row>)| {
                let [change, success, norm] = means(&rows)?;
                Some(Series {
                    name: match success > 0.0 {
                        true => format!("{label}, success {success:.2}"),
                        false => format!("{label}, no success"),
                    },
                    points: if success > 0.0 { vec![(change, norm)] } else { Vec::new() },
                    shape: Shape::Numbered { tooltip: label, opacity: 0.1 + 0.4 * success },
                })
            };
            let vertical = match norm {
                Norm::L2 => "APer (input)",
                Norm::Linf => "mean ‖ε‖∞ (input)",
            };
            let chart = Chart {
                title: String::new(),
                horizontal: Axis::linear("ΔmAP@k"),
                vertical: Axis::logarithmic(vertical),
                series: self.by_label(Some(norm)).into_iter().filter_map(series).collect(),
                size: [440.0, 330.0],
            };
            (norm, chart)
        };
        self.norms().into_iter().map(chart).collect()
    }

    /// Success by iterations; for each norm success, and the change of each measure, by norm: titles and charts. None
    /// where nothing succeeded.
    pub(crate) fn curves(&self) -> Vec<(String, Chart)> {
        let mut charts: Vec<(String, Chart)> = Vec::new();
        let end = self.rows.iter().map(Row::most_iterations).max().unwrap_or(1).max(2);
        let iterations = Axis::logarithmic("iterations").with_range(1.0, end as f64);
        let curves =
            self.by_label(None).into_iter().map(|(label, rows)| (label, by_iteration(&rows)));
        let curves: Vec<Curve> = curves.collect();
        if curves.iter().any(|(_, points)| !points.is_empty()) {
            charts.push(("Success by iterations".to_owned(), steps(iterations, SUCCEEDED, curves)));
        }
        charts.extend(self.norms().into_iter().flat_map(|norm| self.curves_by(norm)));
        charts
    }

    /// Success, and the change of each measure, by a norm.
    pub(crate) fn curves_by(&self, norm: Norm) -> Vec<(String, Chart)> {
        let swept = self.by_label(Some(norm)).into_iter().map(|(label, rows)| {
            let n = rows.iter().map(|row| row.samples).sum();
            (label, sweep(rows.iter().flat_map(|row| &row.successes), n))
        });
        let swept: Vec<(String, Vec<AtNorm>)> = swept.collect();
        let norms = swept.iter().flat_map(|(_, points)| points).map(|point| point.norm);
        // A norm of 0 has no place on the axis.
        if norms.reduce(f64::min).is_none_or(|smallest| smallest <= 0.0) {
            return Vec::new();
        }
        let by = match norm {
            Norm::L2 => "norm",
            Norm::Linf => "L∞ norm",
        };
        let chart = |vertical: &str, value: &dyn Fn(&AtNorm) -> f64| {
            let curve = |(label, points): &(String, Vec<AtNorm>)| {
                let points = points.iter().map(|point| (point.norm, value(point)));
                (label.clone(), points.collect())
            };
            let norm = Axis::logarithmic(format!("largest {by} allowed (input)"));
            steps(norm, vertical, swept.iter().map(curve).collect())
        };
        let mut charts =
            vec![(format!("Success by {by}"), chart(SUCCEEDED, &|point| point.success))];
        charts.extend(changes_by_norm().enumerate().map(|(at, column)| {
            let name = column.heading(Form::ByNorm);
            (format!("{name} by {by}"), chart(&name, &|point| point.changes[at]))
        }));
        charts
    }
}

const SUCCEEDED: &str = "share of samples that succeeded";

/// Curves that step at points, from 0 on; values in [0, 1] are all shown.
fn steps(horizontal: Axis, vertical: &str, curves: Vec<Curve>) -> Chart {
    let series = |(name, points)| Series { name, points, shape: Shape::Steps };
    Chart {
        title: String::new(),
        horizontal,
        vertical: Axis::linear(vertical).with_range(0.0, 1.0),
        series: curves.into_iter().map(series).collect(),
        size: [420.0, 220.0],
    }
}

/// ΔmAP@k and the success rate over all samples of some rows, and the mean norm of the successes, 0 without one.
/// `None` without a sample.
fn means(rows: &[&Row]) -> Option<[f64; 3]> {
    let samples: f64 = rows.iter().map(|row| row.samples as f64).sum();
    let (mut change, mut successes, mut norm) = (0.0, 0.0, 0.0);
    for row in rows {
        let value = |column| row.value(column).unwrap_or(0.0);
        let succeeded = value("success") * row.samples as f64;
        change += value("d_map_at_k") * row.samples as f64;
        successes += succeeded;
        norm += row.mean_norm().unwrap_or(0.0) * succeeded;
    }
    let norm = if successes > 0.0 { norm / successes } else { 0.0 };
    (samples > 0.0).then(|| [change / samples, successes / samples, norm])
}

/// The share of all samples of some rows that had succeeded by each number of iterations.
fn by_iteration(rows: &[&Row]) -> Vec<(f64, f64)> {
    let all: usize = rows.iter().map(|row| row.samples).sum();
    let mut counts: BTreeMap<usize, f64> = BTreeMap::new();
    for row in rows {
        let mut before = 0.0;
        for &(iterations, share) in &row.successes_by_iteration {
            *counts.entry(iterations).or_default() += (share - before) * row.samples as f64;
            before = share;
        }
    }
    let mut sum = 0.0;
    let step = |(at, count): (usize, f64)| {
        sum += count;
        (at.max(1) as f64, sum / all as f64)
    };
    counts.into_iter().map(step).collect()
}
