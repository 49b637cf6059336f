//! `tkmia monitor`.

mod defence;
mod findings;
mod traffic;

use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::slice;
use std::sync::atomic::Ordering;

use clap::{Args, value_parser};
use tkmia_core::device;
use tkmia_data::{Dataset, DatasetKind, DatasetSpec, Resize, Squeezer, Transform, open};
use tkmia_experiment::{Plan, Record, Victim, Workers, held_out};
use tkmia_models::Loaded;
use tkmia_monitor::{FalseAlarms, MIN_CLEAN, MonitorError, Statistic};

use crate::computing::Computing;
use crate::network::Network;
use crate::output::refuse_overwriting;
use crate::progress::{self, Count, INTERRUPTED, STOP};
use crate::train::named;
use defence::{Defence, Watched};
use findings::Findings;
use traffic::{Attack, Images, keeps_all};

/// Say which attacks of an experiment a defender notices who watches the predictions
///
/// Streams of clean images are simulated in which, from some image on, a share is replaced by attacked twins. Monitors see
/// the scores, and the labels for ranking measures; where the experiment keeps all attacked images (`pictures`), the scores of
/// squeezed images too. Thresholds are for a stated rate of false alarms, by images that are kept
/// apart and in no stream. The folder gets monitor.md, monitor.json, false_alarms.csv, detection.csv, auc.csv and a chart
/// of each attack.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The folder of the experiment
    #[arg(value_name = "OUT")]
    experiment: PathBuf,
    #[command(flatten)]
    network: Network,
    /// Layout of the experiment's data
    #[arg(long, default_value_t = DatasetKind::Voc2012, value_parser = named::<DatasetKind>())]
    kind: DatasetKind,
    /// Folder of the experiment's data
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Split that the attacked images are of; all of its images are clean traffic, or calibrate
    #[arg(long, default_value = "val")]
    split: String,
    /// Share of the split by which thresholds are calibrated, drawn as an experiment's `[tuning] share` with the same seed
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = share)]
    calibration: f64,
    /// Stated false alarms per 10,000 clean images
    #[arg(long, value_name = "RATE", default_value_t = 1.0)]
    false_alarms: f64,
    /// Images within which an attack is to be noticed
    #[arg(long, value_name = "IMAGES", default_value_t = 1000, value_parser = value_parser!(u32).range(1..))]
    within: u32,
    /// Simulated streams
    #[arg(long, default_value_t = 200, value_parser = value_parser!(u32).range(2..))]
    streams: u32,
    /// Of all draws
    #[arg(long, default_value_t = 2023)]
    seed: u64,
    #[command(flatten)]
    computing: Computing,
    /// Folder of the results [default: OUT/monitor]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  tkmia monitor out/voc --model resnet50_voc.onnx --root VOCdevkit/VOC2012
  tkmia monitor out/voc --model resnet50_voc.onnx --root VOCdevkit/VOC2012 --false-alarms 0.5 --within 500";

fn share(text: &str) -> Result<f64, String> {
    let found = text.parse::<f64>().ok().filter(|&share| share > 0.0 && share < 1.0);
    found.ok_or_else(|| "expected a number between 0 and 1".to_owned())
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    progress::watch_interrupt()?;
    let Arguments { experiment: folder, network, root, .. } = arguments;
    let rate = FalseAlarms::per_10_000(arguments.false_alarms)?;
    let output = arguments.output.clone().unwrap_or_else(|| folder.join("monitor"));
    let inputs = [&[root.clone(), folder.clone()][..], &network.source().files()?].concat();
    refuse_overwriting(slice::from_ref(&output), &inputs)?;
    let plan = Plan::read(folder)?;
    let records = plan.read_records(folder)?;
    let interrupted = Ok(ExitCode::from(INTERRUPTED));

    let Some(Seen { traffic, calibration, attacks, workers }) = arguments.seen(&plan, &records)?
    else {
        return interrupted;
    };
    if attacks.is_empty() {
        let (folder, found) = (folder.display(), records.len());
        return Err(format!(
            "{folder}: expected records of successful attacks on images of the traffic, found none among {found}"
        )
        .into());
    }
    let defence = Defence {
        rate,
        within: arguments.within as usize,
        streams: arguments.streams as usize,
        seed: arguments.seed,
        clean: calibration.observations(),
        traffic: &traffic,
        attacks: &attacks,
    };
    let sizes: BTreeSet<usize> = attacks.iter().map(|attack| attack.setting.k).collect();
    let statistics = |k| Statistic::at(k).filter(|one| keeps_all(&plan) || !one.needs_squeezed());
    let watched = sizes.iter().flat_map(|&k| statistics(k).map(move |statistic| (k, statistic)));
    let watched: Vec<(usize, Statistic)> = watched.collect();
    let bar = Count::new("watch", "statistics", watched.len());
    let watch = |batch: &[(usize, Statistic)]| {
        let found = batch.iter().map(|&(k, statistic)| defence.watch(statistic, k)).collect();
        bar.finished(batch.len());
        Ok::<Result<Vec<Watched>, MonitorError>, _>(found)
    };
    let mut all = Vec::new();
    Workers { batch_size: 1, ..workers }.run(&watched, watch, |found| {
        all.push(found);
        Ok(())
    })?;
    bar.end();
    if STOP.load(Ordering::Relaxed) {
        return interrupted;
    }
    let mut findings = Findings::new(&plan, arguments, [&calibration, &traffic], &attacks);
    for found in all {
        found?.into_iter().for_each(|found| findings.add(found));
    }
    findings.write(&output)?;
    crate::print(&format!("monitors  {}\n", output.join("monitor.md").display()))?;
    Ok(ExitCode::SUCCESS)
}

