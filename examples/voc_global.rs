//! TkMIA on VOC 2012 under the global selection scheme, as in the paper's Table 15.
//!
//! Without arguments it attacks a small ResNet-50 on mini-VOC, the synthetic scenes in `assets/`:
//!
//! ```text
//! cargo run --release --example voc_global
//! ```
//!
//! The real thing, with your own export of a fine-tuned ResNet:
//!
//! ```text
//! cargo run --release --example voc_global -- --voc-root VOCdevkit/VOC2012 --model resnet50_voc.onnx
//! ```

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tkmia::attacks::{
    Attack, Criterion, Excluded, Imperceptible, MeasurePreserving, Tkmia, Variant,
};
use tkmia::core::{Classifier, device};
use tkmia::data::{Dataset, Resize, Transform, Voc2012};
use tkmia::eval::{
    Attacked, GlobalSetting, Method, RecordFile, Summary, Victim, Workers, illustrate, markdown,
    write_csv, write_whole,
};
use tkmia::metrics::{MeanMeasures, mean_measures};
use tkmia::models::load_onnx;

/// Attack a multi-label ResNet on VOC 2012 with TkMIA: push labels of chosen types out of its top-k
/// while its ranking measures stay as they were.
#[derive(Debug, Parser, Serialize)]
#[command(name = "voc_global", after_help = EXAMPLES)]
struct Arguments {
    /// Folder in VOC 2012's layout (Annotations, ImageSets, JPEGImages)
    #[arg(long, value_name = "DIR", default_value_os_t = asset("mini-voc/VOC2012"))]
    voc_root: PathBuf,
    /// Which list of ImageSets/Main
    #[arg(long, default_value = "val")]
    split: String,
    /// The victim: a ResNet exported to ONNX, one score for each of the 20 classes
    #[arg(long, value_name = "FILE", default_value_os_t = asset("victims/resnet50-mini-voc.onnx"))]
    model: PathBuf,
    /// Height and width of the victim's input; needed only where the file leaves it open
    #[arg(long, value_name = "PIXELS")]
    input_size: Option<u32>,
    /// Types of labels to push out: Vehicles, Animals, Household, Person, or single classes
    #[arg(long, value_delimiter = ',', default_value = "Person,Animals,Vehicles,Household")]
    types: Vec<String>,
    /// Sizes of the predicted set
    #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
    k: Vec<usize>,
    /// Samples per setting at most, in the data set's order (the paper: 1000)
    #[arg(long, default_value_t = 1000)]
    samples: usize,
    /// Form of the attack: corrected, or released as in the published code
    #[arg(long, default_value = "corrected")]
    variant: Variant,
    /// Learning rate η
    #[arg(long, default_value_t = 1e-3)]
    lr: f64,
    /// Weight α of the perturbation's norm
    #[arg(long, default_value_t = 1e-4)]
    alpha: f64,
    /// Momentum of the gradient descent
    #[arg(long, default_value_t = 0.9)]
    momentum: f64,
    /// Forward passes per sample at most
    #[arg(long, default_value_t = 300)]
    max_iterations: usize,
    /// When a sample is done
    #[arg(long, value_enum, default_value_t = Stop::Excluded)]
    stop: Stop,
    /// Images per batch
    #[arg(long, default_value_t = 8)]
    batch_size: usize,
    /// Batches under way at once [default: one per core on CPUs, 1 on GPUs]
    #[arg(long)]
    workers: Option<usize>,
    /// Device: cpu, ndarray, cuda:N or wgpu, as far as compiled in
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Folder for records, tables and the picture
    #[arg(long, value_name = "DIR", default_value = "out/voc_global")]
    output: PathBuf,
    /// Samples in the picture
    #[arg(long, default_value_t = 6)]
    picture_samples: usize,
    /// Factor by which the picture magnifies perturbations
    #[arg(long, default_value_t = 100.0)]
    magnification: f32,
}

