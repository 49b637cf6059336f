//! [`NusWide`]: NUS-WIDE, Chua et al. 2009,
//! <https://lms.comp.nus.edu.sg/wp-content/uploads/2019/research/nuswide/NUS-WIDE.html>.
//!
//! ```text
//! ImageList/TestImagelist.txt                   one image a line, `actor\0001_2124494179.jpg`
//! Flickr/actor/0001_2124494179.jpg
//! Concepts81.txt                                one concept a line, in label order
//! TrainTestLabels/Labels_airport_Test.txt       0 or 1 for each image of the list
//! ```
//!
//! In another form that circulates, one table has all the labels of a part:
//!
//! ```text
//! classification_labels/classification_test.csv
//! ```

mod concepts;
mod label_files;
mod label_table;

use std::path::{Path, PathBuf};

use tkmia_core::LabelSet;
use tkmia_file::within;

use crate::text::{first_existing, image_list, read_text};
use crate::{DataError, Dataset, Listing};

pub use concepts::NUS_WIDE_CONCEPTS;

/// One part of NUS-WIDE, in either of the forms of its labels.
///
/// A label is relevant where the ground truth says so. Images without a label are left out; the
/// others keep the order of the image list, or of the table's rows. Labels are in the order of
/// `Concepts81.txt`, which is that of [`NUS_WIDE_CONCEPTS`] where the file isn't there; the
/// columns of a table are found by their names, in whatever order.
///
/// # Example
///
/// ```no_run
/// use tkmia_data::{Dataset, NusWide};
///
/// let nus = NusWide::open("NUS-WIDE", "test")?;
/// assert_eq!(nus.len() + nus.left_out(), 107_859);
/// assert_eq!(nus.classes().len(), 81);
/// let image = nus.image(0)?;
/// # Ok::<(), tkmia_data::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct NusWide {
    images: PathBuf,
    listing: Listing,
}

impl NusWide {
    /// Reads the image list and the labels of a part: `train`, which may be called `trainval` as in
    /// the table's file name, or `test`.
    ///
    /// Where both forms of labels are there, the original files are read and not the table. These, or
    /// `Concepts81.txt`, may also be in the folders of the original archives, `Groundtruth` and
    /// `ConceptsList`.
    ///
    /// # Errors
    /// [`DataError::NotNusWide`] or [`DataError::UnknownSplit`] if there is no such dataset or part;
    /// other variants name the file and the line.
    pub fn open(root: impl AsRef<Path>, split: &str) -> Result<Self, DataError> {
        let root = root.as_ref();
        let (part, table) = match split {
            "train" | "trainval" => ("Train", "trainval"),
            "test" => ("Test", "test"),
            other => {
                let known = ["train", "trainval", "test"].map(String::from).into();
                let (path, found) = (root.into(), other.into());
                return Err(DataError::UnknownSplit { path, found, known });
            }
        };
        let files = first_existing(root, &["TrainTestLabels", "Groundtruth/TrainTestLabels"]);
        let table = root.join(format!("classification_labels/classification_{table}.csv"));
        if files.is_none() && !table.is_file() {
            return Err(DataError::NotNusWide { path: root.into() });
        }
        let list = root.join(format!("ImageList/{part}Imagelist.txt"));
        let images = parse_image_list(&read_text(&list, "one image a line")?, &list)?;
        let concepts = first_existing(root, &["Concepts81.txt", "ConceptsList/Concepts81.txt"]);
        let classes = concepts::read(concepts.as_deref())?;

        let (path, mut rows) = match files {
            Some(folder) => {
                let rows = label_files::read(&folder, part, &classes, images.len())?;
                (folder, rows)
            }
            None => {
                let text = read_text(&table, "a table of images and their labels")?;
                let rows = label_table::parse(&text, &table, &classes, &images)?;
                (table, rows)
            }
        };
        rows.retain(|row| !row.labels.is_empty());
        if rows.is_empty() {
            return Err(DataError::NoLabels { path });
        }
        let labels: Vec<_> = rows.iter().map(|row| row.labels.as_slice()).collect();
        let labels = LabelSet::from_indices(&labels, classes.len())
            .expect("the labels are positions in the list of classes");
        let listing = Listing {
            name: "NUS-WIDE".to_owned(),
            classes,
            ids: rows.iter().map(|row| images[row.image].clone()).collect(),
            labels,
            left_out: images.len() - rows.len(),
        };
        Ok(Self { images: root.join("Flickr"), listing })
    }
}

impl Dataset for NusWide {
    fn listing(&self) -> &Listing {
        &self.listing
    }

    fn image_path(&self, index: usize) -> PathBuf {
        self.images.join(self.id(index))
    }
}

/// What the labels say of one image.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    /// Its place in the image list, from 0.
    image: usize,
    /// The labels that are relevant.
    labels: Vec<usize>,
}

