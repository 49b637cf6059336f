//! VOC 2012's layout, written.

use std::path::Path;

use super::scene::{Object, Scene};
use super::{Part, Sample, write_file, write_images};
use crate::{DataError, VOC_CLASSES};

pub(super) fn write(root: &Path, split: &str, scenes: &[Scene]) -> Result<Vec<Sample>, DataError> {
    // Ids of the two splits don't meet.
    let year = if split == "train" { 2011 } else { 2012 };
    let samples: Vec<Sample> = (1..)
        .zip(scenes)
        .map(|(number, scene)| Sample {
            id: format!("{year}_{number:06}"),
            labels: scene.labels(false),
        })
        .collect();
    for (Sample { id, .. }, scene) in samples.iter().zip(scenes) {
        write_file(&root.join(format!("Annotations/{id}.xml")), annotation(id, scene))?;
    }
    let files: Vec<_> =
        samples.iter().map(|sample| format!("JPEGImages/{}.jpg", sample.id)).collect();
    write_images(root, scenes, &files)?;
    write_list(root, split, samples.iter())?;
    Ok(samples)
}

/// The list of both splits.
pub(super) fn write_trainval(root: &Path, train: &Part, val: &Part) -> Result<(), DataError> {
    write_list(root, "trainval", train.samples.iter().chain(&val.samples))
}

fn write_list<'a>(
    root: &Path,
    split: &str,
    samples: impl Iterator<Item = &'a Sample>,
) -> Result<(), DataError> {
    let list: String = samples.map(|sample| format!("{}\n", sample.id)).collect();
    write_file(&root.join(format!("ImageSets/Main/{split}.txt")), list)
}

fn annotation(id: &str, scene: &Scene) -> String {
    let Scene { width, height, .. } = scene;
    let objects: String = scene.objects.iter().map(object).collect();
    format!(
        "<annotation>
\t<folder>VOC2012</folder>
\t<filename>{id}.jpg</filename>
\t<size><width>{width}</width><height>{height}</height><depth>3</depth></size>
\t<segmented>0</segmented>
{objects}</annotation>
"
    )
}

fn object(object: &Object) -> String {
    let &Object { label, left, top, side, marked } = object;
    let (name, difficult) = (VOC_CLASSES[label], u8::from(marked));
    let [xmin, ymin, xmax, ymax] = [left + 1, top + 1, left + side, top + side];
    format!(
        "\t<object>
\t\t<name>{name}</name>
\t\t<pose>Unspecified</pose>
\t\t<truncated>0</truncated>
\t\t<difficult>{difficult}</difficult>
\t\t<bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox>
\t</object>
"
    )
}
