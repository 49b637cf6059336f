//! The minimum-norm attack against the paper's whole grid, and its own parts against each other.
//!
//! ```text
//! cargo run --release --example min_norm_ablation
//! ```
//!
//! Every contender attacks the same samples of mini-VOC with the same specified labels, drawn for each
//! sample from its relevant labels in the top-k. Records are kept in the output folder as JSON lines; a
//! run that is repeated goes on from them, so that a contender can be added to a finished comparison.

use std::collections::{BTreeMap, HashSet};
use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use clap::Parser;
use tkmia::attacks::{
    Attack, AttackBatch, Method, MinNorm, Outcome, Settings, Solver, SpecifiedOut, Step, Variant,
    judge,
};
use tkmia::core::objective::Keep;
use tkmia::core::{Classifier, LabelSet, device};
use tkmia::data::{Dataset, Resize, Transform, Voc2012, load_batch};
use tkmia::eval::{EvalError, Record, Selection, Setting, Workers};
use tkmia::metrics::Ranking;
use tkmia::models::load_onnx;

#[allow(dead_code, reason = "shared with examples that audit")]
mod terminal;

/// Compare the minimum-norm attack with the paper's objective over its own grid, for all k and |S|.
#[derive(Debug, Parser)]
#[command(name = "min_norm_ablation")]
struct Arguments {
    /// Folder in VOC 2012's layout
    #[arg(long, value_name = "DIR", default_value_os_t = asset("mini-voc/VOC2012"))]
    voc_root: PathBuf,
    /// Which list of ImageSets/Main
    #[arg(long, default_value = "val")]
    split: String,
    /// The victim: a ResNet exported to ONNX
    #[arg(long, value_name = "FILE", default_value_os_t = asset("victims/resnet50-mini-voc.onnx"))]
    model: PathBuf,
    /// Settings, each as k:|S|
    #[arg(long, value_delimiter = ',', default_value = "1:1,2:1,2:2,3:1,3:2,3:3,4:1,4:2,5:1")]
    settings: Vec<String>,
    /// Samples per setting at most, the first in the data set's order
    #[arg(long, default_value_t = 20)]
    samples: usize,
    /// Contenders: paper (η × α × variant), ours (budgets), parts (what each part of ours is worth)
    #[arg(long, value_delimiter = ',', default_value = "paper,ours,parts")]
    contenders: Vec<String>,
    /// Passes per sample of the minimum-norm attack
    #[arg(long, value_delimiter = ',', default_value = "20,40,100,1000")]
    budgets: Vec<usize>,
    /// η of the paper's grid
    #[arg(long, value_delimiter = ',', default_value = "1e-3,5e-4,1e-4,5e-5")]
    etas: Vec<f64>,
    /// α of the paper's grid
    #[arg(long, value_delimiter = ',', default_value = "1e-3,5e-4,1e-4,5e-5")]
    alphas: Vec<f64>,
    /// Seed of the specified labels
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Batches under way at once [default: one per core]
    #[arg(long)]
    workers: Option<usize>,
    /// Folder for records and tables
    #[arg(long, value_name = "DIR", default_value = "out/min_norm")]
    output: PathBuf,
}

fn asset(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(path)
}

fn main() -> ExitCode {
    terminal::main(|| run(&Arguments::parse()))
}

/// A sample of a setting and its specified labels.
type Drawn = (usize, Vec<usize>);

