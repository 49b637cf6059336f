//! [`draw`]: the samples of all settings, found by scoring no more images than that needs.

use std::collections::{BTreeMap, HashSet};

use tkmia_attacks::View;

use crate::cohort::Draw;
use crate::error::ExperimentError;
use crate::event::Event;
use crate::manifest::{Manifest, Origin};
use crate::victim::Victim;
use crate::workers::Workers;

/// Draws the samples of every manifest: the first eligible ones of the images in this order that aren't
/// `excluded` from it.
///
/// # Errors
/// A setting that the data can't have, an image whose file can't be read, and
/// [`ExperimentError::Interrupted`] if the work was stopped before.
pub(crate) fn draw(
    origins: Vec<Origin>,
    victim: &Victim<'_>,
    order: &[usize],
    excluded: impl Fn(&Origin) -> HashSet<usize>,
    workers: Workers<'_>,
    progress: &(dyn Fn(Event<'_>) + Sync),
) -> Result<Vec<Manifest>, ExperimentError> {
    let dataset = victim.dataset;
    let mut by_view: BTreeMap<View, Vec<(usize, Draw<'_>)>> = BTreeMap::new();
    for (place, origin) in origins.iter().enumerate() {
        let draw = Draw::new(dataset, origin.setting.clone(), origin.limit, origin.seeds())?;
        let draw = draw.without(excluded(origin));
        by_view.entry(origin.view).or_default().push((place, draw));
    }
    let wanted =
        |draws: &[(usize, Draw<'_>)], index| draws.iter().any(|(_, draw)| draw.wants(index));
    let images = |draws: &Vec<(usize, Draw<'_>)>| {
        order.iter().filter(|&&index| wanted(draws, index)).count()
    };
    progress(Event::Scoring(by_view.values().map(images).sum()));

    let mut drawn = BTreeMap::new();
    // In rounds, so that the last images needn't be scored once every setting is full.
    let round = workers.count.max(1) * workers.batch_size.max(1) * 4;
    for (view, mut draws) in by_view {
        let mut at = 0;
        while at < order.len() {
            let start = at;
            let mut indices = Vec::new();
            while at < order.len() && indices.len() < round {
                if wanted(&draws, order[at]) {
                    indices.push(order[at]);
                }
                at += 1;
            }
            let mut scored = 0;
            victim.scores_or_faults(&indices, view, workers, |index, scores| {
                scored += 1;
                progress(Event::Scored(1));
                let draws = draws.iter_mut().map(|(_, draw)| draw);
                match &scores {
                    Ok(scores) => draws.for_each(|draw| draw.offer(index, scores)),
                    Err(error) => {
                        progress(Event::Undecodable(error));
                        draws.for_each(|draw| draw.miss(index));
                    }
                }
                Ok(())
            })?;
            if scored < indices.len() {
                return Err(ExperimentError::Interrupted { done: start, of: order.len() });
            }
        }
        drawn.extend(draws.into_iter().map(|(place, draw)| (place, draw.finish())));
    }
    let manifests = origins.into_iter().zip(drawn.into_values());
    Ok(manifests.map(|(origin, drawn)| Manifest::of(&drawn, origin, dataset)).collect())
}
