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
use tkmia::attacks::{Settings, SpecifiedOut};
use tkmia::core::{Classifier, device};
use tkmia::data::{Dataset, Folder, Resize, Transform};
use tkmia::eval::{Audit, Contender, Victim, Workers};
use tkmia::models::load;

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
    let classifier = load(&arguments.model, &device(&arguments.device)?)?;
    let folder = Folder::open(&arguments.folder)?;
    let side = terminal::input_side(&classifier, arguments.input_size)?;
    let resize = match arguments.centre_crop {
        true => Resize::ShortSide(side),
        false => Resize::Square(side),
    };
    let transform = Transform { resize, bounds: classifier.bounds() };
    let settings = Settings::default();
    let (name, attack) = (settings.name(), settings.init(classifier.bounds())?);
    let audit = Audit {
        victim: Victim::new(&classifier, &folder, &transform)?,
        method: Contender {
            name: &name,
            attack: attack.as_ref(),
            criterion: &SpecifiedOut::default(),
            targets: None,
        },
        types: &arguments.labels,
        ks: &arguments.k,
        samples: arguments.samples,
        workers: Workers {
            count: terminal::workers(None, &arguments.device),
            batch_size: 8,
            stop: &terminal::STOP,
        },
        output: &arguments.output,
    };
    println!("victim   {}", classifier.architecture());
    println!("images   {} of {}", folder.len(), folder.name());
    let (_, findings) = terminal::run(&audit)?;
    println!("\n{}", audit.report(&findings, 6)?);
    println!("written  {}", arguments.output.display());
    Ok(())
}
