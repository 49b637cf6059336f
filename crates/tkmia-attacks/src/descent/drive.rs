//! The one iterative loop: look, judge, observe, step, and go on without the images that are done.

use burn::tensor::{Bool, Int, Tensor, TensorData};
use tkmia_core::pixels::l2_norm;
use tkmia_core::{Bounds, Classifier, Goal};

use super::Space;
use crate::criterion::SampleState;
use crate::eligibility::{eligible, eligible_by_labels};
use crate::error::check;
use crate::indicator::Trail;
use crate::readback::{NonFinite, Scored, Seen, read, scored, values};
use crate::{
    AttackBatch, AttackError, Limits, Outcome, Passes, Perturbed, Reason, Run, Step, Stop, View,
};

/// How an attack moves the images that it still works on.
pub(crate) trait Mover {
    /// What a step would cost the survivor at this position, which was seen like this.
    fn cost(&self, survivors: &Survivors, at: usize, now: &Seen) -> Passes;

    /// The images that the classifier sees now, and their scores; both without gradient.
    fn look(&mut self, classifier: &dyn Classifier, survivors: &Survivors) -> ForwardPass;

    /// Takes note whether the image at this position was a success, and says whether to go on: after a failure, or in
    /// search of a smaller success.
    fn looked(&mut self, _at: usize, met: bool) -> bool {
        !met
    }

    /// Moves the survivors' variable from where it was looked at.
    fn step(
        &mut self,
        classifier: &dyn Classifier,
        survivors: &mut Survivors,
        now: &[Seen],
    ) -> Stride;

    /// Forgets all but the images at these positions of the last look.
    fn keep(&mut self, positions: &[usize]);
}

/// What a forward pass shows.
pub(crate) struct ForwardPass {
    /// `[rows, 3, height, width]`
    pub images: Tensor<4>,
    /// `[rows, classes]`
    pub scores: Tensor<2>,
    /// `[rows]`, where the attack has a loss.
    pub loss: Option<Tensor<1>>,
}

/// What is told of a step, `[rows]` each.
pub(crate) struct Stride {
    /// The norm of the gradient that it went along, if it did.
    pub slope: Option<Tensor<1>>,
    /// Of an attack that goes by where it is alone: the largest change of an element. Where that is 0 all further
    /// steps would be the same.
    pub moved: Option<Tensor<1>>,
}

/// What an attack keeps to.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    /// The variable.
    pub space: Space,
    /// When an image is done.
    pub stop: &'a Stop,
    /// How far it may go.
    pub limits: Limits,
    /// Whether an image without a target takes no part.
    pub targeted: bool,
}

/// The images still under attack.
pub(crate) struct Survivors {
    /// Their positions in the batch.
    pub rows: Vec<usize>,
    /// The images as they were given.
    pub origin: Tensor<4>,
    /// What the attack moves, in its space.
    pub variable: Tensor<4>,
    /// The range of their values.
    pub bounds: Bounds,
    /// What is wanted of them.
    pub goal: Goal,
    /// Their scores before the attack.
    pub clean: Vec<Scored>,
}

impl Survivors {
    pub fn keep(&mut self, positions: &[usize]) {
        self.rows = positions.iter().map(|&position| self.rows[position]).collect();
        // There are none before the first look.
        let clean = positions.iter().filter_map(|&position| self.clean.get(position).cloned());
        self.clean = clean.collect();
        self.origin = pick(&self.origin, positions);
        self.variable = pick(&self.variable, positions);
        self.goal = self.goal.select(positions);
    }

    /// What the classifier sees where the variable is, and says to it.
    pub fn look(&self, classifier: &dyn Classifier, space: Space) -> ForwardPass {
        let images = space.image(self.origin.clone(), self.variable.clone(), self.bounds);
        let scores = classifier.scores(images.clone());
        ForwardPass { images, scores, loss: None }
    }

    pub fn state<'a>(&'a self, position: usize, now: &'a Scored) -> SampleState<'a> {
        SampleState::of(&self.goal, position, &self.clean[position], now)
    }
}

/// The images that left the batch, in the order in which they left.
struct Finished {
    rows: Vec<usize>,
    images: Vec<Tensor<4>>,
    outcomes: Vec<Outcome>,
    iterations: Vec<usize>,
    passes: Vec<Passes>,
    trails: Vec<Trail>,
    /// Of each row, the smallest success, and its L2 norm, if the search went on after one.
    found: Vec<Option<(f32, Tensor<4>)>>,
}

impl Finished {
    /// Takes in the images whose scores aren't finite, unattacked, and gives the positions of the others.
    fn lose<T>(
        &mut self,
        seen: &[Result<T, NonFinite>],
        survivors: &Survivors,
        view: View,
    ) -> Vec<usize> {
        let (lost, kept): (Vec<usize>, Vec<usize>) =
            (0..seen.len()).partition(|&position| seen[position].is_err());
        for &position in &lost {
            let row = survivors.rows[position];
            self.rows.push(row);
            if let Err(fault) = &seen[position] {
                self.outcomes[row] = fault.clone().into();
            }
        }
        if !lost.is_empty() {
            self.images.push(view.of(pick(&survivors.origin, &lost)));
        }
        kept
    }

