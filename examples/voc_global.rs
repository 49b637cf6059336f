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

use clap::Parser;
use serde::Serialize;
use tkmia::attacks::{AttackName, Stop, Variant};
use tkmia::data::{Dataset, DatasetKind, Transform, Voc2012};
use tkmia::experiment::{Campaign, DataSpec, Experiment, MethodSpec, TableSpec, Values, Victim};
use tkmia::models::{Architecture, Loaded, architecture};

mod terminal;

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
    /// The victim: a ResNet in an ONNX, safetensors or PyTorch file, one score for each of the 20 classes
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
    /// Learning rate η [default: 1e-3]
    #[arg(long)]
    lr: Option<f64>,
    /// Weight α of the perturbation's norm [default: 1e-4]
    #[arg(long)]
    alpha: Option<f64>,
    /// Momentum of the gradient descent [default: 0.9]
    #[arg(long)]
    momentum: Option<f64>,
    /// Forward passes per sample at most
    #[arg(long, default_value_t = 300)]
    max_iterations: usize,
    /// When a sample is done: excluded (all specified labels that were in the top-k have left it),
    /// imperceptible, measure-preserving, precision-preserved or all-relevant-out, also joined by `and`, `or`
    /// and `not`
    #[arg(long, default_value = "excluded")]
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
    /// Folder for records, tables and the picture; one with records of the same run goes on
    #[arg(long, value_name = "DIR", default_value = "out/voc_global")]
    output: PathBuf,
    /// Samples in the picture
    #[arg(long, default_value_t = 6)]
    picture_samples: usize,
}

const EXAMPLES: &str = "Examples:
  voc_global
  voc_global --types Person,Animals --k 2 --samples 20
  voc_global --voc-root VOCdevkit/VOC2012 --model resnet50_voc.onnx --variant released --device cuda:0";

fn asset(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(path)
}

fn main() -> ExitCode {
    terminal::main(|| run(&Arguments::parse()))
}

/// How many of each setting's first samples have their images kept, to find a success to picture.
const KEPT: usize = 3;

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let kind = DatasetKind::Voc2012;
    let (root, split) = (arguments.voc_root.clone(), arguments.split.clone());
    let voc = Voc2012::open(&root, &split)?;
    let table = TableSpec {
        max_iterations: Some(Values::One(arguments.max_iterations)),
        stop: Some(arguments.stop.clone()),
        ..TableSpec::global(&arguments.types, &arguments.k)
    };
    let method = MethodSpec::new(AttackName::Tkmia)
        .with("variant", arguments.variant)
        .with("lr", arguments.lr)
        .with("alpha", arguments.alpha)
        .with("momentum", arguments.momentum);
    let title = format!("TkMIA on {}, global scheme", voc.name());
    let data = DataSpec { name: None, kind, root: Some(root), split: Some(split) };
    let mut experiment = Experiment::new(title, data, vec![table], vec![method]);
    experiment.budget.samples = arguments.samples;
    experiment.pictures = KEPT.min(arguments.picture_samples);
    experiment.victim.tagger.input_size = arguments.input_size;

    let (Loaded { classifier, tagger, .. }, facts) =
        terminal::open(&arguments.model, &experiment.victim.tagger, &arguments.device)?;
    let transform = Transform::new(&tagger, kind, &classifier)?;
    let victim = Victim::new(&classifier, &voc, &transform)?;
    let workers = terminal::workers(arguments.workers, arguments.batch_size, &arguments.device);
    let attack = &experiment.expand(voc.name())?[0].grids[0][0];
    println!("victim   {}", facts.description);
    println!("images   {} of {} {}", voc.len(), voc.name(), arguments.split);
    println!("attack   {attack}");

    let campaign = Campaign::new(&experiment, victim, &facts, &arguments.output, workers);
    let clean = terminal::run(&campaign, &arguments.k, arguments.picture_samples)?;
    let victim = &architecture(&arguments.model)?;
    let settings = serde_json::to_vec_pretty(&RunSettings { arguments, victim, clean: &clean })?;
    fs::write(arguments.output.join("settings.json"), settings)?;
    Ok(())
}

/// What the run was: enough to run it again.
#[derive(Serialize)]
struct RunSettings<'a> {
    arguments: &'a Arguments,
    victim: &'a Architecture,
    clean: &'a [terminal::CleanMeasures],
}
