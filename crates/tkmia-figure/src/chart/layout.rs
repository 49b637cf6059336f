//! [`Layout`]: where each thing of a chart goes, for whatever draws it.

use image::Rgb;

use super::ruler::{Ruler, Tick};
use super::{Chart, Series, Shape};
use crate::text::{INK, Style};

/// Okabe and Ito's colours, which differ in lightness too.
pub const COLOURS: [Rgb<u8>; 7] = [
    Rgb([0, 114, 178]),
    Rgb([213, 94, 0]),
    Rgb([0, 158, 115]),
    Rgb([204, 121, 167]),
    Rgb([230, 159, 0]),
    Rgb([86, 180, 233]),
    Rgb([0, 0, 0]),
];
pub const GRID: Rgb<u8> = Rgb([221, 221, 221]);
/// The radius of a numbered point.
pub const RADIUS: f64 = 8.0;

/// Around the whole.
const MARGIN: f64 = 12.0;
/// The height of the title's line.
const TITLE: f64 = 28.0;
/// Between the plot and the labels of its ticks, which discs don't reach.
const GAP: f64 = 10.0;
/// The height of a line of labels, with the space between lines.
const LINE: f64 = 19.0;
/// The width of what stands before a name in the legend.
const KEY: f64 = 26.0;
/// The most that a name in the legend takes.
const NAME: u32 = 400;
/// How much wider than ours a page's font may be.
const SYSTEM_FONT: f64 = 1.2;
/// The width of a curve.
const STROKE: f64 = 2.0;

/// A chart as things with places, in pixels of a page from the top left.
#[derive(Debug)]
pub struct Layout {
    pub size: [f64; 2],
    /// What is shown, in words.
    pub label: String,
    pub marks: Vec<Mark>,
}

/// A thing to be drawn.
#[derive(Debug)]
pub enum Mark {
    /// A line of the grid.
    Grid([[f64; 2]; 2]),
    /// One line of text; the middle of its capitals' height is at its place.
    Text { text: String, at: [f64; 2], anchor: Anchor, face: Face },
    /// A line with round ends through points, whole or dashed; `name` is what it shows.
    Line { points: Vec<[f64; 2]>, width: f64, colour: Rgb<u8>, dash: Dash, name: String },
    /// A disc; `name` is what it shows.
    Disc { at: [f64; 2], opacity: f64, name: String },
    /// What is drawn of a series, and its line of the legend.
    Series { drawn: Vec<Mark>, key: Vec<Mark> },
}

/// How long the parts of a line are that are drawn, and that are left out; none of a whole line.
pub type Dash = Option<[f64; 2]>;

/// One for each round through the colours.
const DASHES: [Dash; 4] = [None, Some([7.0, 5.0]), Some([1.0, 5.0]), Some([14.0, 5.0])];

/// Which part of a text is at its place.
#[derive(Debug, Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
    /// The middle of a text that is read from the bottom to the top.
    Turned,
}

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub enum Face {
    Title,
    Label,
    Number,
}

impl Face {
    /// At so many pixels of a picture for one of a page.
    pub const fn style(self, scale: f32) -> Style {
        match self {
            Self::Title => Style::medium(15.0 * scale, INK),
            Self::Label => Style::regular(12.0 * scale, INK),
            Self::Number => Style::regular(10.0 * scale, INK),
        }
    }

    /// The most that a text takes on one line, in whatever font.
    fn width(self, text: &str) -> f64 {
        SYSTEM_FONT * f64::from(self.style(1.0).width(text))
    }
}

fn label(text: impl Into<String>, at: [f64; 2], anchor: Anchor) -> Mark {
    Mark::Text { text: text.into(), at, anchor, face: Face::Label }
}

