//! [`Cost`]: what the paper's tables take.

use std::collections::HashMap;
use std::path::Path;

use serde::Serialize;
use tkmia_attacks::{AttackName, AttackSettings, JUDGING_PASSES, Outcome, Passes};
use tkmia_data::DatasetKind;

use crate::error::ExperimentError;
use crate::plan::Plan;
use crate::record::Record;
use crate::spec::{Exhibit, SpecError, passes_at_most, ready_experiment};

/// Passes through the victim that one of the paper's tables takes, as
/// [`ready_experiment`] has it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cost {
    /// The number of the table.
    pub table: u32,
    /// Its data.
    pub kind: DatasetKind,
    /// Images of all its settings together: as many as the paper says, or the most that a setting may have.
    pub samples: usize,
    /// Forward passes, those of choosing hyper-parameters included.
    pub forward: f64,
    /// Backward passes.
    pub backward: f64,
}

/// How many passes attacks take of those that they may.
///
/// [`Usage::default`] is the bound itself: every attack runs to its last iteration.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// What each success took; nothing for a failure, which takes whatever there is.
    passes: HashMap<AttackName, Vec<Option<Passes>>>,
}

impl Usage {
    /// What the attacks of a finished experiment took.
    ///
    /// # Errors
    /// [`ExperimentError::NotAnExperiment`], a record that can't be read.
    pub fn of(folder: &Path) -> Result<Self, ExperimentError> {
        let plan = Plan::read(folder)?;
        let mut usage = Self::default();
        plan.each_record(folder, |job, record| {
            usage.passes.entry(plan.jobs[job].run.name()).or_default().push(taken(&record));
            Ok::<(), ExperimentError>(())
        })?;
        Ok(usage)
    }

    /// Mean forward and backward passes of a sample.
    fn expected(
        &self,
        run: &AttackSettings,
        k: usize,
        classes: usize,
    ) -> Result<[f64; 2], SpecError> {
        let (most, _) = passes_at_most(run, k, classes)?;
        let [forward, backward] = [most.forward as f64, most.backward as f64];
        let Some(seen) = self.passes.get(&run.name()) else { return Ok([forward, backward]) };
        let mut sums = [0.0; 2];
        for passes in seen {
            let passes = passes.unwrap_or(most);
            sums[0] += forward.min(passes.forward as f64);
            sums[1] += backward.min(passes.backward as f64);
        }
        Ok(sums.map(|sum| sum / seen.len() as f64))
    }
}

fn taken(record: &Record) -> Option<Passes> {
    let Passes { forward, backward } = record.passes;
    match record.outcome {
        Outcome::Succeeded => {
            Some(Passes { forward: forward.saturating_add(JUDGING_PASSES), backward })
        }
        _ => None,
    }
}

/// What one of the paper's tables takes: its grids on the tuning samples, then one point of each on the
/// reported ones, with each draw of their specified labels. Scoring the images without an attack, once for each, isn't in it.
///
/// # Errors
/// [`SpecError::NoTable`].
///
/// # Example
///
/// ```
/// use tkmia_experiment::{Usage, cost};
///
/// let cost = cost(15, &Usage::default())?;
/// assert!(cost.forward > cost.backward);
/// # Ok::<(), tkmia_experiment::SpecError>(())
/// ```
pub fn cost(table: u32, usage: &Usage) -> Result<Cost, SpecError> {
    let experiment = ready_experiment(Exhibit::Table(table))?;
    let tuning = experiment.tuning.as_ref().map_or(0, |tuning| tuning.samples);
    let kind = experiment.data.kind;
    let mut cost = Cost { table, kind, samples: 0, forward: 0.0, backward: 0.0 };
    for table in experiment.expand("")? {
        for setting in &table.settings {
            let printed = table.printed(setting, AttackName::Tkmia);
            let most = experiment.budget.samples;
            let samples = printed.and_then(|row| row.samples()).map_or(most, |n| n.min(most));
            cost.samples += samples;
            for grid in &table.grids {
                let tried = if grid.len() > 1 { &grid[..] } else { &[] };
                let tried = tried.iter().map(|run| (run, tuning.min(samples)));
                let reported = samples * setting.different(experiment.budget.draws);
                for (run, samples) in tried.chain([(&grid[0], reported)]) {
                    // ML-DP and JMA alone depend on the labels, and are in none of the tables.
                    let [forward, backward] = usage.expected(run, setting.k, 0)?;
                    cost.forward += forward * samples as f64;
                    cost.backward += backward * samples as f64;
                }
            }
        }
    }
    Ok(cost)
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;
    use crate::paper;
    use crate::spec::TABLES;
    use crate::toy::toy;

    #[test]
    fn the_bound_is_a_count_by_hand() {
        // Table 16: VOC, |S| = 2, k = 2 and 3, 100 iterations; the paper has no n for k = 3.
        let cost = cost(16, &Usage::default()).unwrap();
        let printed = paper::table(16).into_iter().find(|row| row.k == 2).unwrap();
        let n = [printed.samples().unwrap(), 1000];
        // Of two labels out of three there are three choices.
        let descents = |n: usize, draws| 3 * (draws * n + 16 * n.min(20)) * (100 + 3);
        let kfool = |n: usize, k: usize, draws| draws * n * (100 * (k + 3) + 1 + 3);
        let each = [(n[0], 2, 1), (n[1], 3, 3)];
        let expected: usize =
            each.into_iter().map(|(n, k, draws)| descents(n, draws) + kfool(n, k, draws)).sum();
        assert_eq!((cost.samples, cost.forward), (n[0] + n[1], expected as f64));
    }

    #[test]
    fn what_was_recorded_is_cut_at_the_bound_and_a_failure_goes_there() {
        let record = |success, forward| Record {
            passes: Passes { forward, backward: forward - 1 },
            ..toy("a", 1, success, 0.1)
        };
        let records = [record(true, 10), record(true, 200), record(false, 300)];
        let usage = Usage {
            passes: AttackName::iter()
                .map(|method| (method, records.iter().map(taken).collect()))
                .collect(),
        };
        let experiment = ready_experiment(Exhibit::Table(16)).unwrap();
        let run = &experiment.expand("").unwrap()[0].grids[3][0];
        assert_eq!((run.name(), run.limits.max_iterations), (AttackName::Tkmia, 100));
        let [forward, backward] = usage.expected(run, 2, 20).unwrap();
        assert_eq!((forward, backward), ((13.0 + 103.0 + 103.0) / 3.0, (9.0 + 99.0 + 99.0) / 3.0));
        for table in TABLES {
            let [expected, most] = [&usage, &Usage::default()].map(|of| cost(table, of).unwrap());
            assert!(expected.forward < most.forward && expected.samples == most.samples);
        }
    }
}
