//! `tkmia attack`.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use burn::tensor::{Int, Tensor};
use clap::Args;
use tkmia_attacks::{Attack, AttackError, Controls, Outcome, Step, Targets, UniversalPerturbation};
use tkmia_core::Classifier;
use tkmia_experiment::{ExperimentError, Workers};

use crate::input::Input;
use crate::output::{Output, refuse_overwriting, tell};
use crate::progress::{self, INTERRUPTED, STOP};
use crate::results::{AttackedImage, AttackedImages, Results};
use crate::subject::{SubjectFlags, batch};
use crate::surrogate::SurrogateFlags;
use crate::universal::{FitFlags, describe};

/// Attack images of an npz file, or photographs, and write the adversarial ones to an npz file
///
/// IN is a folder of photographs, or one of them; or an npz file of images [n, 3, h, w], floats in the model's range or 8-bit
/// pixels, and labels and specified [n, c], 0 or 1 of any type.
///
/// OUT.npz: adversarial and perturbation float32 [n, 3, h, w], the latter in the variant's own space;
/// clean_scores and scores float32 [n, c] (logits); success uint8 [n]; iterations int64 [n]; norm
/// float32 [n], L2 of the perturbation; norm_input float32 [n], the same in model-input units, norm_unit in pixels of [0, 1], norm_pixels in
/// 8-bit pixels; excluded
/// int64 [n]; success_rounded uint8 [n], success after rounding to 8-bit pixels; forward and backward int64
/// [n], passes through the model; for a universal method negated uint8 [n] and shuffled float32 [n], the
/// success of its controls; with --trace loss float32 [n, max-iterations], NaN past the end; of photographs names [n].
///
/// Ctrl-C or SIGTERM ends the run: OUT.npz then holds the finished rows and their indices, `rows` int64.
///
/// An image for which the victim gives a score that isn't finite comes back unattacked and is named; the others are
/// attacked, and the status is 1. A photograph that can't be decoded is named and left out, with the same status.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    subject: SubjectFlags,
    #[command(flatten)]
    surrogate: SurrogateFlags,
    #[command(flatten)]
    fit: FitFlags,
    /// Write the loss of each forward pass too
    #[arg(long)]
    trace: bool,
    /// Where the results go; `-` for the standard output
    #[arg(short, long, value_name = "OUT.npz")]
    output: PathBuf,
    /// Where the attacked images go as PNG too, rounded to 8 bits: success_rounded says what of them is a success
    #[arg(long, value_name = "FOLDER")]
    pictures: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  tkmia attack --model tagger.onnx --input photographs --k 3 --output out.npz --pictures attacked
  tkmia attack --model resnet50_voc.onnx --input in.npz --k 3 --output out.npz
  tkmia attack --model resnet50_voc.onnx --input in.npz --method tkml-ap-u --variant released --k 3 \\
      --lr 5e-4 --stop imperceptible --trace --output out.npz
  tkmia attack --model resnet50_voc.onnx --input in.npz --optimiser auto-pgd --norm linf --radius 0.03 \\
      --k 3 --max-iterations 100 --output out.npz
  tkmia attack --model resnet50_voc.onnx --input in.npz --method tkml-ap-t --target worst --k 3 \\
      --stop target-reached --output out.npz
  tkmia attack --model resnet50_voc.onnx --input in.npz --method kuap --fit fit.npz --radius 12 \\
      --k 3 --perturbation v.npz --output out.npz
  tkmia attack --command 'python score.py' --input-size 224 --surrogate a.onnx --surrogate b.onnx --diversity 0.5 \\
      --input photographs --k 3 --optimiser mi-fgsm --norm linf --radius 0.06 --stop 'excluded by 1e6' --output out.npz";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    progress::watch_interrupt()?;
    let flags = &arguments.subject;
    let subject = flags.open(&arguments.surrogate)?;
    let mut inputs = flags.files()?;
    inputs.extend(arguments.surrogate.files.iter().cloned().chain(arguments.fit.inputs()));
    let output = Output::create(&arguments.output, &inputs)?;
    let mut others = arguments.fit.outputs();
    others.extend(arguments.pictures.clone());
    refuse_overwriting(&others, &inputs)?;
    let fitted = arguments.fit.fit(&subject, flags)?;
    if fitted.as_ref().is_some_and(|fitted| fitted.interrupted) {
        tell(
            &arguments.output,
            "interrupted while the perturbation was fitted: nothing is written\n",
        )?;
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let (settings, input, model) = (&subject.settings, &subject.input, subject.model.as_ref());
    let applied = fitted.as_ref().map(|fitted| fitted.perturbation.attack(settings.stop.clone()));
    let own = subject.attack.as_ref();
    let work = Work {
        model,
        surrogate: subject.surrogate.as_deref(),
        attack: applied.as_ref().map_or(own, |applied| applied as &dyn Attack),
        input,
        targets: subject.targets,
        controlled: fitted.as_ref().map(|fitted| &fitted.perturbation),
        trace: arguments.trace,
    };
    let trace = arguments.trace.then_some(settings.limits.max_iterations);
    let workers = flags.computing.workers(subject.attacked(), [input.shape[2], input.shape[3]]);
    let results = attack_all(&work, workers, trace)?;
    output.finish(|npz| results.add_to(npz))?;
    if let Some(folder) = &arguments.pictures {
        results.draw(folder, &model.device())?;
    }

    let (name, k) = (settings.short_name(), flags.k);
    let fit = fitted.as_ref().map_or(String::new(), describe);
    let mut says = format!("{fit}{name}, k = {k}: {}", results.summary(settings.view()));
    if let Some(surrogate) = &subject.surrogate {
        let (count, what) = (results.ended_in_success(), surrogate.description());
        says += &format!("attacked in its place, with {count} successes of its own: {what}\n");
    }
    says += &input.broken.concat();
    tell(&arguments.output, &says)?;
    Ok(match ended(&results, &arguments.output)? {
        ExitCode::SUCCESS if !input.broken.is_empty() => ExitCode::FAILURE,
        status => status,
    })
}

