//! [`AutoPgd`]: steps within a ball, whose length adapts to what they achieve.

use burn::tensor::Tensor;

use super::{At, StepRule, Stepping};
use crate::descent::ball::{Ball, per_row, rowwise};
use crate::descent::{choose, pick};

/// Auto-PGD: Croce & Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse
/// parameter-free attacks", ICML 2020, Algorithm 1; from the image itself, not from a random start.
///
/// ```text
/// z = Π(w − η d(g)),   w ← Π(w + a (z − w) + (1 − a)(w − w'))
/// ```
///
/// with `Π` onto the ball, then into the image box, `w'` the variable before, `a` = 0.75 (1 at the first step) and `η` = twice the radius. At
/// checkpoints that come closer and closer, a row whose loss fell in less than 75 % of the steps since the
/// last one, or whose `η` and smallest loss are still what they were then, halves its `η` and goes on from
/// where its loss was smallest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AutoPgd {
    /// Where the variable stays.
    pub ball: Ball,
    /// The number of steps that the checkpoints are laid out for.
    pub steps: usize,
}

/// `a`: how much of a step is new.
const FRESH: f64 = 0.75;
/// ρ: the share of steps that must have brought something.
const ENOUGH: f64 = 0.75;

impl StepRule for AutoPgd {
    fn start(&self) -> Box<dyn Stepping + '_> {
        Box::new(Adapting {
            ball: self.ball,
            checkpoints: checkpoints(self.steps),
            taken: 0,
            since: 0,
            before: None,
            best: None,
            rows: Vec::new(),
        })
    }
}

/// `⌈p_j N⌉` for `p_0 = 0`, `p_1 = 0.22`, `p_{j+1} = p_j + max(p_j − p_{j−1} − 0.03, 0.06)`, but for 0.
fn checkpoints(steps: usize) -> Vec<usize> {
    let (mut before, mut at) = (0.0_f64, 0.22_f64);
    let mut checkpoints = Vec::new();
    while at <= 1.0 {
        // 0.57 · 100 is a little more than 57.
        checkpoints.push((at * steps as f64 - 1e-9).ceil() as usize);
        (before, at) = (at, at + (at - before - 0.03).max(0.06));
    }
    checkpoints
}

/// An [`AutoPgd`] at work.
struct Adapting {
    ball: Ball,
    checkpoints: Vec<usize>,
    /// Stepping so far.
    taken: usize,
    /// Stepping up to the last checkpoint.
    since: usize,
    /// The variable before the last step.
    before: Option<Tensor<4>>,
    /// Variable and gradient where each row's loss was smallest.
    best: Option<(Tensor<4>, Tensor<4>)>,
    rows: Vec<Row>,
}

/// What is known of one row.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// η
    length: f64,
    loss: f32,
    smallest: f32,
    /// Stepping since the last checkpoint that lowered the loss.
    falls: usize,
    /// `η` was halved at the last checkpoint.
    halved: bool,
    /// The smallest loss at the last checkpoint.
    smallest_then: f32,
}

impl Row {
    /// Takes note of the loss after a step; tells whether it is the smallest so far.
    fn see(&mut self, loss: f32) -> bool {
        self.falls += usize::from(loss < self.loss);
        self.loss = loss;
        let smallest = loss < self.smallest;
        self.smallest = self.smallest.min(loss);
        smallest
    }

    /// Halves the length where the steps since the last checkpoint call for it; tells whether.
    fn check(&mut self, steps: usize) -> bool {
        let few = (self.falls as f64) < ENOUGH * steps as f64;
        let stuck = !self.halved && self.smallest_then == self.smallest;
        self.halved = few || stuck;
        if self.halved {
            self.length /= 2.0;
        }
        self.falls = 0;
        self.smallest_then = self.smallest;
        self.halved
    }
}

