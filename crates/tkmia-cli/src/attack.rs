//! `tkmia attack`.

use std::error::Error;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use burn::tensor::{Int, Tensor, TensorData};
use clap::Args;
use tkmia_attacks::{
    Attack, AttackBatch, AttackError, AttackSettings, Outcome, Step, Stop, Targets,
};
use tkmia_core::{Classifier, device};
use tkmia_experiment::{ExperimentError, Workers};
use tkmia_models::load;

use crate::computing::Computing;
use crate::error::CliError;
use crate::input::Input;
use crate::knobs::KnobFlags;
use crate::output::Output;
use crate::progress::{self, INTERRUPTED, STOP};
use crate::results::{AttackedImage, AttackedImages, Results};

/// Attack images of an npz file, and write the adversarial ones to another
///
/// IN.npz: images float32 [n, 3, h, w] in [-1, 1]; labels and specified uint8 [n, c], 0 or 1.
///
/// OUT.npz: adversarial and perturbation float32 [n, 3, h, w], the latter in the variant's own space;
/// clean_scores and scores float32 [n, c] (logits); success uint8 [n]; iterations int64 [n]; norm
/// float32 [n], L2 of the perturbation; norm_input float32 [n], the same in model-input units; excluded
/// int64 [n]; success_rounded uint8 [n], success after rounding to 8-bit pixels; forward and backward int64
/// [n], passes through the model; with --trace loss float32 [n, max-iterations], NaN past the end.
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
    /// Size of the predicted set
    #[arg(long)]
    k: usize,
    #[command(flatten)]
    knobs: KnobFlags,
    /// When an image is done, and what counts as success: a criterion of those below, or several with `and`, `or`
    /// and `not`; labels are indices
    #[arg(long, default_value_t)]
    stop: Stop,
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
    /// Where the results go
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

impl Arguments {
    fn settings(&self) -> Result<AttackSettings, Box<dyn Error>> {
        if let Some(delta) = self.delta.map(NonZeroUsize::get)
            && self.stop.leaving(Some(delta)) == self.stop.leaving(None)
        {
            return Err(CliError::DeltaUnused { stop: self.stop.to_string() }.into());
        }
        let settings = AttackSettings::from_knobs(&self.knobs.0)?;
        Ok(AttackSettings { stop: self.stop.clone(), ..settings })
    }

    /// A universal method sees all images as one batch.
    fn workers(
        &self,
        model: &dyn Classifier,
        attack: &dyn Attack,
        [images, _, height, width]: [usize; 4],
    ) -> Workers<'static> {
        if attack.is_universal() {
            return Workers { count: 1, batch_size: images.max(1), stop: &STOP };
        }
        self.computing.workers(model, [height, width])
    }
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    progress::watch_interrupt()?;
    let settings = arguments.settings()?;
    let attack = settings.init()?;
    let model = load(&arguments.model, &device(&arguments.computing.device)?)?;
    let (model, attack) = (model.as_ref(), attack.as_ref());
    attack.check(model)?;
    let delta = arguments.delta.map(NonZeroUsize::get);
    let input = Input::read(&arguments.input, model, arguments.k, delta)?;
    let output = Output::create(&arguments.output)?;

    let rows: Vec<usize> = (0..input.shape[0]).collect();
    let progress = progress::Images::new(rows.len());
    let targets = settings.target().map(|choice| Targets { choice, seed: arguments.seed });
    let work = Work { model, attack, input: &input, targets, trace: arguments.trace };
    let trace = arguments.trace.then_some(settings.limits.max_iterations);
    let mut results = Results::new(input.shape, model.classes(), trace);
    let batch = |rows: &[usize]| {
        let attacked = work.batch(rows, |finished| progress.finished(finished));
        let ids = || format!("images {} to {}", rows[0], rows[rows.len() - 1]);
        attacked.map_err(|source| ExperimentError::Attack { ids: ids(), source })
    };
    arguments.workers(model, attack, input.shape).run(&rows, batch, |attacked| {
        results.push(attacked);
        Ok(())
    })?;
    progress.end();
    output.finish(&results)?;

    let (name, k) = (settings.short_name(), arguments.k);
    crate::print(&format!("{name}, k = {k}: {}", results.summary(settings.view())))?;
    if !results.is_partial() {
        return Ok(ExitCode::SUCCESS);
    }
    let (done, all, path) = (results.len(), rows.len(), arguments.output.display());
    crate::print(&format!("interrupted: {path} holds the {done} of {all} images that are done\n"))?;
    Ok(ExitCode::from(INTERRUPTED))
}

/// An attack on the images of an input.
struct Work<'a> {
    model: &'a dyn Classifier,
    attack: &'a dyn Attack,
    input: &'a Input,
    /// What a targeted attack aims at; random targets are drawn by the rows' numbers.
    targets: Option<Targets>,
    trace: bool,
}

impl Work<'_> {
    /// Attacks consecutive images; those whose attack was interrupted are left out.
    ///
    /// `finished` is told, again and again, how many attacks have ended.
    fn batch(
        &self,
        rows: &[usize],
        finished: impl Fn(usize),
    ) -> Result<AttackedImages, AttackError> {
        let (model, size) = (self.model, self.input.image_size());
        let [_, channels, height, width] = self.input.shape;
        let images = &self.input.images[rows[0] * size..][..rows.len() * size];
        let images = TensorData::new(images.to_vec(), [rows.len(), channels, height, width]);
        let images = Tensor::<4>::from_data(images, &model.device());
        let mut batch = AttackBatch::with_goal(images, self.input.goal.select(rows))?;
        if let Some(targets) = self.targets {
            let ids: Vec<String> = rows.iter().map(usize::to_string).collect();
            batch = batch.aim(targets, self.attack.view(), model, &ids)?;
        }

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
        let result = self.attack.run_watched(model, &batch, &mut watch)?;
        let verdicts = result.judge(model)?;

        let perturbed = result.perturbed;
        let ended = |&at: &usize| perturbed.outcomes[at] != Outcome::Interrupted;
        let kept: Vec<usize> = (0..rows.len()).filter(ended).collect();
        let indices: Vec<i32> = kept.iter().map(|&at| at as i32).collect();
        let values = |images: &Tensor<4>| -> Vec<f32> {
            let indices = Tensor::<1, Int>::from_data(&indices[..], &images.device());
            let images = images.clone().select(0, indices);
            images.try_to_vec_as().expect("float tensors convert to f32")
        };
        let mut attacked = AttackedImages {
            adversarial: values(&perturbed.images),
            perturbation: values(&perturbed.perturbation),
            images: Vec::with_capacity(kept.len()),
        };
        let of_rows = verdicts.into_iter().zip(losses).enumerate();
        for (at, (mut verdict, loss)) in of_rows.filter(|(at, _)| ended(at)) {
            let outcome = perturbed.outcomes[at];
            if let Outcome::Ineligible(_) = outcome {
                // There is no perturbation; what is left is rounding of the change of variable.
                attacked.perturbation[attacked.images.len() * size..][..size].fill(0.0);
                verdict.norm = 0.0;
            }
            attacked.images.push(AttackedImage {
                row: rows[at],
                verdict,
                outcome,
                iterations: perturbed.iterations[at],
                passes: perturbed.passes[at],
                loss,
            });
        }
        Ok(attacked)
    }
}
