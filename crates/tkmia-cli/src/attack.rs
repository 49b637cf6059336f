//! `tkmia attack`.

use std::error::Error;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::thread;

use burn::tensor::{Tensor, TensorData};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use tkmia_attacks::{
    Attack, AttackBatch, CRITERION_NAMES, Criterion, Method, Outcome, Settings, Step, Variant,
    criterion, judge,
};
use tkmia_core::{Classifier, device};
use tkmia_eval::{EvalError, Workers};
use tkmia_models::load;

use crate::error::CliError;
use crate::input::Input;
use crate::output::Output;
use crate::progress::{self, INTERRUPTED, STOP};
use crate::results::{Attacked, Results};

/// Attack images of an npz file, and write the adversarial ones to another
///
/// IN.npz: images float32 [n, 3, h, w] in [-1, 1]; labels and specified uint8 [n, c], 0 or 1.
///
/// OUT.npz: adversarial and perturbation float32 [n, 3, h, w], the latter in the variant's own space;
/// clean_scores and scores float32 [n, c] (logits); success uint8 [n]; iterations int64 [n]; norm
/// float32 [n], L2 of the perturbation; norm_input float32 [n], the same in model-input units; excluded
/// int64 [n]; with --trace loss float32 [n, max-iterations], NaN past the end.
///
/// Ctrl-C ends the run: OUT.npz then holds the finished rows and their indices, `rows` int64.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The victim: a ResNet in an ONNX, safetensors or PyTorch file
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Images, relevant and specified labels
    #[arg(long, value_name = "IN.npz")]
    input: PathBuf,
    /// The attack
    #[arg(long, default_value = Method::default().name(), value_parser = method_parser())]
    method: Method,
    /// Its form: corrected, as the published code is, or as the paper is printed
    #[arg(long, default_value = Variant::default().name(), value_parser = variant_parser())]
    variant: Variant,
    /// Size of the predicted set
    #[arg(long)]
    k: usize,
    /// Learning rate η; kfool has none
    #[arg(long, default_value_t = 1e-3, allow_negative_numbers = true)]
    lr: f64,
    /// Weight α of the perturbation's norm; kfool has none
    #[arg(long, default_value_t = 1e-4, allow_negative_numbers = true)]
    alpha: f64,
    /// Momentum of the gradient descent; kfool has none
    #[arg(long, default_value_t = 0.9, allow_negative_numbers = true)]
    momentum: f64,
    /// Forward passes for each image at most; for kfool steps
    #[arg(long, default_value_t = 300)]
    max_iterations: u32,
    /// When an image is done, and what counts as success
    #[arg(long, default_value = CRITERION_NAMES[0], value_parser = PossibleValuesParser::new(CRITERION_NAMES))]
    stop: String,
    /// Specified labels that must leave the top-k [default: all that are in the clean one]
    #[arg(long)]
    delta: Option<NonZeroUsize>,
    /// Images in a batch; has no influence on the results
    #[arg(long, default_value = "8")]
    batch_size: NonZeroUsize,
    /// Batches under way at once [default: one per core on CPUs, 1 on GPUs]
    #[arg(long)]
    workers: Option<NonZeroUsize>,
    /// Device: cpu, ndarray, cuda:N or wgpu, as far as compiled in
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Seed of random numbers, of which these methods draw none
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write the loss of each forward pass too
    #[arg(long)]
    trace: bool,
    /// What came of each image
    #[arg(long, value_name = "OUT.npz")]
    output: PathBuf,
}

const EXAMPLES: &str = "Examples:
  tkmia attack --model resnet50_voc.onnx --input in.npz --k 3 --output out.npz
  tkmia attack --model resnet50_voc.onnx --input in.npz --method tkml-ap-u --variant released --k 3 \\
      --lr 5e-4 --stop imperceptible --trace --output out.npz";

fn method_parser() -> impl TypedValueParser<Value = Method> {
    PossibleValuesParser::new(Method::ALL.map(Method::name)).try_map(|name| name.parse::<Method>())
}

fn variant_parser() -> impl TypedValueParser<Value = Variant> {
    PossibleValuesParser::new(Variant::ALL.map(Variant::name))
        .try_map(|name| name.parse::<Variant>())
}

impl Arguments {
    fn settings(&self) -> Result<Settings, Box<dyn Error>> {
        if self.delta.is_some() && self.stop != CRITERION_NAMES[0] {
            return Err(CliError::DeltaUnused { stop: self.stop.clone() }.into());
        }
        Ok(Settings {
            method: self.method,
            variant: self.variant,
            learning_rate: self.lr,
            alpha: self.alpha,
            momentum: self.momentum,
            max_iterations: self.max_iterations as usize,
            criterion: criterion(&self.stop, self.delta.map(NonZeroUsize::get))?,
        })
    }

