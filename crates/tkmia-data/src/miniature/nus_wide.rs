//! NUS-WIDE's layouts, written.

use std::path::Path;

use fastrand::Rng;

use super::scene::Scene;
use super::{Sample, write_file, write_images};
use crate::{DataError, NUS_WIDE_CONCEPTS};

/// The folders of the images.
const TOPICS: [&str; 3] = ["zoo", "actor", "market"];

/// Writes a part with a file of labels for each concept, or with one table, whose columns are then
/// shuffled.
pub(super) fn write(
    root: &Path,
    split: &str,
    scenes: &[Scene],
    table: Option<&mut Rng>,
) -> Result<Vec<Sample>, DataError> {
    let (part, table_split, first) = match split {
        "train" => ("Train", "trainval", 1),
        _ => ("Test", "test", 1_000_001),
    };
    let images: Vec<String> = (0..scenes.len())
        .map(|at| {
            let (topic, number) = (TOPICS[at % TOPICS.len()], at / TOPICS.len() + 1);
            format!("{topic}/{number:04}_{}.jpg", first + at)
        })
        .collect();
    let list: String = images.iter().map(|image| image.replace('/', "\\") + "\n").collect();
    write_file(&root.join(format!("ImageList/{part}Imagelist.txt")), list)?;
    write_file(&root.join("Concepts81.txt"), NUS_WIDE_CONCEPTS.join("\n") + "\n")?;
    write_images(&root.join("Flickr"), scenes, &images)?;

    let labels: Vec<_> = scenes.iter().map(|scene| scene.labels(true)).collect();
    match table {
        None => {
            for (label, concept) in NUS_WIDE_CONCEPTS.iter().enumerate() {
                let line = |labels: &Vec<_>| if labels.contains(&label) { "1\n" } else { "0\n" };
                let path = root.join(format!("TrainTestLabels/Labels_{concept}_{part}.txt"));
                write_file(&path, labels.iter().map(line).collect::<String>())?;
            }
        }
        Some(random) => {
            let mut columns: Vec<usize> = (0..NUS_WIDE_CONCEPTS.len()).collect();
            random.shuffle(&mut columns);
            let mut text = String::from("image");
            for &label in &columns {
                text = text + "," + NUS_WIDE_CONCEPTS[label];
            }
            for (at, labels) in labels.iter().enumerate() {
                text = text + "\n" + &at.to_string();
                for label in &columns {
                    text += if labels.contains(label) { ",1" } else { ",-1" };
                }
            }
            let file = format!("classification_labels/classification_{table_split}.csv");
            write_file(&root.join(file), text + "\n")?;
        }
    }
    let samples = images.into_iter().zip(labels).map(|(id, labels)| Sample { id, labels });
    Ok(samples.filter(|sample| !sample.labels.is_empty()).collect())
}
