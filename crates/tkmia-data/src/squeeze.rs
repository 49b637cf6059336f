//! [`Squeezer`]: what takes details out of an image; [`Squeezed`]: a data set without them.

use std::io::Cursor;
use std::path::PathBuf;

use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, ImageResult, RgbImage, imageops, load_from_memory_with_format};

use serde::{Deserialize, Serialize};

use crate::{DataError, Dataset, Listing, Resize};

/// Takes details out of an image that a classifier does well without (feature squeezing: Xu, Evans & Qi, NDSS 2018).
///
/// # Example
///
/// ```
/// use tkmia_data::{Squeezer, image::{Rgb, RgbImage}};
///
/// let image = RgbImage::from_pixel(8, 8, Rgb([0, 100, 255]));
/// // 100 is the twelfth of 31 steps, and a little more.
/// assert_eq!(Squeezer::BitDepth.apply(&image)?.get_pixel(0, 0).0, [0, 99, 255]);
/// assert_eq!(Squeezer::Blur.apply(&image)?, image);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Squeezer {
    /// Each value to the nearest of 32 levels, 5 bits: what the authors take for photographs.
    BitDepth,
    /// Through a JPEG file of quality 75, the default of libjpeg.
    Jpeg,
    /// A Gaussian blur of 0.8 pixels, about as wide as the authors' median of 2 × 2.
    Blur,
}

/// The highest of 5-bit levels.
const LEVELS: f32 = 31.0;
const QUALITY: u8 = 75;
const SIGMA: f32 = 0.8;

impl Squeezer {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::BitDepth, Self::Jpeg, Self::Blur];

    /// The image without the details, of the same size.
    ///
    /// # Errors
    /// For JPEG, an image without a pixel or with a side above 65535.
    pub fn apply(self, image: &RgbImage) -> ImageResult<RgbImage> {
        Ok(match self {
            Self::BitDepth => {
                let mut image = image.clone();
                for value in image.iter_mut() {
                    let level = (f32::from(*value) / 255.0 * LEVELS).round();
                    *value = (level / LEVELS * 255.0).round() as u8;
                }
                image
            }
            Self::Jpeg => {
                let mut bytes = Cursor::new(Vec::new());
                JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(image)?;
                load_from_memory_with_format(bytes.get_ref(), ImageFormat::Jpeg)?.into_rgb8()
            }
            Self::Blur => imageops::blur(image, SIGMA),
        })
    }
}

/// A data set whose images have become squares and then lost details, as a defender's classifier may see them beside the others.
#[derive(Debug, Clone, Copy)]
pub struct Squeezed<'a> {
    /// The images.
    pub dataset: &'a dyn Dataset,
    /// What they become first.
    pub resize: Resize,
    /// What takes details out of them then.
    pub squeezer: Squeezer,
}

impl Dataset for Squeezed<'_> {
    fn listing(&self) -> &Listing {
        self.dataset.listing()
    }

    fn image_path(&self, index: usize) -> PathBuf {
        self.dataset.image_path(index)
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        let square = self.resize.apply(&self.dataset.image(index)?)?;
        let squeezed = self.squeezer.apply(&square);
        squeezed.map_err(|source| DataError::Decode { path: self.image_path(index), source })
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::Voc2012;

    /// How far values are apart on average.
    fn distance(one: &RgbImage, other: &RgbImage) -> f64 {
        let pairs = one.iter().zip(other.iter());
        pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / one.len() as f64
    }

    #[test]
    fn a_photograph_loses_little_and_fine_noise_is_lost() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/mini-voc");
        let voc = Voc2012::open(root, "val").unwrap();
        let resize = Resize::square(64);
        let clean = resize.apply(&voc.image(0).unwrap()).unwrap();
        let noisy = RgbImage::from_fn(64, 64, |x, y| {
            let by = if (x + y) % 2 == 0 { 2 } else { -2 };
            Rgb(clean.get_pixel(x, y).0.map(|value| value.saturating_add_signed(by)))
        });
        for squeezer in Squeezer::ALL {
            let squeezed = Squeezed { dataset: &voc, resize, squeezer };
            let image = squeezed.image(0).unwrap();
            assert_eq!(image, squeezer.apply(&clean).unwrap());
            assert!((0.1..12.0).contains(&distance(&image, &clean)), "{squeezer:?}");
            assert_eq!((squeezed.len(), squeezed.id(1)), (voc.len(), voc.id(1)));
            if squeezer == Squeezer::BitDepth {
                assert_eq!(squeezer.apply(&image).unwrap(), image);
                assert!(image.iter().zip(clean.iter()).all(|(a, b)| a.abs_diff(*b) <= 4));
            } else {
                let apart = distance(&squeezer.apply(&noisy).unwrap(), &image);
                assert!(apart < 0.5 * distance(&noisy, &clean), "{squeezer:?}: {apart}");
            }
        }
    }

    #[test]
    fn of_nothing_there_is_no_jpeg() {
        assert!(Squeezer::Jpeg.apply(&RgbImage::new(0, 3)).is_err());
    }
}
