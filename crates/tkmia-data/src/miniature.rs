//! Small synthetic data sets in the layouts of the real ones; the main item is [`Miniature`].
//!
//! They stand in for data that can't be shipped: readers, experiments and whole runs can be tried
//! on them. A scene is a few coloured shapes, one colour and shape to each label, on a soft
//! background; labels come several to an image, in groups. There is also what a reader must get
//! right: difficult objects and crowds, ids with gaps, lists out of order, images without a label.

mod coco;
mod nus_wide;
mod scene;
mod voc;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use rayon::prelude::*;

use crate::{DataError, DatasetKind, NUS_WIDE_CONCEPTS, VOC_CLASSES};
#[cfg(test)]
pub(crate) use coco::CATEGORIES as COCO_CATEGORIES;
use scene::Scene;

/// A layout that miniatures can be made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// [`Voc2012`](crate::Voc2012).
    Voc2012,
    /// [`Coco2014`](crate::Coco2014).
    Coco2014,
    /// [`NusWide`](crate::NusWide) with a file of labels for each concept.
    NusWide,
    /// [`NusWide`](crate::NusWide) with a table of labels.
    NusWideTable,
}

impl Layout {
    /// The reader that it is for.
    pub fn kind(self) -> DatasetKind {
        match self {
            Layout::Voc2012 => DatasetKind::Voc2012,
            Layout::Coco2014 => DatasetKind::Coco2014,
            Layout::NusWide | Layout::NusWideTable => DatasetKind::NusWide,
        }
    }

    /// The splits of a miniature, in the order in which they are made.
    pub fn splits(self) -> [&'static str; 2] {
        match self {
            Layout::Voc2012 | Layout::Coco2014 => ["train", "val"],
            Layout::NusWide | Layout::NusWideTable => ["train", "test"],
        }
    }
}

/// A synthetic data set: its layout, how many images each split has, and the seed of it all.
///
/// # Example
///
/// ```
/// use tkmia_data::miniature::{Layout, Miniature};
/// use tkmia_data::{Coco2014, Dataset};
///
/// # let dir = tempfile::tempdir()?;
/// # let root = dir.path().join("mini-coco");
/// let miniature = Miniature { layout: Layout::Coco2014, images: 20, seed: 0 };
/// let [_train, val] = miniature.write(&root)?;
///
/// let coco = Coco2014::open(&root, val.split)?;
/// assert_eq!(coco.len() + coco.left_out(), 20);
/// assert_eq!(coco.id(0), val.samples[0].id);
/// assert_eq!(coco.labels().indices(0), val.samples[0].labels);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Miniature {
    /// The layout.
    pub layout: Layout,
    /// Images in each of the two splits; readers refuse a split without one.
    pub images: usize,
    /// The seed: equal seeds give equal files.
    pub seed: u64,
}

/// What a split of a miniature shows, as its reader should find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The split's name.
    pub split: &'static str,
    /// The images that have a label, in the data set's order.
    pub samples: Vec<Sample>,
}

/// An image of a miniature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// What the data set calls it.
    pub id: String,
    /// Its relevant labels, ascending.
    pub labels: Vec<usize>,
}

impl Miniature {
    /// Makes the data set at `root`, where nothing may be yet. It gets its name when it is whole;
    /// until then `.partial` is added to it.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn write(&self, root: &Path) -> Result<[Part; 2], DataError> {
        if root.exists() {
            return Err(DataError::write(root)(ErrorKind::AlreadyExists.into()));
        }
        let Some(name) = root.file_name() else {
            return Err(DataError::write(root)(ErrorKind::InvalidInput.into()));
        };
        let mut partial = name.to_owned();
        partial.push(".partial");
        let partial = root.with_file_name(partial);
        if let Some(parent) = partial.parent() {
            fs::create_dir_all(parent).map_err(DataError::write(parent))?;
        }
        fs::create_dir(&partial).map_err(DataError::write(&partial))?;

        let splits = self.layout.splits();
        let first = self.part(&partial, 0, splits[0])?;
        let second = self.part(&partial, 1, splits[1])?;
        if self.layout == Layout::Voc2012 {
            voc::write_trainval(&partial, &first, &second)?;
        }
        fs::rename(&partial, root).map_err(DataError::write(root))?;
        Ok([first, second])
    }

    fn part(&self, root: &Path, number: u64, split: &'static str) -> Result<Part, DataError> {
        // The most frequent label: a person, or the sky.
        let (classes, common) = match self.layout {
            Layout::Voc2012 => (VOC_CLASSES.len(), 14),
            Layout::Coco2014 => (coco::CATEGORIES.len(), 0),
            Layout::NusWide | Layout::NusWideTable => (NUS_WIDE_CONCEPTS.len(), 55),
        };
        let scene = |image| {
            let mut random = self.random(number, image as u64 + 1);
            // Every image of VOC shows something, and the first one everywhere.
            let bare = self.layout != Layout::Voc2012 && image > 0 && random.u8(..12) == 0;
            Scene::new(&mut random, classes, common, bare)
        };
        let scenes: Vec<Scene> = (0..self.images).into_par_iter().map(scene).collect();
        let mut random = self.random(number, 0);
        let samples = match self.layout {
            Layout::Voc2012 => voc::write(root, split, &scenes)?,
            Layout::Coco2014 => coco::write(root, split, &scenes, &mut random)?,
            Layout::NusWide => nus_wide::write(root, split, &scenes, None)?,
            Layout::NusWideTable => nus_wide::write(root, split, &scenes, Some(&mut random))?,
        };
        Ok(Part { split, samples })
    }

    /// A generator for one image of a part, or for the part's lists.
    fn random(&self, part: u64, image: u64) -> fastrand::Rng {
        let key = (part << 40 | image).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        fastrand::Rng::with_seed(self.seed ^ key)
    }
}

/// Writes a file, and the folders that it is in.
fn write_file(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), DataError> {
    let folders = path.parent().map_or(Ok(()), fs::create_dir_all);
    let written = folders.and_then(|()| fs::write(path, bytes));
    written.map_err(DataError::write(path))
}

/// Writes the scenes as JPEG files at the given places below `root`.
fn write_images(root: &Path, scenes: &[Scene], files: &[String]) -> Result<(), DataError> {
    let pairs = scenes.par_iter().zip(files);
    pairs.map(|(scene, file)| write_file(&root.join(file), scene.jpeg())).collect()
}
