//! The one iterative loop: look, judge, observe, step, and go on without the images that are done.

use burn::tensor::{Int, Tensor, TensorData};
use tkmia_core::{Classifier, Goal};

use crate::criterion::{Criterion, Standing};
use crate::eligibility::eligible;
use crate::host::{Scored, scored};
use crate::{AttackBatch, AttackError, BatchResult, Observer, Outcome, Passes, Space, Step};

/// How an attack moves the images that it still works on.
pub(crate) trait Mover {
    /// The images that the classifier sees now, and their scores; both without gradient.
    fn look(&mut self, classifier: &dyn Classifier, survivors: &Survivors) -> Look;

    /// Moves the survivors' variable from where it was looked at; says how many passes that took for
    /// each.
    fn step(
        &mut self,
        classifier: &dyn Classifier,
        survivors: &mut Survivors,
        now: &[Scored],
    ) -> Passes;

    /// Forgets all but the images at these positions of the last look.
    fn keep(&mut self, positions: &[usize]);
}

/// What a forward pass shows.
pub(crate) struct Look {
    /// `[rows, 3, height, width]`
    pub images: Tensor<4>,
    /// `[rows, classes]`
    pub scores: Tensor<2>,
    /// `[rows]`, where the attack has a loss.
    pub loss: Option<Tensor<1>>,
}

/// The images still under attack.
pub(crate) struct Survivors {
    /// Their positions in the batch.
    pub rows: Vec<usize>,
    /// The images as they were given.
    pub origin: Tensor<4>,
    /// What the attack moves, in its space.
    pub variable: Tensor<4>,
    /// What is wanted of them.
    pub goal: Goal,
    /// Their scores before the attack.
    pub clean: Vec<Scored>,
}

impl Survivors {
    fn keep(&mut self, positions: &[usize]) {
        self.rows = positions.iter().map(|&position| self.rows[position]).collect();
        self.clean = positions.iter().map(|&position| self.clean[position].clone()).collect();
        self.origin = pick(&self.origin, positions);
        self.variable = pick(&self.variable, positions);
        self.goal = self.goal.select(positions);
    }

    fn standing<'a>(&'a self, position: usize, now: &'a Scored) -> Standing<'a> {
        let clean = &self.clean[position];
        Standing {
            clean: &clean.ranking,
            clean_scores: &clean.scores,
            now: &now.ranking,
            scores: &now.scores,
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
    passes: Vec<Passes>,
}

/// Attacks a batch: at most `max_passes` forward passes for each image, one step less.
///
/// An image is done when the criterion holds; that is tested before the step, so that the image
/// returned is the one tested. The images that are done leave; the others go on without them.
pub(crate) fn drive(
    classifier: &dyn Classifier,
    batch: &AttackBatch,
    space: Space,
    criterion: &dyn Criterion,
    max_passes: usize,
    mover: &mut dyn Mover,
    watch: &mut dyn Observer,
) -> Result<BatchResult, AttackError> {
    batch.check(classifier)?;
    let rows = batch.goal.rows();
    let mut finished = Finished {
        rows: Vec::with_capacity(rows),
        images: Vec::new(),
        outcomes: vec![Outcome::Exhausted; rows],
        iterations: vec![0; rows],
        passes: vec![Passes::default(); rows],
    };
    let mut survivors = Survivors {
        rows: (0..rows).collect(),
        origin: batch.images.clone(),
        variable: batch.images.zeros_like(),
        goal: batch.goal.clone(),
        clean: Vec::new(),
    };

    for pass in 1..=max_passes {
        let Look { images, scores, loss } = mover.look(classifier, &survivors);
        let now = scored(scores, &survivors.rows, pass)?;
        if pass == 1 {
            // The variable is still 0: these are the scores of the unattacked images.
            survivors.clean = now.clone();
        }

        let last = pass == max_passes;
        let ends: Vec<Option<Outcome>> = (0..now.len())
            .map(|at| end(&survivors.standing(at, &now[at]), criterion, pass, last))
            .collect();
        let positions = |done: bool| -> Vec<usize> {
            (0..ends.len()).filter(|&at| ends[at].is_some() == done).collect()
        };
        let (done, going_on) = (positions(true), positions(false));
        let finished_rows: Vec<usize> = done.iter().map(|&at| survivors.rows[at]).collect();
        let flow = watch.on_step(&Step {
            iteration: pass,
            rows: &survivors.rows,
            loss: loss.as_ref(),
            finished: &finished_rows,
        });

        let interrupted = flow.is_break();
        for (at, &row) in survivors.rows.iter().enumerate() {
            finished.iterations[row] = pass;
            finished.passes[row].forward += 1;
            let end = ends[at].or(interrupted.then_some(Outcome::Interrupted));
            finished.outcomes[row] = end.unwrap_or(Outcome::Exhausted);
        }
        if interrupted || going_on.is_empty() {
            finished.rows.extend(&survivors.rows);
            finished.images.push(images);
            break;
        }

        let now = match done.is_empty() {
            true => now,
            false => {
                finished.images.push(pick(&images, &done));
                finished.rows.extend(finished_rows);
                survivors.keep(&going_on);
                mover.keep(&going_on);
                going_on.iter().map(|&at| now[at].clone()).collect()
            }
        };
        let spent = mover.step(classifier, &mut survivors, &now);
        for &row in &survivors.rows {
            finished.passes[row].forward += spent.forward;
            finished.passes[row].backward += spent.backward;
        }
    }
    Ok(assemble(batch, space, finished))
}

/// How the attack on one image ends after this forward pass, if it does.
fn end(
    standing: &Standing<'_>,
    criterion: &dyn Criterion,
    pass: usize,
    last: bool,
) -> Option<Outcome> {
    if pass == 1
        && let Err(reason) =
            eligible(standing.clean, standing.relevant, standing.specified, standing.k)
    {
        return Some(Outcome::Ineligible(reason));
    }
    if criterion.is_met(standing) {
        return Some(Outcome::Succeeded);
    }
    last.then_some(Outcome::Exhausted)
}

/// Puts the images back into the order of the batch.
fn assemble(batch: &AttackBatch, space: Space, finished: Finished) -> BatchResult {
    let mut places: Vec<usize> = (0..finished.rows.len()).collect();
    places.sort_by_key(|&place| finished.rows[place]);
    let images = pick(&Tensor::cat(finished.images, 0), &places);
    BatchResult {
        perturbation: space.perturbation(batch.images.clone(), images.clone()),
        unattacked: space.unattacked(batch.images.clone()),
        images,
        outcomes: finished.outcomes,
        iterations: finished.iterations,
        passes: finished.passes,
    }
}

/// The rows at the given positions, in that order.
pub(crate) fn pick<const D: usize>(tensor: &Tensor<D>, positions: &[usize]) -> Tensor<D> {
    let indices: Vec<i64> = positions.iter().map(|&position| position as i64).collect();
    let data = TensorData::new(indices, [positions.len()]);
    tensor.clone().select(0, Tensor::<1, Int>::from_data(data, &tensor.device()))
}
