//! Curves in a system of coordinates: [`chart`].

use image::{Rgb, RgbImage, imageops};

use super::axis::Axis;
use super::canvas::{Area, Canvas};
use super::text::{GREY, INK, Style};

/// A curve of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Its points, from left to right; those that aren't finite are left out.
    pub points: Vec<(f64, f64)>,
}

/// Curves over one axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What is shown; set in bold above.
    pub title: String,
    /// What the horizontal axis counts.
    pub horizontal: String,
    /// The curves, four at most in colours of their own.
    pub series: Vec<Series>,
}

/// Width and height of one chart, in pixels.
const SIZE: [u32; 2] = [640, 400];
/// The plot's margins: left, top, right, bottom.
const MARGIN: [u32; 4] = [70, 76, 24, 56];
const GRID: Rgb<u8> = Rgb([226, 232, 240]);
/// Okabe and Ito's colours, which readers with any colour vision tell apart.
const COLOURS: [Rgb<u8>; 4] =
    [Rgb([0, 114, 178]), Rgb([213, 94, 0]), Rgb([0, 158, 115]), Rgb([204, 121, 167])];
const TITLE: Style = Style::medium(18.0, INK);
const LABEL: Style = Style::regular(14.0, GREY);
/// Width of a curve, in pixels.
const STROKE: f32 = 2.5;

/// Draws charts beside each other.
///
/// Axes reach from the smallest to the largest value, outwards to the next round number.
///
/// # Example
///
/// ```
/// use tkmia_eval::figure::{Chart, Series, chart};
///
/// let series = Series { name: "training".into(), points: vec![(1.0, 6.0), (2.0, 4.5)] };
/// let losses =
///     Chart { title: "Loss".into(), horizontal: "epoch".into(), series: vec![series] };
/// assert_eq!(chart(&[losses]).dimensions(), (640, 400));
/// ```
pub fn chart(charts: &[Chart]) -> RgbImage {
    let [width, height] = SIZE;
    let mut sheet = Canvas::new(width * charts.len() as u32, height).finish();
    for (at, chart) in (0_i64..).zip(charts) {
        imageops::replace(&mut sheet, &one(chart), at * i64::from(width), 0);
    }
    sheet
}

fn one(chart: &Chart) -> RgbImage {
    let mut canvas = Canvas::new(SIZE[0], SIZE[1]);
    let [left, top, right, bottom] = MARGIN;
    let [width, height] = [SIZE[0] - left - right, SIZE[1] - top - bottom];
    canvas.text(&chart.title, left, 26, TITLE);

    let finite = |&(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
    let points = || chart.series.iter().flat_map(|series| &series.points).copied().filter(finite);
    let (across, up) = (Axis::over(points().map(|(x, _)| x)), Axis::over(points().map(|(_, y)| y)));
    let x = |value: f64| left as f32 + across.share(value) * width as f32;
    let y = |value: f64| (top + height) as f32 - up.share(value) * height as f32;
    for tick in up.ticks() {
        let text = up.label(tick);
        canvas.line([left as f32, y(tick)], [(left + width) as f32, y(tick)], 1.0, GRID);
        canvas.text(&text, left.saturating_sub(10 + LABEL.width(&text)), y(tick) as u32, LABEL);
    }
    for tick in across.ticks() {
        let text = across.label(tick);
        let begin = (x(tick) as u32).saturating_sub(LABEL.width(&text) / 2);
        canvas.line([x(tick), top as f32], [x(tick), (top + height) as f32], 1.0, GRID);
        canvas.text(&text, begin, top + height + 16, LABEL);
    }
    let begin = left + (width.saturating_sub(LABEL.width(&chart.horizontal))) / 2;
    canvas.text(&chart.horizontal, begin, top + height + 40, LABEL);

    let mut legend = left;
    for (series, &colour) in chart.series.iter().zip(COLOURS.iter().cycle()) {
        canvas.fill(Area::new([legend, 51], [16, 6]), 3.0, colour);
        canvas.text(&series.name, legend + 22, 54, LABEL);
        legend += 46 + LABEL.width(&series.name);
        let points: Vec<_> = series.points.iter().filter(|&p| finite(p)).collect();
        let place = |point: &(f64, f64)| [x(point.0), y(point.1)];
        for pair in points.windows(2) {
            canvas.line(place(pair[0]), place(pair[1]), STROKE, colour);
        }
        if let [point] = points[..] {
            canvas.line(place(point), place(point), 2.0 * STROKE, colour);
        }
    }
    canvas.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_goes_through_its_points_in_its_own_colour() {
        let series = |name: &str, points: &[(f64, f64)]| Series {
            name: name.into(),
            points: points.to_vec(),
        };
        let drawn = chart(&[Chart {
            title: "mAP".into(),
            horizontal: "epoch".into(),
            series: vec![
                series("a", &[(0.0, 0.0), (10.0, 1.0)]),
                series("b", &[(0.0, 1.0), (5.0, f64::NAN), (10.0, 1.0)]),
            ],
        }]);
        let at = |x: f64, y: f64| {
            let [left, top, right, bottom] = MARGIN;
            let width = f64::from(SIZE[0] - left - right);
            let height = f64::from(SIZE[1] - top - bottom);
            let (x, y) = (f64::from(left) + x * width, f64::from(top) + (1.0 - y) * height);
            *drawn.get_pixel(x as u32, y as u32)
        };
        assert_eq!((at(0.5, 0.5), at(0.25, 0.25)), (COLOURS[0], COLOURS[0]));
        assert_eq!(at(0.5, 1.0), COLOURS[1]);
        assert_eq!(at(0.71, 0.33), Rgb([255; 3]));
    }

    #[test]
    fn nothing_to_show_is_an_empty_system_of_coordinates() {
        let empty = Chart { title: String::new(), horizontal: String::new(), series: Vec::new() };
        assert_eq!(chart(&[empty.clone(), empty]).dimensions(), (1280, 400));
        assert_eq!(chart(&[]).width(), 0);
    }
}
