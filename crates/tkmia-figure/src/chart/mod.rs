//! Series over two axes: [`Chart`].

mod layout;
mod picture;
mod ruler;
mod svg;

use image::RgbImage;

pub use picture::beside;
pub use svg::chart_style;

use layout::Layout;

/// Series over two axes, with a legend at their right.
///
/// It looks the same as SVG and as a picture: same ticks, same places, same colours (those of Okabe and
/// Ito, which readers with any colour vision tell apart).
///
/// # Example
///
/// ```
/// use tkmia_figure::{Axis, Chart, Series, Shape};
///
/// let loss = Series {
///     name: "training".into(),
///     points: vec![(1.0, 6.0), (2.0, 4.5)],
///     shape: Shape::Line,
/// };
/// let chart = Chart {
///     title: "Loss".into(),
///     horizontal: Axis::linear("epoch"),
///     vertical: Axis::linear("mean over images"),
///     series: vec![loss],
///     size: [360.0, 220.0],
/// };
/// assert!(chart.svg_file().contains(">training</text>"));
/// assert!(chart.picture().width() > 360);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What is shown; set in bold above. Nothing is set if it is empty.
    pub title: String,
    /// The axis of the points' first numbers.
    pub horizontal: Axis,
    /// The axis of the points' second numbers.
    pub vertical: Axis,
    /// What is drawn, in the order of the legend. Seven have colours of their own.
    pub series: Vec<Series>,
    /// Width and height of the plot without labels and legend, in pixels of a page.
    pub size: [f64; 2],
}

/// What an axis counts, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What it counts, with the unit.
    pub label: String,
    /// How numbers are laid out on it.
    pub scale: Scale,
    /// What it shows at least, from the smaller to the larger number. Beyond these two it reaches
    /// as far as the points do, outwards to the next tick.
    pub range: Option<(f64, f64)>,
}

impl Axis {
    /// An axis of equal steps, as long as the points need.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Linear, range: None }
    }

    /// An axis of equal factors, as long as the points need.
    pub fn logarithmic(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Logarithmic, range: None }
    }

    /// The same, which shows at least these numbers and those between.
    pub fn with_range(self, low: f64, high: f64) -> Self {
        Self { range: Some((low, high)), ..self }
    }
}

/// How numbers are laid out on an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Equal distances for equal differences.
    Linear,
    /// Equal distances for equal ratios; numbers that aren't positive have no place on it.
    Logarithmic,
}

impl Scale {
    /// Whether a number has a place on it. Those that no label could tell apart have none.
    fn shows(self, value: f64) -> bool {
        match self {
            Self::Linear => value.abs() <= 1e12,
            Self::Logarithmic => (1e-12..=1e12).contains(&value),
        }
    }
}

/// Points that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What the legend calls it; shortened if it is longer than 400 pixels.
    pub name: String,
    /// Its points, from left to right. Those without a place on the axes are left out.
    pub points: Vec<(f64, f64)>,
    /// What is drawn of them.
    pub shape: Shape,
}

/// How a series is drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A straight line from each point to the next.
    Line,
    /// A value that starts at 0 and changes at each point, from the left end of the axis to the right.
    Steps,
    /// A disc at each point with the series' number in the legend.
    Numbered {
        /// What shows where the pointer rests on it (in SVG).
        tooltip: String,
        /// How full its colour is, from 0 to 1.
        opacity: f64,
    },
}

impl Chart {
    /// SVG to be embedded in a page, which has [`chart_style`] in its style sheet.
    pub fn svg(&self) -> String {
        svg::embedded(&Layout::new(self))
    }

    /// SVG as a file of its own.
    pub fn svg_file(&self) -> String {
        svg::file(&Layout::new(self))
    }

