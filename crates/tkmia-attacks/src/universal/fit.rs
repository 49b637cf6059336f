//! [`Fitted`]: the search for a universal perturbation.

use std::ops::ControlFlow;

use burn::tensor::{Tensor, TensorData};
use tkmia_core::Classifier;

use super::compositional::{Cmlu, compose, dependence, weights};
use super::perturbation::admitted;
use super::{Inner, UniversalAttack, UniversalPerturbation};
use crate::attack::admit;
use crate::criterion::SampleState;
use crate::descent::{At, ForwardPass, Mover, Space, StepRule, Stepping, Survivors, pick};
use crate::draw::{shuffled, signs};
use crate::indicator::Trail;
use crate::readback::{Scored, Seen, read, scored, values};
use crate::{
    Attack, AttackBatch, AttackError, Ball, GradientAttack, Indicator, Norm, Observer, Outcome,
    Passes, Perturbed, Run, ScoreKind, Sgd, Step, Stop,
};

/// Images whose mean step is taken.
const MINI_BATCH: usize = 16;
/// Of so many images one is for judging, not for stepping.
const JUDGED: usize = 4;
/// Rounds without progress that end a search.
const PATIENCE: usize = 5;
/// Searches at most.
const SEARCHES: usize = 3;

/// A universal perturbation, and what it took to find it.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The perturbation.
    pub perturbation: UniversalPerturbation,
    /// The share of the images with success at the perturbation, of those that take part. It says nothing of
    /// other images.
    pub success: f64,
    /// Rounds over the images, of all searches together.
    pub rounds: usize,
    /// Rounds that each image was looked at in.
    pub iterations: Vec<usize>,
    /// Passes that each image took.
    pub passes: Vec<Passes>,
    /// Signs that the steps of an image failed for reasons of their own.
    pub indicators: Vec<Vec<Indicator>>,
    /// Whether the observer ended the fit: the perturbation is the best until then.
    pub interrupted: bool,
}

impl Fitted {
    /// What it makes of the images that it was fitted to.
    pub(super) fn on_its_images(self, stop: &Stop, run: Run<'_>) -> Result<Perturbed, AttackError> {
        let mut result = self.perturbation.attack(stop.clone()).perturb(run)?;
        if self.interrupted {
            let open = result.outcomes.iter_mut().filter(|end| **end == Outcome::Exhausted);
            open.for_each(|end| *end = Outcome::Interrupted);
        }
        let Self { iterations, passes, indicators, .. } = self;
        Ok(Perturbed { fitted: true, iterations, passes, indicators, ..result })
    }
}

