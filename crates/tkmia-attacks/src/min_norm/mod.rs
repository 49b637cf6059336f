//! [`MinNorm`]: the smallest perturbation that hides the specified labels and keeps the measures.

mod first_order;
mod forecast;
mod model;
mod pixels;
mod round;
mod sample;
mod sequential;
mod shrink;
mod target;
mod turns;
mod whole;

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use tkmia_core::objective::Keep;
use tkmia_core::{Bounds, Classifier};

use crate::criterion::Criterion;
use crate::host::{Scored, scored, values};
use crate::{Attack, AttackBatch, AttackError, BatchResult, Norm, Observer, Outcome, Step};
use sample::{Sample, Task};

/// Measure-preserving minimum-norm attack: `min ‖ε‖` under the [tight constraints], in L2 or, by
/// [`Solver::FirstOrderLinf`], in L∞.
///
/// Each forward pass is one iteration, and every backward pass belongs to one of them. The device
/// does the passes; what is to be looked at next is computed on the host, sample by sample, so that rows
/// can't influence each other. An image ends when its norm has stopped falling in one search after
/// another or its passes are used up; the last ones make the success survive rounding to 8-bit pixels.
///
/// The smallest verified image is returned: one at which the criterion and the tight constraints hold,
/// after rounding too where such a one was found; else the smallest at which the criterion alone does. A
/// batch's start is of no use to it.
///
/// [tight constraints]: tkmia_core::objective::Tight
#[derive(Debug)]
pub struct MinNorm {
    /// The range of the images' values.
    pub bounds: Bounds,
    /// What must hold beside the tight constraints; it also says how many labels must leave, see
    /// [`Criterion::leaving`].
    pub criterion: Arc<dyn Criterion>,
    /// What is kept of the clean ranking.
    pub keep: Keep,
    /// How the constraints are reached.
    pub solver: Solver,
    /// Forward passes per image at most, those of the Jacobian's rows, of the refinement and of
    /// rounding included; no more backward passes than these.
    pub max_passes: usize,
}

/// How [`MinNorm`] reaches the tight constraints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Solver {
    /// Sequential quadratic programmes for a target set chosen by its linearised cost; with passes to
    /// spare first-order steps too, and the programmes again from the better of both.
    #[default]
    Sequential,
    /// The same for the target set that the clean scores suggest.
    SequentialByScore,
    /// Decoupled direction and norm (Rony et al. 2019) on the most violated contest.
    FirstOrder,
    /// The same in L∞: steps along the gradient's sign, clipped to a radius that follows success (Pintor et
    /// al. 2021).
    FirstOrderLinf,
}

impl Solver {
    /// Every solver, the default first.
    pub const ALL: [Self; 4] =
        [Self::Sequential, Self::SequentialByScore, Self::FirstOrder, Self::FirstOrderLinf];

    /// The name as it is written in experiments and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::SequentialByScore => "sequential-by-score",
            Self::FirstOrder => "first-order",
            Self::FirstOrderLinf => "first-order-linf",
        }
    }

    /// What it makes small.
    pub fn norm(self) -> Norm {
        match self {
            Self::FirstOrderLinf => Norm::Linf,
            _ => Norm::L2,
        }
    }
}

impl Attack for MinNorm {
    fn run(
        &self,
        classifier: &dyn Classifier,
        batch: &AttackBatch,
        watch: &mut dyn Observer,
    ) -> Result<BatchResult, AttackError> {
        batch.check(classifier)?;
        let shape = batch.images.dims();
        let device = batch.images.device();
        let mut samples = self.samples(batch);
        let mut outcomes = vec![None; samples.len()];
        let mut active: Vec<usize> = (0..samples.len()).collect();
        for pass in 1.. {
            let images = active.iter().flat_map(|&row| samples[row].image()).collect();
            let images = stacked(images, active.len(), shape, &device).autodiff().require_grad();
            let scores = classifier.scores(images.clone());
            let now = scored(scores.clone().inner(), &active, pass)?;

            let mut margins = Vec::with_capacity(active.len());
            let mut weights = vec![0.0_f32; active.len() * classifier.classes()];
            let rows = weights.chunks_exact_mut(classifier.classes());
            for ((&row, now), weights) in active.iter().zip(now).zip(rows) {
                outcomes[row] = see(&mut samples[row], now, weights);
                margins.push(samples[row].margin() as f32);
            }
            if weights.iter().any(|&weight| weight != 0.0) {
                let size = [active.len(), classifier.classes()];
                let weights = Tensor::<2>::from_data(TensorData::new(weights, size), &device);
                let gradients = images
                    .grad_remove(&mut (scores * weights).sum().backward())
                    .expect("the scores depend on the images");
                let gradients = values(gradients);
                let each = gradients.len() / active.len();
                for (&row, gradient) in active.iter().zip(gradients.chunks_exact(each)) {
                    samples[row].learn(gradient);
                }
            }

            for &row in &active {
                if outcomes[row].is_none() && samples[row].is_done() {
                    outcomes[row] = Some(samples[row].outcome());
                }
            }
            let ended = |row: &usize| outcomes[*row].is_some();
            let finished: Vec<usize> = active.iter().copied().filter(ended).collect();
            let flow = watch.on_step(&Step {
                iteration: pass,
                rows: &active,
                loss: Some(&margins),
                finished: &finished,
            });
            active.retain(|row| !ended(row));
            if flow.is_break() || active.is_empty() {
                break;
            }
        }

        let images = samples.iter().flat_map(Sample::result).collect();
        let images = stacked(images, samples.len(), shape, &device);
        Ok(BatchResult {
            perturbation: images.clone() - batch.images.clone(),
            unattacked: batch.images.clone(),
            images,
            outcomes: (outcomes.into_iter())
                .map(|outcome| outcome.unwrap_or(Outcome::Interrupted))
                .collect(),
            iterations: samples.iter().map(|sample| sample.passes().forward).collect(),
            passes: samples.iter().map(Sample::passes).collect(),
            indicators: vec![Vec::new(); samples.len()],
        })
    }

    fn unattacked(&self, images: Tensor<4>) -> Tensor<4> {
        images
    }
}

impl MinNorm {
    fn samples(&self, batch: &AttackBatch) -> Vec<Sample> {
        let rows = batch.goal.rows();
        let origin = values(batch.images.clone());
        let size = origin.len() / rows.max(1);
        let task = |row: usize| Task {
            origin: origin[row * size..(row + 1) * size].to_vec(),
            bounds: self.bounds,
            relevant: batch.goal.relevant().row(row).to_vec(),
            specified: batch.goal.specified().row(row).to_vec(),
            k: batch.goal.k(),
            keep: self.keep,
            solver: self.solver,
            criterion: self.criterion.clone(),
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
