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
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;
use tkmia::attacks::{Method, Settings, Variant, criterion};
use tkmia::core::{Classifier, device};
use tkmia::data::{Dataset, Resize, Transform, Voc2012};
use tkmia::eval::{Audit, CleanMeasures, Contender, Victim, Workers, write_whole};
use tkmia::models::{Architecture, load};

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
    /// When a sample is done: excluded (all specified labels that were in the top-k have left it),
    /// imperceptible, measure-preserving, precision-preserved or all-relevant-out
    #[arg(long, default_value = "excluded")]
    stop: String,
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

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let classifier = load(&arguments.model, &device(&arguments.device)?)?;
    let voc = Voc2012::open(&arguments.voc_root, &arguments.split)?;
    let side = terminal::input_side(&classifier, arguments.input_size)?;
    let transform = Transform { resize: Resize::ShortSide(side), bounds: classifier.bounds() };
    let criterion = criterion(&arguments.stop, None)?;
    let settings = Settings {
        method: Method::Tkmia,
        variant: arguments.variant,
        learning_rate: arguments.lr,
        alpha: arguments.alpha,
        momentum: arguments.momentum,
        max_iterations: arguments.max_iterations,
        criterion: criterion.clone(),
        ..Settings::default()
    };
    let (name, attack) = (settings.name(), settings.init(classifier.bounds())?);
    let audit = Audit {
        victim: Victim::new(&classifier, &voc, &transform)?,
        method: Contender {
            name: &name,
            attack: attack.as_ref(),
            criterion: criterion.as_ref(),
            targets: None,
        },
        types: &arguments.types,
        ks: &arguments.k,
        samples: arguments.samples,
        workers: Workers {
            count: terminal::workers(arguments.workers, &arguments.device),
            batch_size: arguments.batch_size,
            stop: &terminal::STOP,
        },
        output: &arguments.output,
    };
    println!("victim   {}", classifier.architecture());
    println!("images   {} of {} {}", voc.len(), voc.name(), arguments.split);
    println!("attack   {name}");

    let (clean, findings) = terminal::run(&audit)?;
    let (victim, clean) = (classifier.architecture(), &clean.measures);
    let settings = serde_json::to_vec_pretty(&RunSettings { arguments, victim, clean })?;
    write_whole(&audit.output.join("settings.json"), &settings)?;
    println!("\n{}", audit.report(&findings, arguments.picture_samples)?);
    println!("written  {}", audit.output.display());
    Ok(())
}

/// What the run was: enough to run it again.
#[derive(Serialize)]
struct RunSettings<'a> {
    arguments: &'a Arguments,
    victim: &'a Architecture,
    clean: &'a [CleanMeasures],
}
