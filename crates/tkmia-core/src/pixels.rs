//! Where image values live, how far apart two images are, and the tanh change of variable.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// The closed range of every value of a model's input image; as text `0..255`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bounds {
    /// The value of a black pixel.
    pub low: f32,
    /// The value of a white pixel.
    pub high: f32,
}

impl Bounds {
    /// `[-1, 1]`: pixel / 127.5 − 1, the range of the paper's victims.
    pub const SYMMETRIC: Self = Self { low: -1.0, high: 1.0 };
    /// `[0, 1]`: pixel / 255, the range of most networks.
    pub const UNIT: Self = Self { low: 0.0, high: 1.0 };

    /// How many 8-bit pixel steps one model-input unit is: 127.5 for `[-1, 1]`.
    ///
    /// Multiplies a norm in model-input units into one in 8-bit pixel units.
    pub fn pixels_per_unit(&self) -> f64 {
        255.0 / f64::from(self.high - self.low)
    }

    /// The same images with their values in another range.
    pub fn mapped(&self, images: Tensor<4>, to: Self) -> Tensor<4> {
        if *self == to {
            return images;
        }
        let scale = (to.high - to.low) / (self.high - self.low);
        images.sub_scalar(self.low).mul_scalar(scale).add_scalar(to.low)
    }
}

/// L2 norm of each image over all its values, in the values' own unit.
///
/// # Shapes
/// - images: `[batch, channels, height, width]`
/// - output: `[batch]`
pub fn l2_norm(images: Tensor<4>) -> Tensor<1> {
    let rows: Tensor<2> = images.flatten(1, 3);
    rows.powi_scalar(2).sum_dim(1).sqrt().squeeze_dim(1)
}

/// Largest absolute value of each image, in the values' own unit.
///
/// # Shapes
/// As [`l2_norm`].
pub fn linf_norm(images: Tensor<4>) -> Tensor<1> {
    let rows: Tensor<2> = images.flatten(1, 3);
    rows.abs().max_dim(1).squeeze_dim(1)
}

/// Each value rounded to the nearest 8-bit pixel, as if the image were saved as PNG and read again.
/// Values stay within the bounds.
pub fn round_to_pixels(images: Tensor<4>, bounds: Bounds) -> Tensor<4> {
    let per_unit = bounds.pixels_per_unit();
    let pixels = images.sub_scalar(bounds.low).mul_scalar(per_unit).round();
    let values = pixels.div_scalar(per_unit).add_scalar(bounds.low);
    values.clamp(bounds.low, bounds.high)
}

/// `atanh` of values in `(-1, 1)`, element by element.
pub fn atanh<const D: usize>(values: Tensor<D>) -> Tensor<D> {
    let one_minus = values.clone().neg().add_scalar(1.0);
    (values.add_scalar(1.0) / one_minus).log().mul_scalar(0.5)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    #[test]
    fn rounding_keeps_pixels_and_moves_others_by_half_a_step_at_most() {
        let device = Device::default();
        let image = |values: Vec<f32>| {
            let count = values.len();
            Tensor::<4>::from_data(TensorData::new(values, [1, 1, 1, count]), &device)
        };
        for bounds in [Bounds::SYMMETRIC, Bounds { low: 0.0, high: 1.0 }] {
            let step = 1.0 / bounds.pixels_per_unit() as f32;
            let pixels: Vec<f32> = (0..=255).map(|p| bounds.low + p as f32 * step).collect();
            let moved = pixels.iter().map(|v| v + 0.4 * step).collect();
            let host = |t: Tensor<4>| t.into_data().try_to_vec::<f32>().unwrap();
            let (same, back) = (
                host(round_to_pixels(image(pixels.clone()), bounds)),
                host(round_to_pixels(image(moved), bounds)),
            );
            for ((same, back), pixel) in same.iter().zip(&back).zip(&pixels) {
                assert!((same - pixel).abs() < 1e-6 && (back - pixel).abs() < 1e-6);
            }
        }
    }
}
