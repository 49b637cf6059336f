//! [`SquareAttack`]: a random search that asks for scores alone.

mod bump;
mod candidate;
mod draws;

use burn::tensor::{Tensor, TensorData};
use tkmia_core::Classifier;

use crate::descent::{ForwardPass, Mover, Rules, Stride, Survivors, drive};
use crate::readback::{Seen, values};
use crate::{Attack, AttackError, Ball, Limits, Passes, Perturbed, Run, Space, Stop, Variant};
use candidate::Candidates;

/// Square: it has no knobs but its ball and its limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Square {
    /// Corrected.
    pub variant: Variant,
    /// Where it searches.
    pub ball: Ball,
}

impl Square {
    /// The runnable attack.
    pub(crate) fn init(&self, limits: Limits, stop: &Stop) -> Result<SquareAttack, AttackError> {
        Ok(SquareAttack { ball: self.ball.checked()?, stop: stop.clone(), limits })
    }
}

/// Square: Andriushchenko, Croce, Flammarion & Hein, "Square Attack: a Query-Efficient Black-Box Adversarial Attack
/// via Random Search", ECCV 2020.
///
/// What lowers the criterion's [margin](crate::Criterion::margin) is kept: for the specified labels out of the top-k the
/// best of them minus the k-th best of the others. In L∞ a square window of each channel is set to ε or −ε
/// (Algorithm 2), in L2 the norm of one window is moved to another (Algorithm 3); windows shrink as queries are used up. An
/// iteration is a query: the first one is of the image itself, and there is no backward pass.
#[derive(Debug)]
pub struct SquareAttack {
    /// Where it searches.
    pub ball: Ball,
    /// When an image is done, and whose margin is lowered.
    pub stop: Stop,
    /// How far it may go.
    pub limits: Limits,
}

impl Attack for SquareAttack {
    fn perturb(&self, run: Run<'_>) -> Result<Perturbed, AttackError> {
        let rules =
            Rules { space: Space::Project, stop: &self.stop, limits: self.limits, targeted: false };
        let queries = self.passes_at_most(0, 0).forward;
        drive(run, rules, &mut Searching { attack: self, queries, query: 0, rows: Vec::new() })
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }

    fn passes_at_most(&self, _: usize, _: usize) -> Passes {
        self.limits.cap(Passes { forward: self.limits.max_iterations, backward: 0 })
    }
}

/// A [`SquareAttack`] under way.
struct Searching<'a> {
    attack: &'a SquareAttack,
    queries: usize,
    query: usize,
    rows: Vec<Candidates>,
}

impl Mover for Searching<'_> {
    fn cost(&self, _: &Survivors, _: usize, _: &Seen) -> Passes {
        Passes::default()
    }

    fn look(&mut self, classifier: &dyn Classifier, survivors: &Survivors) -> ForwardPass {
        survivors.look(classifier, Space::Project)
    }

    fn step(&mut self, _: &dyn Classifier, survivors: &mut Survivors, now: &[Seen]) -> Stride {
        let shape = survivors.origin.dims();
        let [_, channels, height, width] = shape;
        let mut tried: Vec<f32> = Vec::with_capacity(shape.iter().product());
        if self.query == 0 {
            let origin = values(survivors.origin.clone());
            let (ball, bounds, size) =
                (self.attack.ball, survivors.bounds, [channels, height, width]);
            let images = origin.chunks_exact(channels * height * width);
            self.rows = images.map(|image| Candidates::new(ball, bounds, size, image)).collect();
            self.rows.iter_mut().for_each(|row| tried.extend(row.first()));
        } else {
            for (at, row) in self.rows.iter_mut().enumerate() {
                let margin = self.attack.stop.margin(&survivors.state(at, &now[at].scored));
                tried.extend(row.next(margin, self.query - 1, self.queries));
            }
        }
        self.query += 1;
        let device = survivors.origin.device();
        survivors.variable = Tensor::from_data(TensorData::new(tried, shape), &device);
        Stride { slope: None, moved: None }
    }

    fn keep(&mut self, positions: &[usize]) {
        if self.query > 0 {
            self.rows = positions.iter().map(|&at| self.rows[at].clone()).collect();
        }
    }
}
