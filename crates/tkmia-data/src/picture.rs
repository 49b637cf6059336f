//! [`to_rgb`]: from a model's input values back to a picture.

use image::RgbImage;
use tkmia_core::Bounds;

use crate::DataError;

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

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::{Resize, Transform};

    #[test]
    fn it_undoes_the_transform() -> Result<(), DataError> {
        let image =
            RgbImage::from_fn(16, 16, |x, y| Rgb([(y * 16 + x) as u8, x as u8, 255 - y as u8]));
        for bounds in [Bounds::SYMMETRIC, Bounds { low: 0.0, high: 1.0 }] {
            let values = Transform { resize: Resize::Square(16), bounds }.apply(&image)?;
            assert_eq!(to_rgb(&values, [16, 16], bounds)?, image);
        }
        Ok(())
    }

    #[test]
    fn too_few_values_are_an_error() {
        let error = to_rgb(&[0.0; 11], [2, 2], Bounds::SYMMETRIC).unwrap_err();
        assert_eq!(error.to_string(), "expected 12 values for a picture, found 11");
    }
}