const EXAMPLES: &str = "Examples:
  voc_global
  voc_global --types Person,Animals --k 2 --samples 20
  voc_global --voc-root VOCdevkit/VOC2012 --model resnet50_voc.onnx --variant released --device cuda:0";

/// When a sample is done.
#[derive(Debug, Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Stop {
    /// All specified labels that were in the top-k have left it (the paper's evaluation)
    Excluded,
    /// No specified label is in the top-k and the other relevant ones fill it (the paper's Eq. 2)
    Imperceptible,
    /// No specified label is in the top-k and no fewer relevant ones than before
    MeasurePreserving,
}

impl Stop {
    fn criterion(self) -> Box<dyn Criterion> {
        match self {
            Self::Excluded => Box::new(Excluded::default()),
            Self::Imperceptible => Box::new(Imperceptible),
            Self::MeasurePreserving => Box::new(MeasurePreserving),
        }
    }
}

fn asset(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(path)
}

/// Set by Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) if STOP.load(Ordering::Relaxed) => ExitCode::from(130),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("error: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprint!(": {cause}");
                source = cause.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed))?;
    let device = device(&arguments.device)?;
    let classifier = load_onnx(&arguments.model, &device)?;
    let voc = Voc2012::open(&arguments.voc_root, &arguments.split)?;
    let side = input_side(&classifier, arguments.input_size)?;
    let transform = Transform { resize: Resize::ShortSide(side), bounds: classifier.bounds() };
    let victim = Victim::new(&classifier, &voc, &transform)?;
    let attack = Tkmia {
        variant: arguments.variant,
        learning_rate: arguments.lr,
        alpha: arguments.alpha,
        momentum: arguments.momentum,
        max_iterations: arguments.max_iterations,
        criterion: arguments.stop.criterion(),
    }
    .init(classifier.bounds())?;
    let on_cpu = ["cpu", "ndarray"].contains(&arguments.device.as_str());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let count = arguments.workers.unwrap_or(if on_cpu { cores } else { 1 });
    let workers = Workers { count, batch_size: arguments.batch_size, stop: &STOP };

    println!("victim   {}", classifier.architecture());
    println!("images   {} of {} {}", voc.len(), voc.name(), arguments.split);
    fs::create_dir_all(&arguments.output)
        .map_err(|error| format!("{}: {error}", arguments.output.display()))?;

    let bar = progress(voc.len(), "clean scores");
    let clean_scores = victim.clean_scores(&attack, workers, |images| bar.inc(images as u64))?;
    bar.finish_and_clear();
    let clean = clean_measures(&voc, &clean_scores, &arguments.k)?;

    let mut settings = Vec::new();
    for types in &arguments.types {
        for &k in &arguments.k {
            let limit = arguments.samples;
            settings.push(GlobalSetting::new(&voc, types, k, &clean_scores, limit)?);
        }
    }

    let name = format!("tkmia ({})", arguments.variant.name());
    let criterion = arguments.stop.criterion();
    let method = Method { name: &name, attack: &attack, criterion: criterion.as_ref() };
    let mut file = RecordFile::create(arguments.output.join("records.jsonl"))?;
    let (mut records, mut pictured) = (Vec::new(), Vec::new());
    let total = settings.iter().map(|setting| setting.samples.len()).sum();
    let bar = progress(total, "attacks");
    for setting in &settings {
        bar.set_message(format!("{}, k = {}", setting.name.types, setting.name.k));
        let mut shown: Option<Attacked> = None;
        setting.run(
            &victim,
            &method,
            workers,
            |ended| bar.inc(ended as u64),
            |attacked| {
                file.append(&attacked.record)?;
                records.push(attacked.record.clone());
                if shown.is_none() && attacked.record.success {
                    shown = Some(attacked);
                }
                Ok(())
            },
        )?;
        pictured.extend(shown);
    }
    bar.finish_and_clear();
    file.finish()?;

    let rows = Summary::of(&records)?;
    let table = markdown(&rows);
    println!("method   {name}\n\n{table}");
    write_whole(&arguments.output.join("table.md"), table.as_bytes())?;
    write_csv(&rows, &arguments.output.join("table.csv"))?;
    let about = About { arguments, victim: classifier.architecture(), clean };
    let about = serde_json::to_vec_pretty(&about)?;
    write_whole(&arguments.output.join("settings.json"), &about)?;
    draw(arguments, &pictured, &voc, &classifier, side, &name)?;

    if STOP.load(Ordering::Relaxed) {
        println!("interrupted: {} of {total} samples are done and written", records.len());
    }
    println!("written  {}", arguments.output.display());
    Ok(())
}