impl UniversalAttack {
    /// Fits a perturbation to the images of a batch, with an observer that may end it early.
    ///
    /// # Errors
    /// As [`Attack::run_watched`].
    pub fn fit(
        &self,
        classifier: &dyn Classifier,
        batch: &AttackBatch,
        watch: &mut dyn Observer,
    ) -> Result<Fitted, AttackError> {
        admit(self, classifier, batch)?;
        let mut fit = Fit::new(self, classifier, batch);
        let all: Vec<usize> = (0..batch.rows()).filter(|&row| fit.takes_part(row)).collect();
        let mut members = all.clone();
        let judged = match members.len() / JUDGED {
            0 => {
                fit.again = 1;
                members.clone()
            }
            count => members.split_off(members.len() - count),
        };
        let most = self.limits.max_iterations / (1 + fit.again);
        let n = fit.start(0).dims()[0];
        let (mut best, mut rounds, mut interrupted) = ((Score::NOTHING, fit.start(0)), 0, false);
        for search in 0..SEARCHES {
            let (mut v, mut steps) =
                (fit.start(search), (0..n).map(|_| self.rule.start()).collect::<Vec<_>>());
            let (mut best_here, mut stale) = (Score::NOTHING, 0);
            while stale < PATIENCE && !interrupted && !best.0.is_perfect() {
                // The looks of this round, and a last one.
                let look = Passes { forward: 1 + fit.again, backward: 0 };
                let affordable = |&row: &usize| self.limits.allow(fit.passes[row], look);
                let members: Vec<usize> = members.iter().copied().filter(affordable).collect();
                // A score is of all judged images or of none.
                let judgement = Passes { forward: 1, backward: 0 };
                let spent = |&row: &usize| !self.limits.allow(fit.passes[row], judgement);
                if rounds == most || members.is_empty() || judged.iter().any(spent) {
                    break;
                }
                rounds += 1;
                for rows in shuffled(members, rounds as u64, "round").chunks(MINI_BATCH) {
                    let flow = fit.step(&mut v, rows, &mut steps, rounds, watch);
                    if flow.is_break() {
                        interrupted = true;
                        break;
                    }
                }
                let score = fit.judge(&v, &judged);
                if score.is_better_than(&best.0) {
                    best = (score, v.clone());
                }
                stale = if score.is_better_than(&best_here) { 0 } else { stale + 1 };
                best_here = if stale == 0 { score } else { best_here };
            }
        }
        let failures = fit.judge(&best.1, &all).failures;
        let ended = fit.trails.iter().map(|trail| trail.indicators(false));
        Ok(Fitted {
            perturbation: match fit.ball {
                None => UniversalPerturbation::new(best.1, self.view())?,
                Some(ball) => UniversalPerturbation::of_labels(best.1, ball)?,
            },
            success: 1.0 - failures as f64 / all.len().max(1) as f64,
            rounds,
            indicators: ended.collect(),
            iterations: fit.iterations,
            passes: fit.passes,
            interrupted,
        })
    }
}

/// How good a perturbation is.
#[derive(Clone, Copy)]
struct Score {
    failures: usize,
    /// Mean margin of the criterion, below 0 where it holds.
    margin: f64,
}

impl Score {
    const NOTHING: Self = Self { failures: usize::MAX, margin: f64::INFINITY };

    fn is_perfect(&self) -> bool {
        self.failures == 0
    }

    fn is_better_than(&self, other: &Self) -> bool {
        (self.failures, self.margin) < (other.failures, other.margin)
    }
}

/// A fit under way.
struct Fit<'a> {
    attack: &'a UniversalAttack,
    classifier: &'a dyn Classifier,
    batch: &'a AttackBatch,
    /// Of images that take part.
    clean: Vec<Option<Scored>>,
    iterations: Vec<usize>,
    passes: Vec<Passes>,
    trails: Vec<Trail>,
    /// Of composed perturbations, where there is one of each label.
    ball: Option<Ball>,
    /// Looks at an image in a round beside that of its step: one, where the few images are judged too.
    again: usize,
}

impl<'a> Fit<'a> {
    /// Scores each image without a perturbation.
    fn new(
        attack: &'a UniversalAttack,
        classifier: &'a dyn Classifier,
        batch: &'a AttackBatch,
    ) -> Self {
        let rows: Vec<usize> = (0..batch.rows()).collect();
        let mut clean = Vec::with_capacity(rows.len());
        for rows in rows.chunks(MINI_BATCH) {
            let images = attack.view().of(pick(batch.images(), rows));
            for (&row, scored) in rows.iter().zip(scored(classifier.scores(images))) {
                clean.push(admitted(&scored, batch.goal(), row).ok().cloned());
            }
        }
        let count = rows.len();
        let passes = vec![Passes { forward: 1, backward: 0 }; count];
        let size = batch.images().dims()[1..].iter().product();
        let trails = vec![Trail::new(size, classifier.bounds()); count];
        let iterations = vec![0; count];
        let of_labels = matches!(attack.inner, Inner::Compositional);
        let ball = of_labels.then_some(attack.rule.ball);
        Self { attack, classifier, batch, clean, iterations, passes, trails, ball, again: 0 }
    }

    fn takes_part(&self, row: usize) -> bool {
        self.clean[row].is_some()
    }

    /// The scores of an image that takes part.
    fn clean(&self, row: usize) -> &Scored {
        self.clean[row].as_ref().expect("it takes part")
    }

