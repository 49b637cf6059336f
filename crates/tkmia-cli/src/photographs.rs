//! [`PhotographFlags`]: what to attack in photographs, which say nothing of it themselves.

use std::collections::HashSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use clap::Args;
use tkmia_attacks::{View, global_selection};
use tkmia_audit::presumed;
use tkmia_core::LabelSet;
use tkmia_data::{
    DataError, Dataset, DatasetKind, Folder, Transform, batch_values, decodable, is_photograph,
    photographs, read_rgb, type_classes,
};
use tkmia_experiment::{ExperimentError, Victim, Workers, in_one_line};
use tkmia_file::{ArrayError, Place, memory_limit};
use tkmia_metrics::Ranking;
use tkmia_models::Loaded;

use crate::computing::Computing;
use crate::error::CliError;
use crate::input::{Input, goal};
use crate::progress::{STOP, say};
use crate::results::listed;
use crate::tagged::predicted_set;

/// What is said of photographs; an npz file has it in itself.
#[derive(Debug, Args)]
pub struct PhotographFlags {
    /// Labels of photographs, in the network's order: a header `image,<label>,…` and a row of 0 and 1 for each image
    /// [default: labels.csv in the folder; without it, the 2k labels that the network is most confident of]
    #[arg(long, value_name = "LABELS.csv", help_heading = "Photographs")]
    pub labels: Option<PathBuf>,
    /// Labels of photographs that are to leave the top-k, by their names with `;` between them [default: of each
    /// photograph its label with the highest score]
    #[arg(long, value_name = "NAMES", help_heading = "Photographs")]
    specified: Option<String>,
}

/// Whether there are photographs at a path, and no npz file.
pub fn are_photographs(path: &Path) -> bool {
    path.is_dir() || is_photograph(path)
}

/// Those of a folder, or the one that is at the path.
pub fn photographs_at(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    if path.is_dir() { photographs(path) } else { Ok(vec![path.to_owned()]) }
}

/// The values of photographs at a path and their shape, if they may take so much memory.
fn values(
    path: &Path,
    photographs: &[PathBuf],
    transform: &Transform,
) -> Result<(Vec<f32>, [usize; 4]), Box<dyn Error>> {
    let side = transform.resize.side as usize;
    let shape = [photographs.len(), 3, side, side];
    let (limit, found) =
        (memory_limit(), 4 * shape.map(|axis| axis as u64).iter().product::<u64>());
    if found > limit {
        return Err(ArrayError::TooLarge { place: Place::file(path), limit, found }.into());
    }
    let rows: Vec<usize> = (0..photographs.len()).collect();
    let square = |row: usize| transform.resize.apply(&read_rgb(&photographs[row])?);
    Ok((batch_values(&rows, transform.resize.side, transform.bounds, square)?, shape))
}

impl PhotographFlags {
    /// The photographs at a path, and what is wanted of each, by an attack with this view; nothing where it is an npz file.
    pub fn read(
        &self,
        path: &Path,
        (k, delta): (usize, Option<usize>),
        (victim, view): (&Loaded, View),
        computing: &Computing,
    ) -> Result<Option<Input>, Box<dyn Error>> {
        if !are_photographs(path) {
            let given =
                [("--labels", self.labels.is_some()), ("--specified", self.specified.is_some())];
            return match given.into_iter().find(|(_, given)| *given) {
                Some((option, _)) => {
                    Err(CliError::NoPhotographs { option, path: path.to_owned() }.into())
                }
                None => Ok(None),
            };
        }
        let model = &*victim.classifier;
        predicted_set(Some(k), None, model.classes()).map_err(CliError::K)?;
        let transform = Transform::new(&victim.tagger, DatasetKind::Folder, model)?;
        let workers = computing.workers(model, [transform.resize.side as usize; 2]);
        let is_folder = path.is_dir();
        let root = if is_folder { path } else { path.parent().unwrap_or(path) };
        let labelled = match &self.labels {
            None if !is_folder => None,
            labels => Folder::found(root, labels.clone())?,
        };
        let is_presumed = labelled.is_none();
        let paths = match &labelled {
            Some(folder) => (0..folder.len()).map(|row| folder.image_path(row)).collect(),
            None => photographs_at(path)?,
        };
        let is_asked = |asked: &PathBuf| is_folder || asked == path;
        let (whole, mut broken) = decodable(paths.into_iter().filter(is_asked).collect());
        if whole.is_empty() && !broken.is_empty() {
            return Err(broken.swap_remove(0).into());
        }
        let folder = match labelled {
            Some(folder) => folder,
            None => presumed(model, root, &whole, k, &transform, workers)?,
        };
        let victim = Victim::new(model, &folder, &transform)?;
        let whole: HashSet<PathBuf> = whole.into_iter().collect();
        let rows: Vec<usize> =
            (0..folder.len()).filter(|&row| whole.contains(&folder.image_path(row))).collect();
        let specified = match &self.specified {
            Some(names) => global_selection(folder.labels(), &type_classes(&folder, names)?)?,
            None => most_certain(&victim, &rows, view, workers)?,
        };
        let (rows, others): (Vec<usize>, Vec<usize>) =
            rows.into_iter().partition(|&row| specified.count(row) > 0);
        let names = |rows: &[usize]| -> Vec<String> {
            rows.iter().map(|&row| folder.id(row).to_owned()).collect()
        };
        if rows.is_empty() {
            let labels = self.specified.clone().unwrap_or("any".to_owned());
            return Err(CliError::NothingSpecified { path: path.to_owned(), labels }.into());
        }
        if !others.is_empty() {
            say(&format!(
                "note: without a label that is specified, and left out: {}",
                listed(&names(&others))
            ));
        }
        let photographs: Vec<PathBuf> = rows.iter().map(|&row| folder.image_path(row)).collect();
        let (images, shape) = values(path, &photographs, &transform)?;
        let [relevant, specified] = [folder.labels(), &specified].map(|set| set.select(&rows));
        let goal = goal(relevant, specified, (k, delta), model, || Place::file(path))?;
        let names = Some(names(&rows));
        let broken = broken.iter().map(|error| format!("not attacked: {}\n", in_one_line(error)));
        Ok(Some(Input { images, shape, goal, names, is_presumed, broken: broken.collect() }))
    }
}

/// Of each of these images the relevant label with the highest score.
fn most_certain(
    victim: &Victim<'_>,
    rows: &[usize],
    view: View,
    workers: Workers<'_>,
) -> Result<LabelSet, Box<dyn Error>> {
    let labels = victim.dataset.labels();
    let mut found = vec![Vec::new(); labels.rows()];
    victim.scores(rows, view, workers, |row, scores| {
        let relevant = labels.indices(row);
        let best = match Ranking::new(scores) {
            Ok(ranking) => ranking.order().iter().find(|label| relevant.contains(label)).copied(),
            // The attack will say what is wrong with the scores.
            Err(_) => relevant.first().copied(),
        };
        found[row].extend(best);
        Ok(())
    })?;
    if STOP.load(Ordering::Relaxed) {
        return Err(ExperimentError::Interrupted { done: 0, of: rows.len() }.into());
    }
    Ok(LabelSet::from_indices(&found, labels.classes())?)
}
