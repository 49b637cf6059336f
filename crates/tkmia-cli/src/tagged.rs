//! [`Tagged`]: images, and where their labels are from.

use std::path::PathBuf;

use clap::Args;
use tkmia_audit::presumed;
use tkmia_core::{Classifier, CoreError};
use tkmia_data::{
    DataError, Dataset, DatasetKind, DatasetSpec, Folder, Transform, decodable, open,
};
use tkmia_experiment::{ExperimentError, Workers};

use crate::progress::take_no_part;
use crate::train::named;

/// The flags that name them.
#[derive(Debug, Args)]
pub struct Tagged {
    /// Folder of photographs, or of a data set
    #[arg(long = "images", value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Layout of the data set, which then has labels
    #[arg(long, default_value_t = DatasetKind::Folder, value_parser = named::<DatasetKind>(), conflicts_with = "labels")]
    pub kind: DatasetKind,
    /// Split of the data set
    #[arg(long, default_value = "val")]
    pub split: String,
    /// Their labels: a header `image,<label>,…` and a row of 0 and 1 for each image [default: labels.csv in FOLDER; without
    /// it, what the tagger itself is most confident of]
    #[arg(long, value_name = "LABELS.csv")]
    pub labels: Option<PathBuf>,
}

impl Tagged {
    /// The images, where they have labels.
    pub fn labelled(&self) -> Result<Option<Box<dyn Dataset>>, DataError> {
        let (kind, root, split) = (self.kind, self.folder.clone(), self.split.clone());
        if kind != DatasetKind::Folder {
            return open(&DatasetSpec { kind, root, split }).map(Some);
        }
        let folder = Folder::found(root, self.labels.clone())?;
        Ok(folder.map(|folder| Box::new(folder) as Box<dyn Dataset>))
    }

    /// So many of the folder's photographs, with the tagger's own labels; which can't be read is told, and takes no part.
    pub fn presumed(
        &self,
        paths: &[PathBuf],
        count: usize,
        k: usize,
        (classifier, transform, workers): (&dyn Classifier, &Transform, Workers<'_>),
    ) -> Result<Box<dyn Dataset>, ExperimentError> {
        let chosen = spread(paths.len(), count).map(|at| paths[at].clone()).collect();
        let (chosen, mut broken) = decodable(chosen);
        if chosen.is_empty() {
            return Err(broken.swap_remove(0).into());
        }
        broken.iter().for_each(take_no_part);
        let folder = presumed(classifier, &self.folder, &chosen, k, transform, workers)?;
        Ok(Box::new(folder))
    }
}

/// So many of the first numbers, from all of them, and the same ones each time.
pub fn spread(of: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |at| at * of / count)
}

/// The size of a predicted set, where nothing speaks for another.
const USUAL_K: usize = 3;

/// The size of the predicted set that is asked for, or the usual one; less of it where most images have fewer labels than that
/// and one more.
pub fn predicted_set(
    k: Option<usize>,
    labelled: Option<&dyn Dataset>,
    classes: usize,
) -> Result<usize, CoreError> {
    let most = (classes.saturating_sub(1) / 2).max(1);
    let k = k.unwrap_or_else(|| match labelled {
        Some(dataset) => usual_k(dataset).min(most),
        None => USUAL_K.min(most),
    });
    match k == 0 || k >= classes {
        true => Err(CoreError::TopKOutOfRange { k, classes }),
        false => Ok(k),
    }
}

/// The largest usual size for which at least half of the images have a label more.
fn usual_k(dataset: &dyn Dataset) -> usize {
    let enough = |k: &usize| {
        let images = (0..dataset.len()).filter(|&image| dataset.labels().count(image) > *k);
        2 * images.count() >= dataset.len()
    };
    (1..=USUAL_K).rev().find(enough).unwrap_or(1)
}
