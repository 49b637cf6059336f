//! [`Universal`]: one perturbation for all images.

use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::Tensor;
use tkmia_core::Classifier;

use crate::ball::Ball;
use crate::criterion::{Criterion, Standing};
use crate::eligibility::eligible;
use crate::host::{Scored, scored};
use crate::{
    Attack, AttackBatch, AttackError, BatchResult, Observer, Outcome, Passes, Space, Step,
};

/// A universal perturbation: Moosavi-Dezfooli et al., "Universal adversarial perturbations", CVPR 2017,
/// with another attack for its steps: TkML-AP-Uv (Hu et al. 2021) with TkML-AP-U, kUAP (Tursynbek et al.
/// 2022) with kFool.
///
/// ```text
/// v ← 0;  until enough images succeed at v, or the rounds are over:
///     for each image x:  v ← Π(v + 1.02 Δ),  Δ the inner attack's perturbation of x, from v on
/// ```
///
/// with `Π` the projection onto a ball. An image that succeeds at `v` already, or that the inner attack
/// can't bring to success, leaves `v` as it is. The 2 % are DeepFool's, which the first one steps with:
/// an attack that ends on the border itself would lose the image to rounding. Images are taken in the batch's order, one at a time, so
/// that the whole data set is one batch.
#[derive(Debug)]
pub struct Universal {
    /// What moves the perturbation on, image by image.
    pub inner: Box<dyn Attack>,
    /// Where the perturbation stays, in the space's own unit.
    pub ball: Ball,
    /// The space that the inner attack works in too.
    pub space: Space,
    /// When an image is done.
    pub criterion: Arc<dyn Criterion>,
    /// Rounds over the images at most, at least 1.
    pub rounds: usize,
    /// The share of the images that is enough, in `[0, 1]`.
    pub enough: f64,
}

/// How much longer than the inner attack's a step is.
const OVERSHOOT: f64 = 1.02;

impl Attack for Universal {
    fn run(
        &self,
        classifier: &dyn Classifier,
        batch: &AttackBatch,
        watch: &mut dyn Observer,
    ) -> Result<BatchResult, AttackError> {
        batch.check(classifier)?;
        let mut fit = Fit::new(self, classifier, batch)?;
        let mut interrupted = false;
        for _ in 0..self.rounds {
            interrupted = fit.round(watch)?;
            fit.evaluate()?;
            if interrupted || fit.share() >= self.enough {
                break;
            }
        }
        let rows: Vec<usize> = (0..batch.goal.rows()).collect();
        let last = fit.iterations.iter().copied().max().unwrap_or(0).max(1);
        let _ = watch.on_step(&Step { iteration: last, rows: &rows, loss: None, finished: &rows });
        Ok(fit.finish(interrupted))
    }

    fn unattacked(&self, images: Tensor<4>) -> Tensor<4> {
        self.space.unattacked(images)
    }

    fn is_universal(&self) -> bool {
        true
    }
}

/// A [`Universal`] under way.
struct Fit<'a> {
    attack: &'a Universal,
    classifier: &'a dyn Classifier,
    batch: &'a AttackBatch,
    /// `v`. `[1, 3, height, width]`
    shared: Tensor<4>,
    clean: Vec<Scored>,
    /// Ineligible, succeeded at `v`, or exhausted.
    outcomes: Vec<Outcome>,
    iterations: Vec<usize>,
    passes: Vec<Passes>,
}

impl<'a> Fit<'a> {
    /// Scores each image without a perturbation.
    fn new(
        attack: &'a Universal,
        classifier: &'a dyn Classifier,
        batch: &'a AttackBatch,
    ) -> Result<Self, AttackError> {
        let AttackBatch { images, goal, start } = batch;
        let rows = goal.rows();
        let shared = match start {
            Some(start) => start.clone().narrow(0, 0, 1),
            None => images.clone().narrow(0, 0, 1).zeros_like(),
        };
        let mut fit = Self {
            attack,
            classifier,
            batch,
            shared,
            clean: Vec::with_capacity(rows),
            outcomes: Vec::with_capacity(rows),
            iterations: vec![0; rows],
            passes: vec![Passes::default(); rows],
        };
        for row in 0..rows {
            let clean = fit.score(row, attack.space.unattacked(fit.image(row)))?;
            let (relevant, specified) = (goal.relevant().row(row), goal.specified().row(row));
            let takes_part = eligible(&clean.ranking, relevant, specified, goal.k());
            fit.outcomes.push(match takes_part {
                Ok(()) => Outcome::Exhausted,
                Err(reason) => Outcome::Ineligible(reason),
            });
            fit.clean.push(clean);
        }
        Ok(fit)
    }

