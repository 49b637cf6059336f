//! [`Dataset`]: what every reader offers, whatever its files look like; [`Listing`]: the part in memory.

use std::fmt::Debug;
use std::path::PathBuf;

use image::RgbImage;
use tkmia_core::LabelSet;

use crate::{DataError, decode};

/// One split of a multi-label image dataset: labels in memory, images on disk.
///
/// Images keep the order of the dataset's own list, so that "the first 1000 samples" means the
/// same everywhere. Methods that take an index panic if it isn't below [`len`](Self::len), as
/// indexing a slice does; [`load_batch`](crate::load_batch) checks its indices.
pub trait Dataset: Debug + Send + Sync {
    /// Names, ids and labels.
    fn listing(&self) -> &Listing;

    /// The file that holds an image.
    fn image_path(&self, index: usize) -> PathBuf;

    /// The dataset's name, without the split: `VOC 2012`.
    fn name(&self) -> &str {
        &self.listing().name
    }

    /// The label names, in label order.
    fn classes(&self) -> &[String] {
        &self.listing().classes
    }

    /// The relevant labels (`Y_p` in the paper) of every image, `[images, classes]`.
    fn labels(&self) -> &LabelSet {
        &self.listing().labels
    }

    /// What the dataset itself calls an image: unique within the split.
    fn id(&self, index: usize) -> &str {
        &self.listing().ids[index]
    }

    /// Number of images.
    fn len(&self) -> usize {
        self.labels().rows()
    }

    /// Number of images of the split that are left out because they have no label.
    fn left_out(&self) -> usize {
        self.listing().left_out
    }

    /// Whether there is no image; the readers of this crate refuse such a split.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An image as its file has it, in 8-bit RGB.
    ///
    /// Grey and CMYK images are converted, transparency is dropped, orientation tags and colour
    /// profiles are ignored: all as Pillow's `Image.open(..).convert("RGB")`.
    ///
    /// # Errors
    /// [`DataError::Read`], [`DataError::Decode`] or [`DataError::TruncatedJpeg`] if the file isn't
    /// a whole JPEG or PNG image.
    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        decode::read_rgb(&self.image_path(index))
    }
}

/// A split without its images.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The dataset's name, without the split.
    pub name: String,
    /// The label names, in label order.
    pub classes: Vec<String>,
    /// What the dataset calls each image.
    pub ids: Vec<String>,
    /// The relevant labels of each image, `[ids, classes]`.
    pub labels: LabelSet,
    /// Number of images that were left out because they have no label.
    pub left_out: usize,
}
