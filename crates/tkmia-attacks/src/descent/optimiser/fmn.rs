//! [`Fmn`]: steps within a ball whose radius follows what they find.

use burn::tensor::Tensor;
use tkmia_core::pixels::l2_norm;

use super::{At, LAST_STEP, StepRule, Stepping, cosine};
use crate::Norm;
use crate::descent::ball::{per_row, rowwise};
use crate::readback::values;

/// Fast minimum norm: Pintor, Roli, Brendel & Biggio, "Fast Minimum-norm Adversarial Attacks through Adaptive Norm
/// Constraints", NeurIPS 2021, Algorithm 1, in L2 and from the image itself.
///
/// ```text
/// ε ← ‖δ‖ + L/‖g‖          after a failure, where nothing was found yet
///     ε (1 + γ)            after another failure
///     min(ε (1 − γ), ‖δ*‖) after a success; δ* is the smallest of them
/// δ ← Π(δ − α g/‖g‖),  Π onto the ball of radius ε
/// ```
///
/// α and γ fall along a cosine, to a hundredth and a fiftieth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fmn {
    /// The first γ.
    pub gamma: f64,
    /// The first α, in the variable's unit; none: the width of the image box.
    pub step: Option<f64>,
    /// The number of steps over which both fall.
    pub steps: usize,
}

/// The share of γ that is left at the end.
const LAST_GAMMA: f64 = 0.02;

impl StepRule for Fmn {
    fn start(&self) -> Box<dyn Stepping + '_> {
        Box::new(Following { rule: self, taken: 0, rows: Vec::new() })
    }

    fn shrinks(&self) -> bool {
        true
    }
}

/// A [`Fmn`] at work.
struct Following<'a> {
    rule: &'a Fmn,
    taken: usize,
    rows: Vec<Row>,
}

/// What is known of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    /// ε
    radius: f32,
    /// ‖δ*‖, infinite where there is none.
    smallest: f32,
}

impl Row {
    /// Where there is no success yet, nor any step.
    const NEW: Self = Self { radius: f32::INFINITY, smallest: f32::INFINITY };

    /// Follows what was found at a perturbation of this norm; the border may be as far as `away`.
    fn follow(&mut self, met: bool, norm: f32, away: f32, gamma: f32) {
        if met {
            self.smallest = self.smallest.min(norm);
            self.radius = (self.radius * (1.0 - gamma)).min(self.smallest);
        } else if self.smallest.is_finite() {
            self.radius *= 1.0 + gamma;
        } else {
            // Without a gradient nothing is known of the border.
            self.radius = if away.is_finite() { norm + away } else { f32::INFINITY };
        }
    }
}

impl Stepping for Following<'_> {
    fn step(&mut self, at: At<'_>) -> Tensor<4> {
        let Fmn { gamma, step, steps } = *self.rule;
        let gamma = (gamma * cosine(LAST_GAMMA, self.taken, steps)) as f32;
        let length = step.unwrap_or(at.width()) * cosine(LAST_STEP, self.taken, steps);
        self.taken += 1;
        self.rows.resize(at.met.len(), Row::NEW);
        let both = [at.variable.clone(), at.gradient.clone()].map(l2_norm);
        let both = values(Tensor::cat(both.to_vec(), 0));
        let (norms, slopes) = both.split_at(self.rows.len());
        for (place, row) in self.rows.iter_mut().enumerate() {
            row.follow(at.met[place], norms[place], at.loss[place] / slopes[place], gamma);
        }
        let moved = at.variable - Norm::L2.steepest(at.gradient).mul_scalar(length);
        let radii = per_row(self.rows.iter().map(|row| row.radius), &at.origin.device());
        let factor = (radii / l2_norm(moved.clone())).clamp_max(1.0);
        moved * rowwise(factor)
    }

    fn keep(&mut self, positions: &[usize]) {
        // There are none before the first step.
        self.rows = positions.iter().filter_map(|&at| self.rows.get(at).copied()).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_radius_follows_what_is_found() {
        let mut row = Row::NEW;
        let mut follow = |met, norm, away| {
            row.follow(met, norm, away, 0.5);
            (row.radius, row.smallest)
        };
        assert_eq!(follow(false, 0.0, 4.0), (4.0, f32::INFINITY));
        assert_eq!(follow(false, 4.0, f32::NAN), (f32::INFINITY, f32::INFINITY));
        assert_eq!(follow(true, 6.0, 0.0), (6.0, 6.0));
        assert_eq!(follow(true, 5.0, 0.0), (3.0, 5.0));
        assert_eq!(follow(false, 3.0, 1.0), (4.5, 5.0));
        assert_eq!(follow(true, 4.5, 0.0), (2.25, 4.5));
    }
}
