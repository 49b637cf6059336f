//! [`Transform`]: from an image of any size to the values that a model takes.

use image::RgbImage;
use tkmia_core::{Bounds, Classifier, Filter, Fit, Tagger};

use crate::picture::fill;
use crate::resample::resample;
use crate::{DataError, DatasetKind};

/// How an image of any size becomes a square of a given side, by antialiased resampling.
///
/// Pixels are those of Pillow's filters (bit for bit up to its version 12, within one level
/// since), sizes and offsets those of torchvision's `Resize` and `CenterCrop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resize {
    /// What is scaled to `scaled`: the short side, or both.
    pub fit: Fit,
    /// In pixels; at least `side`.
    pub scaled: u32,
    /// Height and width of the middle that is cut out.
    pub side: u32,
    /// By which pixels are weighed.
    pub filter: Filter,
}

impl Resize {
    /// Scales the short side to the given one, then crops the middle of the long side (VOC 2012).
    ///
    /// The long side becomes `⌊side · long / short⌋`; the crop begins at half of what is left
    /// over, a half pixel rounded to the even number.
    pub const fn short_side(side: u32) -> Self {
        Self { fit: Fit::ShortSide, scaled: side, side, filter: Filter::Bilinear }
    }

    /// Scales each side to the given one, whatever this does to proportions (COCO, NUS-WIDE).
    pub const fn square(side: u32) -> Self {
        Self { fit: Fit::Square, scaled: side, side, filter: Filter::Bilinear }
    }

    fn checked(self) -> Result<Self, DataError> {
        match self {
            Self { scaled, side, .. } if scaled < side => {
                Err(DataError::ResizeTo { side, found: scaled })
            }
            whole => Ok(whole),
        }
    }

    /// The image as a square.
    ///
    /// # Errors
    /// [`DataError::NoPixels`] if the image or the square is empty, [`DataError::ResizeTo`] if the square is larger than what
    /// it is cut out of.
    pub fn apply(self, image: &RgbImage) -> Result<RgbImage, DataError> {
        let (width, height) = image.dimensions();
        let Self { fit, scaled, side, filter } = self.checked()?;
        if width == 0 || height == 0 || side == 0 {
            return Err(DataError::NoPixels { width, height, side });
        }
        let scaled = match fit {
            Fit::ShortSide => short_side_scaled(width, height, scaled),
            Fit::Square => (scaled.into(), scaled.into()),
        };
        let offset = (crop_offset(scaled.0, side), crop_offset(scaled.1, side));
        Ok(resample(image, filter, scaled, offset, side))
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
/// let transform = Transform { resize: Resize::short_side(2), bounds: Bounds::SYMMETRIC };
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
    /// How photographs become the input of a network, as its tagger says; where it says nothing, as the paper has it for the
    /// kind of data.
    ///
    /// # Errors
    /// [`DataError::InputSize`] if the network doesn't take squares, or not of the tagger's size, or takes any and the tagger has
    /// none; [`DataError::ResizeTo`] if the square is larger than what it is cut out of.
    pub fn new(
        tagger: &Tagger,
        kind: DatasetKind,
        network: &dyn Classifier,
    ) -> Result<Self, DataError> {
        let given = tagger.input_size;
        let refused = |takes| Err(DataError::InputSize { takes, given });
        let side = match (network.input_size(), given) {
            (Some([height, width]), _)
                if height != width || given.is_some_and(|given| given as usize != height) =>
            {
                return refused(format!("{height}×{width}"));
            }
            (Some([side, _]), _) => side as u32,
            (None, Some(side)) if side > 0 => side,
            (None, _) => return refused("any size".to_owned()),
        };
        let by_kind = match kind {
            DatasetKind::Voc2012 => Fit::ShortSide,
            DatasetKind::Coco2014 | DatasetKind::NusWide | DatasetKind::Folder => Fit::Square,
        };
        let resize = Resize {
            fit: tagger.resize.unwrap_or(by_kind),
            scaled: tagger.resize_to.unwrap_or(side),
            side,
            filter: tagger.filter.unwrap_or_default(),
        };
        Ok(Self { resize: resize.checked()?, bounds: network.bounds() })
    }

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
            for resize in [Resize::short_side(side), Resize::square(side)] {
                assert!(matches!(resize.apply(image), Err(DataError::NoPixels { .. })));
            }
        }
    }

    #[test]
    fn the_longest_images_are_no_trouble() -> Result<(), DataError> {
        for (width, height) in [(1, 65_535), (65_535, 1)] {
            let image = RgbImage::from_pixel(width, height, Rgb([3, 200, 77]));
            let square = Resize::short_side(300).apply(&image)?;
            assert!(square.pixels().all(|pixel| pixel.0 == [3, 200, 77]));
        }
        Ok(())
    }

    #[test]
    fn each_pixel_value_lands_at_its_place_in_the_range() -> Result<(), DataError> {
        let image = RgbImage::from_fn(16, 16, |x, y| Rgb([(y * 16 + x) as u8; 3]));
        let resize = Resize::square(16);
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
            let resize = if square { Resize::square(side) } else { Resize::short_side(side) };

            let result = resize.apply(&image)?;

            prop_assert_eq!(result.dimensions(), (side, side));
            let range = *image.iter().min().unwrap()..=*image.iter().max().unwrap();
            prop_assert!(result.iter().all(|value| range.contains(value)));
        }
    }
}