    /// Where a search starts: the first at 0, others half-way to a random corner or border of the ball.
    fn start(&self, search: usize) -> Tensor<4> {
        let [_, channels, height, width] = self.batch.images().dims();
        let n = self.ball.map_or(1, |_| self.classifier.classes());
        let dims = [n, channels, height, width];
        if search == 0 {
            return Tensor::zeros(dims, &self.batch.images().device());
        }
        let (size, count) = (channels * height * width, dims.iter().product());
        let ball = self.attack.rule.ball;
        let length = match ball.norm {
            Norm::L2 => ball.radius / (size as f64).sqrt(),
            Norm::Linf => ball.radius,
        };
        let half = signs(count, search as u64, "start").map(|sign| (0.5 * length * sign) as f32);
        let start: Vec<f32> = half.collect();
        Tensor::from_data(TensorData::new(start, dims), &self.batch.images().device())
    }

    /// The weight of each perturbation in what is added to these images; in a round's steps, or afterwards.
    fn weights(&self, rows: &[usize], round: Option<usize>) -> Vec<f32> {
        match self.ball {
            None => vec![1.0; rows.len()],
            Some(_) => weights(&self.batch.goal().specified().select(rows), rows, round),
        }
    }

    /// CMLU's descent from where labels' perturbations have these weights.
    fn composed(&self, rows: &[usize], weights: &[f32]) -> GradientAttack {
        let (device, dims) = (self.classifier.device(), [rows.len(), self.classifier.classes()]);
        let clean = rows.iter().flat_map(|&row| self.clean(row).scores.iter().copied());
        let clean = TensorData::new(clean.collect::<Vec<f32>>(), dims);
        let kept: Vec<bool> = weights.iter().map(|&weight| weight == 0.0).collect();
        let clean = Tensor::from_data(clean, &device);
        let kept = Tensor::from_data(TensorData::new(kept, dims), &device);
        GradientAttack {
            objective: Box::new(Cmlu { clean, kept }),
            subset: false,
            scores: ScoreKind::Logits,
            lambda: None,
            norm_penalty: 0.0,
            space: Space::Clip,
            rule: Box::new(Sgd { learning_rate: 1.0, momentum: 0.0, weight_decay: 0.0 }),
            bisections: 0,
            stop: self.attack.stop.clone(),
            limits: self.attack.limits,
        }
    }

