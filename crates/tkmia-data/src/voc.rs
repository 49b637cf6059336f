//! [`Voc2012`]: PASCAL VOC 2012, <http://host.robots.ox.ac.uk/pascal/VOC/voc2012/>.
//!
//! ```text
//! VOC2012/ImageSets/Main/val.txt       one image id a line
//! VOC2012/Annotations/<id>.xml         the objects in it
//! VOC2012/JPEGImages/<id>.jpg
//! ```

mod annotation;

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use tkmia_core::LabelSet;
use tkmia_file::within;

use crate::text::{image_list, read_text};
use crate::{DataError, Dataset, Listing};

/// VOC 2012's classes in label order, which is alphabetical.
#[rustfmt::skip]
pub const VOC_CLASSES: [&str; 20] = [
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
];

/// One split of PASCAL VOC 2012.
///
/// A label is relevant where an object of its class is annotated and not marked `difficult`, as in
/// VOC's own classification task. Images keep the order of the split's list.
///
/// # Example
///
/// ```no_run
/// use tkmia_data::{Dataset, Voc2012};
///
/// let voc = Voc2012::open("VOCdevkit/VOC2012", "val")?;
/// assert_eq!((voc.len(), voc.classes().len()), (5823, 20));
/// assert_eq!(voc.id(0), "2008_000002");
/// let image = voc.image(0)?;
/// # Ok::<(), tkmia_data::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Voc2012 {
    root: PathBuf,
    listing: Listing,
}

impl Voc2012 {
    /// Reads the list of a split (`train`, `val`, `trainval`) and all its annotations.
    ///
    /// The root is the folder `VOC2012` itself, or one that holds `VOC2012` or
    /// `VOCdevkit/VOC2012`.
    ///
    /// # Errors
    /// [`DataError::NotVoc`] or [`DataError::UnknownSplit`] if there is no such dataset or split;
    /// other variants name the first file, in the list's order, that is missing or broken.
    pub fn open(root: impl AsRef<Path>, split: &str) -> Result<Self, DataError> {
        let root = locate(root.as_ref())?;
        let ids = read_split(&root, split)?;
        // Collected before the errors are looked at, so that the first in order is the one named.
        let labels: Vec<_> = ids.par_iter().map(|id| relevant_classes(&root, id)).collect();
        let labels = labels.into_iter().collect::<Result<Vec<_>, _>>()?;
        let labels = LabelSet::from_indices(&labels, VOC_CLASSES.len())
            .expect("the labels are positions in the list of classes");
        let (name, classes) = ("VOC 2012".to_owned(), VOC_CLASSES.map(String::from).into());
        Ok(Self { root, listing: Listing { name, classes, ids, labels, left_out: 0 } })
    }
}

impl Dataset for Voc2012 {
    fn listing(&self) -> &Listing {
        &self.listing
    }

    fn image_path(&self, index: usize) -> PathBuf {
        self.root.join("JPEGImages").join(format!("{}.jpg", self.id(index)))
    }
}

fn locate(given: &Path) -> Result<PathBuf, DataError> {
    let candidates = ["", "VOC2012", "VOCdevkit/VOC2012"].map(|below| given.join(below));
    candidates
        .into_iter()
        .find(|root| {
            let folders = ["Annotations", "ImageSets/Main", "JPEGImages"];
            folders.iter().all(|folder| root.join(folder).is_dir())
        })
        .ok_or_else(|| DataError::NotVoc { path: given.into() })
}

fn read_split(root: &Path, split: &str) -> Result<Vec<String>, DataError> {
    let folder = root.join("ImageSets/Main");
    let path = folder.join(format!("{split}.txt"));
    if !path.is_file() {
        let known = known_splits(&folder)?;
        return Err(DataError::UnknownSplit { path: folder, found: split.into(), known });
    }
    image_list(&read_text(&path, "one image id a line")?, &path, |id| match id {
        "" => Ok(None),
        id if id.contains(char::is_whitespace) => Err("one image id"),
        id if within(Path::new(""), id).is_none() => {
            Err("an image id, which names a file within a folder")
        }
        id => Ok(Some(id.to_owned())),
    })
}

/// Names of the lists in a folder, without those of a single class (`cat_val.txt`).
fn known_splits(folder: &Path) -> Result<Vec<String>, DataError> {
    let unreadable = DataError::read(folder, "a folder of splits");
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let paths = entries.map_err(unreadable)?.into_iter().map(|entry| entry.path());
    let lists = paths.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
    let names = lists.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    let of_one_class =
        |name: &str| name.split_once('_').is_some_and(|(class, _)| VOC_CLASSES.contains(&class));
    let mut splits: Vec<String> = names.filter(|name| !of_one_class(name)).collect();
    splits.sort();
    Ok(splits)
}

