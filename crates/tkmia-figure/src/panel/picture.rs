//! Images and perturbations as pictures of the size that a figure shows.

use image::{Rgb, RgbImage, imageops};

/// `perturbation` around mid-grey: each 8-bit value is `127.5 (1 + magnification ε)`, clipped.
///
/// # Shapes
/// - perturbation: `[3 * height * width]`, channel-major
pub(super) fn magnified(
    perturbation: &[f32],
    (width, height): (u32, u32),
    magnification: f32,
) -> RgbImage {
    let plane = width as usize * height as usize;
    RgbImage::from_fn(width, height, |x, y| {
        let pixel = y as usize * width as usize + x as usize;
        Rgb([0, 1, 2].map(|channel| {
            let value = perturbation[channel * plane + pixel];
            (127.5 * (1.0 + magnification * value)).round().clamp(0.0, 255.0) as u8
        }))
    })
}

/// `image` as large as fits a square of `side` pixels.
pub(super) fn fitted(image: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = fitted_size(image, side);
    let filter = if width < image.width() {
        imageops::FilterType::Lanczos3
    } else {
        // Lanczos rings visibly where a small image is enlarged.
        imageops::FilterType::CatmullRom
    };
    imageops::resize(image, width, height, filter)
}

/// A perturbation's picture as large as fits a square of `side` pixels.
///
/// Pixels are picked, not averaged: a perturbation is close to noise, and the average of
/// neighbours would show it weaker than it is, the more so the larger the image.
pub(super) fn fitted_noise(image: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = fitted_size(image, side);
    imageops::resize(image, width, height, imageops::FilterType::Nearest)
}

fn fitted_size(image: &RgbImage, side: u32) -> (u32, u32) {
    let longest = image.width().max(image.height());
    let scaled = |length: u32| {
        let exact = f64::from(length) * f64::from(side) / f64::from(longest);
        (exact.round() as u32).max(1)
    };
    (scaled(image.width()), scaled(image.height()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_perturbation_is_mid_grey_and_a_large_one_is_clipped() {
        let perturbation = [0.0, 1.0, 0.0, -1.0, 0.005, 0.0];
        let picture = magnified(&perturbation, (2, 1), 100.0);
        assert_eq!(picture.get_pixel(0, 0).0, [128, 128, 191]);
        assert_eq!(picture.get_pixel(1, 0).0, [255, 0, 128]);
    }

    #[test]
    fn pictures_keep_their_proportions_and_fill_the_square() {
        assert_eq!(fitted(&RgbImage::new(50, 100), 192).dimensions(), (96, 192));
        assert_eq!(fitted(&RgbImage::new(400, 300), 192).dimensions(), (192, 144));
        assert_eq!(fitted_noise(&RgbImage::new(1, 1000), 192).dimensions(), (1, 192));
    }

    #[test]
    fn shrinking_keeps_the_contrast_of_a_perturbation() {
        let checkers = RgbImage::from_fn(300, 300, |x, y| Rgb([((x + y) % 2) as u8 * 255; 3]));
        let shown = fitted_noise(&checkers, 192);
        assert!(shown.pixels().all(|pixel| pixel.0 == [0; 3] || pixel.0 == [255; 3]));
    }
}
