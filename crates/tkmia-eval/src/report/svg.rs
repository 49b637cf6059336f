//! Step curves as SVG.

use std::fmt::Write as _;

/// A curve by its name, and the points at which it steps.
pub(super) struct Curve {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// Colours that differ in lightness too (Okabe and Ito 2008).
const COLOURS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/// Shares in [0, 1] over a range of numbers above 0 on a logarithmic scale, which is labelled at `ticks`.
pub(super) fn steps(
    curves: &[Curve],
    [from, to]: [f64; 2],
    ticks: &[f64],
    horizontal: &str,
    vertical: &str,
) -> String {
    let (width, height, left, top) = (420.0, 220.0, 44.0, 10.0);
    let scale = (to / from).ln();
    let x = |number: f64| left + width * (number.max(from) / from).ln() / scale;
    let y = |share: f64| top + height * (1.0 - share);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{vertical} by {horizontal}\">",
        left + width + 220.0,
        // As high as its legend.
        (top + height + 40.0).max(2.0 * top + 18.0 * curves.len() as f64)
    );
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{left}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{share}</text>",
            left + width,
            left - 6.0,
            y(share) + 4.0,
            y = y(share),
        );
    }
    for &tick in ticks {
        // The last is labelled, and those before it that don't lie on it.
        let apart = ticks.last().is_none_or(|&last| last == tick || x(last) - x(tick) > 24.0);
        if !apart && tick > from {
            continue;
        }
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}</text>",
            x(tick),
            top + height + 16.0
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{horizontal}</text>",
        left + width / 2.0,
        top + height + 34.0
    );
    for (number, curve) in curves.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let mut path = format!("M{:.1} {:.1}", x(from), y(0.0));
        for &(at, share) in &curve.points {
            let _ = write!(path, "H{:.1}V{:.1}", x(at), y(share));
        }
        let _ = write!(
            svg,
            "<path d=\"{path}H{:.1}\" stroke=\"{colour}\"/><text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
            x(to),
            left + width + 10.0,
            top + 14.0 + 18.0 * number as f64,
            super::html::escaped(&curve.name)
        );
    }
    svg + "</svg>"
}
