//! [`Coco2014`]: MS COCO 2014, <https://cocodataset.org/#format-data>.
//!
//! ```text
//! annotations/instances_val2014.json   all images, categories and annotated objects
//! val2014/<file_name>.jpg
//! ```

mod instances;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use tkmia_core::LabelSet;
use tkmia_file::{memory_limit, open_text, within};

use crate::{DataError, Dataset, Listing};
use instances::{Category, Instances};

/// One split of MS COCO 2014.
///
/// A label is relevant where an annotation of its category exists, a crowd's included. Labels are
/// in the order of category ids. Images without an annotation are left out; the others are in the
/// order in which the list of annotations first mentions them, as in the published code, for which
/// "the first 1000 samples" are those of this order.
///
/// # Example
///
/// ```no_run
/// use tkmia_data::{Coco2014, Dataset};
///
/// let coco = Coco2014::open("coco", "val")?;
/// assert_eq!((coco.len(), coco.left_out(), coco.classes().len()), (40_137, 367, 80));
/// let image = coco.image(0)?;
/// # Ok::<(), tkmia_data::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Coco2014 {
    images: PathBuf,
    file_names: Vec<String>,
    listing: Listing,
}

impl Coco2014 {
    /// Reads the annotations of a split, `train` or `val`.
    ///
    /// The file is read as a stream: of its 150 to 340 MB only ids, file names and category names
    /// are ever in memory.
    ///
    /// # Errors
    /// [`DataError::UnknownSplit`]; other variants name the file, the record and its field.
    pub fn open(root: impl AsRef<Path>, split: &str) -> Result<Self, DataError> {
        let folder = root.as_ref().join("annotations");
        let known = ["train", "val"];
        if !known.contains(&split) {
            let known = known.map(String::from).into();
            return Err(DataError::UnknownSplit { path: folder, found: split.into(), known });
        }
        let path = folder.join(format!("instances_{split}2014.json"));
        let expected = "COCO 2014's instance annotations";
        let text = open_text(&path).map_err(DataError::read(&path, expected))?;
        let instances = instances::parse(text, &path)?;
        Self::resolve(instances, root.as_ref().join(format!("{split}2014")), &path)
    }

    /// Checks what refers to what, and turns annotations into labels.
    fn resolve(instances: Instances, images: PathBuf, path: &Path) -> Result<Self, DataError> {
        let Instances { images: records, annotations, categories } = instances;
        let outside = |image: &instances::Image| within(&images, &image.file_name).is_none();
        if let Some(at) = records.iter().position(outside) {
            let found = records[at].file_name.clone();
            return Err(DataError::ImageOutside { path: path.into(), at, found });
        }
        let positions = positions("images", records.iter().map(|image| image.id), path)?;
        let (classes, label_of) = classes(categories, path)?;

        let mut ids = HashSet::with_capacity(annotations.len());
        // The row of each image that has an annotation, and the image of each row.
        let mut row_of = vec![None; records.len()];
        let mut order = Vec::new();
        let mut flags = Vec::new();
        let most = memory_limit() / 4;
        for (at, annotation) in annotations.iter().enumerate() {
            if !ids.insert(annotation.id) {
                let same = |other: &&instances::Annotation| other.id == annotation.id;
                let first = annotations.iter().take_while(|other| !same(other)).count();
                let (list, id) = ("annotations", annotation.id);
                return Err(DataError::DuplicateId { path: path.into(), list, at, first, id });
            }
            let unknown = |field, list, found| DataError::UnknownId {
                path: path.into(),
                at,
                field,
                list,
                found,
            };
            let &image = positions
                .get(&annotation.image_id)
                .ok_or_else(|| unknown("image_id", "images", annotation.image_id))?;
            let &label = label_of
                .get(&annotation.category_id)
                .ok_or_else(|| unknown("category_id", "categories", annotation.category_id))?;
            let row = *row_of[image].get_or_insert_with(|| {
                order.push(image);
                flags.resize(flags.len() + classes.len(), false);
                order.len() - 1
            });
            if flags.len() as u64 > most {
                let (images, categories) = (order.len(), classes.len());
                return Err(DataError::ManyLabels { path: path.into(), images, categories, most });
            }
            flags[row * classes.len() + label] = true;
        }
        if order.is_empty() {
            return Err(DataError::NoLabels { path: path.into() });
        }
        let labels = LabelSet::new(flags, classes.len())
            .expect("every row has a flag for each class, and an annotation has a class");
        let file_name = |&image: &usize| records[image].file_name.clone();
        let file_names = order.iter().map(file_name).collect();
        let listing = Listing {
            name: "COCO 2014".to_owned(),
            classes,
            ids: order.iter().map(|&image| records[image].id.to_string()).collect(),
            labels,
            left_out: records.len() - order.len(),
        };
        Ok(Self { images, file_names, listing })
    }
}

