//! [`Campaign`]: an experiment from its file to its last record.

use std::collections::HashSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use tkmia_data::{Dataset, type_classes};

use crate::changes::refuse_changes;
use crate::error::ExperimentError;
use crate::event::Event;
use crate::fingerprint::list_sha256;
use crate::folder::TUNING;
use crate::manifest::Input;
use crate::outline::{Outline, outline};
use crate::plan::{DataFacts, FORMAT, Inputs, Plan, TuningFacts, VictimFacts};
use crate::setting::Selection;
use crate::shard::Shard;
use crate::spec::{Experiment, Table};
use crate::stage::{Request, Stage, Tally};
use crate::tuning::{Trial, choose};
use crate::victim::{Contender, Victim};
use crate::workers::Workers;

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

/// How far a campaign came. A stopped one goes on from there when it is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// It was stopped while the grids were tried on the tuning samples.
    TuningStopped {
        /// Tuning records that there are.
        records: usize,
        /// Tuning records that there are to be.
        of: usize,
    },
    /// The grids are tried, and more wasn't asked for.
    Tuned,
    /// The samples are drawn, and more wasn't asked for.
    Drawn,
    /// It was stopped while the reported samples were attacked.
    Stopped {
        /// Records that there are.
        records: usize,
        /// Records that there are to be.
        of: usize,
    },
    /// Every sample is attacked.
    Complete {
        /// Records that there are.
        records: usize,
    },
}

impl<'a> Campaign<'a> {
    /// All of an experiment, to its end.
    pub fn new(
        experiment: &'a Experiment,
        victim: Victim<'a>,
        facts: &'a VictimFacts,
        output: &'a Path,
        workers: Workers<'a>,
    ) -> Self {
        let (tuning, shard, from, until) = (None, None, None, Until::Attacks);
        Self { experiment, victim, facts, tuning, output, shard, from, until, workers }
    }

    /// Runs the experiment, or goes on with it.
    ///
    /// # Errors
    /// An experiment that makes no sense, a folder whose records are of something else
    /// ([`ExperimentError::Changed`]), the first sample that can't be attacked, a file that can't be written.
    pub fn run(&self, progress: &(dyn Fn(Event<'_>) + Sync)) -> Result<Reached, ExperimentError> {
        let inputs = self.inputs()?;
        let trials = match self.tune(&inputs, progress)? {
            ControlFlow::Continue(trials) => trials,
            ControlFlow::Break(reached) => return Ok(reached),
        };
        if self.until == Until::Tuning {
            return Ok(Reached::Tuned);
        }
        let request = self.request(&inputs, self.from, &trials);
        let stage = Stage::prepare(self.output, &request, self.victim, self.workers, progress)?;
        if self.until == Until::Manifests {
            return Ok(Reached::Drawn);
        }
        Ok(match stage.run(self.workers, progress)? {
            Tally { records, of } if records < of => Reached::Stopped { records, of },
            Tally { records, .. } => Reached::Complete { records },
        })
    }

    fn request<'r>(
        &'r self,
        inputs: &'r Inputs,
        from: Option<&'r Path>,
        trials: &'r [Trial],
    ) -> Request<'r> {
        Request { title: &self.experiment.title, inputs, shard: self.shard, from, trials }
    }

