//! [`Trial`]: how hyper-parameters are chosen.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tkmia_attacks::AttackSettings;
use tkmia_metrics::{aper, success_rate};

use crate::error::ExperimentError;
use crate::record::Record;
use crate::spec::Table;

/// One point of a method's grid over the tuning samples of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Position of the table, as in [`Job::table`](crate::Job::table).
    pub table: usize,
    /// The point.
    pub run: AttackSettings,
    /// Samples, of all settings of the table together.
    pub n: usize,
    /// Share of them on which the attack succeeded.
    pub success_rate: f64,
    /// Mean size of the successes, in the attack's own norm and model-input units.
    pub mean_norm: Option<f64>,
    /// Whether the point is the method's best.
    pub chosen: bool,
}

/// Tries every point of the grids that have more than one, and marks the best of each.
///
/// The best: the highest success rate; of these the lowest mean size of the successes, in the norm that the attack
/// keeps small and in model-input units; of these the first one of the grid.
///
/// # Errors
/// [`ExperimentError::NothingToTune`] if a method has no record to choose by.
pub(crate) fn choose(tables: &[Table], records: &[Record]) -> Result<Vec<Trial>, ExperimentError> {
    let mut of_run: HashMap<&str, Vec<&Record>> = HashMap::new();
    for record in records {
        of_run.entry(&record.key).or_default().push(record);
    }
    let mut trials = Vec::new();
    for (number, table) in tables.iter().enumerate() {
        for grid in table.grids.iter().filter(|grid| grid.len() > 1) {
            let mut points = Vec::new();
            for run in grid {
                let records = of_run.get(run.key().as_str()).map_or(&[][..], Vec::as_slice);
                let here = records.iter().filter(|record| table.settings.contains(&record.setting));
                points.push(trial(number, run, &here.copied().collect::<Vec<_>>())?);
            }
            let best = (0..points.len())
                .reduce(|best, at| if better(&points[at], &points[best]) { at } else { best });
            if let Some(best) = best {
                points[best].chosen = true;
            }
            trials.extend(points);
        }
    }
    Ok(trials)
}

fn trial(
    table: usize,
    run: &AttackSettings,
    records: &[&Record],
) -> Result<Trial, ExperimentError> {
    let succeeded: Vec<bool> = records.iter().map(|record| record.success).collect();
    let norms: Vec<f64> = records.iter().map(|record| record.size(run.norm())).collect();
    Ok(Trial {
        table,
        run: run.clone(),
        n: records.len(),
        success_rate: success_rate(&succeeded)
            .ok_or_else(|| ExperimentError::NothingToTune { run: run.to_string() })?,
        mean_norm: aper(&norms, &succeeded)?,
        chosen: false,
    })
}

fn better(one: &Trial, other: &Trial) -> bool {
    let norm = |trial: &Trial| trial.mean_norm.unwrap_or(f64::INFINITY);
    match one.success_rate.total_cmp(&other.success_rate) {
        std::cmp::Ordering::Equal => norm(one) < norm(other),
        order => order.is_gt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Experiment;
    use crate::toy::toy;

    #[test]
    fn an_attack_is_tuned_by_the_norm_that_it_keeps_small() {
        let experiment = "title = \"\"\n[data]\nkind = \"folder\"\n\
            [[table]]\nscheme = \"global\"\ntypes = [\"a\"]\nk = [1]\n\
            [[method]]\nname = \"tkmia\"\nvariant = \"min-norm\"\nnorm = \"linf\"\nrounds = [1, 2]";
        let tables = Experiment::parse(experiment).unwrap().expand("toy").unwrap();
        let record = |run: usize, norm_input, linf_input| Record {
            key: tables[0].grids[0][run].key(),
            norm_input,
            linf_input,
            ..toy("a", 1, true, 0.1)
        };
        let trials = choose(&tables, &[record(0, 1.0, 0.2), record(1, 2.0, 0.1)]).unwrap();
        assert_eq!((trials[0].chosen, trials[1].chosen), (false, true));
        assert_eq!(trials[1].mean_norm, Some(0.1));
    }

    #[test]
    fn success_counts_first_then_the_norm_then_the_order() {
        let experiment = "title = \"\"\n[data]\nkind = \"folder\"\n\
            [[table]]\nscheme = \"global\"\ntypes = [\"a\", \"b\"]\nk = [1]\n\
            [[method]]\nname = \"tkmia\"\nlr = [1e-3, 5e-4, 1e-4, 5e-5]\n[[method]]\nname = \"kfool\"";
        let tables = Experiment::parse(experiment).unwrap().expand("toy").unwrap();
        let runs = &tables[0].grids[0];
        let record = |types: &str, run: usize, success, norm| Record {
            key: runs[run].key(),
            ..toy(types, 1, success, norm)
        };
        let mut records = vec![
            // Successes are counted over both settings; failures' norms don't count.
            record("a", 0, true, 0.1),
            record("b", 0, false, 0.1),
            record("a", 1, true, 3.0),
            record("b", 1, true, 3.0),
            record("a", 2, true, 1.0),
            record("b", 2, true, 2.0),
            record("a", 3, true, 2.0),
            record("b", 3, true, 1.0),
        ];
        let chosen = |records: &[Record]| -> Vec<usize> {
            let trials = choose(&tables, records).unwrap();
            assert_eq!(trials.len(), 4, "kfool has nothing to choose");
            (0..4).filter(|&at| trials[at].chosen).collect()
        };
        assert_eq!(chosen(&records), [2]);
        records[5].norm_input = 3.0;
        assert_eq!(chosen(&records), [3]);
        // Of another setting: none of the table's.
        records.push(record("c", 0, true, 0.0));
        assert_eq!(chosen(&records), [3]);
        let error = choose(&tables, &records[..6]).unwrap_err();
        assert!(matches!(error, ExperimentError::NothingToTune { .. }));
    }
}