/// Attacks all images of an input, or as many as Ctrl-C lets.
pub fn attack_all<'a>(
    work: &Work<'a>,
    workers: Workers<'_>,
    trace: Option<usize>,
) -> Result<Results<'a>, ExperimentError> {
    let rows: Vec<usize> = (0..work.input.shape[0]).collect();
    let progress = progress::Count::new("attack", "images", rows.len());
    let mut results = Results::new(work.input, work.model, trace);
    let batch = |rows: &[usize]| {
        let attacked = work.batch(rows, |finished| progress.finished(finished));
        let ids = || format!("images {} to {}", rows[0], rows[rows.len() - 1]);
        attacked.map_err(|source| ExperimentError::Attack { ids: ids(), source })
    };
    workers.run(&rows, batch, |attacked| {
        results.push(attacked);
        Ok(())
    })?;
    progress.end();
    Ok(results)
}

/// The exit status, and a line if some images are missing.
pub fn ended(results: &Results<'_>, output: &Path) -> Result<ExitCode, Box<dyn Error>> {
    if !results.is_partial() {
        return Ok(match results.are_finite() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        });
    }
    let (done, all, path) = (results.len(), results.of(), output.display());
    let says = format!("interrupted: {path} holds the {done} of {all} images that are done\n");
    tell(output, &says)?;
    Ok(ExitCode::from(INTERRUPTED))
}

/// An attack on the images of an input.
pub struct Work<'a> {
    pub model: &'a dyn Classifier,
    /// What is attacked in its place.
    pub surrogate: Option<&'a dyn Classifier>,
    pub attack: &'a dyn Attack,
    pub input: &'a Input,
    /// What a targeted attack aims at; random targets are drawn by the images' names.
    pub targets: Option<Targets>,
    /// The universal perturbation whose controls are wanted.
    pub controlled: Option<&'a UniversalPerturbation>,
    pub trace: bool,
}

impl Work<'_> {
    /// Attacks consecutive images; those whose attack was interrupted are left out.
    ///
    /// `finished` is called with the number of attacks that ended in each pass.
    fn batch(
        &self,
        rows: &[usize],
        finished: impl Fn(usize),
    ) -> Result<AttackedImages, AttackError> {
        let (model, size) = (self.model, self.input.image_size());
        let attacked = self.surrogate.unwrap_or(model);
        let batch = batch(self.input, attacked, (self.targets, self.attack.view()), rows)?;
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
        let result = self.attack.run_watched(attacked, &batch, &mut watch)?;
        let verdicts = match self.surrogate {
            Some(_) => result.judge_elsewhere(model)?,
            None => result.judge(model)?,
        };
        let controls = self.controlled.map(|v| Controls::of(v, &result.stop, model, &batch));
        let controls = controls.transpose()?;

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
            if let Outcome::Ineligible(_) | Outcome::NonFiniteScore { .. } = outcome {
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
                controls: controls.as_ref().map(|controls| controls[at]),
                loss,
            });
        }
        Ok(attacked)
    }
}
