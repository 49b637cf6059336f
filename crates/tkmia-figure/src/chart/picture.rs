//! Charts as pictures: [`draw`], and [`beside`] for several.

use image::{RgbImage, imageops};

use super::layout::{Anchor, COLOURS, Dash, GRID, Layout, Mark, RADIUS};
use crate::canvas::{Area, Canvas};
use crate::text::Style;

/// Pixels of a picture for one of a page.
const SCALE: f64 = 1.25;

/// Pictures in a row, on white, as high as the highest.
pub fn beside(pictures: &[RgbImage]) -> RgbImage {
    let width = pictures.iter().map(RgbImage::width).sum();
    let height = pictures.iter().map(RgbImage::height).max().unwrap_or(0);
    let mut sheet = Canvas::new(width, height).finish();
    let mut x = 0;
    for picture in pictures {
        imageops::replace(&mut sheet, picture, x, 0);
        x += i64::from(picture.width());
    }
    sheet
}

fn pixels(lengths: [f64; 2]) -> [f32; 2] {
    lengths.map(|length| (length * SCALE) as f32)
}

pub fn draw(layout: &Layout) -> RgbImage {
    let [width, height] = pixels(layout.size).map(|side| side.ceil() as u32);
    let mut canvas = Canvas::new(width, height);
    layout.marks.iter().for_each(|mark| put(&mut canvas, mark));
    canvas.finish()
}

fn put(canvas: &mut Canvas, mark: &Mark) {
    match mark {
        Mark::Grid([from, to]) => canvas.line(pixels(*from), pixels(*to), 1.0, GRID),
        Mark::Text { text, at, anchor, face } => {
            write(canvas, text, pixels(*at), *anchor, face.style(SCALE as f32));
        }
        Mark::Line { points, width, colour, dash, .. } => {
            for [from, to] in dashes(points, *dash) {
                canvas.line(pixels(from), pixels(to), (width * SCALE) as f32, *colour);
            }
        }
        Mark::Disc { at, opacity, .. } => {
            let radius = (RADIUS * SCALE) as f32;
            canvas.disc(pixels(*at), radius, COLOURS[0], *opacity as f32);
        }
        Mark::Series { drawn, key } => drawn.iter().chain(key).for_each(|mark| put(canvas, mark)),
    }
}

/// The parts of a line that are drawn, straight piece by straight piece.
fn dashes(points: &[[f64; 2]], dash: Dash) -> Vec<[[f64; 2]; 2]> {
    let mut parts = Vec::new();
    // How far along the line, without end where it is whole.
    let mut along = 0.0_f64;
    for &[from, to] in points.array_windows() {
        let length = (to[0] - from[0]).hypot(to[1] - from[1]);
        let Some([drawn, left_out]) = dash.filter(|_| length > 0.0) else {
            parts.push([from, to]);
            continue;
        };
        let at = |way: f64| -> [f64; 2] {
            std::array::from_fn(|axis| from[axis] + (to[axis] - from[axis]) * way / length)
        };
        let mut way = 0.0;
        while way < length {
            let place = (along + way) % (drawn + left_out);
            let end = way + if place < drawn { drawn } else { drawn + left_out } - place;
            if place < drawn {
                parts.push([at(way), at(end.min(length))]);
            }
            way = end;
        }
        along += length;
    }
    parts
}

fn write(canvas: &mut Canvas, text: &str, at: [f32; 2], anchor: Anchor, style: Style) {
    let [x, y] = at.map(|length| length.round() as u32);
    let (width, height) = (style.width(text), style.line_height());
    match anchor {
        Anchor::Start => canvas.text(text, x, y, style),
        Anchor::Middle => canvas.text(text, x.saturating_sub(width / 2), y, style),
        Anchor::End => canvas.text(text, x.saturating_sub(width), y, style),
        Anchor::Turned => {
            let mut line = Canvas::new(width, height);
            line.text(text, 0, height / 2, style);
            let corner = [x.saturating_sub(height / 2), y.saturating_sub(width / 2)];
            canvas
                .picture(&imageops::rotate270(&line.finish()), Area::new(corner, [height, width]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_go_on_behind_a_corner() {
        let corner = [[0.0, 0.0], [5.0, 0.0], [5.0, 5.0]];
        assert_eq!(dashes(&corner, None), [[[0.0, 0.0], [5.0, 0.0]], [[5.0, 0.0], [5.0, 5.0]]]);
        // Four drawn, two left out: up to 4, then from 6, which is one behind the corner.
        let found = dashes(&corner, Some([4.0, 2.0]));
        assert_eq!(found, [[[0.0, 0.0], [4.0, 0.0]], [[5.0, 1.0], [5.0, 5.0]]]);
    }
}
