//! Charts as pictures: [`draw`], and [`beside`] for several.

use image::{RgbImage, imageops};

use super::layout::{Anchor, COLOURS, GRID, Layout, Mark, RADIUS};
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

pub fn draw(layout: &Layout) -> RgbImage {
    let pixels = |lengths: [f64; 2]| lengths.map(|length| (length * SCALE) as f32);
    let [width, height] = pixels(layout.size).map(|side| side.ceil() as u32);
    let mut canvas = Canvas::new(width, height);
    for mark in &layout.marks {
        match mark {
            Mark::Grid([from, to]) => canvas.line(pixels(*from), pixels(*to), 1.0, GRID),
            Mark::Text { text, at, anchor, face } => {
                write(&mut canvas, text, pixels(*at), *anchor, face.style(SCALE as f32));
            }
            Mark::Line { points, width, colour, .. } => {
                for [from, to] in points.array_windows() {
                    canvas.line(pixels(*from), pixels(*to), (width * SCALE) as f32, *colour);
                }
            }
            Mark::Disc { at, opacity, .. } => {
                let radius = (RADIUS * SCALE) as f32;
                canvas.disc(pixels(*at), radius, COLOURS[0], *opacity as f32);
            }
        }
    }
    canvas.finish()
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
