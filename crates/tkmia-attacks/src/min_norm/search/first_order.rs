//! [`FirstOrder`]: one gradient a pass, with the direction and the norm apart.

use std::f64::consts::PI;

use super::super::model::{Model, add};
use super::super::task::{Start, Task, norm};
use super::Search;
use crate::Norm;
use crate::draw::signs;
use crate::readback::Scored;

/// Decoupled direction and norm: Rony et al., "Decoupling Direction and Norm for Efficient
/// Gradient-Based L2 Adversarial Attacks and Defenses", CVPR 2019, on the most violated contest.
///
/// `ε ← ε − α g/‖g‖`, then onto the sphere of a radius that shrinks by γ after each success and
/// grows by it after each failure. The radius starts from, and α is measured in, the distance that
/// the first gradient promises, `margin/‖g‖` in the dual norm; α falls by a cosine from 0.5 to 0.01.
///
/// In L∞ steps go along `sign(g)`, and each value is clipped to the radius: there the sphere's nearest point
/// isn't one point, and it is the ball that Pintor et al., "Fast Minimum-norm Adversarial Attacks through
/// Adaptive Norm Constraints", NeurIPS 2021, project onto.
#[derive(Debug)]
pub(crate) struct FirstOrder {
    at: Vec<f32>,
    steps: usize,
    step: usize,
    unit: f64,
    radius: f64,
    margin: f64,
    met: bool,
    /// Of no label: one gradient a pass says nothing of the others.
    model: Model,
}

const GAMMA: f64 = 0.05;
const ALPHA: [f64; 2] = [0.5, 0.01];

impl FirstOrder {
    /// From the unattacked image, in so many steps.
    pub fn new(task: &Task, steps: usize) -> Self {
        Self {
            at: vec![0.0; task.origin.len()],
            steps,
            step: 0,
            unit: 0.0,
            radius: 0.0,
            margin: 0.0,
            met: false,
            model: Model::default(),
        }
    }
}

impl FirstOrder {
    /// The same from a random point at this distance.
    pub fn around(task: &Task, steps: usize, distance: f64, seed: u64) -> Self {
        let count = task.origin.len();
        let length = match task.measured_by {
            Norm::L2 => distance / (count as f64).sqrt(),
            Norm::Linf => distance,
        };
        let signs = signs(count, seed, "search");
        let mut at: Vec<f32> = signs.map(|sign| (length * sign) as f32).collect();
        task.clip(&mut at);
        Self { at, ..Self::new(task, steps) }
    }
}

impl Search for FirstOrder {
    fn seen(&mut self, _: &Task, start: &Start, now: &Scored, met: bool) -> Vec<(usize, f64)> {
        (self.met, self.margin) = (met, start.tight.margin(&now.scores, &now.ranking));
        let contests = start.tight.contests(&now.ranking).into_iter();
        let worst = contests.max_by(|a, b| a.gap(&now.scores).total_cmp(&b.gap(&now.scores)));
        worst.map_or(Vec::new(), |pair| vec![(pair.sinks, 1.0), (pair.rises, -1.0)])
    }

    fn learn(&mut self, task: &Task, _: &Start, gradient: &[f32]) -> Option<Vec<f32>> {
        let steepness = match task.measured_by {
            Norm::L2 => norm(gradient),
            Norm::Linf => gradient.iter().map(|slope| f64::from(slope.abs())).sum(),
        };
        if steepness == 0.0 {
            // Nowhere to go.
            return None;
        }
        if self.step == 0 {
            // Where the scores are flat or the goal can't be reached there is no step.
            let promised = self.margin.max(0.0) / steepness;
            self.unit = if promised < f32::MAX.into() { promised } else { 0.0 };
            self.radius = self.unit;
        } else {
            self.radius *= if self.met { 1.0 - GAMMA } else { 1.0 + GAMMA };
        }
        let share = self.step as f64 / self.steps as f64;
        self.step += 1;
        if self.step >= self.steps {
            return None;
        }
        let alpha = ALPHA[1] + (ALPHA[0] - ALPHA[1]) * 0.5 * (1.0 + (PI * share).cos());
        let step = alpha * self.unit;
        match task.measured_by {
            Norm::L2 => {
                add(&mut self.at, -step / steepness, gradient);
                let length = norm(&self.at);
                if length > 0.0 {
                    let factor = (self.radius / length) as f32;
                    self.at.iter_mut().for_each(|value| *value *= factor);
                }
            }
            Norm::Linf => {
                let (step, radius) = (step as f32, self.radius as f32);
                for (value, &slope) in self.at.iter_mut().zip(gradient) {
                    // The sign of 0 is 0.
                    let sign = if slope == 0.0 { 0.0 } else { slope.signum() };
                    *value = (*value - step * sign).clamp(-radius, radius);
                }
            }
        }
        task.clip(&mut self.at);
        Some(self.at.clone())
    }

    fn begins_at(&self) -> &[f32] {
        &self.at
    }

    fn model(&self) -> &Model {
        &self.model
    }
}
