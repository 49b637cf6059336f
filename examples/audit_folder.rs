//! TkMIA on a folder of tagged photographs: those in `assets/`, or your own with your own model.
//!
//! ```text
//! cargo run --release --example audit_folder
//! cargo run --release --example audit_folder -- --folder photos --model tagger.onnx --labels person,dog --k 3
//! ```
//!
//! The folder holds the images and `labels.csv`: a header `image,<label>,<label>,…` with one column
//! for each score of the model, in its order, and a row of 0 and 1 for each image.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use tkmia::attacks::{AttackName, Variant};
use tkmia::core::{Fit, Tagger};
use tkmia::data::{Dataset, DatasetKind, Folder, Transform};
use tkmia::experiment::{
    Campaign, DataSpec, Experiment, MethodSpec, TableSpec, Values, Victim, VictimSpec,
};
use tkmia::models::Loaded;

mod terminal;

/// Find out how small a perturbation hides labels from a tagger's top-k without its measures showing it.
#[derive(Debug, Parser)]
#[command(name = "audit_folder")]
struct Arguments {
    /// Folder of images with a labels.csv
    #[arg(long, value_name = "DIR", default_value_os_t = asset("photographs"))]
    folder: PathBuf,
    /// The tagger: an ONNX file, or a ResNet in a safetensors or PyTorch file, one score for each column of labels.csv
    #[arg(long, value_name = "FILE", default_value_os_t = asset("efficientnet-lite0/efficientnet-lite0.onnx"))]
    model: PathBuf,
    /// Labels to push out of the top-k, each in turn [default: of each image one of its own, drawn anew for each k]
    #[arg(long, value_delimiter = ',')]
    labels: Vec<String>,
    /// Sizes of the predicted set
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    k: Vec<usize>,
    /// Form of the attack: corrected, released as in the published code, or min-norm, which lowers no measure
    #[arg(long, default_value = "corrected")]
    variant: Variant,
    /// Forward passes for each image at most
    #[arg(long, default_value_t = 300)]
    max_iterations: usize,
    /// Cut a square out of the middle (after resizing the short side) instead of squeezing images into one
    #[arg(long)]
    centre_crop: bool,
    /// Height and width of the model's input; needed only where the file leaves it open
    #[arg(long, value_name = "PIXELS")]
    input_size: Option<u32>,
    /// Images per label and k at most
    #[arg(long, default_value_t = 1000)]
    samples: usize,
    /// Device: cpu, ndarray, cuda:N or wgpu, as far as compiled in
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Folder for records, tables and the picture
    #[arg(long, value_name = "DIR", default_value = "out/audit_folder")]
    output: PathBuf,
}

fn asset(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(path)
}

fn main() -> ExitCode {
    terminal::main(|| run(&Arguments::parse()))
}

/// Samples in the picture.
const PICTURED: usize = 4;

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let (kind, root) = (DatasetKind::Folder, arguments.folder.clone());
    let folder = Folder::open(&root)?;
    let data = DataSpec { name: None, kind, root: Some(root), split: None };
    let table = match arguments.labels.as_slice() {
        [] => TableSpec::random(&[1], &arguments.k),
        labels => TableSpec::global(labels, &arguments.k),
    };
    let max_iterations = Some(Values::One(arguments.max_iterations));
    let table = TableSpec { max_iterations, ..table };
    let methods = vec![MethodSpec::new(AttackName::Tkmia).with("variant", arguments.variant)];
    let title = format!("TkMIA on {}", folder.name());
    let mut experiment = Experiment::new(title, data, vec![table], methods);
    experiment.budget.samples = arguments.samples;
    experiment.budget.draws = 1;
    experiment.pictures = PICTURED;
    experiment.victim = VictimSpec {
        model: Some(arguments.model.clone()),
        tagger: Tagger {
            input_size: arguments.input_size,
            resize: arguments.centre_crop.then_some(Fit::ShortSide),
            ..Tagger::default()
        },
        ..VictimSpec::default()
    };

    let (Loaded { classifier, tagger, .. }, facts) =
        terminal::open(&arguments.model, &experiment.victim.tagger, &arguments.device)?;
    let transform = Transform::new(&tagger, kind, &classifier)?;
    let victim = Victim::new(&classifier, &folder, &transform)?;
    let workers = terminal::workers(None, 8, &arguments.device);
    println!("victim   {}", facts.description);
    println!("images   {} of {}", folder.len(), folder.name());
    let campaign = Campaign::new(&experiment, victim, &facts, &arguments.output, workers);
    terminal::run(&campaign, &arguments.k, PICTURED)?;
    Ok(())
}
