//! [`GradientAttack`]: the one iterative loop.

use burn::tensor::{Int, Tensor, TensorData};
use tkmia_core::objective::Objective;
use tkmia_core::{Classifier, Goal};
use tkmia_metrics::Ranking;

use crate::criterion::{Criterion, Standing};
use crate::eligibility::eligible;
use crate::host::rankings;
use crate::{Attack, AttackBatch, AttackError, BatchResult, Observer, Outcome, Sgd, Space, Step};

/// An objective, descended in a space until a criterion holds: Algorithm 1 of Sun et al. 2023, and
/// what its variants and baselines share.
///
/// Images leave the batch as soon as they are done; the others go on without them. Each forward
/// pass is followed by one small read (the scores) and, but for the last, by one backward pass to the
/// images of that pass.
#[derive(Debug)]
pub struct GradientAttack {
    /// What is descended.
    pub objective: Box<dyn Objective>,
    /// `α` of a penalty `α/2 ‖w‖²` on the variable, as part of the loss.
    pub norm_penalty: f64,
    /// The variable.
    pub space: Space,
    /// How the variable moves.
    pub optimiser: Sgd,
    /// When an image is done. Tested before the step, so that the image returned is the one tested.
    pub criterion: Box<dyn Criterion>,
    /// Forward passes per image at most; one step less than that.
    pub max_iterations: usize,
}

/// The images still under attack.
struct Survivors {
    /// Their positions in the batch.
    rows: Vec<usize>,
    origin: Tensor<4>,
    variable: Tensor<4>,
    velocity: Option<Tensor<4>>,
    goal: Goal,
    /// Their rankings before the attack.
    clean: Vec<Ranking>,
}

impl Survivors {
    fn keep(&mut self, positions: &[usize]) {
        let pick = |images: &Tensor<4>| pick(images, positions);
        self.rows = positions.iter().map(|&position| self.rows[position]).collect();
        self.clean = positions.iter().map(|&position| self.clean[position].clone()).collect();
        self.origin = pick(&self.origin);
        self.variable = pick(&self.variable);
        self.velocity = self.velocity.as_ref().map(pick);
        self.goal = self.goal.select(positions);
    }

    fn standing<'a>(&'a self, position: usize, now: &'a Ranking) -> Standing<'a> {
        Standing {
            clean: &self.clean[position],
            now,
            relevant: self.goal.relevant().row(position),
            specified: self.goal.specified().row(position),
            k: self.goal.k(),
        }
    }
}

/// The images that left the batch, in the order in which they left.
struct Finished {
    rows: Vec<usize>,
    images: Vec<Tensor<4>>,
    outcomes: Vec<Outcome>,
    iterations: Vec<usize>,
}

