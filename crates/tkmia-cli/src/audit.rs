//! `tkmia audit`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use tkmia_audit::{AuditError, Findings, Limit, PAGE, Work, write_audit};
use tkmia_core::device;
use tkmia_data::{DatasetKind, Defence, Transform, photographs};
use tkmia_experiment::{
    Campaign, DataSpec, Experiment, ExperimentError, Reached, TableSpec, Victim, VictimFacts,
    VictimSpec, pass_time,
};
use tkmia_file::{read_text, write_whole};
use tkmia_models::{Loaded, Source};
use tkmia_report::write_report;

use crate::computing::Computing;
use crate::error::CliError;
use crate::knobs::TaggerFlags;
use crate::network::{defended, load_known};
use crate::output::refuse_overwriting;
use crate::progress::{self, Display, INTERRUPTED, meanwhile};
use crate::tagged::{Tagged, predicted_set};
use crate::train::named;

/// Find out which labels can be made to vanish from a tagger's top-k, at what visible cost, and whether its measures show it
///
/// Attacks as many images of the folder as the time allows and writes OUT/audit.html, a page that answers these
/// questions, with the same as audit.json and audit.sarif. If it is stopped at any moment, the same command continues
/// from there.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The tagger: an ONNX file, or a ResNet in a safetensors or PyTorch file
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    #[command(flatten)]
    pub images: Tagged,
    /// What takes details out of the tagger's images first, as a defence that the attacks see through
    #[arg(long, value_parser = named::<Defence>())]
    pub squeeze: Option<Defence>,
    /// Size of the predicted set [default: 3, or less where most images have fewer labels than that and one more]
    #[arg(short, long)]
    pub k: Option<usize>,
    /// How long it may take, more or less: it decides how many images are attacked and how thoroughly
    #[arg(long, default_value_t = 10.0, value_parser = above_zero)]
    pub minutes: f64,
    /// Of the draws of what is to be hidden
    #[arg(long, default_value_t = 2023)]
    pub seed: u64,
    /// Fail, with status 3, if a figure is lower than that: median-norm (L2 in pixels of [0, 1]) or median-rms (grey levels)
    #[arg(long, value_name = "FIGURE=NUMBER")]
    pub fail_under: Vec<Limit>,
    /// Folder of the results
    #[arg(short, long, value_name = "DIR", default_value = "out/audit")]
    pub output: PathBuf,
    #[command(flatten)]
    pub tagger: TaggerFlags,
    #[command(flatten)]
    pub computing: Computing,
}

const EXAMPLES: &str = "Examples:
  tkmia audit tagger.onnx --images photographs
  tkmia audit tagger.onnx --images photographs --labels labels.csv --k 3 --minutes 60
  tkmia audit out/mini/last.safetensors --images assets/mini-voc/VOC2012 --kind voc-2012 --input-size 64
  tkmia audit tagger.onnx --images photographs --fail-under median-norm=0.5
  tkmia compare out/audit-before out/audit-after";

/// Where it is kept what an audit does, so that it goes on with the same.
const WORK: &str = "work.json";
/// The status of an audit that found less than it was to.
const UNDERCUT: u8 = 3;
/// Samples whose images are kept for the page.
const PICTURED: usize = 40;
/// Between two states of the page.
const REFRESH: Duration = Duration::from_secs(20);

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    progress::watch_interrupt()?;
    let Some(findings) = audited(arguments)? else { return Ok(ExitCode::from(INTERRUPTED)) };
    crate::print(&told(&findings, &arguments.output.join(PAGE)))?;
    let mut status = match findings.attacked_images {
        0 => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    };
    for line in findings.missed.lines() {
        crate::print(&format!("{line}\n"))?;
        status = ExitCode::FAILURE;
    }
    for limit in &arguments.fail_under {
        if let Some(found) = limit.undercut(&findings) {
            crate::print(&format!("failed: {limit} was asked for, {found:.4} was found\n"))?;
            status = ExitCode::from(UNDERCUT);
        }
    }
    Ok(status)
}

