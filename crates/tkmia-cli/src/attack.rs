//! `tkmia attack`.

use std::error::Error;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::atomic::Ordering;

use burn::tensor::{Tensor, TensorData};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use tkmia_attacks::{
    Attack, AttackBatch, Ball, CRITERION_NAMES, Criterion, Lambda, Method, Norm, OptimiserKind,
    Outcome, Settings, Solver, Step, TargetChoice, Targets, UnknownName, Variant, criterion, judge,
};
use tkmia_core::objective::Keep;
use tkmia_core::{Classifier, device};
use tkmia_eval::{EvalError, Workers};
use tkmia_models::{ResNet, load};

use crate::computing::Computing;
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
/// int64 [n]; with --trace loss float32 [n, max-iterations], NaN past the end. Besides, success_rounded
/// uint8 [n]: after rounding to 8-bit pixels; forward and backward int64 [n]: passes through the model.
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
    #[arg(long, default_value = Method::default().name(), value_parser = named::<Method>(Method::ALL.map(Method::name)))]
    method: Method,
    /// Its form: corrected, as the published code is, or as the paper is printed
    #[arg(long, default_value = Variant::default().name(), value_parser = named::<Variant>(Variant::ALL.map(Variant::name)))]
    variant: Variant,
    /// Size of the predicted set
    #[arg(long)]
    k: usize,
    /// How a method with an objective steps: sgd, or within a ball of --radius
    #[arg(long, help_heading = STEPS, default_value = OptimiserKind::default().name(), value_parser = named::<OptimiserKind>(OptimiserKind::ALL.map(OptimiserKind::name)))]
    optimiser: OptimiserKind,
    /// Learning rate η of sgd
    #[arg(long, help_heading = STEPS, default_value_t = 1e-3, allow_negative_numbers = true)]
    lr: f64,
    /// Weight α of the perturbation's norm with sgd
    #[arg(long, help_heading = STEPS, default_value_t = 1e-4, allow_negative_numbers = true)]
    alpha: f64,
    /// Momentum μ of sgd and mi-fgsm
    #[arg(long, help_heading = STEPS, default_value_t = 0.9, allow_negative_numbers = true)]
    momentum: f64,
    /// How the objective's λ are set [default: exact; gradient in the literal variant]
    #[arg(long, help_heading = STEPS, value_parser = named::<Lambda>(Lambda::ALL.map(Lambda::name)))]
    lambda: Option<Lambda>,
    /// Norm of the ball that pgd, mi-fgsm, auto-pgd and universal methods stay in, and what min-norm makes small
    #[arg(long, help_heading = STEPS, default_value = Norm::L2.name(), value_parser = named::<Norm>(Norm::ALL.map(Norm::name)))]
    norm: Norm,
    /// Its radius, in the variant's own unit; these have no default
    #[arg(long, help_heading = STEPS, allow_negative_numbers = true)]
    radius: Option<f64>,
    /// Length of a step of pgd and mi-fgsm [default: 2.5 and 1 times radius / max-iterations]
    #[arg(long, help_heading = STEPS, allow_negative_numbers = true)]
    step: Option<f64>,
    /// What targeted methods make the top-k: the irrelevant labels nearest to it, farthest, or any
    #[arg(long, default_value = TargetChoice::default().name(), value_parser = named::<TargetChoice>(TargetChoice::ALL.map(TargetChoice::name)))]
    target: TargetChoice,
    /// Forward passes in the loop for each image at most; for kfool and ml-dp steps. The min-norm variant
    /// goes on improving as long as there are some: 40 give nearly all
    #[arg(long, help_heading = BUDGET, default_value_t = 300)]
    max_iterations: u32,
    /// Forward passes for each image at most, Jacobian rows included [default: no cap]
    #[arg(long, help_heading = BUDGET)]
    max_forward: Option<usize>,
    /// Backward passes for each image at most [default: no cap]
    #[arg(long, help_heading = BUDGET)]
    max_backward: Option<usize>,
    /// Rounds of a universal method over the images at most
    #[arg(long, help_heading = BUDGET, default_value_t = 10)]
    rounds: usize,
    /// Share of the images at which a universal method is content
    #[arg(long, help_heading = BUDGET, default_value_t = 0.8, allow_negative_numbers = true)]
    enough: f64,
    /// When an image is done, and what counts as success
    #[arg(long, default_value = CRITERION_NAMES[0], value_parser = PossibleValuesParser::new(CRITERION_NAMES))]
    stop: String,
    /// Specified labels that must leave the top-k [default: all that are in the clean one]
    #[arg(long)]
    delta: Option<NonZeroUsize>,
    #[command(flatten)]
    computing: Computing,
    /// Seed of random targets; nothing else is drawn
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
      --lr 5e-4 --stop imperceptible --trace --output out.npz
  tkmia attack --model resnet50_voc.onnx --input in.npz --optimiser auto-pgd --norm linf --radius 0.03 \\
      --k 3 --max-iterations 100 --output out.npz
  tkmia attack --model resnet50_voc.onnx --input in.npz --method tkml-ap-t --target worst --k 3 \\
      --stop target-reached --output out.npz";