impl Dataset for Coco2014 {
    fn listing(&self) -> &Listing {
        &self.listing
    }

    fn image_path(&self, index: usize) -> PathBuf {
        self.images.join(&self.file_names[index])
    }
}

/// The place of each id in its list, in which no id may be twice.
fn positions(
    list: &'static str,
    ids: impl Iterator<Item = u64>,
    path: &Path,
) -> Result<HashMap<u64, usize>, DataError> {
    let mut positions = HashMap::with_capacity(ids.size_hint().0);
    for (at, id) in ids.enumerate() {
        if let Some(first) = positions.insert(id, at) {
            return Err(DataError::DuplicateId { path: path.into(), list, at, first, id });
        }
    }
    Ok(positions)
}

/// The names of the categories by ascending id, and the label of each id.
fn classes(
    categories: Vec<Category>,
    path: &Path,
) -> Result<(Vec<String>, HashMap<u64, usize>), DataError> {
    positions("categories", categories.iter().map(|category| category.id), path)?;
    let mut names = HashMap::new();
    for (at, Category { name, .. }) in categories.iter().enumerate() {
        if let Some(first) = names.insert(name, at) {
            let name = name.clone();
            return Err(DataError::DuplicateCategory { path: path.into(), at, first, name });
        }
    }
    let mut categories = categories;
    categories.sort_by_key(|category| category.id);
    let label_of =
        categories.iter().enumerate().map(|(label, category)| (category.id, label)).collect();
    Ok((categories.into_iter().map(|category| category.name).collect(), label_of))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "instances_val2014.json";

    fn open(json: &str) -> Result<Coco2014, DataError> {
        let path = Path::new(PATH);
        Coco2014::resolve(instances::parse(json.as_bytes(), path)?, "val2014".into(), path)
    }

    fn file(images: &str, annotations: &str, categories: &str) -> String {
        format!(
            r#"{{"info": {{"year": 2014}}, "images": [{images}], "licenses": [],
                "annotations": [{annotations}], "categories": [{categories}]}}"#
        )
    }

    fn image(id: u64) -> String {
        format!(r#"{{"license": 5, "file_name": "COCO_val2014_{id:012}.jpg", "id": {id}}}"#)
    }

    fn annotation(id: u64, image: u64, category: u64) -> String {
        format!(
            r#"{{"segmentation": [[1.5, 2, -3e1]], "area": 7.25, "iscrowd": {}, "image_id": {image},
                "bbox": [0, 1.5, 2, 3], "category_id": {category}, "id": {id}}}"#,
            id % 2
        )
    }

    fn category(id: u64, name: &str) -> String {
        format!(r#"{{"supercategory": "any", "id": {id}, "name": "{name}"}}"#)
    }

    fn images() -> String {
        [image(42), image(7), image(581_929), image(3)].join(", ")
    }

    fn categories() -> String {
        [category(90, "toothbrush"), category(1, "person"), category(18, "dog")].join(", ")
    }

    fn broken(annotations: &[String]) -> String {
        open(&file(&images(), &annotations.join(", "), &categories())).unwrap_err().to_string()
    }

    #[test]
    fn images_are_in_the_order_of_annotations_and_labels_in_that_of_category_ids() {
        let annotations =
            [(11, 7, 18), (12, 42, 90), (13, 7, 1), (20, 3, 1), (900_100_000_000, 7, 18)];
        let annotations = annotations.map(|(id, image, category)| annotation(id, image, category));
        let coco = open(&file(&images(), &annotations.join(", "), &categories())).unwrap();
        assert_eq!(coco.classes(), ["person", "dog", "toothbrush"]);
        assert_eq!([0, 1, 2].map(|at| coco.id(at)), ["7", "42", "3"]);
        assert_eq!([0, 1, 2].map(|at| coco.labels().indices(at)), [vec![0, 1], vec![2], vec![0]]);
        assert_eq!((coco.len(), coco.left_out()), (3, 1));
        assert_eq!(coco.image_path(1), Path::new("val2014/COCO_val2014_000000000042.jpg"));
    }

    #[test]
    fn lists_may_come_in_any_order() {
        let (images, annotations, categories) = (image(1), annotation(1, 1, 1), category(1, "cat"));
        let json = format!(
            r#"{{"annotations": [{annotations}], "categories": [{categories}], "images": [{images}]}}"#
        );
        assert_eq!(open(&json).unwrap().classes(), ["cat"]);
    }

    #[test]
    fn a_reference_to_nothing_is_named() {
        assert_eq!(
            broken(&[annotation(1, 7, 18), annotation(2, 8, 18)]),
            "instances_val2014.json annotations[1].image_id: expected an id of `images`, found 8"
        );
        assert_eq!(
            broken(&[annotation(1, 7, 2)]),
            "instances_val2014.json annotations[0].category_id: expected an id of `categories`, found 2"
        );
    }

    #[test]
    fn whatever_is_there_twice_is_named() {
        assert_eq!(
            broken(&[annotation(5, 7, 1), annotation(6, 7, 1), annotation(5, 42, 1)]),
            "instances_val2014.json annotations[2].id: 5 is that of annotations[0] already"
        );
        let twice = |images: &[String], categories: &[String]| {
            let json = file(&images.join(", "), &annotation(1, 7, 1), &categories.join(", "));
            open(&json).unwrap_err().to_string()
        };
        assert_eq!(
            twice(&[image(7), image(7)], &[category(1, "cat")]),
            "instances_val2014.json images[1].id: 7 is that of images[0] already"
        );
        assert_eq!(
            twice(&[image(7)], &[category(1, "cat"), category(2, "dog"), category(1, "cow")]),
            "instances_val2014.json categories[2].id: 1 is that of categories[0] already"
        );
        assert_eq!(
            twice(&[image(7)], &[category(1, "cat"), category(2, "cat")]),
            "instances_val2014.json categories[1].name: `cat` is that of categories[0] already"
        );
    }

    #[test]
    fn an_image_outside_the_folder_is_named() {
        for outside in ["../secret.jpg", "/etc/passwd", "a/../../b.jpg", ""] {
            let images = format!(
                r#"{{"id": 7, "file_name": "a/7.jpg"}}, {{"id": 8, "file_name": "{outside}"}}"#
            );
            let json = file(&images, &annotation(1, 7, 1), &categories());
            let expected = format!(
                "instances_val2014.json images[1].file_name: expected a path within the folder of images, found `{outside}`"
            );
            assert_eq!(open(&json).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn annotations_of_nothing_are_an_error() {
        let error = open(&file(&images(), "", &categories())).unwrap_err();
        assert!(matches!(error, DataError::NoLabels { .. }), "{error:?}");
    }

    #[test]
    fn an_unknown_split_or_a_missing_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(
            Coco2014::open(dir.path(), "test"),
            Err(DataError::UnknownSplit { known, .. }) if known == ["train", "val"]
        ));
        assert!(matches!(
            Coco2014::open(dir.path(), "val"),
            Err(DataError::Read { path, .. }) if path.ends_with("annotations/instances_val2014.json")
        ));
    }
}
