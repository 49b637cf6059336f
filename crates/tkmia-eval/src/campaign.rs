//! [`Campaign`]: an experiment from its file to its last record.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use tkmia_attacks::Passes;
use tkmia_data::{Dataset, Resize};

use crate::cohort::Draw;
use crate::experiment::{Experiment, ResizeKind, Run, Table, View};
use crate::journal::read_records;
use crate::manifest::Input;
use crate::plan::{
    DataFacts, FORMAT, Inputs, Plan, Shard, TuningFacts, VictimFacts, refuse_changes,
};
use crate::stage::{Event, Request, Stage, origins};
use crate::tuning::{Trial, choose};
use crate::{EvalError, Setting, Victim, Workers, list_sha256};

/// An experiment on a victim that is loaded and data that are open.
///
/// The results don't depend on the number of workers, the batch size, or how the samples are shared out
/// among [`Shard`]s.
#[derive(Debug, Clone, Copy)]
pub struct Campaign<'a> {
    /// What is to be done.
    pub experiment: &'a Experiment,
    /// The classifier and the images.
    pub victim: Victim<'a>,
    /// The classifier, for the plan.
    pub facts: &'a VictimFacts,
    /// The images that hyper-parameters are chosen on, where the experiment tunes.
    pub tuning: Option<&'a dyn Dataset>,
    /// The folder of the results; made if it isn't there.
    pub output: &'a Path,
    /// Which part of the samples, if not all.
    pub shard: Option<Shard>,
    /// A folder of this experiment with manifests and, where it tunes, tuning records: taken from there
    /// rather than made.
    pub from: Option<&'a Path>,
    /// How far to go.
    pub until: Until,
    /// How the work is cut up, and whether it is to stop.
    pub workers: Workers<'a>,
}

/// How far a campaign goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// Until the grids have been tried on the tuning samples.
    Tuning,
    /// Until the samples of each setting are drawn, too.
    Manifests,
    /// To the end.
    Attacks,
}

/// Whether a campaign is where it was to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// It is.
    Complete {
        /// Records of reported samples that there are.
        records: usize,
    },
    /// It was stopped; it goes on from here when it is started again.
    Stopped {
        /// Whether the tuning is what was stopped.
        tuning: bool,
        /// Records that there are.
        records: usize,
        /// Records that there are to be.
        of: usize,
    },
}

/// What a campaign would do, at most.
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

