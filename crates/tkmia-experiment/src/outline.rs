//! [`Outline`]: what a campaign would do, at most.

use std::path::Path;

use tkmia_attacks::{AttackSettings, Passes, View};
use tkmia_data::Dataset;

use crate::changes::refuse_changes;
use crate::cohort::Draw;
use crate::error::ExperimentError;
use crate::manifest::{ManifestEntry, Origin};
use crate::plan::{Inputs, Plan};
use crate::setting::Setting;
use crate::spec::passes_at_most;

/// What a campaign would do in a setting, at most.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// Whether the line is of the tuning.
    pub tuning: bool,
    /// The setting.
    pub setting: Setting,
    /// What the classifier sees without a perturbation.
    pub view: View,
    /// Attacks on it.
    pub attacks: usize,
    /// Samples, as far as labels alone tell; as many as the setting has, once they are drawn.
    pub samples: usize,
    /// Passes of all attacks on all samples.
    pub passes: Passes,
}

/// The lines of one stage. Of a grid of which one point will be `chosen`, one attack counts.
pub(crate) fn outline(
    folder: &Path,
    inputs: &Inputs,
    [dataset, to_fit_to]: [&dyn Dataset; 2],
    tuning: bool,
    chosen: bool,
) -> Result<Vec<Outline>, ExperimentError> {
    let (drawn, fits) = match Plan::read(folder) {
        Ok(plan) => {
            refuse_changes(folder, &plan.inputs, inputs)?;
            (plan.manifests, plan.fits)
        }
        Err(ExperimentError::NotAnExperiment { .. }) => (Vec::new(), Vec::new()),
        Err(other) => return Err(other),
    };
    let count = |drawn: &[ManifestEntry], origin: &Origin, dataset| {
        Ok::<_, ExperimentError>(
            match drawn.iter().find(|entry| entry.is_of(&origin.setting, origin.view)) {
                Some(entry) => entry.samples,
                None => {
                    let setting = origin.setting.clone();
                    let draw = Draw::new(dataset, setting, origin.limit, origin.seeds())?;
                    draw.upper_limit() * origin.setting.different(origin.draws)
                }
            },
        )
    };
    let fit_origins = inputs.fit_origins();
    let fitted_to = |setting: &Setting, view| {
        let of = |origin: &&Origin| (&origin.setting, origin.view) == (setting, view);
        let origin = fit_origins.iter().find(of);
        origin.map_or(Ok(0), |origin| count(&fits, origin, to_fit_to))
    };
    let mut lines = Vec::new();
    for origin in inputs.origins() {
        let samples = count(&drawn, &origin, dataset)?;
        let (setting, view) = (origin.setting, origin.view);
        let tables = inputs.tables.iter().filter(|table| table.settings.contains(&setting));
        let grids = tables.flat_map(|table| &table.grids);
        let runs = grids.flat_map(|grid| if chosen { &grid[..1] } else { &grid[..] });
        let runs: Vec<&AttackSettings> = runs.filter(|run| run.view() == view).collect();
        let mut passes = Passes::default();
        for run in &runs {
            let (each, fit) = passes_at_most(run, setting.k, dataset.classes().len())?;
            let fit = fit.map(|fit| Ok::<_, ExperimentError>((fit, fitted_to(&setting, view)?)));
            for (each, images) in [Some((each, samples)), fit.transpose()?].into_iter().flatten() {
                passes.forward = passes.forward.saturating_add(each.forward.saturating_mul(images));
                passes.backward =
                    passes.backward.saturating_add(each.backward.saturating_mul(images));
            }
        }
        lines.push(Outline { tuning, setting, view, attacks: runs.len(), samples, passes });
    }
    Ok(lines)
}