    /// Takes note of successes at these positions, where none was smaller.
    fn find(&mut self, found: &[usize], images: &Tensor<4>, survivors: &Survivors, view: View) {
        if found.is_empty() {
            return;
        }
        let images = pick(images, found);
        let norms = values(l2_norm(images.clone() - view.of(pick(&survivors.origin, found))));
        for (place, (&at, norm)) in found.iter().zip(norms).enumerate() {
            let smallest = &mut self.found[survivors.rows[at]];
            if smallest.as_ref().is_none_or(|(smallest, _)| norm < *smallest) {
                *smallest = Some((norm, pick(&images, &[place])));
            }
        }
    }
}

/// Attacks a batch within limits: looks at each image by one forward pass, and steps in between.
///
/// An image is done when the criterion holds, unless the mover looks for smaller successes; that is tested before the
/// step, so that the image returned is one that was tested. The images that are done leave; the others go on without them.
pub(crate) fn drive(
    Run { classifier, batch, watch }: Run<'_>,
    rules: Rules<'_>,
    mover: &mut dyn Mover,
) -> Result<Perturbed, AttackError> {
    let (rows, images) = (batch.rows(), batch.images().clone());
    let size = images.dims()[1..].iter().product();
    // Without a start the first look is at the unattacked images.
    let first = Passes { forward: usize::from(batch.start().is_some()), backward: 0 };
    let enough = rules.limits.allow(first, Passes::default());
    let forward = rules.limits.max_forward.unwrap_or_default() as f64;
    check("max forward passes", "at least 2 for a batch with a start", forward, enough)?;
    let mut finished = Finished {
        rows: Vec::with_capacity(rows),
        images: Vec::new(),
        outcomes: vec![Outcome::Exhausted; rows],
        iterations: vec![0; rows],
        passes: vec![first; rows],
        trails: vec![Trail::new(size, classifier.bounds()); rows],
        found: vec![None; rows],
    };
    let mut survivors = Survivors {
        rows: (0..rows).collect(),
        variable: batch.start().cloned().unwrap_or_else(|| images.zeros_like()),
        origin: images,
        bounds: classifier.bounds(),
        goal: batch.goal().clone(),
        clean: Vec::new(),
    };
    if batch.start().is_some() {
        let unattacked = rules.space.view().of(batch.images().clone());
        let clean = scored(classifier.scores(unattacked));
        let kept = finished.lose(&clean, &survivors, rules.space.view());
        if kept.len() < rows {
            survivors.keep(&kept);
        }
        survivors.clean = clean.into_iter().flatten().collect();
    }

    let mut stride: Option<Stride> = None;
    for pass in 1..=rules.limits.max_iterations {
        if survivors.rows.is_empty() {
            break;
        }
        let ForwardPass { mut images, scores, loss } = mover.look(classifier, &survivors);
        for &row in &survivors.rows {
            finished.iterations[row] = pass;
            finished.passes[row].forward += 1;
        }
        let (slope, moved) = stride.take().map(|stride| (stride.slope, stride.moved)).unzip();
        let seen = read(scores, loss, slope.flatten(), moved.flatten());
        let before = finished.rows.len();
        let kept = finished.lose(&seen, &survivors, rules.space.view());
        let mut ended_rows = finished.rows[before..].to_vec();
        if kept.is_empty() {
            let (rows, finished) = (&survivors.rows, &ended_rows);
            let _ = watch.on_step(&Step { iteration: pass, rows, loss: None, finished });
            break;
        }
        if kept.len() < seen.len() {
            survivors.keep(&kept);
            mover.keep(&kept);
            images = pick(&images, &kept);
        }
        let mut now: Vec<Seen> = seen.into_iter().flatten().collect();
        if survivors.clean.is_empty() {
            survivors.clean = now.iter().map(|seen| seen.scored.clone()).collect();
        }
        for (at, seen) in now.iter_mut().enumerate() {
            // A success, which needs no gradient, says nothing by its own.
            seen.slope = seen.slope.filter(|_| finished.found[survivors.rows[at]].is_none());
            let margin = || rules.stop.margin(&survivors.state(at, &seen.scored)) as f32;
            finished.trails[survivors.rows[at]].note(seen, margin);
        }

        let state = |at: usize| survivors.state(at, &now[at].scored);
        let met: Vec<bool> = (0..now.len()).map(|at| rules.stop.is_met(&state(at))).collect();
        let on: Vec<bool> = (0..now.len()).map(|at| mover.looked(at, met[at])).collect();
        let is_found = |at: usize| on[at] || finished.found[survivors.rows[at]].is_some();
        let found: Vec<usize> = (0..now.len()).filter(|&at| met[at] && is_found(at)).collect();
        finished.find(&found, &images, &survivors, rules.space.view());
        let costs: Vec<Passes> =
            (0..now.len()).map(|at| mover.cost(&survivors, at, &now[at])).collect();
        let end = |at: usize| {
            let row = survivors.rows[at];
            let last = !on[at]
                || pass == rules.limits.max_iterations
                || finished.trails[row].is_over()
                || !rules.limits.allow(finished.passes[row], costs[at]);
            end(&state(at), rules, pass, last.then_some(met[at]))
        };
        let ends: Vec<Option<Outcome>> = (0..now.len()).map(end).collect();
        let positions = |done: bool| -> Vec<usize> {
            (0..ends.len()).filter(|&at| ends[at].is_some() == done).collect()
        };
        let (done, going_on) = (positions(true), positions(false));
        let done_rows: Vec<usize> = done.iter().map(|&at| survivors.rows[at]).collect();
        ended_rows.extend(&done_rows);
        let losses: Option<Vec<f32>> = now.iter().map(|seen| seen.loss).collect();
        let flow = watch.on_step(&Step {
            iteration: pass,
            rows: &survivors.rows,
            loss: losses.as_deref(),
            finished: &ended_rows,
        });

        let interrupted = flow.is_break();
        for (at, &row) in survivors.rows.iter().enumerate() {
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
                finished.rows.extend(done_rows);
                survivors.keep(&going_on);
                mover.keep(&going_on);
                going_on.iter().map(|&at| now[at].clone()).collect()
            }
        };
        stride = Some(mover.step(classifier, &mut survivors, &now));
        for (&row, &at) in survivors.rows.iter().zip(&going_on) {
            finished.passes[row].forward += costs[at].forward;
            finished.passes[row].backward += costs[at].backward;
        }
    }
    Ok(assemble(batch, rules.space, finished))
}

