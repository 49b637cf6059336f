//! [`Options`]: what `tkmia run` and `tkmia reproduce` have in common.

use std::error::Error;
use std::mem::take;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::{io, iter, thread};

use clap::{Args, ValueEnum};
use tkmia_attacks::View;
use tkmia_core::{Classifier, device};
use tkmia_data::{Dataset, DatasetSpec, Defence, Transform, load_batch, open};
use tkmia_experiment::{
    Campaign, Experiment, ExperimentError, ManifestEntry, Outline, Plan, Reached, Shard, Until,
    Victim, VictimFacts, VictimSpec, held_out,
};
use tkmia_models::{Loaded, ScoringCommand, Source};
use tkmia_report::write_report;

use crate::computing::Computing;
use crate::doubt::{looked_at, warn};
use crate::error::CliError;
use crate::knobs::TaggerFlags;
use crate::network::{CommandFlags, defended, load_known};
use crate::output::refuse_overwriting;
use crate::progress::{self, Display, INTERRUPTED, STOP, meanwhile};
use crate::surrogate::{Surrogate, SurrogateFlags};
use crate::train::named;

/// Where an experiment finds what it needs, and how the work is cut up.
#[derive(Debug, Args)]
pub struct Options {
    /// The victim's file, in place of the experiment's `model`, or of all its victims
    #[arg(short, long, value_name = "FILE")]
    model: Option<PathBuf>,
    #[command(flatten)]
    command: CommandFlags,
    #[command(flatten)]
    tagger: TaggerFlags,
    /// The split that the model was trained on, which is then not tuned on; `other` for none of the data's images
    #[arg(long, value_name = "SPLIT")]
    trained_on: Option<String>,
    /// Nothing about the attacks was chosen on this model; the report says so
    #[arg(long)]
    held_out: bool,
    /// What takes details out of the model's images first, as a defence that the attacks see through, in place of the experiment's
    /// `squeeze`
    #[arg(long, value_parser = named::<Defence>())]
    squeeze: Option<Defence>,
    #[command(flatten)]
    surrogate: SurrogateFlags,
    /// The data's folder, in place of the experiment's `root`
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// The folder of records and reports, in place of the experiment's `output`
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Say what would be done, and how many passes that is at most; do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Attack only part I of N of each setting's samples; `tkmia merge` puts parts together
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Take manifests and tuning from this folder of the same experiment
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// End earlier: when the grids are tried on the tuning samples, or when samples are drawn
    #[arg(long)]
    until: Option<Early>,
    #[command(flatten)]
    computing: Computing,
    /// Samples with images in the report's page at most
    #[arg(long, default_value_t = 6)]
    pub pictured: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Early {
    Tuning,
    Manifests,
}

/// Where a field isn't.
const PLACE: &str = "the experiment has none";

impl Options {
    /// Runs an experiment on one victim, or says what it would do.
    pub fn run(&self, experiment: &mut Experiment) -> Result<ExitCode, Box<dyn Error>> {
        let output = self.output(experiment)?;
        begin(experiment)?;
        self.run_into(&output, experiment)
    }

    /// The folder of records and reports.
    pub fn output(&self, experiment: &Experiment) -> Result<PathBuf, CliError> {
        let output = self.output.clone().or(experiment.output.clone());
        output.ok_or(CliError::OptionMissing { option: "--output", place: PLACE })
    }

    /// The victim in place of the experiment's.
    pub fn source(&self) -> Option<Source> {
        self.command.or(self.model.as_ref())
    }

    /// Whether it is about a part of the work, or takes over another folder's: that is of one victim.
    pub fn is_of_one(&self) -> bool {
        self.shard.is_some() || self.from.is_some() || self.until.is_some()
    }

