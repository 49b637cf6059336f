//! [`Decisions`]: the steps of ML-DP.

use burn::tensor::{Tensor, TensorData};

use super::Geometry;
use super::least_step::{Constraint, least_step};
use crate::descent::Survivors;
use crate::readback::{Seen, values};

/// ML-DP: Song, Jin, Huang & Hu, "Multi-Label Adversarial Perturbations", ICDM 2018.
///
/// It works on decisions, not on ranks: a label is predicted where its logit is above 0. The specified
/// labels are to be predicted no longer, and all others as they were. A step is the smallest one that
/// does so to first order:
///
/// ```text
/// min ‖r‖₂  subject to  t_i (f_i + g_i · r) ≥ 0      t_i = −1 on S, elsewhere the sign of the clean logit
/// ```
///
/// taken 2 % longer, as in DeepFool. A label that isn't specified has a constraint, and costs a Jacobian
/// row, from where it is first predicted otherwise. The original solves for equations by the
/// pseudo-inverse; with inequalities nothing moves that needn't.
///
/// It doesn't care whether the specified labels leave the top-k, and so no certain success:
/// it ends where no decision is left to change.
pub(super) struct Decisions {
    /// The labels that have been decided otherwise than wanted, by rows of the last look.
    constrained: Vec<Vec<bool>>,
}

/// How much longer than to the border a step is.
const OVERSHOOT: f64 = 1.02;

impl Decisions {
    /// Nothing is constrained yet.
    pub fn new(rows: usize, classes: usize) -> Self {
        Self { constrained: vec![vec![false; classes]; rows] }
    }

    /// `t_i` of each label.
    fn wanted(survivors: &Survivors, at: usize) -> Vec<f64> {
        let specified = survivors.goal.specified().row(at);
        let clean = survivors.clean[at].scores.iter().zip(specified);
        clean.map(|(&score, &out)| if out || score <= 0.0 { -1.0 } else { 1.0 }).collect()
    }
}

impl Geometry for Decisions {
    /// The labels that need a constraint now.
    fn labels(&self, survivors: &Survivors, at: usize, now: &Seen) -> Vec<usize> {
        let wanted = Self::wanted(survivors, at);
        let scores = now.scored.scores.iter().zip(wanted).zip(&self.constrained[at]);
        let needed =
            scores.map(|((&score, sign), &already)| already || sign * f64::from(score) < 0.0);
        needed.enumerate().filter_map(|(label, needed)| needed.then_some(label)).collect()
    }

    fn step(
        &mut self,
        survivors: &Survivors,
        now: &[Seen],
        labels: &[Vec<usize>],
        gradients: Tensor<2>,
    ) -> (Tensor<4>, Tensor<1>) {
        let (device, size) = (gradients.device(), gradients.dims()[1]);
        let rows = values(gradients);
        let mut rows = rows.chunks_exact(size);
        let mut steps = Vec::with_capacity(now.len() * size);
        let mut lengths = Vec::with_capacity(now.len());
        for (at, labels) in labels.iter().enumerate() {
            let wanted = Self::wanted(survivors, at);
            let gradients: Vec<&[f32]> = rows.by_ref().take(labels.len()).collect();
            // −t g · r ≤ t f
            let constraint = |(row, &label): (usize, &usize)| Constraint {
                weights: vec![(row, -wanted[label])],
                bound: wanted[label] * f64::from(now[at].scored.scores[label]),
            };
            let constraints: Vec<_> = labels.iter().enumerate().map(constraint).collect();
            let mut step = least_step(&gradients, size, &constraints);
            step.iter_mut().for_each(|s| *s *= OVERSHOOT);
            let length = step.iter().map(|s| s * s).sum::<f64>().sqrt();
            steps.extend(step.into_iter().map(|s| s as f32));
            lengths.push(length as f32);
            labels.iter().for_each(|&label| self.constrained[at][label] = true);
        }
        let steps = TensorData::new(steps, survivors.origin.dims());
        let lengths = TensorData::new(lengths, [now.len()]);
        (Tensor::from_data(steps, &device), Tensor::from_data(lengths, &device))
    }

    fn keep(&mut self, positions: &[usize]) {
        self.constrained = positions.iter().map(|&at| self.constrained[at].clone()).collect();
    }
}
