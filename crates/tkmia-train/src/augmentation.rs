//! What is changed of a training image at random: [`Augmentation`].

use image::imageops::{crop_imm, flip_horizontal_in_place};
use image::{Rgb, RgbImage};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use tkmia_data::Resize;

use crate::{Published, TrainError};

/// What is changed of a training image at random, in the order of the fields.
///
/// The parts are those of the paper's published code, which are torchvision's transforms. What is 0
/// isn't done.
///
/// # Example
///
/// ```
/// use tkmia_train::{Augmentation, Published};
///
/// let cropped = Augmentation { flip: 0.5, smallest_crop: 0.7, ..Augmentation::NONE };
/// assert_eq!(cropped, Augmentation::of(Published::NusWide));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Augmentation {
    /// One of two, each half of the time: brightness times 1 ± this much, or grey with a probability
    /// of [`grey`](Self::grey).
    pub brightness: f32,
    /// The probability of grey, where its turn comes.
    pub grey: f32,
    /// The probability of mirroring left and right.
    pub flip: f32,
    /// Rotation by as many degrees at most, to either side; black fills the corners.
    pub rotation: f32,
    /// The smallest share of the area that is cut out and scaled up again, at a ratio of sides
    /// between 3:4 and 4:3 (Szegedy et al., "Going Deeper with Convolutions", CVPR 2015).
    pub smallest_crop: f32,
    /// The side of a square of one colour that covers a place of the image, as a share of the image's
    /// (DeVries and Taylor, "Cutout", 2017).
    pub cutout: f32,
}

impl Augmentation {
    /// Nothing is changed.
    pub const NONE: Self = Self {
        brightness: 0.0,
        grey: 0.0,
        flip: 0.0,
        rotation: 0.0,
        smallest_crop: 0.0,
        cutout: 0.0,
    };

    /// That of the published code for a data set.
    ///
    /// For COCO it has RandAugment after the cutout, from a package of its own: that is left out.
    pub fn of(published: Published) -> Self {
        match published {
            Published::Voc2012 => {
                Self { brightness: 0.2, grey: 0.25, flip: 0.25, rotation: 25.0, ..Self::NONE }
            }
            Published::Coco2014 => Self { cutout: 0.5, ..Self::NONE },
            Published::NusWide => Self { flip: 0.5, smallest_crop: 0.7, ..Self::NONE },
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`TrainError::Setting`] with the first that can't be.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let shares = [
            ("brightness", self.brightness),
            ("probability of grey", self.grey),
            ("probability of a flip", self.flip),
            ("smallest crop", self.smallest_crop),
            ("cutout", self.cutout),
        ];
        let refuse = |field, expected, found: f32| {
            Err(TrainError::Setting { field, expected, found: found.to_string() })
        };
        if let Some((field, share)) = shares.into_iter().find(|(_, s)| !(0.0..=1.0).contains(s)) {
            return refuse(field, "a share between 0 and 1", share);
        }
        match (0.0..=180.0).contains(&self.rotation) {
            true => Ok(()),
            false => refuse("rotation", "degrees between 0 and 180", self.rotation),
        }
    }

    /// A square image, changed.
    pub(crate) fn apply(&self, mut image: RgbImage, random: &mut impl RngExt) -> RgbImage {
        if self.brightness > 0.0 || self.grey > 0.0 {
            if random.random_bool(0.5) {
                let factor = 1.0 + self.brightness * random.random_range(-1.0..=1.0_f32);
                // Cut off, not rounded, as Pillow does.
                image.iter_mut().for_each(|value| *value = (f32::from(*value) * factor) as u8);
            } else if chance(self.grey, random) {
                image.pixels_mut().for_each(to_grey);
            }
        }
        if chance(self.flip, random) {
            flip_horizontal_in_place(&mut image);
        }
        if self.rotation > 0.0 {
            image = rotated(&image, random.random_range(-self.rotation..=self.rotation));
        }
        if self.smallest_crop > 0.0 {
            image = self.cropped(image, random);
        }
        if self.cutout > 0.0 {
            self.cover(&mut image, random);
        }
        image
    }

    /// A part of the image in its place; the image itself if ten tries find no part that fits.
    fn cropped(&self, image: RgbImage, random: &mut impl RngExt) -> RgbImage {
        let side = image.width();
        let area = f64::from(side).powi(2);
        for _ in 0..10 {
            let share = random.random_range(f64::from(self.smallest_crop)..=1.0);
            let ratio = random.random_range((0.75_f64).ln()..=(4.0_f64 / 3.0).ln()).exp();
            let width = (area * share * ratio).sqrt().round() as u32;
            let height = (area * share / ratio).sqrt().round() as u32;
            if (1..=side).contains(&width) && (1..=side).contains(&height) {
                let x = random.random_range(0..=side - width);
                let y = random.random_range(0..=side - height);
                let part = crop_imm(&image, x, y, width, height).to_image();
                return Resize::square(side).apply(&part).unwrap_or(image);
            }
        }
        image
    }

    /// Covers a square about a random pixel, as far as it lies in the image, with a random colour.
    fn cover(&self, image: &mut RgbImage, random: &mut impl RngExt) {
        let side = image.width();
        let half = ((self.cutout * side as f32 + 0.5) as u32) / 2;
        let colour = Rgb([0; 3].map(|_: u8| random.random()));
        let mut span = || {
            let centre = random.random_range(0..side);
            centre.saturating_sub(half)..(centre + half).min(side)
        };
        let (columns, rows) = (span(), span());
        for y in rows {
            columns.clone().for_each(|x| image.put_pixel(x, y, colour));
        }
    }
}