/// What defenders see, scored by the experiment's victim.
struct Seen {
    traffic: Images,
    calibration: Images,
    attacks: Vec<Attack>,
    workers: Workers<'static>,
}

impl Arguments {
    /// Nothing if the work was stopped. Squeezed images are scored too where all attacked ones are kept.
    fn seen(&self, plan: &Plan, records: &[Record]) -> Result<Option<Seen>, Box<dyn Error>> {
        let Self { network, kind, root, split, computing, calibration: share, .. } = self;
        let source = network.source();
        let (expected, found) = (&plan.inputs.victim.sha256, source.fingerprint()?);
        if *expected != found {
            let folder = self.experiment.display();
            return Err(format!(
                "{source}: expected the victim of {folder}, of SHA-256 {expected}, found {found}"
            )
            .into());
        }
        let Loaded { classifier, tagger, .. } =
            network.load_over(&plan.inputs.input.tagger, &device(&computing.device)?)?;
        source.expect_unchanged(&found)?;
        let transform = Transform::new(&traffic::as_planned(plan, tagger), *kind, &classifier)?;
        let dataset = open(&DatasetSpec { kind: *kind, root: root.clone(), split: split.clone() })?;
        let parts = held_out(dataset.as_ref(), *share, self.seed);
        let found = parts[1].len();
        if found < MIN_CLEAN {
            let (root, of) = (root.display(), dataset.len());
            return Err(format!(
                "{root}, {split}: expected at least {MIN_CLEAN} images to calibrate on, found {found} (a share of {share} of \
                 {of})"
            )
            .into());
        }
        let workers = computing.workers(&classifier, [transform.resize.side as usize; 2]);
        let squeezes = keeps_all(plan);
        let looks = if squeezes { 1 + Squeezer::ALL.len() } else { 1 };
        let scored = |dataset: &dyn Dataset, transform: &Transform, bar: &Count| {
            Images::scored(&Victim::new(&classifier, dataset, transform)?, squeezes, workers, bar)
        };
        let bar = Count::new("score", "images", looks * dataset.len());
        let [traffic, calibration] = &parts;
        let traffic_seen = scored(traffic, &transform, &bar)?;
        let calibration = scored(calibration, &transform, &bar)?;
        bar.end();
        let stopped = || STOP.load(Ordering::Relaxed);
        if stopped() {
            return Ok(None);
        }
        let images = [&traffic_seen, &calibration];
        let mut attacks = Attack::all(&self.experiment, plan, records, traffic, images)?;
        if squeezes {
            let all: usize = attacks.iter().map(|attack| attack.kept.len()).sum();
            let bar = Count::new("score", "attacked images", looks * all);
            let square = Transform { resize: Resize::square(transform.resize.side), ..transform };
            for attack in &mut attacks {
                attack.sent = scored(&attack.kept, &square, &bar)?;
            }
            bar.end();
        }
        Ok((!stopped()).then_some(Seen { traffic: traffic_seen, calibration, attacks, workers }))
    }
}