    /// Moves each perturbation by the mean step of its images among these, but for those that succeed while others don't.
    fn step(
        &mut self,
        v: &mut Tensor<4>,
        rows: &[usize],
        steps: &mut [Box<dyn Stepping + '_>],
        round: usize,
        watch: &mut dyn Observer,
    ) -> ControlFlow<()> {
        let (attack, origin) = (self.attack, pick(self.batch.images(), rows));
        let weights = self.weights(rows, Some(round));
        let mut survivors = Survivors {
            rows: rows.to_vec(),
            variable: compose(v, weights.clone(), self.ball),
            origin,
            bounds: self.classifier.bounds(),
            goal: self.batch.goal().select(rows),
            clean: rows.iter().map(|&row| self.clean(row).clone()).collect(),
        };
        let composed;
        let mut mover: Box<dyn Mover + '_> = match &attack.inner {
            Inner::Descent(descent) => Box::new(descent.mover()),
            Inner::Geometric(geometric) => {
                Box::new(geometric.mover(rows.len(), self.classifier.classes()))
            }
            Inner::Compositional => {
                composed = self.composed(rows, &weights);
                Box::new(composed.mover())
            }
        };
        let ForwardPass { scores, loss, .. } = mover.look(self.classifier, &survivors);
        let seen = read(scores, loss, None, None);
        for &row in rows {
            self.iterations[row] += 1;
            self.passes[row].forward += 1;
        }
        // What has no finite scores here has no step.
        let finite: Vec<usize> = (0..rows.len()).filter(|&at| seen[at].is_ok()).collect();
        if finite.is_empty() {
            let (loss, finished) = (None, &[][..]);
            return watch.on_step(&Step { iteration: round, rows, loss, finished });
        }
        if finite.len() < rows.len() {
            survivors.keep(&finite);
            mover.keep(&finite);
        }
        let mut now: Vec<Seen> = seen.into_iter().flatten().collect();
        let rows = survivors.rows.clone();
        let mut costs = vec![Passes::default(); rows.len()];
        let (mut failing, mut affordable) = (Vec::new(), Vec::new());
        for (at, &row) in rows.iter().enumerate() {
            costs[at] = mover.cost(&survivors, at, &now[at]);
            let mut cost = costs[at];
            cost.forward += self.again;
            if attack.limits.allow(self.passes[row], cost) {
                affordable.push(at);
                if !attack.stop.is_met(&survivors.state(at, &now[at].scored)) {
                    failing.push(at);
                }
            }
        }
        // Success with something to spare is what other images need.
        let going_on = if failing.is_empty() { affordable } else { failing };
        let losses: Option<Vec<f32>> = now.iter().map(|seen| seen.loss).collect();
        let (loss, finished) = (losses.as_deref(), &[][..]);
        let flow = watch.on_step(&Step { iteration: round, rows: &rows, loss, finished });
        if flow.is_break() || going_on.is_empty() {
            return flow;
        }
        if going_on.len() < rows.len() {
            survivors.keep(&going_on);
            mover.keep(&going_on);
            now = going_on.iter().map(|&at| now[at].clone()).collect();
        }
        for &at in &going_on {
            self.passes[rows[at]].forward += costs[at].forward;
            self.passes[rows[at]].backward += costs[at].backward;
        }
        let from = survivors.variable.clone();
        let slope = mover.step(self.classifier, &mut survivors, &now).slope;
        let slopes = slope.map(values).unwrap_or_default();
        for (&row, slope) in survivors.rows.iter().zip(slopes) {
            self.trails[row].step(slope, false);
        }
        let change = survivors.variable.clone() - from;
        let dependence = self.ball.map(|_| dependence(v));
        let (weights, n) = (self.weights(&survivors.rows, None), steps.len());
        let moved = steps.iter_mut().enumerate().map(|(which, steps)| {
            let variable = v.clone().narrow(0, which, 1);
            let images = 0..survivors.rows.len();
            let images: Vec<usize> = images.filter(|at| weights[at * n + which] > 0.0).collect();
            if images.is_empty() {
                return variable;
            }
            let gradient = pick(&change, &images).mean_dim(0).neg();
            steps.step(At {
                // It is of no image, and its rule knows none.
                space: Space::of(attack.view()),
                origin: variable.zeros_like(),
                bounds: self.classifier.bounds(),
                gradient: match &dependence {
                    None => gradient,
                    Some(dependence) => gradient + dependence.clone().narrow(0, which, 1),
                },
                variable,
                loss: &[],
                met: &[],
            })
        });
        *v = Tensor::cat(moved.collect(), 0);
        flow
    }

    /// Looks at these images with `v`.
    fn judge(&mut self, v: &Tensor<4>, rows: &[usize]) -> Score {
        let (goal, space) = (self.batch.goal(), Space::of(self.attack.view()));
        let mut score = Score { failures: 0, margin: 0.0 };
        for rows in rows.chunks(MINI_BATCH) {
            let origin = pick(self.batch.images(), rows);
            let variable = compose(v, self.weights(rows, None), self.ball);
            let images = space.image(origin, variable, self.classifier.bounds());
            let now = scored(self.classifier.scores(images));
            for (&row, now) in rows.iter().zip(&now) {
                self.passes[row].forward += 1;
                let Ok(now) = now else {
                    score.failures += 1;
                    continue;
                };
                let state = SampleState::of(goal, row, self.clean(row), now);
                score.failures += usize::from(!self.attack.stop.is_met(&state));
                score.margin += self.attack.stop.margin(&state);
            }
        }
        score.margin /= rows.len() as f64;
        score
    }
}