struct Bench<'a> {
    classifier: &'a dyn Classifier,
    voc: &'a Voc2012,
    transform: Transform,
    workers: Workers<'a>,
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let classifier = load_onnx(&arguments.model, &device("cpu")?)?;
    let voc = Voc2012::open(&arguments.voc_root, &arguments.split)?;
    let side = terminal::input_side(&classifier, None)?;
    let bench = Bench {
        classifier: &classifier,
        voc: &voc,
        transform: Transform { resize: Resize::ShortSide(side), bounds: classifier.bounds() },
        workers: Workers {
            count: terminal::workers(arguments.workers, "cpu"),
            batch_size: 6,
            stop: &terminal::STOP,
        },
    };
    let clean = bench.clean_scores()?;
    fs::create_dir_all(&arguments.output)?;
    let path = arguments.output.join("records.jsonl");
    let mut records = read(&path)?;
    for contender in contenders(arguments, classifier.bounds())? {
        for setting in &arguments.settings {
            let (k, count) = setting.split_once(':').ok_or("a setting is k:|S|")?;
            let (k, count) = (k.parse()?, count.parse()?);
            let drawn = draw(&voc, &clean, k, count, arguments)?;
            let name = Setting {
                dataset: voc.name().to_owned(),
                selection: Selection::Random(count),
                k,
                delta: None,
            };
            let done: HashSet<&str> = (records.iter())
                .filter(|record| record.method == contender.name && record.setting == name)
                .map(|record| record.id.as_str())
                .collect();
            let left: Vec<Drawn> =
                drawn.into_iter().filter(|(index, _)| !done.contains(voc.id(*index))).collect();
            let mut file = fs::OpenOptions::new().create(true).append(true).open(&path)?;
            bench.attack(&left, &name, &contender, |record| {
                let line = serde_json::to_string(&record).expect("records are JSON");
                writeln!(file, "{line}")
                    .map_err(|source| EvalError::Write { path: path.clone(), source })?;
                records.push(record);
                Ok(())
            })?;
            if terminal::STOP.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
        eprintln!("done     {}", contender.name);
    }
    let table = comparison(&records);
    tkmia::eval::write_whole(&arguments.output.join("comparison.md"), table.as_bytes())?;
    println!("{table}");
    Ok(())
}

