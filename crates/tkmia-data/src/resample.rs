//! Antialiased resampling, bit for bit as Pillow does it.
//!
//! The arithmetic is that of Pillow's `Image.resize(.., BILINEAR)` on 8-bit images, or `BICUBIC` or `LANCZOS`: weights of a
//! filter as wide as the reduction, as fixed-point numbers; a pass along the rows, rounded to 8
//! bits, then one along the columns. So a victim sees the very pixels that it was trained on, where
//! other resizers are a level off on every sixth value. (Pillow 13 runs the second pass first where
//! that is cheaper, for which this is at most a level off.) Only the part of the scaled image that
//! a crop keeps is computed, which also bounds the memory that a very long image takes.

use std::f64::consts::PI;
use std::ops::Range;

use image::RgbImage;
use tkmia_core::Filter;

/// Fractional bits of a weight: as many as leave room for 8-bit values in 32 bits, with two spare.
const WEIGHT_BITS: u32 = 32 - 8 - 2;

/// Which positions of a source line make one position of the scaled line, and how much of each.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// How far from its centre a filter reaches.
fn reach(filter: Filter) -> f64 {
    match filter {
        Filter::Bilinear => 1.0,
        Filter::Bicubic => 2.0,
        Filter::Lanczos => 3.0,
    }
}

/// A filter's weight at a distance from its centre, within its reach.
///
/// Bicubic: Keys 1981, a = −0.5. Lanczos: `sinc(x) · sinc(x / 3)`.
fn weight(filter: Filter, x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    match filter {
        _ if x >= reach(filter) => 0.0,
        Filter::Bilinear => 1.0 - x,
        Filter::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        Filter::Bicubic => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        Filter::Lanczos => sinc(x) * sinc(x / 3.0),
    }
}

/// Taps of the positions in `window`, of a line scaled from `source` to `scaled` positions.
fn taps(filter: Filter, source: u32, scaled: u64, window: Range<u64>) -> Vec<Taps> {
    let ratio = f64::from(source) / scaled as f64;
    let scale = ratio.max(1.0);
    let support = reach(filter) * scale;
    let one = f64::from(1 << WEIGHT_BITS);
    window
        .map(|position| {
            let centre = (position as f64 + 0.5) * ratio;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(source as usize);
            let weights =
                (first..end).map(|at| weight(filter, (at as f64 - centre + 0.5) * (1.0 / scale)));
            let total: f64 = weights.clone().sum();
            // Halves go away from 0.
            let weights = weights.map(|weight| (weight / total * one).round() as i32).collect();
            Taps { first, weights }
        })
        .collect()
}

impl Taps {
    fn end(&self) -> usize {
        self.first + self.weights.len()
    }

    /// The weighted mean of the source values, rounded.
    fn mean(&self, value: impl Fn(usize) -> u8) -> u8 {
        let terms = self.weights.iter().zip(self.first..);
        let sum: i32 = terms.map(|(&weight, at)| i32::from(value(at)) * weight).sum();
        let half = 1 << (WEIGHT_BITS - 1);
        // Weights below 0, and rounded ones, may lead out of the range.
        ((sum + half) >> WEIGHT_BITS).clamp(0, 255) as u8
    }
}

/// The window of `side` × `side` pixels at `offset` of an image scaled to `scaled` pixels.
///
/// All pairs are (horizontal, vertical). The image and the window aren't empty, and the window
/// lies within the scaled image: [`Resize`](crate::Resize) sees to both.
pub(crate) fn resample(
    image: &RgbImage,
    filter: Filter,
    scaled: (u64, u64),
    offset: (u64, u64),
    side: u32,
) -> RgbImage {
    let columns = taps(filter, image.width(), scaled.0, offset.0..offset.0 + u64::from(side));
    let rows = taps(filter, image.height(), scaled.1, offset.1..offset.1 + u64::from(side));
    let used_rows = rows[0].first..rows[rows.len() - 1].end();

    let (source_stride, stride) = (image.width() as usize * 3, side as usize * 3);
    let mut narrowed = vec![0; used_rows.len() * stride];
    let lines = image.chunks_exact(source_stride).skip(used_rows.start);
    for (line, narrow) in lines.zip(narrowed.chunks_exact_mut(stride)) {
        for (taps, pixel) in columns.iter().zip(narrow.chunks_exact_mut(3)) {
            for (channel, value) in pixel.iter_mut().enumerate() {
                *value = taps.mean(|x| line[x * 3 + channel]);
            }
        }
    }

    let mut result = RgbImage::new(side, side);
    for (taps, line) in rows.iter().zip(result.chunks_exact_mut(stride)) {
        for (at, value) in line.iter_mut().enumerate() {
            *value = taps.mean(|y| narrowed[(y - used_rows.start) * stride + at]);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn greys(image: &RgbImage) -> Vec<u8> {
        image.pixels().map(|pixel| pixel.0[0]).collect()
    }

    #[test]
    fn halving_weighs_four_neighbours_one_three_three_one() {
        let line = RgbImage::from_fn(4, 4, |x, _| Rgb([[0, 80, 160, 240][x as usize]; 3]));
        // Centres lie at 1 and 3 with support 2: left (3·0 + 3·80 + 160)/7, right its mirror.
        assert_eq!(
            greys(&resample(&line, Filter::Bilinear, (2, 2), (0, 0), 2)),
            [57, 183, 57, 183]
        );
    }

    #[test]
    fn the_same_size_leaves_every_pixel() {
        let image = RgbImage::from_fn(7, 7, |x, y| Rgb([(x * 31 + y * 7) as u8, 1, 255]));
        for filter in [Filter::Bilinear, Filter::Bicubic, Filter::Lanczos] {
            assert_eq!(resample(&image, filter, (7, 7), (0, 0), 7), image);
        }
    }

    #[test]
    fn a_window_is_that_part_of_the_whole() {
        let image = RgbImage::from_fn(19, 19, |x, y| Rgb([(x * x * 5 + y * 40) as u8; 3]));
        let whole = resample(&image, Filter::Bicubic, (30, 30), (0, 0), 30);
        let part = resample(&image, Filter::Bicubic, (30, 30), (11, 4), 9);
        assert_eq!(image::imageops::crop_imm(&whole, 11, 4, 9, 9).to_image(), part);
    }
}
