//! What an attack pays against what it shows: the norm over the change of mAP@k, as SVG.

use std::fmt::Write as _;

use super::html::escaped;
use super::{ReportTable, Row};
use crate::figure::Axis;

/// One attack over all settings of a table.
struct Point {
    label: String,
    /// Mean ΔmAP@k, over all samples.
    change: f64,
    /// APer in model-input units; none without a success.
    norm: Option<f64>,
    success: f64,
}

impl Point {
    /// `None` without a sample.
    fn of(label: String, rows: &[&Row]) -> Option<Self> {
        let samples: f64 = rows.iter().map(|row| row.n as f64).sum();
        let mut sums = [0.0; 3];
        for row in rows {
            let [_, _, change, ..] = row.changes;
            let (Some(change), Some(success)) = (change.value, row.success.value) else { continue };
            let successes = success * row.n as f64;
            sums[0] += change * row.n as f64;
            sums[1] += successes;
            sums[2] += row.aper_input.value.map_or(0.0, |norm| norm * successes);
        }
        let [change, successes, norm] = sums;
        (samples > 0.0).then(|| Self {
            label,
            change: change / samples,
            norm: (successes > 0.0).then(|| norm / successes),
            success: successes / samples,
        })
    }
}

const LEFT: f64 = 56.0;
const TOP: f64 = 12.0;
const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 330.0;
const LEGEND: f64 = 340.0;
/// Height of a line of the legend.
const LINE: f64 = 19.0;
/// What the page's style says of the chart, for the chart as a file.
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#1c1c1c}.grid{stroke:#ddd}\
    circle{fill:#0072b2;stroke:#0072b2}.number{text-anchor:middle;font-size:10px}";

/// A chart as a file of its own.
pub(super) fn file(svg: &str) -> String {
    let begin = "<svg xmlns=\"http://www.w3.org/2000/svg\"";
    svg.replacen("<svg", begin, 1).replacen('>', &format!("><style>{STYLE}</style>"), 1) + "\n"
}

impl ReportTable {
    /// The mean norm of successes (logarithmic) against the mean ΔmAP@k, a numbered point for each attack
    /// over all settings of the table. The fuller a point, the higher the success rate.
    pub(super) fn trade_off(&self) -> String {
        let methods = self.by_label().into_iter();
        let points: Vec<Point> =
            methods.filter_map(|(label, rows)| Point::of(label, &rows)).collect();
        let shown = || points.iter().filter_map(|point| Some((point.change, point.norm?)));
        let across = Axis::over(shown().map(|(change, _)| change));
        let norms = shown().map(|(_, norm)| norm);
        let (low, high) =
            norms.fold((f64::INFINITY, 0.0_f64), |(low, high), n| (low.min(n), high.max(n)));
        // Half an octave of room on either side.
        let (low, high) = if low < f64::INFINITY { (low / 1.4, high * 1.4) } else { (0.1, 10.0) };
        let x = |change: f64| LEFT + WIDTH * f64::from(across.share(change));
        let y = |norm: f64| TOP + HEIGHT * (1.0 - (norm / low).ln() / (high / low).ln());

        let height = (TOP + HEIGHT + 40.0).max(2.0 * TOP + LINE * points.len() as f64);
        let mut svg = format!(
            "<svg viewBox=\"0 0 {} {height}\" role=\"img\" \
             aria-label=\"mean norm against change of mAP@k\">",
            LEFT + WIDTH + LEGEND
        );
        for tick in across.ticks() {
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
                 <text x=\"{x:.1}\" y=\"{below}\" text-anchor=\"middle\">{}</text>",
                across.label(tick),
                x = x(tick),
                bottom = TOP + HEIGHT,
                below = TOP + HEIGHT + 16.0,
            );
        }
        for tick in decades(low, high) {
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{tick}</text>",
                LEFT - 6.0,
                y(tick) + 4.0,
                right = LEFT + WIDTH,
                y = y(tick),
            );
        }
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">ΔmAP@k</text>\
             <text transform=\"translate(14 {}) rotate(-90)\" text-anchor=\"middle\">APer (input)</text>",
            LEFT + WIDTH / 2.0,
            TOP + HEIGHT + 34.0,
            TOP + HEIGHT / 2.0,
        );
        for (number, point) in (1..).zip(&points) {
            let success = match point.norm {
                Some(norm) => {
                    let (x, y) = (x(point.change), y(norm));
                    let _ = write!(
                        svg,
                        "<g><title>{}</title><circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"8\" fill-opacity=\"{:.2}\"/>\
                         <text class=\"number\" x=\"{x:.1}\" y=\"{:.1}\">{number}</text></g>",
                        escaped(&point.label),
                        0.1 + 0.4 * point.success,
                        y + 3.5
                    );
                    format!("success {:.2}", point.success)
                }
                None => "no success".to_owned(),
            };
            let _ = write!(
                svg,
                "<text x=\"{}\" y=\"{}\">{number}  {}, {success}</text>",
                LEFT + WIDTH + 16.0,
                TOP + LINE * number as f64 - 5.0,
                escaped(&point.label),
            );
        }
        svg + "</svg>"
    }
}

/// 1, 2 and 5 times the powers of ten between two positive numbers.
pub(super) fn decades(low: f64, high: f64) -> Vec<f64> {
    let powers = low.log10().floor() as i32..=high.log10().floor() as i32;
    let ticks = powers.flat_map(|power| {
        // Divided, a negative power gives the number that is meant.
        let power = move |factor: f64| match power {
            0.. => factor * 10_f64.powi(power),
            _ => factor / 10_f64.powi(-power),
        };
        [power(1.0), power(2.0), power(5.0)]
    });
    ticks.filter(|tick| (low..=high).contains(tick)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_of_a_logarithmic_axis_are_round() {
        assert_eq!(decades(0.03, 3.0), [0.05, 0.1, 0.2, 0.5, 1.0, 2.0]);
        assert_eq!(decades(11.0, 19.0), [0.0; 0]);
    }
}