/// How the attack on one image ends after this forward pass, if it is the last one, with or without success, or can't
/// take part.
fn end(
    state: &SampleState<'_>,
    rules: Rules<'_>,
    pass: usize,
    last: Option<bool>,
) -> Option<Outcome> {
    if pass == 1 {
        let SampleState { clean, relevant, specified, target, k, delta, .. } = *state;
        let taken = match rules.stop.wanted() {
            // It goes beyond a criterion that may hold already, as on a surrogate.
            Some(_) => eligible_by_labels(relevant, specified, k),
            None => eligible(clean, relevant, specified, k, delta),
        };
        if let Err(reason) = taken {
            return Some(Outcome::Ineligible(reason));
        }
        if rules.targeted && target.is_none_or(<[usize]>::is_empty) {
            return Some(Outcome::Ineligible(Reason::NoTarget));
        }
    }
    last.map(|met| if met { Outcome::Succeeded } else { Outcome::Exhausted })
}

/// Puts the images back into the order of the batch.
fn assemble(batch: &AttackBatch, space: Space, mut finished: Finished) -> Perturbed {
    let mut places: Vec<usize> = (0..finished.rows.len()).collect();
    places.sort_by_key(|&place| finished.rows[place]);
    let mut images = pick(&Tensor::cat(finished.images, 0), &places);
    let [_, channels, height, width] = images.dims();
    for (row, found) in finished.found.into_iter().enumerate() {
        let outcome = &mut finished.outcomes[row];
        let searched = matches!(outcome, Outcome::Exhausted | Outcome::Succeeded);
        let Some((_, found)) = found.filter(|_| searched) else { continue };
        *outcome = Outcome::Succeeded;
        images = images.slice_assign([row..row + 1, 0..channels, 0..height, 0..width], found);
    }
    let indicators = finished.trails.iter().zip(&finished.outcomes);
    let indicators =
        indicators.map(|(trail, &outcome)| trail.indicators(outcome == Outcome::Exhausted));
    Perturbed {
        perturbation: space.perturbation(batch.images().clone(), images.clone()),
        unattacked: space.view().of(batch.images().clone()),
        images,
        indicators: indicators.collect(),
        outcomes: finished.outcomes,
        iterations: finished.iterations,
        passes: finished.passes,
        fitted: false,
    }
}

/// The rows at the given positions, in that order.
pub(crate) fn pick<const D: usize>(tensor: &Tensor<D>, positions: &[usize]) -> Tensor<D> {
    let indices: Vec<i64> = positions.iter().map(|&position| position as i64).collect();
    let data = TensorData::new(indices, [positions.len()]);
    tensor.clone().select(0, Tensor::<1, Int>::from_data(data, &tensor.device()))
}

/// The rows of `other` where a flag is set, those of `own` elsewhere.
pub(crate) fn choose(flags: &[bool], own: Tensor<4>, other: &Tensor<4>) -> Tensor<4> {
    if flags.iter().all(|&flag| !flag) {
        return own;
    }
    let mask = TensorData::new(flags.to_vec(), [flags.len(), 1, 1, 1]);
    let mask = Tensor::<4, Bool>::from_data(mask, &own.device()).expand(own.dims());
    own.mask_where(mask, other.clone())
}
