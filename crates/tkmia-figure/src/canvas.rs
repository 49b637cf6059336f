//! The few things a figure is drawn with: text, rounded boxes, pictures.

use image::{Rgb, RgbImage, imageops};

use crate::text::{Style, WHITE};

/// A rectangle in pixels, from its top left corner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Area {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

impl Area {
    pub(super) const fn new([x, y]: [u32; 2], [width, height]: [u32; 2]) -> Self {
        Self { x, y, width, height }
    }
}

/// A picture that is being drawn. What falls outside is left out.
#[derive(Debug)]
pub(super) struct Canvas(RgbImage);

impl Canvas {
    /// An empty, white one.
    pub(super) fn new(width: u32, height: u32) -> Self {
        Self(RgbImage::from_pixel(width, height, WHITE))
    }

    pub(super) fn finish(self) -> RgbImage {
        self.0
    }

    /// Writes one line from `x`, its capitals centred on the height `middle`.
    pub(super) fn text(&mut self, text: &str, x: u32, middle: u32, style: Style) {
        for glyph in style.outlines(text, x, middle) {
            let corner = glyph.px_bounds().min;
            glyph.draw(|dx, dy, coverage| {
                let (x, y) = (corner.x as i64 + i64::from(dx), corner.y as i64 + i64::from(dy));
                self.blend(x, y, style.colour, coverage);
            });
        }
    }

    /// Fills `area`, its corners rounded to `radius`.
    pub(super) fn fill(&mut self, area: Area, radius: f32, colour: Rgb<u8>) {
        let (half_width, half_height) = (area.width as f32 / 2.0, area.height as f32 / 2.0);
        for dy in 0..area.height {
            for dx in 0..area.width {
                // Distance of the pixel's centre to the edge, positive inside: at the edge it is
                // also how much of the pixel is covered, less a half.
                let from_x = (dx as f32 + 0.5 - half_width).abs() - (half_width - radius);
                let from_y = (dy as f32 + 0.5 - half_height).abs() - (half_height - radius);
                let outside = from_x.max(0.0).hypot(from_y.max(0.0));
                let inside = radius - outside - from_x.max(from_y).min(0.0);
                let (x, y) = (i64::from(area.x + dx), i64::from(area.y + dy));
                self.blend(x, y, colour, inside + 0.5);
            }
        }
    }

    /// Sets `picture` down in the middle of `area`.
    pub(super) fn picture(&mut self, picture: &RgbImage, area: Area) {
        let x = i64::from(area.x) + (i64::from(area.width) - i64::from(picture.width())) / 2;
        let y = i64::from(area.y) + (i64::from(area.height) - i64::from(picture.height())) / 2;
        imageops::replace(&mut self.0, picture, x, y);
    }

    /// Draws a straight line with round ends, so many pixels wide.
    pub(super) fn line(&mut self, from: [f32; 2], to: [f32; 2], width: f32, colour: Rgb<u8>) {
        let reach = width / 2.0 + 1.0;
        let span = |axis: usize| {
            let (low, high) = (from[axis].min(to[axis]), from[axis].max(to[axis]));
            (low - reach).floor() as i64..=(high + reach).ceil() as i64
        };
        let along = [to[0] - from[0], to[1] - from[1]];
        let square = along[0] * along[0] + along[1] * along[1];
        for y in span(1) {
            for x in span(0) {
                let off = [x as f32 + 0.5 - from[0], y as f32 + 0.5 - from[1]];
                let share = (off[0] * along[0] + off[1] * along[1]) / square.max(f32::EPSILON);
                let share = share.clamp(0.0, 1.0);
                let distance = (off[0] - share * along[0]).hypot(off[1] - share * along[1]);
                self.blend(x, y, colour, width / 2.0 + 0.5 - distance);
            }
        }
    }

    /// Draws a disc whose inside is as opaque as said, with a full edge one pixel wide.
    pub(super) fn disc(&mut self, [x, y]: [f32; 2], radius: f32, colour: Rgb<u8>, opacity: f32) {
        let span = |middle: f32| {
            (middle - radius - 1.0).floor() as i64..=(middle + radius + 1.0).ceil() as i64
        };
        for row in span(y) {
            for column in span(x) {
                let outwards = (column as f32 + 0.5 - x).hypot(row as f32 + 0.5 - y) - radius;
                let (edge, inside) = (1.0 - outwards.abs(), (0.5 - outwards).clamp(0.0, 1.0));
                self.blend(column, row, colour, edge.max(inside * opacity));
            }
        }
    }

    fn blend(&mut self, x: i64, y: i64, colour: Rgb<u8>, coverage: f32) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
            return;
        };
        let Some(pixel) = self.0.get_pixel_mut_checked(x, y) else {
            return;
        };
        let coverage = coverage.clamp(0.0, 1.0);
        for (old, new) in pixel.0.iter_mut().zip(colour.0) {
            *old = (f32::from(*old) + (f32::from(new) - f32::from(*old)) * coverage).round() as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::INK;

    fn inked(image: &RgbImage, x: u32, y: u32) -> bool {
        *image.get_pixel(x, y) != WHITE
    }

    #[test]
    fn a_box_is_full_inside_rounded_at_its_corners_and_touches_nothing_else() {
        let mut canvas = Canvas::new(14, 12);
        canvas.fill(Area::new([2, 2], [10, 8]), 3.0, INK);
        let image = canvas.finish();
        for [x, y] in [[7, 2], [7, 9], [2, 6], [11, 6], [7, 6]] {
            assert_eq!(*image.get_pixel(x, y), INK, "({x}, {y})");
        }
        for [x, y] in [[2, 2], [11, 9], [7, 1], [7, 10], [1, 6], [12, 6]] {
            assert!(!inked(&image, x, y), "({x}, {y})");
        }
    }

    #[test]
    fn text_stays_on_its_line_and_what_falls_outside_is_left_out() {
        let mut canvas = Canvas::new(20, 30);
        canvas.text("HHHHHHHHHH", 4, 15, Style::medium(10.0, INK));
        let image = canvas.finish();
        let any = |y| (0..20).any(|x| inked(&image, x, y));
        assert!((12..18).all(any));
        assert!(!(0..10).chain(20..30).any(any));
    }

    #[test]
    fn a_picture_lies_in_the_middle_of_its_area() {
        let mut canvas = Canvas::new(8, 8);
        let picture = RgbImage::from_pixel(2, 4, INK);
        canvas.picture(&picture, Area::new([0, 0], [8, 8]));
        let image = canvas.finish();
        let middle = |x, y| (3..5).contains(&x) && (2..6).contains(&y);
        for (x, y, pixel) in image.enumerate_pixels() {
            assert_eq!(*pixel == INK, middle(x, y), "({x}, {y})");
        }
    }
}