impl Stepping for Adapting {
    fn step(&mut self, at: At<'_>) -> Tensor<4> {
        let At { mut variable, mut gradient, loss, space, origin, bounds, .. } = at;
        let onto = |variable| space.settle(origin.clone(), self.ball.project(variable), bounds);
        match self.best.take() {
            None => {
                let length = 2.0 * self.ball.radius;
                let row = |&loss: &f32| Row {
                    length,
                    loss,
                    smallest: loss,
                    falls: 0,
                    halved: false,
                    smallest_then: loss,
                };
                self.rows = loss.iter().map(row).collect();
                self.best = Some((variable.clone(), gradient.clone()));
            }
            Some((best, best_gradient)) => {
                let better: Vec<bool> =
                    self.rows.iter_mut().zip(loss).map(|(row, &loss)| row.see(loss)).collect();
                let best = choose(&better, best, &variable);
                let best_gradient = choose(&better, best_gradient, &gradient);
                if self.checkpoints.contains(&self.taken) {
                    let steps = self.taken - self.since;
                    self.since = self.taken;
                    let back: Vec<bool> =
                        self.rows.iter_mut().map(|row| row.check(steps)).collect();
                    variable = choose(&back, variable, &best);
                    gradient = choose(&back, gradient, &best_gradient);
                }
                self.best = Some((best, best_gradient));
            }
        }
        let lengths = per_row(self.rows.iter().map(|row| row.length as f32), &variable.device());
        let step = self.ball.norm.steepest(gradient) * rowwise(lengths);
        let mut next = onto(variable.clone() - step);
        if let Some(before) = self.before.take() {
            let fresh = (next - variable.clone()).mul_scalar(FRESH);
            let kept = (variable.clone() - before).mul_scalar(1.0 - FRESH);
            next = onto(variable.clone() + fresh + kept);
        }
        self.before = Some(variable);
        self.taken += 1;
        next
    }

    fn keep(&mut self, positions: &[usize]) {
        self.rows = match self.rows.is_empty() {
            true => Vec::new(),
            false => positions.iter().map(|&position| self.rows[position]).collect(),
        };
        self.before = self.before.as_ref().map(|before| pick(before, positions));
        self.best = self
            .best
            .as_ref()
            .map(|(best, gradient)| (pick(best, positions), pick(gradient, positions)));
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use tkmia_core::Bounds;

    use super::*;
    use crate::{Norm, Space};

    #[test]
    fn checkpoints_come_closer_and_closer() {
        assert_eq!(checkpoints(100), [22, 41, 57, 70, 80, 87, 93, 99]);
        assert_eq!(checkpoints(1), [1; 8]);
    }

    /// The last of so many steps down `loss`, a function of one number, and the smallest loss seen.
    fn walk(steps: usize, loss: impl Fn(f32) -> (f32, f32)) -> (f32, f32) {
        let rule = AutoPgd { ball: Ball { norm: Norm::L2, radius: 1.0 }, steps };
        let number = |value: f32| {
            Tensor::<4>::from_data(TensorData::new(vec![value], [1, 1, 1, 1]), &Device::default())
        };
        let (mut at, mut smallest) = (0.0, f32::INFINITY);
        let mut walking = rule.start();
        for _ in 0..steps {
            let (value, slope) = loss(at);
            smallest = smallest.min(value);
            let loss = [value];
            let (variable, gradient) = (number(at), number(slope));
            at = walking.step(At::free(variable, gradient, &loss)).into_scalar();
        }
        (at, smallest)
    }

    #[test]
    fn a_slope_leads_to_the_border() {
        assert_eq!(walk(3, |at| (-at, -1.0)).0, 1.0);
    }

    #[test]
    fn z_stays_in_the_image_box() {
        let rule = AutoPgd { ball: Ball { norm: Norm::L2, radius: 10.0 }, steps: 9 };
        let number = |value: f32| Tensor::<4>::full([1, 1, 1, 1], value, &Device::default());
        let mut walking = rule.start();
        let mut step = |variable: f32, slope: f32| -> f32 {
            let (variable, gradient) = (number(variable), number(slope));
            let (space, origin, bounds) = (Space::Project, number(0.5), Bounds::SYMMETRIC);
            let at = At { space, origin, bounds, variable, gradient, loss: &[1.0], met: &[false] };
            walking.step(at).into_scalar()
        };
        assert_eq!(step(0.0, -1.0), 0.5);
        // z = −1.5, not −10: 0.5 + 0.75 (−1.5 − 0.5) + 0.25 (0.5 − 0).
        assert_eq!(step(0.5, 1.0), -0.875);
    }

    #[test]
    fn steps_become_shorter_around_a_minimum() {
        // Stepping of a fixed length would go on jumping over it.
        let (at, smallest) = walk(100, |at| ((at - 0.3).abs(), (at - 0.3).signum()));
        assert!((at - 0.3).abs() < 0.05 && smallest < 0.01, "{at}, {smallest}");
    }

    #[test]
    fn a_length_is_halved_where_steps_bring_little_or_the_best_is_old() {
        let row = |falls, halved, smallest_then| Row {
            length: 2.0,
            loss: 0.0,
            smallest: 0.0,
            falls,
            halved,
            smallest_then,
        };
        let checked = |mut row: Row| (row.check(4), row.length);
        assert_eq!(checked(row(3, false, 1.0)), (false, 2.0));
        assert_eq!(checked(row(2, false, 1.0)), (true, 1.0));
        assert_eq!(checked(row(3, false, 0.0)), (true, 1.0));
        assert_eq!(checked(row(3, true, 0.0)), (false, 2.0));
    }
}