    /// Runs an experiment on one victim with its results in this folder.
    pub fn run_into(
        &self,
        output: &Path,
        experiment: &mut Experiment,
    ) -> Result<ExitCode, Box<dyn Error>> {
        let own = match (experiment.victim.model.take(), experiment.victim.command.take()) {
            (Some(_), Some(_)) => return Err(CliError::TwoVictims.into()),
            (model, None) => model.map(Source::File),
            (None, Some(words)) => Some(Source::Command(ScoringCommand::new(words))),
        };
        let given = self.source();
        if given.is_some() && own.is_some() {
            // What the file says of its own model isn't true of another one.
            experiment.victim = take(&mut experiment.victim).of_another_model();
        }
        let source = given.or(own);
        let source = source.ok_or(CliError::OptionMissing { option: "--model", place: PLACE })?;
        let root = self.root.clone().or(experiment.data.root.take());
        let root = root.ok_or(CliError::OptionMissing { option: "--root", place: PLACE })?;

        let tuned = experiment.tuning.as_ref().and_then(|tuning| tuning.root.clone());
        let roots: Vec<PathBuf> = iter::once(root.clone()).chain(tuned).collect();
        refuse_overwriting(&[output.to_owned()], &roots)?;

        let kind = experiment.data.kind;
        let split = experiment.data.split.clone().unwrap_or_default();
        let at = |root: &PathBuf, split: &str| {
            open(&DatasetSpec { kind, root: root.clone(), split: split.to_owned() })
        };
        let whole = at(&root, &split)?;
        let share = experiment.tuning.as_ref().and_then(|tuning| tuning.share);
        let parts = share.map(|share| held_out(whole.as_ref(), share, experiment.seed));
        let other = match &experiment.tuning {
            Some(tuning) if share.is_none() => {
                let split = tuning.split.as_ref().unwrap_or(&split);
                Some(at(tuning.root.as_ref().unwrap_or(&root), split)?)
            }
            _ => None,
        };
        let (dataset, tuning): (&dyn Dataset, _) = match &parts {
            Some([reported, kept]) => (reported, Some(kept as &dyn Dataset)),
            None => (whole.as_ref(), other.as_deref()),
        };
        let trained_on = self.trained_on.clone().or(experiment.victim.trained_on.take());
        let trained = trained_on.as_ref().filter(|split| *split != "other");
        let trained = trained.map(|split| at(&root, split)).transpose()?;
        let fit = match (&experiment.fit.root, &experiment.fit.split) {
            (None, None) => None,
            (own_root, own_split) => {
                Some(at(own_root.as_ref().unwrap_or(&root), own_split.as_ref().unwrap_or(&split))?)
            }
        };
        let spec = &mut experiment.victim.tagger;
        *spec = self.tagger.0.clone().over(take(spec)).0;
        let device = device(&self.computing.device)?;
        let (Loaded { classifier, tagger, .. }, sha256) = load_known(&source, spec, &device)?;
        experiment.victim.squeeze = self.squeeze.or(experiment.victim.squeeze);
        let (classifier, expected) = defended(classifier, experiment.victim.squeeze);
        let VictimSpec { surrogate: own, diversity, .. } = &mut experiment.victim;
        let given = &self.surrogate;
        let surrogate = SurrogateFlags {
            files: if given.files.is_empty() { take(own) } else { given.files.clone() },
            diversity: given.diversity.or(*diversity),
        };
        let surrogate = surrogate.load(&classifier, &device, experiment.seed)?;
        let surrogate = surrogate.or(expected.map(Surrogate::from));
        let facts = VictimFacts {
            sha256,
            description: classifier.description(),
            surrogate: surrogate.as_ref().map(|surrogate| surrogate.name.clone()),
            trained_on,
            held_out: self.held_out || experiment.victim.held_out,
        };
        let transform = Transform::new(&tagger, kind, &classifier)?;
        let attacked = surrogate.map(|surrogate| surrogate.classifier);
        let victim = Victim::new(&classifier, dataset, &transform)?.by_way_of(attacked.as_deref());
        let attacked = attacked.as_ref().unwrap_or(&classifier);
        let workers = self.computing.workers(attacked, [transform.resize.side as usize; 2]);
        let campaign = Campaign {
            experiment,
            victim,
            facts: &facts,
            tuning,
            trained_on: trained.as_deref(),
            fit: fit.as_deref(),
            output,
            shard: self.shard,
            from: self.from.as_deref(),
            until: match self.until {
                Some(Early::Tuning) => Until::Tuning,
                Some(Early::Manifests) => Until::Manifests,
                None => Until::Attacks,
            },
            workers,
        };
        if self.dry_run {
            crate::print(&outline(&campaign.outline()?, dataset, self.shard))?;
            return Ok(ExitCode::SUCCESS);
        }
        let rows: Vec<usize> = (0..looked_at(dataset.len())).collect();
        // Where a run goes on it was said before; an image that can't be read is named when it is needed.
        // And queries of a command may cost something.
        if !output.exists()
            && classifier.has_gradients()
            && !rows.is_empty()
            && let Ok(images) = load_batch(dataset, &rows, &transform, &classifier.device())
        {
            warn(&classifier, &tagger, &images, &dataset.labels().select(&rows), workers)?;
        }
        let display = Display::new();
        let reached = campaign.run(&|event| display.show(event));
        display.end();
        // Stopped before there was a record.
        if let Err(ExperimentError::Interrupted { .. }) = reached {
            crate::print("stopped while images were scored; the same command starts again\n")?;
            return Ok(ExitCode::from(INTERRUPTED));
        }
        let place = output.display();
        let stopped = |records, of, what| {
            crate::print(&format!(
                "stopped: {place} holds {records} of {of} {what}; the same command goes on from there\n"
            ))?;
            Ok(ExitCode::from(INTERRUPTED))
        };
        match reached? {
            Reached::TuningStopped { records, of } => stopped(records, of, "tuning records"),
            Reached::Stopped { records, of } => stopped(records, of, "records"),
            Reached::Tuned | Reached::Drawn => {
                crate::print(&format!("prepared in {place}\n"))?;
                Ok(ExitCode::SUCCESS)
            }
            Reached::Complete { records } => self.conclude(output, records),
        }
    }

