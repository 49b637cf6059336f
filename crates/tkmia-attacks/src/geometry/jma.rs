//! [`Mahalanobis`]: the steps of JMA.

use burn::tensor::{Tensor, TensorData};
use tkmia_core::Bounds;

use super::Geometry;
use super::least_step::{Constraint, least_step};
use crate::descent::{Bisection, Survivors};
use crate::readback::{Seen, values};

/// JMA: Tondi, Guo, Pancino & Barni, "JMA: a General Algorithm to Craft Nearly Optimal Targeted Adversarial
/// Examples", arXiv 2401.01199.
///
/// Of the scores that lie in a region, those are the target that are nearest in the Mahalanobis distance of the
/// Jacobian `J`, the length of the step that leads there to first order. Where linear inequalities bound
/// the region, Wolfe's dual of that is a non-negative least squares problem:
///
/// ```text
/// min over d of  dᵀ (J Jᵀ)⁻¹ d   subject to  A (f + d) ≤ −κ,        r = Jᵀ (J Jᵀ)⁻¹ d = −Jᵀ Aᵀ λ
/// min over λ ≥ 0 of  ½ λᵀ A J Jᵀ Aᵀ λ − (A f + κ) · λ
/// ```
///
/// The rows of `A` are those of its one-hot form, differences of two labels: each specified label is to be below each
/// of the k others that were the best on the unattacked image. `r` is made no longer than half of the box's width; from
/// the first success on the last step is bisected, six times.
pub(super) struct Mahalanobis(Vec<Way>);

/// κ, by the spread of the unattacked image's scores: without one, steps may come ever nearer to the border.
const CONFIDENCE: f64 = 1e-3;
/// Bisections of the last step.
const BISECTIONS: usize = 6;
/// Of the box's width: the length of a step at most.
const LONGEST: f64 = 0.5;

/// The last step of an image.
#[derive(Clone, Default)]
struct Way {
    /// Where it began.
    from: Vec<f32>,
    step: Vec<f32>,
    /// From the first success on.
    bisection: Option<Bisection>,
}

impl Mahalanobis {
    /// No step was made yet.
    pub fn new(rows: usize) -> Self {
        Self(vec![Way::default(); rows])
    }

    /// `A f ≤ −κ`, by positions among the labels.
    fn constraints(
        survivors: &Survivors,
        at: usize,
        labels: &[usize],
        now: &Seen,
    ) -> Vec<Constraint> {
        let specified = survivors.goal.specified().row(at);
        let clean = &survivors.clean[at].scores;
        let [least, most] = [f32::min, f32::max].map(|of| clean.iter().copied().reduce(of));
        let spread = most.zip(least).map_or(0.0, |(most, least)| f64::from(most - least));
        let confidence = CONFIDENCE * spread;
        let score = |place: usize| f64::from(now.scored.scores[labels[place]]);
        let places = |out: bool| (0..labels.len()).filter(move |&it| specified[labels[it]] == out);
        let pairs = places(true).flat_map(|out| places(false).map(move |stays| (out, stays)));
        pairs
            .map(|(out, stays)| Constraint {
                weights: vec![(out, 1.0), (stays, -1.0)],
                bound: score(stays) - score(out) - confidence,
            })
            .collect()
    }
}

impl Way {
    /// Begins with a step, and gives its length.
    fn take(&mut self, from: &[f32], mut step: Vec<f64>, Bounds { low, high }: Bounds) -> f64 {
        let length = step.iter().map(|s| s * s).sum::<f64>().sqrt();
        let longest = LONGEST * f64::from(high - low);
        let factor = if length > longest { longest / length } else { 1.0 };
        step.iter_mut().for_each(|s| *s *= factor);
        let step = step.into_iter().map(|s| s as f32).collect();
        *self = Self { from: from.to_vec(), step, bisection: None };
        length
    }
}

impl Geometry for Mahalanobis {
    /// The specified labels and the k best others, until there is a success.
    fn labels(&self, survivors: &Survivors, at: usize, _: &Seen) -> Vec<usize> {
        if self.0[at].bisection.is_some() {
            return Vec::new();
        }
        let specified = survivors.goal.specified().row(at);
        let order = survivors.clean[at].ranking.order().iter().copied();
        let best = order.filter(|&label| !specified[label]).take(survivors.goal.k());
        survivors.goal.specified().indices(at).into_iter().chain(best).collect()
    }

    fn step(
        &mut self,
        survivors: &Survivors,
        now: &[Seen],
        labels: &[Vec<usize>],
        gradients: Tensor<2>,
    ) -> (Tensor<4>, Tensor<1>) {
        let (device, size) = (gradients.device(), gradients.dims()[1]);
        let (gradients, here) = (values(gradients), values(survivors.variable.clone()));
        let mut rows = gradients.chunks_exact(size);
        let mut steps = Vec::with_capacity(here.len());
        let mut lengths = Vec::with_capacity(now.len());
        for (at, here) in here.chunks_exact(size).enumerate() {
            let way = &mut self.0[at];
            let (share, length) = match &mut way.bisection {
                Some(bisection) => (bisection.halve(), 1.0),
                None => {
                    let rows: Vec<&[f32]> = rows.by_ref().take(labels[at].len()).collect();
                    let constraints = Self::constraints(survivors, at, &labels[at], &now[at]);
                    let step = least_step(&rows, size, &constraints);
                    (1.0, way.take(here, step, survivors.bounds))
                }
            };
            let there = way.from.iter().zip(&way.step).map(|(from, step)| from + share * step);
            steps.extend(there.zip(here).map(|(there, here)| there - here));
            lengths.push(length as f32);
        }
        let steps = TensorData::new(steps, survivors.origin.dims());
        let lengths = TensorData::new(lengths, [now.len()]);
        (Tensor::from_data(steps, &device), Tensor::from_data(lengths, &device))
    }

    fn looked(&mut self, at: usize, met: bool) -> bool {
        let way = &mut self.0[at];
        let looks = if way.step.is_empty() { 0 } else { BISECTIONS };
        Bisection::looked(&mut way.bisection, met, looks)
    }

    fn keep(&mut self, positions: &[usize]) {
        self.0 = positions.iter().map(|&at| self.0[at].clone()).collect();
    }
}
