//! TkMIA on a folder of your own tagged images, with your own model.
//!
//! The folder holds the images and `labels.csv`: a header `image,<label>,<label>,…` with one column
//! for each score of the model, in its order, and a row of 0 and 1 for each image.
//!
//! ```text
//! cargo run --release --example audit_folder -- --folder photos --model tagger.onnx --labels person,dog --k 3
//! ```

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tkmia::attacks::AttackName;
use tkmia::core::{Classifier, device};
use tkmia::data::{Dataset, DatasetKind, Folder};
use tkmia::experiment::{
    Campaign, DataSpec, Experiment, MethodSpec, ResizeKind, TableSpec, Victim, VictimFacts,
    VictimSpec,
};
use tkmia::models::{fingerprint, load};

mod terminal;

/// Find out how small a perturbation hides labels from a tagger's top-k without its measures showing it.
#[derive(Debug, Parser)]
#[command(name = "audit_folder")]
struct Arguments {
    /// Folder of images with a labels.csv
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// The tagger: a ResNet in an ONNX, safetensors or PyTorch file, one score for each column of labels.csv
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Labels to push out of the top-k, each in turn
    #[arg(long, value_delimiter = ',', required = true)]
    labels: Vec<String>,
    /// Sizes of the predicted set
    #[arg(long, value_delimiter = ',', default_value = "3")]
    k: Vec<usize>,
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

fn main() -> ExitCode {
    terminal::main(|| run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let (kind, root) = (DatasetKind::Folder, arguments.folder.clone());
    let folder = Folder::open(&root)?;
    let data = DataSpec { name: None, kind, root: Some(root), split: None };
    let tables = vec![TableSpec::global(&arguments.labels, &arguments.k)];
    let methods = vec![MethodSpec::new(AttackName::Tkmia)];
    let title = format!("TkMIA on {}", folder.name());
    let mut experiment = Experiment::new(title, data, tables, methods);
    experiment.budget.samples = arguments.samples;
    experiment.victim = VictimSpec {
        model: Some(arguments.model.clone()),
        input_size: arguments.input_size,
        resize: arguments.centre_crop.then_some(ResizeKind::ShortSide),
        ..VictimSpec::default()
    };

    let classifier = load(&arguments.model, &device(&arguments.device)?)?;
    let sha256 = fingerprint(&arguments.model)?;
    let description = classifier.description();
    let facts = VictimFacts { sha256, description, ..VictimFacts::default() };
    let transform = experiment.victim.transform(kind, &classifier)?;
    let victim = Victim::new(&classifier, &folder, &transform)?;
    let workers = terminal::workers(None, 8, &arguments.device);
    println!("victim   {}", facts.description);
    println!("images   {} of {}", folder.len(), folder.name());
    let campaign = Campaign::new(&experiment, victim, &facts, &arguments.output, workers);
    terminal::run(&campaign, &arguments.k, 6)?;
    Ok(())
}
