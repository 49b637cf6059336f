//! [`Campaign`]: an experiment from its file to its last record.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use tkmia_core::Tagger;
use tkmia_data::{Dataset, type_classes};

use crate::changes::refuse_changes;
use crate::error::ExperimentError;
use crate::event::Event;
use crate::fingerprint::{image_file, list_sha256};
use crate::folder::TUNING;
use crate::manifest::Input;
use crate::outline::{Outline, outline};
use crate::plan::{DataFacts, FORMAT, FitImages, Inputs, Plan, TuningFacts, VictimFacts};
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
    /// The images that the victim was trained on, if that is stated; they may not be tuned on.
    pub trained_on: Option<&'a dyn Dataset>,
    /// The images that universal perturbations are fitted to, if they are others than those of the victim and,
    /// while hyper-parameters are chosen, those of the tuning.
    pub fit: Option<&'a dyn Dataset>,
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

/// How far a campaign came. A stopped one continues from there when it is started again.
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
        let (tuning, trained_on, fit) = (None, None, None);
        let (shard, from, until) = (None, None, Until::Attacks);
        Self {
            experiment,
            victim,
            facts,
            tuning,
            trained_on,
            fit,
            output,
            shard,
            from,
            until,
            workers,
        }
    }

    /// Runs the experiment, or continues one that was stopped.
    ///
    /// # Errors
    /// An experiment that can't be run, a folder whose records are of something else
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
        let (victim, fit) = (self.victim, self.fit_victim(self.victim));
        let stage = Stage::prepare(self.output, &request, victim, fit, self.workers, progress)?;
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
    /// An experiment that can't be run, a folder whose records are of something else.
    pub fn outline(&self) -> Result<Vec<Outline>, ExperimentError> {
        let inputs = self.inputs()?;
        let mut lines = Vec::new();
        if let Some((tuning_inputs, dataset)) = self.tuning_inputs(&inputs)? {
            let folder = self.output.join(TUNING);
            let images = [dataset, self.fit.unwrap_or(dataset)];
            lines.extend(outline(&folder, &tuning_inputs, images, true, false)?);
        }
        let tunes = !lines.is_empty();
        let images = [self.victim.dataset, self.fit.unwrap_or(self.victim.dataset)];
        lines.extend(outline(self.output, &inputs, images, false, tunes)?);
        Ok(lines)
    }

    /// The victim on the images that perturbations are fitted to, while it is attacked on its own.
    fn fit_victim(&self, victim: Victim<'a>) -> Victim<'a> {
        Victim { dataset: self.fit.unwrap_or(victim.dataset), ..victim }
    }

    /// The images that perturbations are fitted to while these are attacked, where the tables have universal
    /// attacks.
    fn fit_images(
        &self,
        tables: &[Table],
        data: &DataFacts,
        dataset: &dyn Dataset,
    ) -> Result<Option<FitImages>, ExperimentError> {
        if !tables.iter().flat_map(Table::runs).any(|run| run.name().is_universal()) {
            return Ok(None);
        }
        let samples = self.experiment.fit.samples;
        let images = self.fit.unwrap_or(dataset);
        if images.classes() != dataset.classes() {
            return Err(ExperimentError::TuningClasses { dataset: images.name().to_owned() });
        }
        let Experiment { data: own, fit, .. } = self.experiment;
        let split = match self.fit {
            Some(_) => fit.split.as_ref().or(own.split.as_ref()).map_or("", String::as_str),
            None => &data.split,
        };
        Ok(Some(FitImages { data: facts(&data.name, split, images), samples }))
    }

    fn inputs(&self) -> Result<Inputs, ExperimentError> {
        let Victim { classifier, dataset, transform, .. } = self.victim;
        let (bounds, seed) = (classifier.bounds(), self.experiment.seed);
        let name = self.experiment.data.name.as_deref().unwrap_or(dataset.name());
        let tables = self.experiment.expand(name)?;
        // What can't be started shows before anything is scored.
        for run in tables.iter().flat_map(Table::runs) {
            let contender = Contender::new(run, self.victim.attacked(), seed)?;
            if self.shard.is_some() && contender.attack.universal().is_some() {
                return Err(ExperimentError::ShardedUniversal { run: contender.named.method });
            }
        }
        refuse_synonyms(&tables, dataset)?;
        let split = self.experiment.data.split.clone().unwrap_or_default();
        let mut reported = split.clone();
        let tuning = match (&self.experiment.tuning, self.tuning) {
            (Some(_), Some(_)) if self.facts.trained_on.is_none() => {
                return Err(ExperimentError::TrainedOnUnknown);
            }
            (Some(spec), Some(tuning)) => {
                for (images, what) in [(Some(dataset), "reported"), (self.trained_on, "training")] {
                    images.map_or(Ok(()), |images| disjoint(images, what, tuning))?;
                }
                let own = match (spec.share, &spec.split) {
                    (Some(share), _) => {
                        reported +=
                            &format!(" without a share of {share} for tuning, by seed {seed}");
                        format!("a share of {share} of {split}, by seed {seed}")
                    }
                    (None, own) => own.clone().unwrap_or(split),
                };
                Some(TuningFacts { data: facts(name, &own, tuning), samples: spec.samples })
            }
            _ => None,
        };
        let data = facts(name, reported.trim(), dataset);
        let fit = self.fit_images(&tables, &data, dataset)?;
        let (resize, side) = (transform.resize.fit, transform.resize.side);
        // What is told already.
        let tagger = Tagger {
            range: None,
            input_size: None,
            resize: None,
            ..self.experiment.victim.tagger.clone()
        };
        Ok(Inputs {
            format: FORMAT,
            victim: self.facts.clone(),
            data,
            input: Input { resize, side, low: bounds.low, high: bounds.high, tagger },
            seed,
            draws: self.experiment.budget.draws,
            samples: self.experiment.budget.samples,
            pictures: self.experiment.pictures,
            tables,
            tuning,
            fit,
        })
    }

    /// The tuning as an experiment of its own, where there is something to choose.
    fn tuning_inputs(
        &self,
        inputs: &Inputs,
    ) -> Result<Option<(Inputs, &'a dyn Dataset)>, ExperimentError> {
        let (Some(TuningFacts { data, samples }), Some(dataset)) = (&inputs.tuning, self.tuning)
        else {
            return Ok(None);
        };
        let mut tables = inputs.tables.clone();
        for table in &mut tables {
            table.grids.retain(|grid| grid.len() > 1);
        }
        if tables.iter().all(|table| table.grids.is_empty()) {
            return Ok(None);
        }
        let fit = self.fit_images(&tables, data, dataset)?;
        let (data, samples) = (data.clone(), *samples);
        let inputs = Inputs {
            data,
            samples,
            draws: 1,
            tables,
            pictures: 0,
            tuning: None,
            fit,
            ..inputs.clone()
        };
        Ok(Some((inputs, dataset)))
    }

    /// How hyper-parameters were chosen, if there is something to choose; or where the campaign ends
    /// before that is known.
    fn tune(
        &self,
        inputs: &Inputs,
        progress: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<ControlFlow<Reached, Vec<Trial>>, ExperimentError> {
        let Some((tuning, dataset)) = self.tuning_inputs(inputs)? else {
            return Ok(ControlFlow::Continue(Vec::new()));
        };
        let folder = self.from.unwrap_or(self.output).join(TUNING);
        if self.from.is_none() {
            if self.shard.is_some() && self.until != Until::Tuning {
                return Err(ExperimentError::ShardedTuning);
            }
            let victim = Victim { dataset, ..self.victim };
            let request = self.request(&tuning, None, &[]);
            let fit = self.fit_victim(victim);
            let stage = Stage::prepare(&folder, &request, victim, fit, self.workers, progress)?;
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

fn facts(name: &str, split: &str, dataset: &dyn Dataset) -> DataFacts {
    DataFacts {
        name: name.to_owned(),
        split: split.to_owned(),
        images: dataset.len(),
        sha256: list_sha256(dataset),
        classes: dataset.classes().to_vec(),
    }
}

/// Refuses tuning images that are among the reported ones, or the victim's training images.
fn disjoint(
    others: &dyn Dataset,
    what: &'static str,
    tuning: &dyn Dataset,
) -> Result<(), ExperimentError> {
    let (expected, found) = (others.classes(), tuning.classes());
    if expected != found {
        return Err(ExperimentError::TuningClasses { dataset: tuning.name().to_owned() });
    }
    let files: HashSet<PathBuf> =
        (0..others.len()).map(|index| image_file(others, index)).collect();
    match (0..tuning.len()).find(|&index| files.contains(&image_file(tuning, index))) {
        None => Ok(()),
        Some(index) => {
            Err(ExperimentError::TunedOnOthers { id: tuning.id(index).to_owned(), what })
        }
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
