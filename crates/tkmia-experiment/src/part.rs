//! [`Part`]: some of a data set's images; [`held_out`] keeps a share of them apart.

use std::path::PathBuf;

use image::RgbImage;
use tkmia_data::{DataError, Dataset, Listing};
use tkmia_file::sha256;

/// Some of a data set's images, in its order.
#[derive(Debug)]
pub struct Part<'a> {
    whole: &'a dyn Dataset,
    indices: Vec<usize>,
    listing: Listing,
}

/// A data set in two: what is reported, and a share of the images that is kept apart from that.
///
/// An image is kept apart if its SHA-256 of seed and id, a number between 0 and 1, is below the share: whatever the
/// order and the other images.
///
/// # Example
///
/// ```
/// use tkmia_data::{Dataset, Voc2012};
/// use tkmia_experiment::held_out;
///
/// # let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/mini-voc");
/// let voc = Voc2012::open(root, "val")?;
/// let [reported, kept] = held_out(&voc, 0.2, 2023);
/// assert_eq!(reported.len() + kept.len(), voc.len());
/// # Ok::<(), tkmia_data::DataError>(())
/// ```
pub fn held_out(whole: &dyn Dataset, share: f64, seed: u64) -> [Part<'_>; 2] {
    let number = |index: usize| {
        let digits = &sha256([&seed.to_le_bytes(), whole.id(index).as_bytes()].concat())[..16];
        u64::from_str_radix(digits, 16).expect("they are hexadecimal") as f64 / 2_f64.powi(64)
    };
    let (kept, reported) = (0..whole.len()).partition(|&index| number(index) < share);
    [reported, kept].map(|indices| Part::new(whole, indices))
}

impl<'a> Part<'a> {
    fn new(whole: &'a dyn Dataset, indices: Vec<usize>) -> Self {
        let listing = Listing {
            name: whole.name().to_owned(),
            classes: whole.classes().to_vec(),
            ids: indices.iter().map(|&index| whole.id(index).to_owned()).collect(),
            labels: whole.labels().select(&indices),
            left_out: whole.left_out(),
        };
        Self { whole, indices, listing }
    }
}

impl Dataset for Part<'_> {
    fn listing(&self) -> &Listing {
        &self.listing
    }

    fn image_path(&self, index: usize) -> PathBuf {
        self.whole.image_path(self.indices[index])
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        self.whole.image(self.indices[index])
    }
}

#[cfg(test)]
mod tests {
    use tkmia_data::Voc2012;

    use super::*;

    #[test]
    fn parts_have_each_image_once_with_its_own_labels_and_file() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/mini-voc");
        let voc = Voc2012::open(root, "val").unwrap();
        let parts = held_out(&voc, 0.2, 2023);
        let mut seen = Vec::new();
        for part in &parts {
            for index in 0..part.len() {
                let whole = (0..voc.len()).find(|&at| voc.id(at) == part.id(index)).unwrap();
                assert_eq!(part.labels().indices(index), voc.labels().indices(whole));
                assert_eq!(part.image_path(index), voc.image_path(whole));
                seen.push(whole);
            }
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..voc.len()));
        assert!((40..80).contains(&parts[1].len()), "{}", parts[1].len());
    }
}
