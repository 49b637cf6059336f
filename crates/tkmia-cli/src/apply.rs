//! `tkmia apply`.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use burn::tensor::{Tensor, TensorData};
use clap::Args;
use tkmia_attacks::{Attack, Stop};
use tkmia_core::device;
use tkmia_experiment::read_perturbation;
use tkmia_file::{Axis, Npz};
use tkmia_models::{Source, model_files};

use crate::attack::{Work, attack_all, ended};
use crate::computing::Computing;
use crate::error::CliError;
use crate::input::{self, Input};
use crate::knobs::TaggerFlags;
use crate::network::load_noting;
use crate::output::{Output, add, tell};
use crate::progress;

/// Add a universal perturbation to images
///
/// V.npz: a perturbation as `tkmia attack --fit --perturbation` and `tkmia run` write it. IN.npz: images
/// float32 [n, 3, h, w]. OUT.npz: adversarial float32 [n, 3, h, w].
///
/// With --model, IN.npz also has labels and specified, and OUT.npz the arrays of `tkmia attack`: how well the
/// perturbation does on these images and this model, beside its controls.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The perturbation
    #[arg(long, value_name = "V.npz")]
    perturbation: PathBuf,
    /// The images
    #[arg(short, long, value_name = "IN.npz")]
    input: PathBuf,
    /// A victim to try them on
    #[arg(short, long, value_name = "FILE", requires = "k")]
    model: Option<PathBuf>,
    #[command(flatten)]
    tagger: TaggerFlags,
    /// Size of the predicted set
    #[arg(short, long, requires = "model")]
    k: Option<usize>,
    /// What counts as success [default: excluded]
    #[arg(long, requires = "model")]
    stop: Option<Stop>,
    #[command(flatten)]
    computing: Computing,
    /// Where the results go
    #[arg(short, long, value_name = "OUT.npz")]
    output: PathBuf,
}

const EXAMPLES: &str = "Examples:
  tkmia apply --perturbation v.npz --input images.npz --output out.npz
  tkmia apply --perturbation v.npz --input in.npz --model resnet50_voc.onnx --k 3 --output out.npz";

/// Images whose perturbed ones are held at once, beside the results.
const BATCH: usize = 64;

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    if arguments.model.is_none() {
        let said = arguments.tagger.0.to_string();
        let cut_up =
            arguments.computing.is_cut_up().then(|| "--batch-size or --workers".to_owned());
        if let Some(said) = Some(said).filter(|said| !said.is_empty()).or(cut_up) {
            return Err(CliError::NoVictim { said }.into());
        }
    }
    let device = device(&arguments.computing.device)?;
    let (perturbation, bounds) = read_perturbation(&arguments.perturbation, &device)?;
    if let (Some(model), Some(k)) = (&arguments.model, arguments.k) {
        let mut inputs = model_files(model)?;
        inputs.extend([arguments.input.clone(), arguments.perturbation.clone()]);
        progress::watch_interrupt()?;
        let model =
            load_noting(&Source::File(model.clone()), &arguments.tagger.0, &device)?.classifier;
        let attack = perturbation.attack(arguments.stop.clone().unwrap_or_default());
        attack.check(&*model)?;
        let input = Input::read(&arguments.input, &*model, k, None)?;
        let output = Output::create(&arguments.output, &inputs)?;
        let workers = arguments.computing.workers(&*model, [input.shape[2], input.shape[3]]);
        let work = Work {
            model: &*model,
            surrogate: None,
            attack: &attack,
            input: &input,
            targets: None,
            controlled: Some(&perturbation),
            trace: false,
        };
        let results = attack_all(&work, workers, None)?;
        output.finish(|npz| results.add_to(npz))?;
        let says = format!("k = {k}: {}", results.summary(perturbation.view()));
        tell(&arguments.output, &says)?;
        return ended(&results, &arguments.output);
    }
    let [.., height, width] = perturbation.values().dims();
    let mut npz = Npz::open(&arguments.input)?;
    let size = [Axis::Is(height), Axis::Is(width)];
    let (images, shape) = input::images(
        &mut npz,
        &arguments.input,
        "images",
        (size, "as the perturbation's"),
        bounds,
    )?;
    let inputs = [arguments.input.clone(), arguments.perturbation.clone()];
    let output = Output::create(&arguments.output, &inputs)?;
    let mut adversarial = Vec::with_capacity(images.len());
    let one: usize = shape[1..].iter().product();
    for images in images.chunks(BATCH * one) {
        let data = TensorData::new(images.to_vec(), [images.len() / one, 3, height, width]);
        let applied = perturbation.apply(Tensor::from_data(data, &device), None, bounds)?;
        adversarial.extend(applied.try_to_vec_as::<f32>()?);
    }
    output.finish(|npz| add(npz, "adversarial", shape, &adversarial))?;
    tell(&arguments.output, &format!("{} images perturbed\n", shape[0]))?;
    Ok(ExitCode::SUCCESS)
}
