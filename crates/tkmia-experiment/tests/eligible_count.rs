//! Counts of eligible samples against counts that are made from the annotation files in another way.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::fs;

use serde_json::Value;
use tkmia_data::miniature::{Layout, Miniature};
use tkmia_data::{Coco2014, Dataset, NusWide, Voc2012};
use tkmia_experiment::{ExperimentError, eligible_count};

/// Label names of each image.
type Names = Vec<HashSet<String>>;

/// The filter by names: some of the type, and at least k that aren't.
fn count(images: &Names, members: &[&str], k: usize) -> usize {
    let admits = |names: &&HashSet<String>| {
        let others = names.iter().filter(|name| !members.contains(&name.as_str())).count();
        others < names.len() && others >= k
    };
    images.iter().filter(admits).count()
}

/// Compares counts at `k` from 1 to 4, of which the first mustn't be 0.
fn compare(
    dataset: &dyn Dataset,
    images: &Names,
    types: &[(&str, &[&str])],
) -> Result<(), ExperimentError> {
    for (name, members) in types {
        assert!(count(images, members, 1) > 0, "{name}");
        for k in 1..5 {
            let expected = count(images, members, k);
            assert_eq!(eligible_count(dataset, name, k)?, expected, "{name}, k = {k}");
        }
    }
    Ok(())
}

#[test]
fn mini_voc_has_as_many_as_its_readme_says() -> Result<(), Box<dyn Error>> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/mini-voc");
    let voc = Voc2012::open(root, "val")?;
    for (name, expected) in [
        ("Vehicles", [146, 92, 45]),
        ("Animals", [172, 122, 76]),
        ("Household", [78, 44, 23]),
        ("Person", [110, 102, 72]),
    ] {
        let found = [1, 2, 3].map(|k| eligible_count(&voc, name, k).ok());
        assert_eq!(found, expected.map(Some), "{name}");
    }
    Ok(())
}

#[test]
fn coco_has_as_many_as_its_annotations_say() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let root = dir.path().join("coco");
    Miniature { layout: Layout::Coco2014, images: 300, seed: 1 }.write(&root)?;

    let json = fs::read_to_string(root.join("annotations/instances_val2014.json"))?;
    let json: Value = serde_json::from_str(&json)?;
    let list = |name: &str| json[name].as_array().expect("it is a list").iter();
    let names: HashMap<_, _> =
        list("categories").map(|category| (category["id"].as_u64(), &category["name"])).collect();
    let mut images: HashMap<_, HashSet<String>> = HashMap::new();
    for annotation in list("annotations") {
        let name = names[&annotation["category_id"].as_u64()].as_str().expect("it is a name");
        images.entry(annotation["image_id"].as_u64()).or_default().insert(name.into());
    }
    let electrical = [
        "tv",
        "laptop",
        "mouse",
        "remote",
        "keyboard",
        "cell phone",
        "microwave",
        "oven",
        "toaster",
        "refrigerator",
        "hair drier",
    ];
    compare(
        &Coco2014::open(&root, "val")?,
        &images.into_values().collect(),
        &[
            ("Person", &["person"]),
            ("Furniture", &["chair", "couch", "potted plant", "bed", "dining table"]),
            ("Electrical equipment", &electrical[..10]),
            ("Electrical equipment (released)", &electrical),
        ],
    )?;
    Ok(())
}

#[test]
fn nus_wide_has_as_many_as_its_labels_say() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let root = dir.path().join("nus-wide");
    Miniature { layout: Layout::NusWide, images: 300, seed: 1 }.write(&root)?;

    let mut images = vec![HashSet::new(); 300];
    for concept in fs::read_to_string(root.join("Concepts81.txt"))?.lines() {
        let flags = root.join(format!("TrainTestLabels/Labels_{concept}_Test.txt"));
        for (image, flag) in images.iter_mut().zip(fs::read_to_string(flags)?.lines()) {
            if flag == "1" {
                image.insert(concept.to_owned());
            }
        }
    }
    compare(
        &NusWide::open(&root, "test")?,
        &images,
        &[
            ("Buildings", &["bridge", "statue", "tower", "temple", "buildings", "house", "castle"]),
            (
                "Traffic",
                &[
                    "plane", "airport", "train", "boats", "cars", "road", "vehicle", "street",
                    "railroad",
                ],
            ),
        ],
    )?;
    Ok(())
}

#[test]
fn a_k_or_type_that_cannot_be_is_an_error() -> Result<(), Box<dyn Error>> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/mini-voc");
    let voc = Voc2012::open(root, "val")?;
    for k in [0, 20] {
        assert!(matches!(eligible_count(&voc, "Person", k), Err(ExperimentError::Core(_))));
    }
    assert!(matches!(eligible_count(&voc, "Robots", 1), Err(ExperimentError::Data(_))));
    Ok(())
}