impl Attack for GradientAttack {
    fn run(
        &self,
        classifier: &dyn Classifier,
        batch: &AttackBatch,
        watch: &mut dyn Observer,
    ) -> Result<BatchResult, AttackError> {
        batch.check(classifier)?;
        let rows = batch.goal.rows();
        let mut finished = Finished {
            rows: Vec::with_capacity(rows),
            images: Vec::new(),
            outcomes: vec![Outcome::Exhausted; rows],
            iterations: vec![0; rows],
        };
        let mut survivors = Survivors {
            rows: (0..rows).collect(),
            origin: batch.images.clone(),
            variable: batch.images.zeros_like(),
            velocity: None,
            goal: batch.goal.clone(),
            clean: Vec::new(),
        };

        for iteration in 1..=self.max_iterations {
            let variable = survivors.variable.clone().autodiff().require_grad();
            let images = self.space.image(survivors.origin.clone(), variable.clone());
            let scores = classifier.scores(images.clone());
            let now = rankings(scores.clone().inner(), &survivors.rows, iteration)?;
            let loss = self.loss(scores, variable.clone(), &survivors.goal);
            if iteration == 1 {
                // The variable is still 0: these are the scores of the unattacked images.
                survivors.clean = now.clone();
            }

            let last = iteration == self.max_iterations;
            let ends: Vec<Option<Outcome>> = (0..now.len())
                .map(|at| self.end(&survivors, at, &now[at], iteration, last))
                .collect();
            let positions = |done: bool| -> Vec<usize> {
                (0..ends.len()).filter(|&at| ends[at].is_some() == done).collect()
            };
            let (done, going_on) = (positions(true), positions(false));
            let finished_rows: Vec<usize> = done.iter().map(|&at| survivors.rows[at]).collect();
            let flow = watch.on_step(&Step {
                iteration,
                rows: &survivors.rows,
                loss: &loss.clone().inner(),
                finished: &finished_rows,
            });

            let interrupted = flow.is_break();
            for (at, &row) in survivors.rows.iter().enumerate() {
                finished.iterations[row] = iteration;
                let end = ends[at].or(interrupted.then_some(Outcome::Interrupted));
                finished.outcomes[row] = end.unwrap_or(Outcome::Exhausted);
            }
            if interrupted || going_on.is_empty() {
                finished.rows.extend(&survivors.rows);
                finished.images.push(images.inner());
                break;
            }

            // Rows that end here share this last graph with the others; they cost a row of this one
            // backward pass and are gone from the next forward pass on.
            let gradient = variable
                .grad_remove(&mut loss.sum().backward())
                .expect("the loss depends on the variable");
            let (variable, velocity) = (survivors.variable.clone(), survivors.velocity.take());
            let (variable, velocity) = self.optimiser.step(variable, gradient, velocity);
            survivors.variable = variable;
            survivors.velocity = Some(velocity);
            if !done.is_empty() {
                finished.images.push(pick(&images.inner(), &done));
                finished.rows.extend(finished_rows);
                survivors.keep(&going_on);
            }
        }
        Ok(self.assemble(batch, finished))
    }

    fn unattacked(&self, images: Tensor<4>) -> Tensor<4> {
        self.space.unattacked(images)
    }
}

impl GradientAttack {
    fn loss(&self, scores: Tensor<2>, variable: Tensor<4>, goal: &Goal) -> Tensor<1> {
        let loss = self.objective.loss(scores, goal);
        if self.norm_penalty == 0.0 {
            return loss;
        }
        let variable: Tensor<2> = variable.flatten(1, 3);
        let squared_norm = variable.powi_scalar(2).sum_dim(1).squeeze_dim(1);
        loss + squared_norm.mul_scalar(self.norm_penalty / 2.0)
    }

    /// How the attack on one image ends after this forward pass, if it does.
    fn end(
        &self,
        survivors: &Survivors,
        position: usize,
        now: &Ranking,
        iteration: usize,
        last: bool,
    ) -> Option<Outcome> {
        let standing = survivors.standing(position, now);
        if iteration == 1
            && let Err(reason) =
                eligible(standing.clean, standing.relevant, standing.specified, standing.k)
        {
            return Some(Outcome::Ineligible(reason));
        }
        if self.criterion.is_met(&standing) {
            return Some(Outcome::Succeeded);
        }
        last.then_some(Outcome::Exhausted)
    }

    /// Puts the images back into the order of the batch.
    fn assemble(&self, batch: &AttackBatch, finished: Finished) -> BatchResult {
        let mut places: Vec<usize> = (0..finished.rows.len()).collect();
        places.sort_by_key(|&place| finished.rows[place]);
        let images = pick(&Tensor::cat(finished.images, 0), &places);
        BatchResult {
            perturbation: self.space.perturbation(batch.images.clone(), images.clone()),
            unattacked: self.space.unattacked(batch.images.clone()),
            images,
            outcomes: finished.outcomes,
            iterations: finished.iterations,
        }
    }
}

/// The rows at the given positions, in that order.
fn pick(images: &Tensor<4>, positions: &[usize]) -> Tensor<4> {
    let indices: Vec<i64> = positions.iter().map(|&position| position as i64).collect();
    let data = TensorData::new(indices, [positions.len()]);
    images.clone().select(0, Tensor::<1, Int>::from_data(data, &images.device()))
}