fn chance(probability: f32, random: &mut impl RngExt) -> bool {
    probability > 0.0 && random.random_bool(f64::from(probability))
}

/// ITU-R 601's luma in all channels, rounded as Pillow does.
fn to_grey(pixel: &mut Rgb<u8>) {
    let [red, green, blue] = pixel.0.map(u32::from);
    let luma = (19_595 * red + 38_470 * green + 7_471 * blue + 0x8000) >> 16;
    pixel.0 = [luma as u8; 3];
}

/// Rotated about its middle, each pixel taken from the one that lies nearest; black outside.
fn rotated(image: &RgbImage, degrees: f32) -> RgbImage {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (width, height) = image.dimensions();
    let middle = [width as f32 / 2.0, height as f32 / 2.0];
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (x as f32 + 0.5 - middle[0], y as f32 + 0.5 - middle[1]);
        let (x, y) = (cos * x + sin * y + middle[0], cos * y - sin * x + middle[1]);
        let inside = x >= 0.0 && y >= 0.0 && x < width as f32 && y < height as f32;
        if inside { *image.get_pixel(x as u32, y as u32) } else { Rgb([0; 3]) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, generator};

    fn picture() -> RgbImage {
        RgbImage::from_fn(12, 12, |x, y| Rgb([(x * 20) as u8, (y * 20) as u8, 90]))
    }

    /// Many draws of an augmentation on one picture.
    fn draws(augmentation: Augmentation) -> Vec<RgbImage> {
        let draw = |at: usize| {
            let mut random = generator(5, at, Purpose::Augmentation, "x");
            augmentation.apply(picture(), &mut random)
        };
        (0..400).map(draw).collect()
    }

    fn share(images: &[RgbImage], holds: impl Fn(&RgbImage) -> bool) -> f64 {
        images.iter().filter(|image| holds(image)).count() as f64 / images.len() as f64
    }

    #[test]
    fn nothing_is_changed_by_none() {
        assert!(draws(Augmentation::NONE).iter().all(|image| *image == picture()));
    }

    #[test]
    fn a_flip_comes_as_often_as_it_is_to() {
        let mirrored = image::imageops::flip_horizontal(&picture());
        let flipped = draws(Augmentation { flip: 0.25, ..Augmentation::NONE });
        let often = share(&flipped, |image| *image == mirrored);
        assert!((often - 0.25).abs() < 0.07, "{often}");
        assert!(flipped.iter().all(|image| *image == mirrored || *image == picture()));
    }

    #[test]
    fn brightness_and_grey_take_turns() {
        let changed = draws(Augmentation { brightness: 0.2, grey: 0.25, ..Augmentation::NONE });
        let grey = |image: &RgbImage| image.pixels().all(|p| p.0[0] == p.0[1] && p.0[1] == p.0[2]);
        assert!((share(&changed, grey) - 0.125).abs() < 0.05);
        // The turn of grey that came to nothing.
        assert!((share(&changed, |image| *image == picture()) - 0.375).abs() < 0.07);
        let blue = |image: &RgbImage| image.get_pixel(0, 0).0[2];
        for image in changed.iter().filter(|image| !grey(image)) {
            assert!((72..=108).contains(&blue(image)));
        }
        let mut pixel = Rgb([10, 200, 30]);
        to_grey(&mut pixel);
        assert_eq!(pixel.0, [124; 3]);
    }

    #[test]
    fn a_rotation_by_a_quarter_moves_corners_and_by_nothing_leaves_all() {
        assert_eq!(rotated(&picture(), 0.0), picture());
        assert_eq!(rotated(&picture(), 90.0), image::imageops::rotate90(&picture()));
        let tilted = draws(Augmentation { rotation: 25.0, ..Augmentation::NONE });
        let black_corner = |image: &RgbImage| image.get_pixel(0, 0).0 == [0; 3];
        assert!(share(&tilted, black_corner) > 0.6);
        assert!(tilted.iter().all(|image| image.get_pixel(6, 6).0[2] == 90));
    }

    #[test]
    fn a_crop_keeps_the_size_and_what_is_in_the_picture() {
        let cropped = draws(Augmentation { smallest_crop: 0.7, ..Augmentation::NONE });
        for image in &cropped {
            assert_eq!(image.dimensions(), (12, 12));
            assert!(image.pixels().all(|pixel| pixel.0[2] == 90 && pixel.0[0] <= 220));
        }
        assert!(share(&cropped, |image| *image != picture()) > 0.9);
    }

    #[test]
    fn a_cutout_covers_at_most_its_square() {
        for image in draws(Augmentation { cutout: 0.5, ..Augmentation::NONE }) {
            let covered = image.pixels().zip(picture().pixels()).filter(|(a, b)| a != b).count();
            assert!(covered <= 36, "{covered}");
        }
    }

    #[test]
    fn a_share_outside_its_range_is_named() {
        let flip = Augmentation { flip: 1.5, ..Augmentation::NONE };
        let message = flip.check().unwrap_err().to_string();
        assert_eq!(message, "probability of a flip: expected a share between 0 and 1, found 1.5");
        let turn = Augmentation { rotation: f32::NAN, ..Augmentation::NONE };
        assert!(turn.check().unwrap_err().to_string().starts_with("rotation"));
    }
}
