//! [`draw`]: the samples of all settings, found by scoring no more images than that needs.

use std::collections::BTreeMap;

use tkmia_attacks::View;

use crate::cohort::Draw;
use crate::error::ExperimentError;
use crate::event::Event;
use crate::manifest::{Manifest, Origin};
use crate::victim::Victim;
use crate::workers::Workers;

/// Draws the samples of every manifest.
///
/// # Errors
/// A setting that the data can't have, an image that can't be read, and
/// [`ExperimentError::Interrupted`] if the work was stopped before.
pub(crate) fn draw(
    origins: Vec<Origin>,
    victim: &Victim<'_>,
    workers: Workers<'_>,
    progress: &(dyn Fn(Event<'_>) + Sync),
) -> Result<Vec<Manifest>, ExperimentError> {
    let dataset = victim.dataset;
    let mut by_view: BTreeMap<View, Vec<(usize, Draw<'_>)>> = BTreeMap::new();
    for (place, origin) in origins.iter().enumerate() {
        let draw = Draw::new(dataset, origin.setting.clone(), origin.limit, origin.seed)?;
        by_view.entry(origin.view).or_default().push((place, draw));
    }
    let wanted =
        |draws: &[(usize, Draw<'_>)], index| draws.iter().any(|(_, draw)| draw.wants(index));
    let images = |draws: &Vec<(usize, Draw<'_>)>| {
        (0..dataset.len()).filter(|&index| wanted(draws, index)).count()
    };
    progress(Event::Scoring(by_view.values().map(images).sum()));

    let mut cohorts = BTreeMap::new();
    // In rounds, so that the last images needn't be scored once every setting is full.
    let round = workers.count.max(1) * workers.batch_size.max(1) * 4;
    for (view, mut draws) in by_view {
        let mut index = 0;
        while index < dataset.len() {
            let start = index;
            let mut indices = Vec::new();
            while index < dataset.len() && indices.len() < round {
                if wanted(&draws, index) {
                    indices.push(index);
                }
                index += 1;
            }
            let mut scored = 0;
            victim.scores(&indices, view, workers, |index, scores| {
                scored += 1;
                progress(Event::Scored(1));
                draws.iter_mut().try_for_each(|(_, draw)| Ok(draw.offer(index, scores)?))
            })?;
            if scored < indices.len() {
                return Err(ExperimentError::Interrupted { done: start, of: dataset.len() });
            }
        }
        cohorts.extend(draws.into_iter().map(|(place, draw)| (place, draw.cohort)));
    }
    let manifests = origins.into_iter().zip(cohorts.into_values());
    Ok(manifests.map(|(origin, cohort)| Manifest::of(&cohort, origin, dataset)).collect())
}