/// The images of a list, with forward slashes: `actor/0001_2124494179.jpg`.
fn parse_image_list(text: &str, path: &Path) -> Result<Vec<String>, DataError> {
    // Labels are told by the line, so none may be passed over.
    image_list(text.trim_end(), path, |image| match image {
        "" => Err("an image"),
        image => {
            let image = image.replace('\\', "/");
            let inside = within(Path::new(""), &image).is_some();
            inside.then_some(Some(image)).ok_or("a path within the folder of images")
        }
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// Three images in the test part; the second has no label.
    fn fixture() -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        write(
            &dir,
            "ImageList/TestImagelist.txt",
            "zoo\\0001_7.jpg\r\nzoo\\0002_5.jpg\r\na\\0001_6.jpg\r\n",
        );
        dir
    }

    fn write(dir: &TempDir, file: &str, text: &str) {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Label files below `folder`: the first image is a zebra, the last an airport and a zebra.
    fn write_label_files(dir: &TempDir, folder: &str) {
        for concept in NUS_WIDE_CONCEPTS {
            let flags = match concept {
                "airport" => "0\n0\n1\n",
                "zebra" => "1 \r\n0 \r\n1 \r\n",
                _ => "0\n0\n0\n",
            };
            write(dir, &format!("{folder}/Labels_{concept}_Test.txt"), flags);
        }
    }

    /// The same labels in a table whose columns run backwards, with an index column.
    fn write_table(dir: &TempDir) {
        let header: Vec<&str> = NUS_WIDE_CONCEPTS.iter().rev().copied().collect();
        let row = |first: &str, last: &str| format!("{first},{}{last}", "-1,".repeat(79));
        let rows = [row("0,1", "-1"), row("1,-1", "-1"), row("2,1", "1")].join("\n");
        let text = format!("image,{}\n{rows}\n", header.join(","));
        write(dir, "classification_labels/classification_test.csv", &text);
    }

    fn assert_is_the_fixture(nus: &NusWide) {
        assert_eq!(nus.classes(), NUS_WIDE_CONCEPTS);
        assert_eq!((nus.len(), nus.left_out()), (2, 1));
        assert_eq!([nus.id(0), nus.id(1)], ["zoo/0001_7.jpg", "a/0001_6.jpg"]);
        assert_eq!(nus.labels().indices(0), [80]);
        assert_eq!(nus.labels().indices(1), [0, 80]);
        assert!(nus.image_path(1).ends_with("Flickr/a/0001_6.jpg"));
    }

    #[test]
    fn both_forms_of_labels_say_the_same() {
        for folder in ["TrainTestLabels", "Groundtruth/TrainTestLabels"] {
            let dir = fixture();
            write_label_files(&dir, folder);
            assert_is_the_fixture(&NusWide::open(dir.path(), "test").unwrap());
        }
        let dir = fixture();
        write_table(&dir);
        assert_is_the_fixture(&NusWide::open(dir.path(), "test").unwrap());
    }

    #[test]
    fn labels_are_in_the_order_of_the_list_of_concepts() {
        let dir = fixture();
        write_label_files(&dir, "TrainTestLabels");
        let mut concepts = NUS_WIDE_CONCEPTS;
        concepts.reverse();
        write(&dir, "Concepts81.txt", &concepts.join("\n"));
        let nus = NusWide::open(dir.path(), "test").unwrap();
        assert_eq!(nus.classes(), concepts);
        assert_eq!(nus.labels().indices(1), [0, 80]);
        assert_eq!(nus.labels().indices(0), [0]);
    }

    #[test]
    fn another_layout_or_split_is_an_error() {
        let dir = fixture();
        assert!(matches!(NusWide::open(dir.path(), "test"), Err(DataError::NotNusWide { .. })));
        match NusWide::open(dir.path(), "val") {
            Err(DataError::UnknownSplit { known, .. }) => {
                assert_eq!(known, ["train", "trainval", "test"]);
            }
            other => panic!("{other:?}"),
        }
        write_label_files(&dir, "TrainTestLabels");
        for split in ["train", "trainval"] {
            match NusWide::open(dir.path(), split) {
                Err(DataError::Read { path, .. }) => {
                    assert!(path.ends_with("ImageList/TrainImagelist.txt"));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_part_without_labels_is_an_error() {
        let dir = fixture();
        for concept in NUS_WIDE_CONCEPTS {
            write(&dir, &format!("TrainTestLabels/Labels_{concept}_Test.txt"), "0\n0\n0\n");
        }
        assert!(matches!(NusWide::open(dir.path(), "test"), Err(DataError::NoLabels { .. })));
    }

    #[test]
    fn a_bad_line_of_an_image_list_is_named() {
        let parse = |text| parse_image_list(text, Path::new("l.txt")).unwrap_err();
        assert!(matches!(parse("\r\n"), DataError::NoImages { .. }));
        assert_eq!(parse("a\n\nb\n").to_string(), "l.txt line 2: expected an image, found ``");
        assert_eq!(
            parse("a\\1\n..\\..\\b\n").to_string(),
            "l.txt line 2: expected a path within the folder of images, found `..\\..\\b`"
        );
        assert_eq!(parse("a/1\nb\na\\1\n").to_string(), "l.txt line 3: `a/1` is on line 1 already");
    }
}