    /// A picture, 5 pixels for 4 of a page.
    pub fn picture(&self) -> RgbImage {
        picture::draw(&Layout::new(self))
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::layout::{COLOURS, GRID, Mark};
    use super::*;

    fn series(name: &str, shape: Shape, points: &[(f64, f64)]) -> Series {
        Series { name: name.into(), points: points.to_vec(), shape }
    }

    fn chart(series: Vec<Series>) -> Chart {
        Chart {
            title: String::new(),
            horizontal: Axis::linear("across"),
            vertical: Axis::linear("up"),
            series,
            size: [200.0, 100.0],
        }
    }

    /// The picture's pixel at shares of the plot.
    fn pixel(chart: &Chart, x: f64, y: f64) -> Rgb<u8> {
        let ends = Layout::new(chart).marks.into_iter().filter_map(|mark| match mark {
            Mark::Grid(ends) => Some(ends),
            _ => None,
        });
        let ends: Vec<[f64; 2]> = ends.flatten().collect();
        let fold = |axis: usize, pick: fn(f64, f64) -> f64| {
            ends.iter().map(|end| end[axis]).reduce(pick).unwrap()
        };
        let (left, bottom) = (fold(0, f64::min), fold(1, f64::max));
        let place = [left + x * chart.size[0], bottom - y * chart.size[1]];
        let [x, y] = place.map(|length| (1.25 * length) as u32);
        *chart.picture().get_pixel(x, y)
    }

    #[test]
    fn a_curve_goes_through_its_points_in_its_own_colour() {
        let chart = chart(vec![
            series("a", Shape::Line, &[(0.0, 0.0), (10.0, 1.0)]),
            series("b", Shape::Line, &[(0.0, 1.0), (5.0, f64::NAN), (10.0, 1.0)]),
        ]);
        let at = |x, y| pixel(&chart, x, y);
        assert_eq!((at(0.5, 0.5), at(0.25, 0.25)), (COLOURS[0], COLOURS[0]));
        assert_eq!(at(0.5, 1.0), COLOURS[1]);
        assert_eq!(at(0.71, 0.33), Rgb([255; 3]));
        let svg = chart.svg();
        assert!(svg.contains("stroke=\"#0072b2\"") && svg.contains("stroke=\"#d55e00\""));
    }

    #[test]
    fn steps_begin_at_nothing_and_go_on_to_the_end_of_the_axis() {
        let mut chart = chart(vec![series("a", Shape::Steps, &[(10.0, 0.5), (100.0, 0.75)])]);
        chart.horizontal = Axis::logarithmic("").with_range(1.0, 1000.0);
        chart.vertical = Axis::linear("").with_range(0.0, 1.0);
        for (x, y) in [(0.2, 0.0), (0.5, 0.5), (0.9, 0.75), (1.0 / 3.0, 0.25)] {
            assert_eq!(pixel(&chart, x, y), COLOURS[0], "({x}, {y})");
        }
        let path = chart.svg();
        let path = path.split("<path d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(path.replace(|c: char| c != ' ' && !c.is_ascii_uppercase(), ""), "M HVHVH");
    }

    #[test]
    fn a_numbered_point_tells_its_number_its_name_and_how_full_it_is() {
        let point = |tooltip: &str, opacity| Shape::Numbered { tooltip: tooltip.into(), opacity };
        let chart = chart(vec![
            series("one, success 1", point("one", 1.0), &[(0.0, 0.0)]),
            series("none", point("none", 0.1), &[]),
            series("two, success 0", point("two", 0.0), &[(1.0, 1.0)]),
        ]);
        let svg = chart.svg();
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains("<title>two</title>") && svg.contains("fill-opacity=\"0.00\""));
        assert!(svg.contains(">3</text>") && svg.contains(">none</text>"));
        // Beside the number, within the disc.
        assert_eq!(pixel(&chart, 0.025, 0.0), COLOURS[0]);
        assert_ne!(pixel(&chart, 0.975, 1.0), COLOURS[0]);
    }

    #[test]
    fn both_surfaces_show_the_same_ticks_and_legend() {
        let mut chart = chart(vec![
            series("wide name", Shape::Line, &[(1.0, 0.01), (3.0, 100.0)]),
            series("other", Shape::Steps, &[(2.0, 1.0)]),
        ]);
        (chart.title, chart.vertical) = ("Title".into(), Axis::logarithmic("up"));
        let (svg, picture) = (chart.svg(), chart.picture());
        let inked = |[x, y]: [f64; 2], reach: f64, is: &dyn Fn(Rgb<u8>) -> bool| {
            let span = |middle: f64| {
                let [from, to] = [middle - reach, middle + reach].map(|end| (1.25 * end) as u32);
                from..=to
            };
            span(x).any(|x| span(y).any(|y| is(*picture.get_pixel(x, y))))
        };
        let number = |tag: &str, name: &str| -> Option<f64> {
            tag.split_once(&format!(" {name}=\""))?.1.split('"').next()?.parse().ok()
        };
        let (mut grid, mut texts) = (0, Vec::new());
        for tag in svg.split('<') {
            let ends = ["x1", "y1", "x2", "y2"].map(|name| number(tag, name));
            if let [Some(x1), Some(y1), Some(x2), Some(y2)] = ends {
                let middle = [(x1 + x2) / 2.0 + 1.5, (y1 + y2) / 2.0 + 1.5];
                assert!(inked(middle, 2.0, &|pixel| pixel.0 < [240; 3] && pixel.0 >= GRID.0));
                grid += 1;
            }
            if let Some((_, text)) = tag.split_once('>').filter(|_| tag.starts_with("text")) {
                texts.push(text);
                if let [Some(x), Some(y)] = ["x", "y"].map(|name| number(tag, name)) {
                    let dark = |pixel: Rgb<u8>| pixel.0[0] < 120;
                    assert!(inked([x, y - 4.0], 5.0, &dark), "{text}");
                }
            }
        }
        assert_eq!(
            texts,
            [
                "Title",
                "1.0",
                "1.5",
                "2.0",
                "2.5",
                "3.0",
                "0.01",
                "0.1",
                "1",
                "10",
                "100",
                "across",
                "up",
                "wide name",
                "other"
            ]
        );
        assert_eq!(grid, 10);
    }

    #[test]
    fn names_are_escaped_and_never_wider_than_the_picture() {
        let mut chart = chart(vec![series(&"<&\">".repeat(300), Shape::Line, &[])]);
        chart.vertical.label = "a < b".into();
        let svg = chart.svg_file();
        assert!(svg.contains(">&lt;&amp;&quot;&gt;&lt;") && svg.contains("…</text>"));
        assert!(svg.contains("aria-label=\"a &lt; b by across\"") && !svg.contains("a < b"));
        assert!((600..1000).contains(&chart.picture().width()));
    }

    #[test]
    fn only_a_file_brings_its_name_space_and_its_style() {
        let chart = chart(Vec::new());
        let (embedded, file) = (chart.svg(), chart.svg_file());
        assert!(!embedded.contains("http") && !embedded.contains("<style>"));
        assert!(file.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" "));
        assert!(file.contains(&chart_style()) && file.ends_with("</svg>\n"));
    }

    #[test]
    fn nothing_to_show_is_an_empty_system_of_coordinates() {
        let empty = chart(Vec::new()).picture();
        let two = beside(&[empty.clone(), empty.clone()]);
        assert_eq!(two.dimensions(), (2 * empty.width(), empty.height()));
        assert_eq!(beside(&[]).width(), 0);
    }
}
