//! [`presumed`]: labels where there are none, by the tagger itself.

use std::path::{Path, PathBuf};

use tkmia_attacks::View;
use tkmia_core::{Classifier, LabelSet};
use tkmia_data::{Folder, Transform};
use tkmia_experiment::{ExperimentError, Victim, Workers};
use tkmia_metrics::Ranking;

/// Photographs of a folder, each with the `2k` labels for which the tagger gives it the highest scores: those that it
/// shows now, and those that may fill the places of hidden ones.
///
/// # Errors
/// The first photograph that can't be read; [`ExperimentError::Interrupted`] if the work was stopped.
pub fn presumed(
    classifier: &dyn Classifier,
    root: &Path,
    photographs: &[PathBuf],
    k: usize,
    transform: &Transform,
    workers: Workers<'_>,
) -> Result<Folder, ExperimentError> {
    let classes = classifier.classes();
    let names = match classifier.label_names() {
        Some(names) => names.to_vec(),
        None => (0..classes).map(|label| format!("label {label}")).collect(),
    };
    let id =
        |path: &PathBuf| path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
    let ids: Vec<String> = photographs.iter().map(id).collect();
    let untagged = LabelSet::new(vec![false; ids.len() * classes], classes)?;
    let folder = Folder::tagged(root, ids.clone(), names.clone(), untagged);
    let victim = Victim::new(classifier, &folder, transform)?;
    let mut found: Vec<Vec<usize>> = vec![Vec::new(); ids.len()];
    let (rows, mut scored): (Vec<usize>, usize) = ((0..ids.len()).collect(), 0);
    victim.scores(&rows, View::Image, workers, |row, scores| {
        scored += 1;
        // What isn't finite has no labels, and so takes no part.
        if let Ok(ranking) = Ranking::new(scores) {
            found[row] = ranking.order()[..(2 * k).min(classes)].to_vec();
        }
        Ok(())
    })?;
    if scored < ids.len() {
        return Err(ExperimentError::Interrupted { done: scored, of: ids.len() });
    }
    Ok(Folder::tagged(root, ids, names, LabelSet::from_indices(&found, classes)?))
}
