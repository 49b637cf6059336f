//! [`MinNormAttack`]: the smallest perturbation that hides the specified labels and keeps the measures.

mod constraints;
mod forecast;
mod model;
mod rounding;
mod sample;
mod search;
mod settings;
mod shortest;
mod task;

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;
use tkmia_core::Classifier;

pub use constraints::{Pair, Tight};
pub use settings::{MinNorm, Solver};

use crate::readback::{Scored, scored, values};
use crate::{
    Attack, AttackBatch, AttackError, Keep, Norm, Outcome, Passes, Perturbed, Run, Step, Stop,
};
use sample::Sample;
use task::Task;

/// Measure-preserving minimum-norm attack: `min ‖ε‖` under the [tight constraints](Tight), in L2 or in L∞.
///
/// Each forward pass is one iteration, and every backward pass belongs to one of them. The device
/// does the passes; what is to be looked at next is computed on the host, sample by sample, so that rows
/// can't influence each other. An image ends when its norm has stopped falling in one search after
/// another or its passes are used up; the last ones make the success survive rounding to 8-bit pixels.
///
/// The smallest verified image is returned: one at which the criterion and the tight constraints hold,
/// after rounding too where such a one was found; else the smallest at which the criterion alone does. It
/// takes no start.
#[derive(Debug)]
pub struct MinNormAttack {
    /// What is made small.
    pub norm: Norm,
    /// What must hold beside the tight constraints; it also says how many labels must leave, see
    /// [`Criterion::leaving`](crate::Criterion::leaving).
    pub stop: Stop,
    /// What is kept of the clean ranking.
    pub keep: Keep,
    /// How many times the clean image's margin of rank k over k + 1 the attacked one has at least.
    pub border_margin: Option<f64>,
    /// How the constraints are reached.
    pub solver: Solver,
    /// The most searches, one after the other; `None`: as long as passes are left.
    pub rounds: Option<usize>,
    /// Forward passes per image at most, those of the Jacobian's rows, of the refinement and of
    /// rounding included; no more backward passes than these.
    pub max_passes: usize,
}

impl Attack for MinNormAttack {
    fn perturb(&self, run: Run<'_>) -> Result<Perturbed, AttackError> {
        let Run { classifier, batch, watch } = run;
        let (shape, device) = (batch.images().dims(), batch.images().device());
        let mut samples = self.samples(classifier, batch);
        let mut outcomes = vec![None; samples.len()];
        for pass in 1.. {
            let open = |outcome: &Option<Outcome>| outcome.is_none();
            let rows: Vec<usize> = (0..samples.len()).filter(|&row| open(&outcomes[row])).collect();
            // Samples know nothing of each other, so the host may look at them side by side.
            let mut active: Vec<_> = samples
                .iter_mut()
                .zip(&mut outcomes)
                .filter(|(_, outcome)| open(outcome))
                .collect();
            let images = active.par_iter().flat_map_iter(|(sample, _)| sample.image()).collect();
            let images = stacked(images, active.len(), shape, &device).autodiff().require_grad();
            let scores = classifier.scores(images.clone());
            let now = scored(scores.clone().inner());

            let mut weights = vec![0.0_f32; active.len() * classifier.classes()];
            let each = weights.par_chunks_exact_mut(classifier.classes());
            let all = active.par_iter_mut().zip(now).zip(each);
            all.for_each(|(((sample, outcome), now), weights)| {
                **outcome = match now {
                    Ok(now) => see(sample, now, weights),
                    Err(fault) => Some(sample.lost(fault)),
                };
            });
            let margins: Vec<f32> =
                active.iter().map(|(sample, _)| sample.margin() as f32).collect();
            if weights.iter().any(|&weight| weight != 0.0) {
                let size = [active.len(), classifier.classes()];
                let weights = Tensor::<2>::from_data(TensorData::new(weights, size), &device);
                let gradients = images
                    .grad_remove(&mut (scores * weights).sum().backward())
                    .expect("the scores depend on the images");
                let gradients = values(gradients);
                let each = gradients.par_chunks_exact(gradients.len() / active.len());
                let all = active.par_iter_mut().zip(each);
                all.for_each(|((sample, _), gradient)| sample.learn(gradient));
            }

            for (sample, outcome) in active {
                if outcome.is_none() && sample.is_done() {
                    *outcome = Some(sample.outcome());
                }
            }
            let ended = |row: &usize| outcomes[*row].is_some();
            let finished: Vec<usize> = rows.iter().copied().filter(ended).collect();
            let flow = watch.on_step(&Step {
                iteration: pass,
                rows: &rows,
                loss: Some(&margins),
                finished: &finished,
            });
            if flow.is_break() || finished.len() == rows.len() {
                break;
            }
        }

        let images = samples.iter().flat_map(Sample::result).collect();
        let images = stacked(images, samples.len(), shape, &device);
        Ok(Perturbed {
            perturbation: images.clone() - batch.images().clone(),
            unattacked: batch.images().clone(),
            images,
            outcomes: (outcomes.into_iter())
                .map(|outcome| outcome.unwrap_or(Outcome::Interrupted))
                .collect(),
            iterations: samples.iter().map(|sample| sample.passes().forward).collect(),
            passes: samples.iter().map(Sample::passes).collect(),
            indicators: samples.iter().map(Sample::indicators).collect(),
            fitted: false,
        })
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }

    fn passes_at_most(&self, _: usize, _: usize) -> Passes {
        Passes { forward: self.max_passes, backward: self.max_passes }
    }
}

impl MinNormAttack {
    fn samples(&self, classifier: &dyn Classifier, batch: &AttackBatch) -> Vec<Sample> {
        let (rows, goal) = (batch.rows(), batch.goal());
        let origin = values(batch.images().clone());
        let size = origin.len() / rows.max(1);
        let task = |row: usize| Task {
            origin: origin[row * size..(row + 1) * size].to_vec(),
            bounds: classifier.bounds(),
            relevant: goal.relevant().row(row).to_vec(),
            specified: goal.specified().row(row).to_vec(),
            target: goal.target().map(|target| target[row].clone()),
            k: goal.k(),
            delta: goal.delta(),
            keep: self.keep,
            border_margin: self.border_margin,
            measured_by: self.norm,
            solver: self.solver,
            rounds: self.rounds,
            stop: self.stop.clone(),
            max_passes: self.max_passes,
        };
        (0..rows).map(|row| Sample::new(task(row))).collect()
    }
}

/// Shows a sample its scores and writes the weights of the gradient that it asks for.
fn see(sample: &mut Sample, now: Scored, weights: &mut [f32]) -> Option<Outcome> {
    match sample.seen(now) {
        Ok(wanted) => {
            for &(label, weight) in wanted {
                weights[label] = weight as f32;
            }
            None
        }
        Err(reason) => Some(Outcome::Ineligible(reason)),
    }
}

/// Images one after the other as a batch.
fn stacked(
    images: Vec<f32>,
    rows: usize,
    [_, channels, height, width]: [usize; 4],
    device: &burn::tensor::Device,
) -> Tensor<4> {
    Tensor::from_data(TensorData::new(images, [rows, channels, height, width]), device)
}