    /// What a run would do, at most; nothing is attacked, scored or written.
    ///
    /// # Errors
    /// An experiment that makes no sense, a folder whose records are of something else.
    pub fn outline(&self) -> Result<Vec<Outline>, ExperimentError> {
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

    fn inputs(&self) -> Result<Inputs, ExperimentError> {
        let Victim { classifier, dataset, transform } = self.victim;
        let (bounds, seed) = (classifier.bounds(), self.experiment.seed);
        let name = self.experiment.data.name.as_deref().unwrap_or(dataset.name());
        let tables = self.experiment.expand(name)?;
        // What can't be started shows before anything is scored.
        for run in tables.iter().flat_map(Table::runs) {
            let contender = Contender::new(run, classifier, seed)?;
            if self.shard.is_some() && contender.attack.is_universal() {
                return Err(ExperimentError::ShardedUniversal { run: contender.named.method });
            }
        }
        refuse_synonyms(&tables, dataset)?;
        let tuning = match (&self.experiment.tuning, self.tuning) {
            (Some(spec), Some(tuning)) => {
                disjoint(dataset, tuning)?;
                Some(TuningFacts { data: facts(name, tuning), samples: spec.samples })
            }
            _ => None,
        };
        let (resize, side) = (transform.resize.into(), transform.resize.side());
        Ok(Inputs {
            format: FORMAT,
            victim: self.facts.clone(),
            data: facts(name, dataset),
            input: Input { resize, side, low: bounds.low, high: bounds.high },
            seed,
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

    /// How hyper-parameters were chosen, if there is something to choose; or where the campaign ends
    /// before that is known.
    fn tune(
        &self,
        inputs: &Inputs,
        progress: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<ControlFlow<Reached, Vec<Trial>>, ExperimentError> {
        let Some((tuning, dataset)) = self.tuning_inputs(inputs) else {
            return Ok(ControlFlow::Continue(Vec::new()));
        };
        let folder = self.from.unwrap_or(self.output).join(TUNING);
        if self.from.is_none() {
            if self.shard.is_some() && self.until != Until::Tuning {
                return Err(ExperimentError::ShardedTuning);
            }
            let victim = Victim { dataset, ..self.victim };
            let request = self.request(&tuning, None, &[]);
            let stage = Stage::prepare(&folder, &request, victim, self.workers, progress)?;
            let Tally { records, of } = stage.run(self.workers, progress)?;
            if records < of {
                return Ok(ControlFlow::Break(Reached::TuningStopped { records, of }));
            }
            if self.shard.is_some() {
                // The choice is made when all parts are together.
                return Ok(ControlFlow::Break(Reached::Tuned));
            }
        }
        let plan = Plan::read(&folder)?;
        refuse_changes(&folder, &plan.inputs, &tuning)?;
        let records = plan.read_records(&folder)?;
        if plan.shard.is_some() || records.len() < plan.records() {
            let (path, found, of) = (folder, records.len(), plan.records());
            return Err(ExperimentError::Incomplete { path, found, of });
        }
        choose(&inputs.tables, &records).map(ControlFlow::Continue)
    }
}

fn facts(name: &str, dataset: &dyn Dataset) -> DataFacts {
    DataFacts {
        name: name.to_owned(),
        images: dataset.len(),
        sha256: list_sha256(dataset),
        classes: dataset.classes().to_vec(),
    }
}

/// Refuses tuning images that are among the reported ones.
fn disjoint(reported: &dyn Dataset, tuning: &dyn Dataset) -> Result<(), ExperimentError> {
    let (expected, found) = (reported.classes(), tuning.classes());
    if expected != found {
        return Err(ExperimentError::TuningClasses { dataset: tuning.name().to_owned() });
    }
    // The same file by another name of its folder is the same.
    let file = |dataset: &dyn Dataset, index| -> PathBuf {
        let path = dataset.image_path(index);
        fs::canonicalize(&path).unwrap_or(path)
    };
    let files: HashSet<PathBuf> = (0..reported.len()).map(|index| file(reported, index)).collect();
    match (0..tuning.len()).find(|&index| files.contains(&file(tuning, index))) {
        None => Ok(()),
        Some(index) => Err(ExperimentError::TunedOnReported { id: tuning.id(index).to_owned() }),
    }
}

/// Refuses the same labels under two names: the attacks on them would be the same twice.
fn refuse_synonyms(tables: &[Table], dataset: &dyn Dataset) -> Result<(), ExperimentError> {
    let mut seen = Vec::new();
    for (setting, run) in tables.iter().flat_map(Table::attacks) {
        if let Selection::Global(types) = &setting.selection {
            let k = setting.k;
            let attacked = (type_classes(dataset, types)?, k, setting.delta, run);
            if seen.contains(&attacked) {
                return Err(ExperimentError::Twice { types: types.clone(), k });
            }
            seen.push(attacked);
        }
    }
    Ok(())
}