impl Campaign<'_> {
    /// Runs the experiment, or goes on with it.
    ///
    /// # Errors
    /// An experiment that makes no sense, a folder whose records are of something else
    /// ([`EvalError::Changed`]), the first sample that can't be attacked, a file that can't be written.
    pub fn run(&self, progress: &(dyn Fn(Event<'_>) + Sync)) -> Result<Reached, EvalError> {
        let inputs = self.inputs()?;
        let trials = match self.tuning_inputs(&inputs) {
            None => Vec::new(),
            Some((tuning_inputs, dataset)) => {
                match self.tune(&inputs, &tuning_inputs, dataset, progress)? {
                    Ok(trials) => trials,
                    Err(stopped) => return Ok(stopped),
                }
            }
        };
        if self.until == Until::Tuning {
            return Ok(Reached::Complete { records: 0 });
        }
        let request = Request {
            title: &self.experiment.title,
            inputs: &inputs,
            shard: self.shard,
            from: self.from,
            trials: &trials,
        };
        let stage = Stage::prepare(self.output, &request, self.victim, self.workers, progress)?;
        if self.until == Until::Manifests {
            return Ok(Reached::Complete { records: 0 });
        }
        let records = stage.run(self.workers, progress)?;
        Ok(match stage.plan().records() {
            of if records < of => Reached::Stopped { tuning: false, records, of },
            _ => Reached::Complete { records },
        })
    }

    /// What a run would do, at most; nothing is attacked, scored or written.
    ///
    /// # Errors
    /// An experiment that makes no sense, a folder whose records are of something else.
    pub fn outline(&self) -> Result<Vec<Outline>, EvalError> {
        let inputs = self.inputs()?;
        let mut lines = Vec::new();
        if let Some((tuning_inputs, dataset)) = self.tuning_inputs(&inputs) {
            let folder = self.output.join(TUNING);
            lines.extend(outline(&folder, &tuning_inputs, dataset, true, false)?);
        }
        let tunes = !lines.is_empty();
        lines.extend(outline(self.output, &inputs, self.victim.dataset, false, tunes)?);
        Ok(lines)
    }

    fn inputs(&self) -> Result<Inputs, EvalError> {
        let Victim { classifier, dataset, transform } = self.victim;
        let (resize, side) = match transform.resize {
            Resize::ShortSide(side) => (ResizeKind::ShortSide, side),
            Resize::Square(side) => (ResizeKind::Square, side),
        };
        let bounds = classifier.bounds();
        let name = self.experiment.data.name.as_deref().unwrap_or(dataset.name());
        let tables = self.experiment.expand(name)?.tables;
        // What can't be started shows before anything is scored.
        for run in tables.iter().flat_map(|table| table.grids.iter().flatten()) {
            let settings = run.settings(None).map_err(crate::ExperimentError::from)?;
            settings
                .init(bounds)
                .map_err(|source| EvalError::Method { name: run.to_string(), source })?;
            if self.shard.is_some() && run.method.is_universal() {
                return Err(EvalError::ShardedUniversal { run: run.to_string() });
            }
        }
        let tuning = match (&self.experiment.tuning, self.tuning) {
            (Some(spec), Some(tuning)) => {
                disjoint(dataset, tuning)?;
                Some(TuningFacts { data: facts(name, tuning), samples: spec.samples })
            }
            _ => None,
        };
        Ok(Inputs {
            format: FORMAT,
            victim: self.facts.clone(),
            data: facts(name, dataset),
            input: Input { resize, side, low: bounds.low, high: bounds.high },
            seed: self.experiment.seed,
            samples: self.experiment.budget.samples,
            pictures: self.experiment.pictures,
            tables,
            tuning,
        })
    }

    /// The tuning as an experiment of its own, where there is something to choose.
    fn tuning_inputs(&self, inputs: &Inputs) -> Option<(Inputs, &dyn Dataset)> {
        let (TuningFacts { data, samples }, dataset) = (inputs.tuning.as_ref()?, self.tuning?);
        let mut tables = inputs.tables.clone();
        for table in &mut tables {
            table.grids.retain(|grid| grid.len() > 1);
        }
        if tables.iter().all(|table| table.grids.is_empty()) {
            return None;
        }
        let (data, samples) = (data.clone(), *samples);
        Some((
            Inputs { data, samples, tables, pictures: 0, tuning: None, ..inputs.clone() },
            dataset,
        ))
    }

    fn tune(
        &self,
        inputs: &Inputs,
        tuning: &Inputs,
        dataset: &dyn Dataset,
        progress: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<Result<Vec<Trial>, Reached>, EvalError> {
        let folder = match self.from {
            Some(from) => {
                let folder = from.join(TUNING);
                let plan = Plan::read(&folder)?;
                refuse_changes(&folder, &plan.inputs, tuning)?;
                let found = read_records(&folder.join("records.jsonl"))?.len();
                if plan.shard.is_some() || found < plan.records() {
                    let (path, of) = (folder, plan.records());
                    return Err(EvalError::Incomplete { path, found, of });
                }
                folder
            }
            None if self.shard.is_some() && self.until != Until::Tuning => {
                return Err(EvalError::ShardedTuning);
            }
            None => {
                let folder = self.output.join(TUNING);
                let victim = Victim { dataset, ..self.victim };
                let request = Request {
                    title: &self.experiment.title,
                    inputs: tuning,
                    shard: self.shard,
                    from: None,
                    trials: &[],
                };
                let stage = Stage::prepare(&folder, &request, victim, self.workers, progress)?;
                let (records, of) = (stage.run(self.workers, progress)?, stage.plan().records());
                if records < of {
                    return Ok(Err(Reached::Stopped { tuning: true, records, of }));
                }
                if self.shard.is_some() {
                    // The choice is made when all parts are together.
                    return Ok(Ok(Vec::new()));
                }
                folder
            }
        };
        choose(&inputs.tables, &read_records(&folder.join("records.jsonl"))?).map(Ok)
    }
}

/// The folder of the tuning within that of the experiment.
pub(crate) const TUNING: &str = "tuning";

fn facts(name: &str, dataset: &dyn Dataset) -> DataFacts {
    DataFacts {
        name: name.to_owned(),
        images: dataset.len(),
        sha256: list_sha256(dataset),
        classes: dataset.classes().to_vec(),
    }
}

/// Refuses tuning images that are among the reported ones.
fn disjoint(reported: &dyn Dataset, tuning: &dyn Dataset) -> Result<(), EvalError> {
    let (expected, found) = (reported.classes(), tuning.classes());
    if expected != found {
        return Err(EvalError::TuningClasses { dataset: tuning.name().to_owned() });
    }
    // The same file by another name of its folder is the same.
    let file = |dataset: &dyn Dataset, index| -> PathBuf {
        let path = dataset.image_path(index);
        fs::canonicalize(&path).unwrap_or(path)
    };
    let files: HashSet<PathBuf> = (0..reported.len()).map(|index| file(reported, index)).collect();
    match (0..tuning.len()).find(|&index| files.contains(&file(tuning, index))) {
        None => Ok(()),
        Some(index) => Err(EvalError::TunedOnReported { id: tuning.id(index).to_owned() }),
    }
}

/// The lines of one stage. A grid of which one point is chosen counts as one attack.
fn outline(
    folder: &Path,
    inputs: &Inputs,
    dataset: &dyn Dataset,
    tuning: bool,
    chosen: bool,
) -> Result<Vec<Outline>, EvalError> {
    let drawn = match Plan::read(folder) {
        Ok(plan) => {
            refuse_changes(folder, &plan.inputs, inputs)?;
            Some(plan)
        }
        Err(EvalError::NotAnExperiment { .. }) => None,
        Err(other) => return Err(other),
    };
    let mut lines = Vec::new();
    for origin in origins(inputs) {
        let setting = &origin.setting;
        let entry = drawn
            .iter()
            .flat_map(|plan| &plan.manifests)
            .find(|entry| (&entry.setting, entry.view) == (setting, origin.view));
        let samples = match entry {
            Some(entry) => entry.samples,
            None => Draw::new(dataset, setting.clone(), origin.limit, origin.seed)?.upper_limit(),
        };
        let grids = inputs.tables.iter().filter(|table| table.settings.contains(setting));
        let runs: Vec<&Run> = grids
            .flat_map(|table: &Table| &table.grids)
            .flat_map(|grid| if chosen { &grid[..1] } else { &grid[..] })
            .filter(|run| run.view() == origin.view)
            .collect();
        let mut passes = Passes::default();
        for run in &runs {
            let each = run.passes_at_most(setting.k, dataset.classes().len());
            passes.forward += each.forward * samples;
            passes.backward += each.backward * samples;
        }
        lines.push(Outline {
            tuning,
            setting: setting.clone(),
            view: origin.view,
            attacks: runs.len(),
            samples,
            passes,
        });
    }
    Ok(lines)
}