impl Layout {
    pub fn new(chart: &Chart) -> Self {
        let Chart { title, horizontal, vertical, series, size: [width, height] } = chart;
        let points = || series.iter().flat_map(|series| chart.shown(series));
        let stepped = series.iter().any(|series| series.shape == Shape::Steps);
        let across = Ruler::over(horizontal, points().map(|(x, _)| x));
        let up = Ruler::over(vertical, points().map(|(_, y)| y).chain(stepped.then_some(0.0)));
        let columns = across.ticks(*width, |label| Face::Label.width(label));
        let rows = up.ticks(*height, |_| f64::from(Face::Label.style(1.0).size));

        let widest = rows.iter().map(|tick| Face::Label.width(&tick.label)).fold(0.0, f64::max);
        let left = LINE + widest + GAP;
        let top = if title.is_empty() { MARGIN } else { MARGIN + TITLE };
        let (right, bottom) = (left + width, top + height);
        let place = |[x, y]: [f64; 2]| [left + width * x, bottom - height * y];

        let mut marks = Vec::new();
        if !title.is_empty() {
            let (at, anchor, face) = ([left, MARGIN + TITLE / 3.0], Anchor::Start, Face::Title);
            let text = face.style(1.0).shorten(title, *width as u32);
            marks.push(Mark::Text { text, at, anchor, face });
        }
        let numbers = bottom + GAP + 0.3 * LINE;
        for Tick { share, label: text } in columns {
            let [x, _] = place([share, 0.0]);
            marks.push(Mark::Grid([[x, top], [x, bottom]]));
            marks.push(label(text, [x, numbers], Anchor::Middle));
        }
        for Tick { share, label: text } in rows {
            let [_, y] = place([0.0, share]);
            marks.push(Mark::Grid([[left, y], [right, y]]));
            marks.push(label(text, [left - GAP, y], Anchor::End));
        }
        let [x, y] = place([0.5, 0.5]);
        marks.push(label(&horizontal.label, [x, numbers + LINE], Anchor::Middle));
        marks.push(label(&vertical.label, [LINE / 2.0, y], Anchor::Turned));

        let key = right + 2.0 * GAP;
        let mut line = top + LINE / 2.0;
        let mut end = right;
        for (at, series) in series.iter().enumerate() {
            let colour = COLOURS[at % COLOURS.len()];
            let dash = DASHES[at / COLOURS.len() % DASHES.len()];
            let (mut drawn, mut keys) = (Vec::new(), Vec::new());
            let name = Face::Label.style(1.0).shorten(&series.name, NAME);
            let shares = chart.shown(series).map(|(x, y)| [across.share(x), up.share(y)]);
            let mut points: Vec<[f64; 2]> = match series.shape {
                Shape::Steps => steps(up.share(0.0), shares).into_iter().map(place).collect(),
                _ => shares.map(place).collect(),
            };
            if let Shape::Numbered { tooltip, opacity } = &series.shape {
                let number = (at + 1).to_string();
                for at in points {
                    let (opacity, name) = (opacity.clamp(0.0, 1.0), tooltip.clone());
                    drawn.push(Mark::Disc { at, opacity, name });
                    let (text, anchor, face) = (number.clone(), Anchor::Middle, Face::Number);
                    drawn.push(Mark::Text { text, at, anchor, face });
                }
                keys.push(label(number, [key + KEY, line], Anchor::End));
            } else {
                let mut width = STROKE;
                if let [point] = points[..] {
                    // A line from a point to itself is a dot.
                    (points, width) = (vec![point; 2], 2.5 * STROKE);
                }
                drawn.push(Mark::Line { points, width, colour, dash, name: name.clone() });
                let (points, width) = (vec![[key, line], [key + KEY, line]], 2.0 * STROKE);
                keys.push(Mark::Line { points, width, colour, dash, name: name.clone() });
            }
            let begin = key + KEY + GAP;
            end = end.max(begin + Face::Label.width(&name));
            keys.push(label(name, [begin, line], Anchor::Start));
            marks.push(Mark::Series { drawn, key: keys });
            line += LINE;
        }
        let low = line.max(numbers + 1.5 * LINE);
        let label = match title.is_empty() {
            true => format!("{} by {}", vertical.label, horizontal.label),
            false => title.clone(),
        };
        Self { size: [(end + MARGIN).ceil(), low.ceil()], label, marks }
    }
}

impl Chart {
    /// The points that have a place on the axes.
    fn shown<'a>(&'a self, series: &'a Series) -> impl Iterator<Item = (f64, f64)> + 'a {
        let [across, up] = [self.horizontal.scale, self.vertical.scale];
        series.points.iter().copied().filter(move |&(x, y)| across.shows(x) && up.shows(y))
    }
}

/// The corners of steps from the left end to the right.
fn steps(base: f64, points: impl Iterator<Item = [f64; 2]>) -> Vec<[f64; 2]> {
    let mut corners = vec![[0.0, base]];
    let mut last = base;
    for [x, y] in points {
        corners.extend([[x, last], [x, y]]);
        last = y;
    }
    corners.push([1.0, last]);
    corners
}
