//! The synthetic VOC-like dataset of `assets/mini-voc`, read as the real one would be.

use std::error::Error;
use std::fs;
use std::path::Path;

use burn::tensor::Device;
use tkmia_core::{Bounds, LabelSet};
use tkmia_data::{
    DataError, Dataset, Resize, Transform, VOC_CLASSES, Voc2012, load_batch, type_classes,
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/mini-voc");

fn open(split: &str) -> Result<Voc2012, DataError> {
    Voc2012::open(ROOT, split)
}

/// Samples that have a label of the type, `S`, and at least `k + |S|` labels.
fn eligible_by_labels(voc: &Voc2012, name: &str, k: usize) -> Result<usize, Box<dyn Error>> {
    let classes = type_classes(voc, name)?;
    let whole_type = LabelSet::from_indices(&vec![classes; voc.len()], voc.classes().len())?;
    let specified = whole_type.intersection(voc.labels())?;
    let eligible = |&sample: &usize| {
        let specified = specified.count(sample);
        specified > 0 && voc.labels().count(sample) >= k + specified
    };
    Ok((0..voc.len()).filter(eligible).count())
}

#[test]
fn each_type_has_the_samples_that_its_readme_counts() -> Result<(), Box<dyn Error>> {
    let val = open("val")?;
    let table = [
        ("Vehicles", [146, 92, 45]),
        ("Animals", [172, 122, 76]),
        ("Household", [78, 44, 23]),
        ("Person", [110, 102, 72]),
    ];
    for (name, expected) in table {
        for (k, expected) in (1..).zip(expected) {
            assert_eq!(eligible_by_labels(&val, name, k)?, expected, "{name}, k = {k}");
        }
    }
    Ok(())
}

#[test]
fn splits_keep_their_order_and_trainval_is_both() -> Result<(), DataError> {
    let (train, val, both) = (open("train")?, open("val")?, open("trainval")?);
    assert_eq!((train.len(), val.len(), both.len()), (400, 300, 700));
    assert_eq!((val.id(0), val.id(299)), ("2012_250000", "2012_250299"));
    assert_eq!(both.id(400), val.id(0));
    let last_300: Vec<usize> = (400..700).collect();
    assert_eq!(both.labels().select(&last_300), *val.labels());
    Ok(())
}

#[test]
fn annotations_agree_with_the_lists_of_each_class() -> Result<(), Box<dyn Error>> {
    let val = open("val")?;
    let lists = Path::new(ROOT).join("VOC2012/ImageSets/Main");
    for (label, class) in VOC_CLASSES.iter().enumerate() {
        let list = fs::read_to_string(lists.join(format!("{class}_val.txt")))?;
        assert_eq!(list.lines().count(), val.len(), "{class}");
        for (sample, line) in list.lines().enumerate() {
            assert_eq!(line.ends_with(" 1"), val.labels().row(sample)[label], "{class}: {line}");
        }
    }
    Ok(())
}

#[test]
fn every_image_decodes_to_values_within_the_bounds() -> Result<(), Box<dyn Error>> {
    let both = open("trainval")?;
    let transform = Transform { resize: Resize::short_side(96), bounds: Bounds::SYMMETRIC };
    let indices: Vec<usize> = (0..both.len()).collect();
    let images = load_batch(&both, &indices, &transform, &Device::default())?;
    assert_eq!(images.dims(), [700, 3, 96, 96]);
    let values = images.into_data().try_to_vec::<f32>()?;
    assert!(values.iter().all(|value| (-1.0..=1.0).contains(value)));
    Ok(())
}