/// Audits, and writes what was found; nothing comes back if the work was stopped, which is told.
pub fn audited(arguments: &Arguments) -> Result<Option<Findings>, Box<dyn Error>> {
    let Arguments { model, images, output, .. } = arguments;
    refuse_overwriting(std::slice::from_ref(output), &[images.folder.clone(), model.clone()])?;
    let (source, device) = (Source::File(model.clone()), device(&arguments.computing.device)?);
    let (Loaded { classifier, tagger, .. }, sha256) =
        load_known(&source, &arguments.tagger.0, &device)?;
    let (classifier, expected) = defended(classifier, arguments.squeeze);
    let attacked = expected.as_ref().unwrap_or(&classifier);
    let transform = Transform::new(&tagger, images.kind, &classifier)?;
    let size = [transform.resize.side as usize; 2];
    let workers = arguments.computing.workers(attacked, size);

    let labelled = images.labelled()?;
    let classes = classifier.classes();
    let k = predicted_set(arguments.k, labelled.as_deref(), classes)?;
    let paths = if labelled.is_some() { Vec::new() } else { photographs(&images.folder)? };
    let count = labelled.as_ref().map_or(paths.len(), |dataset| dataset.len());
    let work = match arguments.begun()? {
        Some(work) => arguments.checked(work, count, classes)?,
        None => {
            let time = pass_time(attacked, size, workers)?;
            Work::within(60.0 * arguments.minutes, time, count, k, arguments.seed)
        }
    };
    let dataset = match labelled {
        Some(dataset) => {
            let counts = (0..dataset.len()).map(|image| dataset.labels().count(image));
            let (most, k) = (counts.max().unwrap_or(0), work.k);
            if most <= k {
                return Err(CliError::TooFewLabels { path: images.folder.clone(), k, most }.into());
            }
            dataset
        }
        None => images.presumed(&paths, work.images, work.k, (&classifier, &transform, workers))?,
    };
    let split = match images.kind {
        DatasetKind::Folder if paths.is_empty() => None,
        DatasetKind::Folder => Some("labels by the tagger itself".to_owned()),
        _ => Some(images.split.clone()),
    };
    let data = DataSpec { name: None, kind: images.kind, root: Some(images.folder.clone()), split };
    let table = TableSpec::random(&[1], &[work.k]);
    let title = format!("Audit of {}", dataset.name());
    let mut experiment = Experiment::new(title, data, vec![table], work.methods());
    experiment.seed = work.seed;
    experiment.budget.samples = work.images;
    experiment.budget.draws = work.draws;
    experiment.pictures = PICTURED;
    let (squeeze, tagger) = (arguments.squeeze, arguments.tagger.0.clone());
    experiment.victim = VictimSpec { squeeze, tagger, ..VictimSpec::default() };
    let facts = VictimFacts {
        sha256,
        description: classifier.description(),
        surrogate: expected.as_ref().map(|expected| expected.description()),
        ..VictimFacts::default()
    };
    let victim =
        Victim::new(&classifier, dataset.as_ref(), &transform)?.by_way_of(expected.as_deref());
    arguments.begin(&work)?;
    let campaign = Campaign::new(&experiment, victim, &facts, output, workers);
    arguments.finish(&campaign)
}

/// Reads a number above 0.
pub fn above_zero(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "expected a number above 0".to_owned())
}

impl Arguments {
    /// What an audit in this folder does, where one was begun.
    pub fn begun(&self) -> Result<Option<Work>, Box<dyn Error>> {
        let path = self.output.join(WORK);
        if !path.exists() {
            return Ok(None);
        }
        let text =
            read_text(&path).map_err(|source| CliError::Read { path: path.clone(), source })?;
        let work: Work = serde_json::from_str(&text)
            .map_err(|source| format!("{}: {source}", path.display()))?;
        if self.k.is_some_and(|k| k != work.k) || self.seed != work.seed {
            let (place, Work { k, seed, .. }) = (self.output.display(), work);
            return Err(format!(
                "{place}: an audit with k = {k} and seed {seed} was begun there: give another --output"
            )
            .into());
        }
        Ok(Some(work))
    }

    /// Work as a file has it, of so many images and labels.
    fn checked(&self, work: Work, images: usize, classes: usize) -> Result<Work, Box<dyn Error>> {
        for (field, found, end) in [("images", work.images, images + 1), ("k", work.k, classes)] {
            if !(1..end).contains(&found) {
                let (path, most) = (self.output.join(WORK), end - 1);
                let place = path.display();
                return Err(
                    format!("{place}: `{field}`: expected 1..={most}, found {found}").into()
                );
            }
        }
        Ok(work)
    }

    /// Keeps what is done where nothing was begun.
    pub fn begin(&self, work: &Work) -> Result<(), Box<dyn Error>> {
        let path = self.output.join(WORK);
        if !path.exists() {
            fs::create_dir_all(&self.output)
                .and_then(|()| write_whole(&path, &serde_json::to_vec_pretty(work)?))
                .map_err(|source| format!("{}: {source}", path.display()))?;
        }
        Ok(())
    }

    /// Runs the attacks and writes the page, now and then what there is of it.
    fn finish(&self, campaign: &Campaign<'_>) -> Result<Option<Findings>, Box<dyn Error>> {
        let display = Display::new();
        let (over, ended) = channel::<()>();
        let reached = thread::scope(|scope| {
            scope.spawn(move || {
                let mut next = REFRESH / 2;
                while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(next) {
                    let started = Instant::now();
                    // Before the first record there is nothing to show, and the last state is written below.
                    let _ = write_audit(&self.output, &self.fail_under);
                    next = REFRESH.max(10 * started.elapsed());
                }
            });
            let reached = campaign.run(&|event| display.show(event));
            drop(over);
            reached
        });
        display.end();
        let place = self.output.display();
        match reached {
            Ok(Reached::Complete { .. }) => {}
            Ok(Reached::Stopped { records, of }) => {
                write_audit(&self.output, &self.fail_under)?;
                crate::print(&format!(
                    "stopped: {place} holds {records} of {of} attacks, and a page of these; the same command goes on from there\n"
                ))?;
                return Ok(None);
            }
            Ok(_) | Err(ExperimentError::Interrupted { .. }) => {
                crate::print("stopped before an attack; the same command starts again\n")?;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
        let drawn = || -> Result<Findings, AuditError> {
            write_report(&self.output, 0)?;
            write_audit(&self.output, &self.fail_under)
        };
        Ok(Some(meanwhile("drawing the page", drawn)?))
    }
}

fn told(findings: &Findings, page: &Path) -> String {
    let answers = findings.answers().map(|(question, answer)| format!("{question} {answer}\n"));
    format!("{}page  {}\n", answers.concat(), page.display())
}