const STEPS: &str = "Steps";
const BUDGET: &str = "Budget";

/// Reads one of the given names.
fn named<T>(names: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = UnknownName> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
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
            optimiser: self.optimiser,
            keep: Keep::default(),
            solver: match self.norm {
                Norm::L2 => Solver::default(),
                Norm::Linf => Solver::FirstOrderLinf,
            },
            lambda: self.lambda,
            ball: self.radius.map(|radius| Ball { norm: self.norm, radius }),
            step: self.step,
            max_iterations: self.max_iterations as usize,
            max_forward: self.max_forward,
            max_backward: self.max_backward,
            rounds: self.rounds,
            enough: self.enough,
            criterion: criterion(&self.stop, self.delta.map(NonZeroUsize::get))?,
        })
    }

    fn targets(&self) -> Option<Targets> {
        let targets = Targets { choice: self.target, seed: self.seed };
        self.method.is_targeted().then_some(targets)
    }

    /// A universal method sees all images as one batch.
    fn workers(&self, model: &ResNet, [images, _, height, width]: [usize; 4]) -> Workers<'static> {
        if self.method.is_universal() {
            return Workers { count: 1, batch_size: images.max(1), stop: &STOP };
        }
        self.computing.workers(model, [height, width])
    }
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    progress::watch_interrupt()?;
    let settings = arguments.settings()?;
    let model = load(&arguments.model, &device(&arguments.computing.device)?)?;
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
        targets: arguments.targets(),
        trace: arguments.trace,
    };
    let trace = arguments.trace.then_some(settings.max_iterations);
    let mut results = Results::new(input.shape, model.classes(), trace);
    let work = |rows: &[usize]| run.batch(rows, |finished| bar.inc(finished as u64));
    arguments.workers(&model, input.shape).run(&rows, work, |batch| {
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
    /// What a targeted attack aims at; random targets are drawn by the rows' numbers.
    targets: Option<Targets>,
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
        let mut goal = self.input.goal.select(rows);
        if let Some(targets) = self.targets {
            let ids: Vec<String> = rows.iter().map(usize::to_string).collect();
            let unattacked = self.attack.unattacked(images.clone());
            goal = targets.aim(goal, self.model, unattacked, &ids).map_err(failed)?;
        }
        let batch = AttackBatch { images, goal, start: None };

        let mut losses = vec![Vec::new(); rows.len()];
        let mut watch = |step: &Step<'_>| {
            if let Some(loss) = step.loss.filter(|_| self.trace) {
                for (&row, &loss) in step.rows.iter().zip(loss) {
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
                    passes: result.passes[at],
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