    fn workers(&self) -> Workers<'static> {
        let on_cpu = ["cpu", "ndarray"].contains(&self.device.as_str());
        let cores = if on_cpu { thread::available_parallelism().ok() } else { None };
        let count = self.workers.or(cores).map_or(1, NonZeroUsize::get);
        Workers { count, batch_size: self.batch_size.get(), stop: &STOP }
    }
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    progress::watch_interrupt()?;
    let settings = arguments.settings()?;
    let model = load(&arguments.model, &device(&arguments.device)?)?;
    let attack = settings.init(model.bounds())?;
    let input = Input::read(&arguments.input, &model, arguments.k)?;
    let output = Output::create(&arguments.output)?;

    let rows: Vec<usize> = (0..input.shape[0]).collect();
    let bar = progress::bar(rows.len());
    let run = Run {
        model: &model,
        attack: attack.as_ref(),
        criterion: settings.criterion.as_ref(),
        input: &input,
        trace: arguments.trace,
    };
    let trace = arguments.trace.then_some(settings.max_iterations);
    let mut results = Results::new(input.shape, model.classes(), trace);
    let work = |rows: &[usize]| run.batch(rows, |finished| bar.inc(finished as u64));
    arguments.workers().run(&rows, work, |batch| {
        batch.into_iter().for_each(|attacked| results.push(attacked));
        Ok(())
    })?;
    bar.finish_and_clear();
    output.finish(&results)?;

    let summary = results.summary(arguments.variant);
    crate::print(&format!("{}, k = {}: {summary}", settings.name(), arguments.k))?;
    if !results.is_partial() {
        return Ok(ExitCode::SUCCESS);
    }
    let (done, all, path) = (results.len(), rows.len(), arguments.output.display());
    crate::print(&format!("interrupted: {path} holds the {done} of {all} images that are done\n"))?;
    Ok(ExitCode::from(INTERRUPTED))
}

/// An attack on the images of an input.
struct Run<'a> {
    model: &'a dyn Classifier,
    attack: &'a dyn Attack,
    criterion: &'a dyn Criterion,
    input: &'a Input,
    trace: bool,
}

impl Run<'_> {
    /// Attacks consecutive images; those whose attack was interrupted are left out.
    ///
    /// `finished` is told, again and again, how many attacks have ended.
    fn batch(&self, rows: &[usize], finished: impl Fn(usize)) -> Result<Vec<Attacked>, EvalError> {
        let (first, last) = (rows[0], rows[rows.len() - 1]);
        let failed =
            |source| EvalError::Attack { ids: format!("images {first} to {last}"), source };
        let size = self.input.image_size();
        let [_, channels, height, width] = self.input.shape;
        let images = self.input.images[first * size..(last + 1) * size].to_vec();
        let images = TensorData::new(images, [rows.len(), channels, height, width]);
        let images = Tensor::<4>::from_data(images, &self.model.device());
        let batch = AttackBatch { images, goal: self.input.goal.select(rows) };

        let mut losses = vec![Vec::new(); rows.len()];
        let mut watch = |step: &Step<'_>| {
            if let Some(loss) = step.loss.filter(|_| self.trace) {
                for (&row, loss) in step.rows.iter().zip(values(loss)) {
                    losses[row].push(loss);
                }
            }
            finished(step.finished.len());
            match STOP.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let result = self.attack.run(self.model, &batch, &mut watch).map_err(failed)?;
        let verdicts = judge(self.model, &batch.goal, &result, self.criterion).map_err(failed)?;

        let adversarial = values(&result.images);
        let perturbation = values(&result.perturbation);
        let image = |values: &[f32], at: usize| values[at * size..(at + 1) * size].to_vec();
        let attacked =
            verdicts.into_iter().zip(losses).enumerate().map(|(at, (mut verdict, loss))| {
                let outcome = result.outcomes[at];
                let mut perturbation = image(&perturbation, at);
                if let Outcome::Ineligible(_) = outcome {
                    // There is none; what is left is rounding of the change of variable.
                    perturbation.fill(0.0);
                    verdict.norm = 0.0;
                }
                Attacked {
                    row: rows[at],
                    adversarial: image(&adversarial, at),
                    perturbation,
                    verdict,
                    outcome,
                    iterations: result.iterations[at],
                    loss,
                }
            });
        Ok(attacked.filter(|attacked| attacked.outcome != Outcome::Interrupted).collect())
    }
}

/// The values of a tensor, row-major.
fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.try_to_vec_as().expect("float tensors convert to f32")
}