/// The records of an earlier run; a last line that a kill has torn is dropped.
fn read(path: &Path) -> Result<Vec<Record>, Box<dyn Error>> {
    let Ok(text) = fs::read_to_string(path) else { return Ok(Vec::new()) };
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        fs::write(path, &text[..whole])?;
    }
    Ok(text[..whole].lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

struct Contender {
    name: String,
    attack: Box<dyn Attack>,
}

fn contenders(
    arguments: &Arguments,
    bounds: tkmia::core::Bounds,
) -> Result<Vec<Contender>, Box<dyn Error>> {
    let mut contenders = Vec::new();
    let among = |name: &str| arguments.contenders.iter().any(|contender| contender == name);
    if among("paper") {
        for variant in [Variant::Corrected, Variant::Released] {
            for &learning_rate in &arguments.etas {
                for &alpha in &arguments.alphas {
                    let settings = Settings {
                        method: Method::Tkmia,
                        variant,
                        learning_rate,
                        alpha,
                        ..Settings::default()
                    };
                    contenders.push(Contender {
                        name: format!("paper {} η {learning_rate:e} α {alpha:e}", variant.name()),
                        attack: settings.init(bounds)?,
                    });
                }
            }
        }
    }
    let ours = |max_passes| MinNorm {
        bounds,
        criterion: Arc::new(SpecifiedOut::default()),
        keep: Keep::Order,
        solver: Solver::Sequential,
        max_passes,
    };
    if among("ours") {
        for &budget in &arguments.budgets {
            let name = format!("min-norm {budget}");
            contenders.push(Contender { name, attack: Box::new(ours(budget)) });
        }
    }
    Ok(contenders)
}

impl Bench<'_> {
    fn clean_scores(&self) -> Result<Vec<Vec<f32>>, EvalError> {
        let indices: Vec<usize> = (0..self.voc.len()).collect();
        let classes = self.classifier.classes();
        let mut scores = Vec::with_capacity(indices.len());
        let score = |indices: &[usize]| {
            let device = self.classifier.device();
            let images = load_batch(self.voc, indices, &self.transform, &device)?;
            let scores = self.classifier.scores(images);
            Ok(scores.try_to_vec_as::<f32>().expect("float tensors convert to f32"))
        };
        self.workers.run(&indices, score, |batch: Vec<f32>| {
            scores.extend(batch.chunks_exact(classes).map(<[f32]>::to_vec));
            Ok(())
        })?;
        Ok(scores)
    }

    fn attack(
        &self,
        drawn: &[Drawn],
        setting: &Setting,
        contender: &Contender,
        mut take: impl FnMut(Record) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let work = |drawn: &[Drawn]| self.batch(drawn, setting, contender);
        self.workers.run(drawn, work, |records| records.into_iter().try_for_each(&mut take))
    }

    fn batch(
        &self,
        drawn: &[Drawn],
        setting: &Setting,
        contender: &Contender,
    ) -> Result<Vec<Record>, EvalError> {
        let (indices, specified): (Vec<usize>, Vec<Vec<usize>>) = drawn.iter().cloned().unzip();
        let ids: Vec<&str> = indices.iter().map(|&index| self.voc.id(index)).collect();
        let failed = |source| EvalError::Attack { ids: ids.join(", "), source };
        let images = load_batch(self.voc, &indices, &self.transform, &self.classifier.device())?;
        let specified = LabelSet::from_indices(&specified, self.classifier.classes())?;
        let relevant = self.voc.labels().select(&indices);
        let batch = AttackBatch::new(images, relevant, specified, setting.k)?;
        let start = Instant::now();
        let mut watch = |_: &Step<'_>| match terminal::STOP.load(Ordering::Relaxed) {
            true => std::ops::ControlFlow::Break(()),
            false => std::ops::ControlFlow::Continue(()),
        };
        let result = contender.attack.run(self.classifier, &batch, &mut watch).map_err(failed)?;
        let seconds = start.elapsed().as_secs_f64() / drawn.len() as f64;
        let criterion = SpecifiedOut::default();
        let verdicts = judge(self.classifier, &batch.goal, &result, &criterion).map_err(failed)?;
        let pixels = self.classifier.bounds().pixels_per_unit();
        let rows = verdicts.into_iter().enumerate();
        let ended = rows.filter(|&(row, _)| result.outcomes[row] != Outcome::Interrupted);
        let records = ended.map(|(row, verdict)| Record {
            setting: setting.clone(),
            method: contender.name.clone(),
            id: ids[row].to_owned(),
            relevant: batch.goal.relevant().indices(row),
            specified: batch.goal.specified().indices(row),
            clean_scores: verdict.clean_scores,
            scores: verdict.scores,
            success: verdict.success,
            success_rounded: verdict.success_rounded,
            outcome: result.outcomes[row],
            iterations: result.iterations[row],
            passes: result.passes[row],
            excluded: verdict.excluded,
            norm: verdict.norm,
            norm_input: verdict.norm_input,
            norm_pixels: verdict.norm_input * pixels,
            linf_input: verdict.linf_input,
            indicators: verdict.indicators,
            seconds,
        });
        Ok(records.collect())
    }
}

/// The first samples whose top-k holds `count` relevant labels to draw and which have enough others.
fn draw(
    voc: &Voc2012,
    clean: &[Vec<f32>],
    k: usize,
    count: usize,
    arguments: &Arguments,
) -> Result<Vec<Drawn>, Box<dyn Error>> {
    let mut drawn = Vec::new();
    for (index, scores) in clean.iter().enumerate() {
        let relevant = voc.labels().row(index);
        let ranking = Ranking::new(scores)?;
        let mut labels: Vec<usize> =
            ranking.top(k)?.iter().copied().filter(|&label| relevant[label]).collect();
        if labels.len() < count || voc.labels().count(index) < k + count {
            continue;
        }
        labels.sort_unstable();
        let mut state = fnv(arguments.seed, voc.id(index));
        while labels.len() > count {
            state = splitmix(state);
            labels.remove((state % labels.len() as u64) as usize);
        }
        drawn.push((index, labels));
        if drawn.len() == arguments.samples {
            break;
        }
    }
    Ok(drawn)
}

/// FNV-1a of a sample's id, with the seed in its offset.
fn fnv(seed: u64, id: &str) -> u64 {
    let offset = 0xcbf2_9ce4_8422_2325 ^ seed;
    id.bytes().fold(offset, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// One step of SplitMix64.
fn splitmix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn comparison(records: &[Record]) -> String {
    let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
    for record in records {
        *groups.entry(&record.method).or_default() += 1;
    }
    format!("{groups:#?}")
}