    /// Draws the report, and tells what there is, and what could not be attacked.
    fn conclude(&self, output: &Path, records: usize) -> Result<ExitCode, Box<dyn Error>> {
        let plan = Plan::read(output)?;
        let mut text = format!("{records} records in {}\n", output.display());
        for ManifestEntry { setting, .. } in plan.manifests.iter().filter(|entry| is_empty(entry)) {
            text += &format!(
                "no image takes part in {setting}: none has k + |S| relevant labels and a specified one in the top-k\n"
            );
        }
        let missed = match self.shard {
            None => meanwhile("drawing the report", || write_report(output, self.pictured))?.missed,
            Some(_) => {
                let mut missed = plan.missed();
                plan.each_record(output, |_, record| {
                    missed.add(&record);
                    Ok::<(), ExperimentError>(())
                })?;
                missed
            }
        };
        text.extend(missed.lines().map(|line| line + "\n"));
        if self.shard.is_none() {
            text += &format!("report  {}\n", output.join("report/index.html").display());
        }
        crate::print(&text)?;
        let nothing = plan.manifests.iter().all(is_empty);
        Ok(if missed.is_empty() && !nothing { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Whether no image takes part, and none might but for its scores.
fn is_empty(entry: &ManifestEntry) -> bool {
    entry.samples == 0 && entry.lost.is_empty() && entry.undecodable.is_empty()
}

/// From here on [`STOP`] is set by signals, and after the minutes that an experiment has.
pub fn begin(experiment: &Experiment) -> io::Result<()> {
    progress::watch_interrupt()?;
    if let Some(minutes) = experiment.budget.minutes {
        // Longer than that is no limit.
        let limit = Duration::try_from_secs_f64(minutes * 60.0).unwrap_or(Duration::MAX);
        thread::spawn(move || {
            thread::sleep(limit);
            STOP.store(true, Ordering::Relaxed);
        });
    }
    Ok(())
}

/// What a run would do, as a table.
fn outline(lines: &[Outline], dataset: &dyn Dataset, shard: Option<Shard>) -> String {
    let mut text = format!("{}, {} images\n", dataset.name(), dataset.len());
    let heading = ["setting", "attacks", "samples", "forward", "backward"];
    text += &format!(
        "{:44} {:>8} {:>8} {:>14} {:>14}\n",
        heading[0], heading[1], heading[2], heading[3], heading[4]
    );
    let (mut forward, mut backward) = (0, 0);
    for Outline { tuning, setting, view, attacks, samples, passes } in lines {
        let mut setting = setting.to_string();
        if *view == View::Tanh {
            setting += ", tanh(x)";
        }
        if *tuning {
            setting += " (tuning)";
        }
        text += &format!(
            "{setting:44} {attacks:>8} {samples:>8} {:>14} {:>14}\n",
            passes.forward, passes.backward
        );
        forward += passes.forward;
        backward += passes.backward;
    }
    text += &format!("{:44} {:>8} {:>8} {forward:>14} {backward:>14}\n", "at most", "", "");
    if let Some(shard) = shard {
        text += &format!("of which shard {shard} has about 1/{}\n", shard.count);
    }
    text + "Samples are those that labels alone let through, until they are drawn; a success ends an attack early.\n"
}