/// What the run was: enough to run it again.
#[derive(Serialize)]
struct About<'a> {
    arguments: &'a Arguments,
    victim: &'a tkmia::models::Architecture,
    clean: Vec<CleanRow>,
}

/// The victim's measures on unattacked images.
#[derive(Serialize)]
struct CleanRow {
    k: usize,
    #[serde(flatten)]
    measures: MeanMeasures,
}

fn clean_measures(
    voc: &Voc2012,
    scores: &[Vec<f32>],
    ks: &[usize],
) -> Result<Vec<CleanRow>, Box<dyn Error>> {
    let relevant: Vec<&[bool]> = (0..scores.len()).map(|row| voc.labels().row(row)).collect();
    let mut rows = Vec::new();
    for &k in ks {
        let Some(measures) = mean_measures(scores, &relevant, k)? else { continue };
        let MeanMeasures { p, ap, ndcg, tkacc_released, .. } = measures;
        println!(
            "clean    k = {k}: P@k {p:.3}, mAP@k {ap:.3}, NDCG@k {ndcg:.3}, TkAcc {tkacc_released:.3}"
        );
        rows.push(CleanRow { k, measures });
    }
    Ok(rows)
}

fn input_side(classifier: &dyn Classifier, given: Option<u32>) -> Result<u32, String> {
    match (classifier.input_size(), given) {
        (Some([height, width]), _) if height != width => {
            Err(format!("the model takes {height}×{width} images; VOC's transform gives squares"))
        }
        (Some([side, _]), Some(given)) if given as usize != side => {
            Err(format!("--input-size {given}: the model takes {side}×{side} images"))
        }
        (Some([side, _]), _) => Ok(side as u32),
        (None, Some(0)) => Err("--input-size must be at least 1".to_owned()),
        (None, Some(side)) => Ok(side),
        (None, None) => Err("the model takes images of any size: say --input-size".to_owned()),
    }
}

fn draw(
    arguments: &Arguments,
    pictured: &[Attacked],
    voc: &Voc2012,
    classifier: &dyn Classifier,
    side: u32,
    method: &str,
) -> Result<(), Box<dyn Error>> {
    // One success of each setting at most, spread evenly over the settings.
    let every = pictured.len().div_ceil(arguments.picture_samples.max(1)).max(1);
    let samples: Vec<Attacked> = pictured.iter().step_by(every).cloned().collect();
    if samples.is_empty() || arguments.picture_samples == 0 {
        return Ok(());
    }
    let heading = format!("{method} on {}, global selection", voc.name());
    let (size, bounds) = ([side as usize; 2], classifier.bounds());
    let magnification = arguments.magnification;
    let picture = illustrate(&samples, voc.classes(), size, bounds, &heading, magnification)?;
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png)?;
    Ok(write_whole(&arguments.output.join("figure.png"), png.get_ref())?)
}

fn progress(length: usize, what: &str) -> ProgressBar {
    let template = "{prefix:13} {bar:32} {pos}/{len}  {elapsed} (left {eta})  {msg}";
    let style = ProgressStyle::with_template(template).expect("the template is a valid one");
    let bar = ProgressBar::new(length as u64).with_style(style).with_prefix(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
