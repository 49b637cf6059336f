//! [`Outline`]: what a campaign would do, at most.

use std::path::Path;

use tkmia_attacks::{AttackSettings, Passes, View};
use tkmia_data::Dataset;

use crate::changes::refuse_changes;
use crate::cohort::Draw;
use crate::error::ExperimentError;
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
    dataset: &dyn Dataset,
    tuning: bool,
    chosen: bool,
) -> Result<Vec<Outline>, ExperimentError> {
    let drawn = match Plan::read(folder) {
        Ok(plan) => {
            refuse_changes(folder, &plan.inputs, inputs)?;
            plan.manifests
        }
        Err(ExperimentError::NotAnExperiment { .. }) => Vec::new(),
        Err(other) => return Err(other),
    };
    let mut lines = Vec::new();
    for origin in inputs.origins() {
        let (setting, view) = (origin.setting, origin.view);
        let samples = match drawn.iter().find(|entry| entry.is_of(&setting, view)) {
            Some(entry) => entry.samples,
            None => Draw::new(dataset, setting.clone(), origin.limit, origin.seed)?.upper_limit(),
        };
        let tables = inputs.tables.iter().filter(|table| table.settings.contains(&setting));
        let grids = tables.flat_map(|table| &table.grids);
        let runs = grids.flat_map(|grid| if chosen { &grid[..1] } else { &grid[..] });
        let runs: Vec<&AttackSettings> = runs.filter(|run| run.view() == view).collect();
        let mut passes = Passes::default();
        for run in &runs {
            let each = passes_at_most(run, setting.k, dataset.classes().len())?;
            passes.forward += each.forward * samples;
            passes.backward += each.backward * samples;
        }
        lines.push(Outline { tuning, setting, view, attacks: runs.len(), samples, passes });
    }
    Ok(lines)
}
