//! Between pixels and a model's values: [`to_image`] and [`to_rgb`] go back to a picture, [`save_png`] keeps
//! it.

use std::io::{self, Cursor};
use std::path::Path;

use burn::tensor::Tensor;
use image::{ImageFormat, ImageResult, RgbImage};
use tkmia_core::Bounds;
use tkmia_file::write_whole;

use crate::DataError;

/// Writes an image's values, `low + pixel · (high − low) / 255`, channel by channel.
pub(crate) fn fill(values: &mut [f32], image: &RgbImage, bounds: Bounds) -> Result<(), DataError> {
    if values.len() != image.len() {
        return Err(DataError::ValueCount { expected: values.len(), found: image.len() });
    }
    let (low, per_unit) = (f64::from(bounds.low), bounds.pixels_per_unit());
    let value: [f32; 256] = std::array::from_fn(|pixel| (low + pixel as f64 / per_unit) as f32);
    let plane = (values.len() / 3).max(1);
    for (channel, values) in values.chunks_exact_mut(plane).enumerate() {
        for (into, pixel) in values.iter_mut().zip(image.pixels()) {
            *into = value[usize::from(pixel.0[channel])];
        }
    }
    Ok(())
}

/// The picture that a model's input values stand for, each value rounded to the nearest of 256
/// levels and clipped to `bounds`.
///
/// The inverse of [`Transform`](crate::Transform)'s last step.
///
/// # Shapes
/// - values: `[3, height, width]`, row-major
/// - size: `[height, width]`
///
/// # Errors
/// [`DataError::ValueCount`] if there aren't 3 × height × width values.
///
/// # Example
///
/// ```
/// use tkmia_core::Bounds;
/// use tkmia_data::to_rgb;
///
/// let values = [-1.0, 1.0, /* green */ 0.0, 2.0, /* blue */ -1.0, -0.995];
/// let picture = to_rgb(&values, [1, 2], Bounds::SYMMETRIC)?;
/// assert_eq!(picture.into_raw(), [0, 128, 0, 255, 255, 1]);
/// # Ok::<(), tkmia_data::DataError>(())
/// ```
pub fn to_rgb(values: &[f32], size: [u32; 2], bounds: Bounds) -> Result<RgbImage, DataError> {
    let [height, width] = size;
    let plane = height as usize * width as usize;
    if values.len() != 3 * plane {
        return Err(DataError::ValueCount { expected: 3 * plane, found: values.len() });
    }
    let level = |value: f32| {
        let level = f64::from(value - bounds.low) * bounds.pixels_per_unit();
        // The cast clips.
        level.round() as u8
    };
    let pixels = (0..plane).flat_map(|at| [0, 1, 2].map(|channel| values[channel * plane + at]));
    let levels = pixels.map(level).collect();
    Ok(RgbImage::from_raw(width, height, levels).expect("there are three values for every pixel"))
}

/// The picture that one image of a batch stands for; see [`to_rgb`].
///
/// # Shapes
/// - images: `[batch, 3, height, width]`, on any device
///
/// # Errors
/// [`DataError::NoSuchImage`] if the batch has no such row, or other than three channels.
///
/// # Example: a photograph, and what the model saw of it
///
/// ```
/// use tkmia_core::{Bounds, burn::tensor::Device};
/// use tkmia_data::{Resize, Transform, open_image, save_png, to_image};
///
/// # let mini_voc = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/mini-voc/VOC2012");
/// # let photograph = format!("{mini_voc}/JPEGImages/2012_250000.jpg");
/// # let folder = tempfile::tempdir()?;
/// # let seen = folder.path().join("seen.png");
/// let transform = Transform { resize: Resize::short_side(64), bounds: Bounds::SYMMETRIC };
/// let images = open_image(&photograph, &transform, &Device::default())?;
/// let picture = to_image(&images, 0, Bounds::SYMMETRIC)?;
/// assert_eq!(picture.dimensions(), (64, 64));
/// save_png(&picture, &seen)?;
///
/// // A PNG keeps every pixel.
/// let again = open_image(&seen, &transform, &Device::default())?;
/// assert_eq!(again.into_data(), images.into_data());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn to_image(images: &Tensor<4>, row: usize, bounds: Bounds) -> Result<RgbImage, DataError> {
    let found @ [batch, channels, height, width] = images.dims();
    if row >= batch || channels != 3 {
        return Err(DataError::NoSuchImage { row, found });
    }
    let values = images.clone().narrow(0, row, 1).try_to_vec_as::<f32>();
    let values = values.expect("float tensors convert to f32");
    to_rgb(&values, [height as u32, width as u32], bounds)
}

/// A picture as the bytes of a PNG file.
///
/// # Errors
/// What the encoder says, as of a picture without a pixel.
pub fn to_png(picture: &RgbImage) -> ImageResult<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

/// Writes a picture as a PNG file, whole or not at all; see [`to_image`].
///
/// # Errors
/// [`DataError::Write`].
pub fn save_png(picture: &RgbImage, path: impl AsRef<Path>) -> Result<(), DataError> {
    let path = path.as_ref();
    let bytes = to_png(picture).map_err(io::Error::other);
    bytes.and_then(|bytes| write_whole(path, bytes)).map_err(DataError::write(path))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use image::Rgb;

    use super::*;
    use crate::{Resize, Transform};

    #[test]
    fn it_undoes_the_transform() -> Result<(), DataError> {
        let image =
            RgbImage::from_fn(16, 16, |x, y| Rgb([(y * 16 + x) as u8, x as u8, 255 - y as u8]));
        for bounds in [Bounds::SYMMETRIC, Bounds { low: 0.0, high: 1.0 }] {
            let values = Transform { resize: Resize::square(16), bounds }.apply(&image)?;
            assert_eq!(to_rgb(&values, [16, 16], bounds)?, image);
        }
        Ok(())
    }

    #[test]
    fn too_few_values_are_an_error() {
        let error = to_rgb(&[0.0; 11], [2, 2], Bounds::SYMMETRIC).unwrap_err();
        assert_eq!(error.to_string(), "expected 12 values for a picture, found 11");
    }

    #[test]
    fn a_row_of_a_batch_is_a_picture_and_what_is_none_is_an_error() {
        let images = Tensor::<1>::from_data([-1.0, 1.0, -1.0, 1.0, 1.0, 1.0], &Device::default());
        let images = images.reshape([2, 3, 1, 1]);
        let picture = |row| to_image(&images, row, Bounds::SYMMETRIC);
        assert_eq!(picture(0).unwrap().into_raw(), [0, 255, 0]);
        assert_eq!(picture(1).unwrap().into_raw(), [255; 3]);
        let message = picture(2).unwrap_err().to_string();
        assert_eq!(
            message,
            "expected image 2 of a batch [images, 3, height, width], found the dimensions [2, 3, 1, 1]"
        );
        let grey = to_image(&images.reshape([6, 1, 1, 1]), 0, Bounds::SYMMETRIC);
        assert!(matches!(grey, Err(DataError::NoSuchImage { row: 0, .. })));
    }

    #[test]
    fn a_picture_that_cannot_be_kept_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let empty = save_png(&RgbImage::new(0, 3), &path).unwrap_err();
        assert!(matches!(&empty, DataError::Write { path: named, .. } if *named == path));
        let nowhere = save_png(&RgbImage::new(1, 1), path.join("b.png")).unwrap_err();
        assert!(matches!(nowhere, DataError::Write { .. }));
    }
}
