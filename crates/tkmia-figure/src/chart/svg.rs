//! Charts as SVG: [`embedded`] and [`file`].

use std::fmt::Write as _;

use image::Rgb;

use super::layout::{Anchor, COLOURS, Face, GRID, Layout, Mark, RADIUS};
use crate::escaped;
use crate::text::{CAPITALS, INK};

/// What a page with embedded charts has in its style sheet.
pub fn chart_style() -> String {
    let [ink, grid, disc] = [INK, GRID, COLOURS[0]].map(hex);
    format!(
        ".chart {{ font: 12px system-ui, sans-serif; }}\n\
         .chart text {{ fill: {ink}; }}\n\
         .chart .title {{ font-size: 15px; font-weight: 600; }}\n\
         .chart .number {{ font-size: 10px; pointer-events: none; }}\n\
         .chart .grid {{ stroke: {grid}; }}\n\
         .chart path {{ fill: none; stroke-linecap: round; stroke-linejoin: round; }}\n\
         .chart circle {{ fill: {disc}; stroke: {disc}; }}\n"
    )
}

pub fn embedded(layout: &Layout) -> String {
    drawn(layout, "", "")
}

pub fn file(layout: &Layout) -> String {
    let style = format!("<style>\n{}</style>", chart_style());
    drawn(layout, " xmlns=\"http://www.w3.org/2000/svg\"", &style) + "\n"
}

fn drawn(layout: &Layout, space: &str, style: &str) -> String {
    let ([width, height], label) = (layout.size, escaped(&layout.label));
    let mut svg = format!(
        "<svg{space} class=\"chart\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"{label}\">{style}"
    );
    svg += &marks(&layout.marks);
    svg + "</svg>"
}

fn marks(marks: &[Mark]) -> String {
    marks.iter().map(mark).collect()
}

fn mark(mark: &Mark) -> String {
    match mark {
        Mark::Grid(ends) => {
            let [[x1, y1], [x2, y2]] = ends.map(|end| end.map(tenths));
            format!("<line class=\"grid\" x1=\"{x1}\" x2=\"{x2}\" y1=\"{y1}\" y2=\"{y2}\"/>")
        }
        Mark::Text { text, at, anchor, face } => line(&escaped(text), *at, *anchor, *face),
        Mark::Line { points, width, colour, dash, name } => {
            let (path, colour, name) = (path(points), hex(*colour), escaped(name));
            let dash = dash.map_or(String::new(), |[drawn, left_out]| {
                format!(" stroke-dasharray=\"{drawn} {left_out}\"")
            });
            format!(
                "<path d=\"{path}\" stroke=\"{colour}\" stroke-width=\"{width}\"{dash}><title>{name}</title></path>"
            )
        }
        Mark::Disc { at, opacity, name } => {
            let ([x, y], name) = (at.map(tenths), escaped(name));
            format!(
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"{RADIUS}\" fill-opacity=\"{opacity:.2}\"><title>{name}</title></circle>"
            )
        }
        Mark::Series { drawn, key } => format!(
            "<g class=\"series\"><g class=\"drawn\">{}</g><g class=\"key\">{}</g></g>",
            marks(drawn),
            marks(key)
        ),
    }
}

fn line(text: &str, [x, middle]: [f64; 2], anchor: Anchor, face: Face) -> String {
    // From the middle of capitals down to the line that they stand on.
    let down = f64::from(face.style(1.0).size * CAPITALS / 2.0);
    let [x, y, across] = [x, middle + down, x + down].map(tenths);
    let place = match anchor {
        Anchor::Start => format!("x=\"{x}\" y=\"{y}\""),
        Anchor::Middle => format!("x=\"{x}\" y=\"{y}\" text-anchor=\"middle\""),
        Anchor::End => format!("x=\"{x}\" y=\"{y}\" text-anchor=\"end\""),
        Anchor::Turned => {
            let y = tenths(middle);
            format!("transform=\"translate({across} {y}) rotate(-90)\" text-anchor=\"middle\"")
        }
    };
    let class = match face {
        Face::Title => "class=\"title\" ",
        Face::Number => "class=\"number\" ",
        Face::Label => "",
    };
    format!("<text {class}{place}>{text}</text>")
}

/// A line through points; those that are level or upright take one number.
fn path(points: &[[f64; 2]]) -> String {
    let mut path = String::new();
    let mut last = [f64::NAN; 2];
    for [x, y] in points.iter().map(|point| point.map(tenths)) {
        let _ = match last {
            _ if path.is_empty() => write!(path, "M{x} {y}"),
            [_, before] if before == y => write!(path, "H{x}"),
            [before, _] if before == x => write!(path, "V{y}"),
            _ => write!(path, "L{x} {y}"),
        };
        last = [x, y];
    }
    path
}

fn hex(Rgb([red, green, blue]): Rgb<u8>) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// A number with one decimal, or none where it is 0.
fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_short_where_it_is_level_or_upright() {
        let corners = [[0.0, 9.0], [4.04, 9.0], [4.0, 2.5], [7.0, 1.0]];
        assert_eq!(path(&corners), "M0 9H4V2.5L7 1");
        assert_eq!(path(&[corners[0]; 2]), "M0 9H0");
        assert_eq!(path(&[]), "");
    }
}