    fn image(&self, row: usize) -> Tensor<4> {
        self.batch.images.clone().narrow(0, row, 1)
    }

    fn takes_part(&self, row: usize) -> bool {
        !matches!(self.outcomes[row], Outcome::Ineligible(_))
    }

    fn perturbed(&self, row: usize) -> Tensor<4> {
        match self.takes_part(row) {
            true => self.attack.space.image(self.image(row), self.shared.clone()),
            false => self.attack.space.unattacked(self.image(row)),
        }
    }

    fn score(&mut self, row: usize, image: Tensor<4>) -> Result<Scored, AttackError> {
        self.passes[row].forward += 1;
        Ok(scored(self.classifier.scores(image), &[row], self.passes[row].forward)?.remove(0))
    }

    /// Moves `v` by one image after the other; tells whether the observer ended it.
    fn round(&mut self, watch: &mut dyn Observer) -> Result<bool, AttackError> {
        let space = self.attack.space;
        for row in (0..self.outcomes.len()).filter(|&row| self.takes_part(row)).collect::<Vec<_>>()
        {
            let mut flow = ControlFlow::Continue(());
            let mut named = |step: &Step<'_>| {
                flow = watch.on_step(&Step { rows: &[row], finished: &[], ..*step });
                flow
            };
            let alone =
                AttackBatch { start: Some(self.shared.clone()), ..self.batch.select(&[row]) };
            let result = self.attack.inner.run(self.classifier, &alone, &mut named)?;
            self.iterations[row] += result.iterations[0];
            self.passes[row].forward += result.passes[0].forward;
            self.passes[row].backward += result.passes[0].backward;
            if result.outcomes[0] == Outcome::Succeeded {
                let (origin, from) = (self.image(row), self.perturbed(row));
                let before = space.perturbation(origin, from);
                let step = (result.perturbation - before).mul_scalar(OVERSHOOT);
                let moved = self.shared.clone() + step;
                self.shared = self.attack.ball.project(moved);
            }
            if flow.is_break() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Looks at each image with `v`.
    fn evaluate(&mut self) -> Result<(), AttackError> {
        for row in 0..self.outcomes.len() {
            if self.takes_part(row) {
                let now = self.score(row, self.perturbed(row))?;
                let standing = Standing::of(&self.batch.goal, row, &self.clean[row], &now);
                self.outcomes[row] = match self.attack.criterion.is_met(&standing) {
                    true => Outcome::Succeeded,
                    false => Outcome::Exhausted,
                };
            }
        }
        Ok(())
    }

    /// The share of images with success among those that take part; 1 where none does.
    fn share(&self) -> f64 {
        let count = |wanted: Outcome| {
            self.outcomes.iter().filter(|&&outcome| outcome == wanted).count() as f64
        };
        let (succeeded, exhausted) = (count(Outcome::Succeeded), count(Outcome::Exhausted));
        if succeeded + exhausted == 0.0 { 1.0 } else { succeeded / (succeeded + exhausted) }
    }

    fn finish(mut self, interrupted: bool) -> BatchResult {
        let images = (0..self.outcomes.len()).map(|row| self.perturbed(row)).collect();
        let images: Tensor<4> = Tensor::cat(images, 0);
        if interrupted {
            let open = self.outcomes.iter_mut().filter(|outcome| **outcome == Outcome::Exhausted);
            open.for_each(|outcome| *outcome = Outcome::Interrupted);
        }
        let (space, origin) = (self.attack.space, self.batch.images.clone());
        BatchResult {
            unattacked: space.unattacked(origin.clone()),
            perturbation: space.perturbation(origin, images.clone()),
            images,
            indicators: vec![Vec::new(); self.outcomes.len()],
            outcomes: self.outcomes,
            iterations: self.iterations,
            passes: self.passes,
        }
    }
}
