//! [`Transform`]: from an image of any size to the values that a model takes.

use image::RgbImage;
use tkmia_core::Bounds;

use crate::DataError;
use crate::picture::fill;
use crate::resample::resample;

/// How an image of any size becomes a square of a given side, by antialiased bilinear resampling.
///
/// Pixels are those of Pillow's `BILINEAR` (bit for bit up to its version 12, within one level
/// since), sizes and offsets those of torchvision's `Resize` and `CenterCrop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// Scales the short side to the given one, then crops the middle of the long side (VOC 2012).
    ///
    /// The long side becomes `⌊side · long / short⌋`; the crop begins at half of what is left
    /// over, a half pixel rounded to the even number.
    ShortSide(u32),
    /// Scales each side to the given one, whatever this does to proportions (COCO, NUS-WIDE).
    Square(u32),
}

impl Resize {
    /// The side of the square, in pixels.
    pub fn side(self) -> u32 {
        match self {
            Self::ShortSide(side) | Self::Square(side) => side,
        }
    }

    /// The image as a square.
    ///
    /// # Errors
    /// [`DataError::NoPixels`] if the image or the square is empty.
    pub fn apply(self, image: &RgbImage) -> Result<RgbImage, DataError> {
        let (width, height) = image.dimensions();
        let side = self.side();
        if width == 0 || height == 0 || side == 0 {
            return Err(DataError::NoPixels { width, height, side });
        }
        let scaled = match self {
            Self::ShortSide(side) => short_side_scaled(width, height, side),
            Self::Square(side) => (side.into(), side.into()),
        };
        let offset = (crop_offset(scaled.0, side), crop_offset(scaled.1, side));
        Ok(resample(image, scaled, offset, side))
    }
}

/// Width and height once the shorter of them is `side`.
fn short_side_scaled(width: u32, height: u32, side: u32) -> (u64, u64) {
    let scale = |long: u32, short: u32| u64::from(side) * u64::from(long) / u64::from(short);
    if width <= height {
        (side.into(), scale(height, width))
    } else {
        (scale(width, height), side.into())
    }
}

/// Where the middle `side` of `length` pixels begin: Python's `round((length - side) / 2)`.
fn crop_offset(length: u64, side: u32) -> u64 {
    let left_over = length - u64::from(side);
    let floor = left_over / 2;
    // Only an odd number has a half to round, and it goes to the even neighbour.
    if left_over % 2 == 1 { floor + floor % 2 } else { floor }
}

/// The validation transform of a victim: a square, then the model's range of values.
///
/// # Example
///
/// ```
/// use image::{Rgb, RgbImage};
/// use tkmia_core::Bounds;
/// use tkmia_data::{Resize, Transform};
///
/// let transform = Transform { resize: Resize::ShortSide(2), bounds: Bounds::SYMMETRIC };
/// let image = RgbImage::from_pixel(9, 4, Rgb([0, 51, 255]));
/// let values = transform.apply(&image)?;
/// // Four pixels of each channel in turn: red, green, blue.
/// assert_eq!(values, [-1., -1., -1., -1., -0.6, -0.6, -0.6, -0.6, 1., 1., 1., 1.]);
/// # Ok::<(), tkmia_data::DataError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transform {
    /// The model's input size, and how images come to it.
    pub resize: Resize,
    /// The model's range of values.
    pub bounds: Bounds,
}

impl Transform {
    /// An image's values for the model: `low + pixel · (high − low) / 255`.
    ///
    /// # Shapes
    /// - output: `[3, side, side]`, row-major
    ///
    /// # Errors
    /// [`DataError::NoPixels`] if the image or the square is empty.
    pub fn apply(&self, image: &RgbImage) -> Result<Vec<f32>, DataError> {
        let square = self.resize.apply(image)?;
        let mut values = vec![0.0; square.len()];
        fill(&mut values, &square, self.bounds)?;
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_long_side_is_truncated_not_rounded() {
        assert_eq!(short_side_scaled(97, 64, 30), (45, 30)); // 45.47
        assert_eq!(short_side_scaled(64, 97, 41), (41, 62)); // 62.14
        assert_eq!(short_side_scaled(3, 5, 300), (300, 500));
        assert_eq!(short_side_scaled(500, 334, 300), (449, 300)); // 449.10
        assert_eq!(short_side_scaled(200, 201, 199), (199, 199)); // 199.995
    }

    #[test]
    fn half_a_pixel_of_crop_goes_to_the_even_offset() {
        let offsets = [300, 301, 302, 303, 304, 305, 307].map(|length| crop_offset(length, 300));
        assert_eq!(offsets, [0, 0, 1, 2, 2, 2, 4]);
    }

    #[test]
    fn an_empty_image_or_side_is_an_error() {
        let image = RgbImage::new(4, 3);
        for (image, side) in [(&RgbImage::new(0, 3), 2), (&image, 0)] {
            for resize in [Resize::ShortSide(side), Resize::Square(side)] {
                assert!(matches!(resize.apply(image), Err(DataError::NoPixels { .. })));
            }
        }
    }

    #[test]
    fn the_longest_images_are_no_trouble() -> Result<(), DataError> {
        for (width, height) in [(1, 65_535), (65_535, 1)] {
            let image = RgbImage::from_pixel(width, height, Rgb([3, 200, 77]));
            let square = Resize::ShortSide(300).apply(&image)?;
            assert!(square.pixels().all(|pixel| pixel.0 == [3, 200, 77]));
        }
        Ok(())
    }

    #[test]
    fn each_pixel_value_lands_at_its_place_in_the_range() -> Result<(), DataError> {
        let image = RgbImage::from_fn(16, 16, |x, y| Rgb([(y * 16 + x) as u8; 3]));
        let resize = Resize::Square(16);
        for (bounds, scale) in [(Bounds::SYMMETRIC, 127.5), (Bounds { low: 0.0, high: 1.0 }, 255.0)]
        {
            let values = Transform { resize, bounds }.apply(&image)?;
            for (pixel, &value) in values[..256].iter().enumerate() {
                assert_eq!(value, (pixel as f64 / scale + f64::from(bounds.low)) as f32);
            }
            assert_eq!((values[0], values[255]), (bounds.low, bounds.high));
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn any_image_becomes_a_square_within_its_own_range(
            width in 1u32..150, height in 1u32..150, thin in 0..3, side in 1u32..60, seed: u32,
            square: bool,
        ) {
            let width = if thin == 1 { 1 } else { width };
            let height = if thin == 2 { 1 } else { height };
            let noise = |x: u32, y: u32| {
                let mixed = (x * 31 + y * 17).wrapping_add(seed).wrapping_mul(0x9e37_79b1);
                50 + (mixed >> 25) as u8
            };
            let image = RgbImage::from_fn(width, height, |x, y| Rgb([noise(x, y); 3]));
            let resize = if square { Resize::Square(side) } else { Resize::ShortSide(side) };

            let result = resize.apply(&image)?;

            prop_assert_eq!(result.dimensions(), (side, side));
            let range = *image.iter().min().unwrap()..=*image.iter().max().unwrap();
            prop_assert!(result.iter().all(|value| range.contains(value)));
        }
    }
}