fn relevant_classes(root: &Path, id: &str) -> Result<Vec<usize>, DataError> {
    let path = root.join("Annotations").join(format!("{id}.xml"));
    let mut relevant = Vec::new();
    for object in annotation::objects(&path)? {
        let class = VOC_CLASSES.iter().position(|class| *class == object.name);
        let Some(class) = class else {
            return Err(DataError::UnknownClass { path, found: object.name });
        };
        if !object.difficult {
            relevant.push(class);
        }
    }
    Ok(relevant)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A dataset of two images under `VOCdevkit`, with a list of one class beside the split's.
    fn fixture() -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let root = root(&dir);
        for folder in ["Annotations", "ImageSets/Main", "JPEGImages"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        write(&dir, "ImageSets/Main/val.txt", "2008_000002\r\n2007_000001\r\n\r\n");
        write(&dir, "ImageSets/Main/train.txt", "");
        write(&dir, "ImageSets/Main/cat_val.txt", "2008_000002  1\n2007_000001 -1\n");
        write(&dir, "Annotations/2008_000002.xml", &annotation(&[("cat", 0), ("dog", 1)]));
        write(&dir, "Annotations/2007_000001.xml", &annotation(&[("tvmonitor", 0), ("cow", 0)]));
        dir
    }

    fn root(dir: &TempDir) -> PathBuf {
        dir.path().join("VOCdevkit/VOC2012")
    }

    fn write(dir: &TempDir, file: &str, text: &str) {
        fs::write(root(dir).join(file), text).unwrap();
    }

    fn annotation(objects: &[(&str, u8)]) -> String {
        let objects = objects.iter().map(|(name, difficult)| {
            format!("<object><name>{name}</name><difficult>{difficult}</difficult></object>")
        });
        format!("<annotation>{}</annotation>", objects.collect::<String>())
    }

    #[test]
    fn images_keep_the_order_of_the_list_and_difficult_objects_do_not_count() {
        let dir = fixture();
        for root in [root(&dir), dir.path().join("VOCdevkit"), dir.path().into()] {
            let voc = Voc2012::open(root, "val").unwrap();
            assert_eq!((voc.len(), voc.id(0), voc.id(1)), (2, "2008_000002", "2007_000001"));
            assert_eq!(voc.labels().indices(0), [7]);
            assert_eq!(voc.labels().indices(1), [9, 19]);
            assert!(voc.image_path(1).ends_with("VOC2012/JPEGImages/2007_000001.jpg"));
        }
    }

    #[test]
    fn opening_needs_no_image_but_asking_for_one_does() {
        let voc = Voc2012::open(fixture().path(), "val");
        let error = voc.unwrap().image(0).unwrap_err();
        assert!(
            matches!(&error, DataError::Read { path, .. } if path.ends_with("2008_000002.jpg"))
        );
    }

    #[test]
    fn a_folder_of_another_layout_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Voc2012::open(dir.path(), "val"), Err(DataError::NotVoc { .. })));
    }

    #[test]
    fn an_unknown_split_is_answered_with_the_splits_there_are() {
        match Voc2012::open(fixture().path(), "test") {
            Err(DataError::UnknownSplit { found, known, .. }) => {
                assert_eq!(
                    (found.as_str(), known.as_slice()),
                    ("test", &["train", "val"].map(String::from)[..])
                );
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_list_without_images_or_with_more_than_ids_is_an_error() {
        let dir = fixture();
        write(&dir, "ImageSets/Main/out.txt", "2008_000002\n../../secret\n");
        let error = Voc2012::open(dir.path(), "out").unwrap_err().to_string();
        assert!(error.contains("out.txt line 2: expected an image id, which"), "{error}");
        assert!(matches!(Voc2012::open(dir.path(), "train"), Err(DataError::NoImages { .. })));
        match Voc2012::open(dir.path(), "cat_val") {
            Err(DataError::Line { line: 1, found, .. }) => assert_eq!(found, "2008_000002  1"),
            other => panic!("{other:?}"),
        }
        write(&dir, "ImageSets/Main/twice.txt", "2008_000002\n\n2008_000002\n");
        assert!(matches!(
            Voc2012::open(dir.path(), "twice"),
            Err(DataError::DuplicateImage { first: 1, line: 3, .. })
        ));
    }

    #[test]
    fn the_first_broken_annotation_is_named() {
        let dir = fixture();
        write(&dir, "Annotations/2008_000002.xml", &annotation(&[("zebra", 1)]));
        write(&dir, "Annotations/2007_000001.xml", "<annotation>");
        let error = Voc2012::open(dir.path(), "val").unwrap_err();
        assert!(matches!(
            &error,
            DataError::UnknownClass { path, found } if found == "zebra" && path.ends_with("2008_000002.xml")
        ));

        fs::remove_file(root(&dir).join("Annotations/2008_000002.xml")).unwrap();
        let error = Voc2012::open(dir.path(), "val").unwrap_err();
        assert!(
            matches!(&error, DataError::Read { path, .. } if path.ends_with("2008_000002.xml"))
        );
    }
}
