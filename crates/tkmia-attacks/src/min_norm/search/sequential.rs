//! [`Sequential`]: a quadratic programme a pass, on a linear model that is kept up to date.

use std::collections::BTreeMap;

use super::super::constraints::Pair;
use tkmia_metrics::Ranking;

use super::super::model::{Model, add};
use super::super::task::{Found, Start, Task, norm};
use super::Search;
use super::target::{Outlook, by_score};
use crate::readback::Scored;

/// Shrink and repair: `ε ← (1 − β) ε + d`, with `d` the smallest step after which all pairs of the
/// target set hold by `κ`, as the model has it.
///
/// A point that neither moves is one where `ε` is a combination of the pairs' gradients: the
/// perturbation is as small as it gets. The rows of the model are fetched once, at the unattacked image;
/// from then on each pass gives the gradient of the combination that the multipliers name.
///
/// Until the constraints hold for the first time a trust radius bounds the step. From then on β rises
/// as long as the norm that a repair would lead to falls, and falls where it rises.
#[derive(Debug)]
pub(crate) struct Sequential {
    model: Model,
    target: Vec<usize>,
    /// Labels whose rows are still to be fetched.
    fetch: Vec<usize>,
    chooses: bool,
    at: Vec<f32>,
    look: Vec<f32>,
    now: Scored,
    asked: Vec<(usize, f64)>,
    step: usize,
    /// At which step the last ones begin, in which β falls, and at which they are over.
    tail: [usize; 2],
    found: bool,
    best: f64,
    best_step: usize,
    beta: f64,
    kappa: f64,
    trust: f64,
    /// The violation before the last step, and by how much it was to fall.
    before: f64,
    predicted: f64,
    /// Norm and violation in one, see [`Sequential::merit`].
    merit: f64,
    worth: f64,
}

/// Relevant labels beyond those needed, and irrelevant ones, whose rows are fetched at the start.
const MORE_RELEVANT: usize = 2;
const MORE_IRRELEVANT: usize = 1;
/// Of the first step, which the linear model at the unattacked image overrates.
const TRUST: f64 = 0.5;
/// Of the perturbation: the least trust radius.
const LEAST_TRUST: f64 = 0.1;
/// Steps without success after which the margin aimed at grows, and after which nothing is shrunk.
const PATIENCE: [usize; 2] = [6, 10];
const KAPPA_UP: f64 = 1.4;
/// Before the constraints hold, and when they do for the first time.
const BETA: [f64; 2] = [0.05, 0.3];
const BETA_RANGE: [f64; 2] = [0.01, 0.5];
const BETA_UP: f64 = 1.15;
const BETA_DOWN: f64 = 0.7;
/// When it goes on from a perturbation that is nearly the smallest.
const BETA_RESUMED: f64 = 0.1;
const BETA_LAST: f64 = 0.02;
/// Share of the steps in which β falls to its last value, and how many at most.
const TAIL: usize = 4;
const LONGEST_TAIL: usize = 20;
/// Without a success that is shorter by this share in so many steps the last ones begin.
const STALLED: (f64, usize) = (1e-3, 20);
/// Of the spread: the margin aimed at, at first and at least and at most.
const KAPPA: [f64; 3] = [2e-3, 3e-4, 5e-2];
/// Every so many steps another target set is taken if it is cheaper by more than this factor.
const RECHOOSE: (usize, f64) = (6, 0.97);

impl Sequential {
    pub fn new(task: &Task, start: &Start, chooses: bool) -> Self {
        let target = by_score(&start.tight, &start.clean.ranking);
        let fetch = rows_to_fetch(task, start, &target, &start.clean.ranking);
        let steps = task.max_passes.saturating_sub(fetch.len() + task.reserve());
        Self {
            model: Model::default(),
            target,
            fetch,
            chooses,
            at: vec![0.0; task.origin.len()],
            look: vec![0.0; task.origin.len()],
            now: start.clean.clone(),
            asked: Vec::new(),
            step: 0,
            tail: tail(steps),
            found: false,
            best: f64::INFINITY,
            best_step: 0,
            beta: BETA[0],
            kappa: KAPPA[0] * start.spread,
            trust: 0.0,
            before: 0.0,
            predicted: 0.0,
            merit: f64::INFINITY,
            worth: 0.0,
        }
    }

    /// Goes on from the best perturbation for its own top-k, with rows fetched anew there; so many steps
    /// after that.
    pub fn resumed(task: &Task, start: &Start, best: &Found, steps: usize) -> Self {
        let target = best.top(start).to_vec();
        Self {
            fetch: rows_to_fetch(task, start, &target, &best.seen.ranking),
            target,
            at: best.perturbation.clone(),
            look: best.perturbation.clone(),
            now: best.seen.clone(),
            tail: tail(steps),
            found: true,
            best: best.norm,
            beta: BETA_RESUMED,
            kappa: KAPPA[1] * start.spread,
            merit: f64::MAX,
            ..Self::new(task, start, false)
        }
    }

    /// The target's pairs whose labels are modelled.
    fn pairs(&self, start: &Start) -> Vec<Pair> {
        let pairs = start.tight.pairs(&self.target, &self.now.ranking).into_iter();
        pairs.filter(|pair| self.knows(pair)).collect()
    }

    fn knows(&self, pair: &Pair) -> bool {
        self.model.knows(pair.sinks) && self.model.knows(pair.rises)
    }

    fn violation(&self, start: &Start) -> f64 {
        let gaps = self.pairs(start).into_iter().map(|pair| pair.gap(&self.now.scores));
        gaps.fold(f64::NEG_INFINITY, f64::max)
    }

    /// The shrunk perturbation, and the repair that it needs.
    fn repair(&self, task: &Task, start: &Start) -> Repaired {
        let kept = 1.0 - self.beta;
        let shrunk: Vec<f32> = self.at.iter().map(|value| value * kept as f32).collect();
        let pairs = self.pairs(start);
        let score = |label: usize| {
            f64::from(self.now.scores[label]) - self.beta * self.model.change(label, &self.at)
        };
        let gaps: Vec<f64> =
            (pairs.iter()).map(|pair| score(pair.sinks) - score(pair.rises) + self.kappa).collect();
        let from: Vec<f32> = task.origin.iter().zip(&shrunk).map(|(x, by)| x + by).collect();
        let repair = self.model.repair(&pairs, &gaps, &from, &task.limits());
        Repaired { shrunk, pairs, step: repair.step, multipliers: repair.multipliers }
    }

    /// A row that is missing where it matters, else the combination that the multipliers name.
    fn wanted(&self, task: &Task, start: &Start) -> Vec<(usize, f64)> {
        let pairs = start.tight.pairs(&self.target, &self.now.ranking);
        let near = pairs.iter().filter(|pair| pair.gap(&self.now.scores) > -self.kappa);
        let mut labels = near.flat_map(|pair| [pair.sinks, pair.rises]);
        if let Some(label) = labels.find(|&label| !self.model.knows(label)) {
            return vec![(label, 1.0)];
        }
        let Repaired { pairs, multipliers, .. } = self.repair(task, start);
        let total: f64 = multipliers.iter().sum();
        let mut weights = BTreeMap::new();
        for (pair, multiplier) in pairs.iter().zip(&multipliers) {
            *weights.entry(pair.sinks).or_insert(0.0) += multiplier / total;
            *weights.entry(pair.rises).or_insert(0.0) -= multiplier / total;
        }
        if total <= 0.0 {
            let gap = |pair: &Pair| pair.gap(&self.now.scores);
            let worst = pairs.iter().max_by(|a, b| gap(a).total_cmp(&gap(b)));
            weights = worst.map_or(BTreeMap::new(), |pair| {
                BTreeMap::from([(pair.sinks, 1.0), (pair.rises, -1.0)])
            });
        }
        weights.into_iter().filter(|(_, weight)| *weight != 0.0).collect()
    }

    /// Takes another target set where the model finds one that is cheaper by some margin.
    fn choose(&mut self, start: &Start) {
        let gram = self.model.gram();
        let unattacked: Vec<f64> = (0..self.now.scores.len())
            .map(|label| f64::from(self.now.scores[label]) - self.model.change(label, &self.at))
            .collect();
        let outlook = Outlook {
            tight: &start.tight,
            model: &self.model,
            gram: &gram,
            scores: &unattacked,
            now: &self.now.ranking,
        };
        let target = outlook.improve(self.target.clone());
        let factor = RECHOOSE.1 * RECHOOSE.1;
        if outlook.cost(&target) < factor * outlook.cost(&self.target) {
            self.target = target;
        }
    }

    /// What the norm would be if the violation were repaired: `‖ε‖ + μ·violation`, with `μ` the
    /// multipliers' sum for a whole perturbation over its norm.
    fn merit(&self, violation: f64) -> f64 {
        norm(&self.at) + self.worth * violation.max(0.0)
    }

    /// Sets trust radius, β and κ by what the last step did.
    fn review(&mut self, start: &Start) {
        let violation = self.violation(start);
        let [first, least, most] = KAPPA.map(|share| share * start.spread);
        if !self.found {
            let ratio = (self.before - violation) / self.predicted;
            if self.predicted > 0.0 && ratio > 0.7 {
                self.trust *= 2.0;
            } else if self.predicted > 0.0 && ratio < 0.3 {
                // Steps that are shorter than what is shrunk would lead back.
                self.trust = (0.5 * self.trust).max(LEAST_TRUST * norm(&self.at));
            }
            // Steps that fall short again and again are to aim further, and then to undo nothing: any
            // success comes first.
            if self.step > PATIENCE[0] {
                self.kappa = (KAPPA_UP * self.kappa).clamp(first, most);
            }
            if self.step > PATIENCE[1] {
                self.beta = 0.0;
            }
            return;
        }
        if self.merit.is_infinite() {
            self.beta = BETA[1];
        }
        let merit = self.merit(violation);
        self.beta = match merit < self.merit {
            true => (self.beta * BETA_UP).min(BETA_RANGE[1]),
            false => (self.beta * BETA_DOWN).max(BETA_RANGE[0]),
        };
        self.merit = merit;
        if self.step >= self.best_step + STALLED.1 && self.step < self.tail[0] {
            let length = (self.tail[1] - self.tail[0]).min(8);
            self.tail = [self.step, self.step + length];
        }
        if self.step >= self.tail[0] {
            let share = (self.step - self.tail[0]) as f64 / (self.tail[1] - self.tail[0]) as f64;
            self.beta = self.beta.min(BETA[1] * (BETA_LAST / BETA[1]).powf(share));
        }
        // As far beyond the border as the steps have been falling short of it.
        let short = (violation + self.kappa).max(0.0);
        self.kappa = (0.7 * self.kappa + 0.3 * short).clamp(least, most);
    }

    fn propose(&mut self, task: &Task, start: &Start) -> Vec<f32> {
        if self.step > 0 {
            self.review(start);
        }
        let Repaired { mut shrunk, mut step, multipliers, .. } = self.repair(task, start);
        let (radius, length) = (norm(&self.at), norm(&step));
        if radius > 0.0 {
            self.worth = multipliers.iter().sum::<f64>() / (self.beta * radius);
        }
        if self.trust == 0.0 {
            self.trust = TRUST * length;
        }
        let longest = if self.found { 0.5 * radius } else { self.trust };
        let share = (longest / length.max(f64::MIN_POSITIVE)).min(1.0);
        step.iter_mut().for_each(|value| *value *= share as f32);
        self.before = self.violation(start);
        self.predicted = self.before.max(0.0) * share;
        add(&mut shrunk, 1.0, &step);
        task.clip(&mut shrunk);
        self.look.clone_from(&shrunk);
        shrunk
    }
}

/// Where the last ones of so many steps begin and end.
fn tail(steps: usize) -> [usize; 2] {
    [steps - (steps / TAIL).min(LONGEST_TAIL), steps]
}

/// Specified labels of the clean top-k, the target's, and the next ones that might take part; as many as a
/// third of the passes allows, those that are needed first.
fn rows_to_fetch(task: &Task, start: &Start, target: &[usize], now: &Ranking) -> Vec<usize> {
    let order = now.order();
    let top = start.clean.ranking.order()[..task.k].iter().copied();
    let mut labels: Vec<usize> = top.filter(|&label| task.specified[label]).collect();
    labels.extend(target);
    let needed = labels.len();
    let others = |relevant: bool, most: usize, labels: &[usize]| -> Vec<usize> {
        let free = order.iter().copied().filter(|label| !labels.contains(label));
        let free = free.filter(|&label| !task.specified[label] && task.relevant[label] == relevant);
        free.take(most).collect()
    };
    labels.extend(others(false, MORE_IRRELEVANT, &labels));
    labels.extend(others(true, MORE_RELEVANT, &labels));
    labels.truncate(needed.max(task.max_passes / 3));
    // A target may hold specified labels that are to stay.
    let mut seen = std::collections::HashSet::new();
    labels.retain(|&label| seen.insert(label));
    labels
}

struct Repaired {
    shrunk: Vec<f32>,
    pairs: Vec<Pair>,
    step: Vec<f32>,
    multipliers: Vec<f64>,
}

impl Search for Sequential {
    fn seen(&mut self, task: &Task, start: &Start, now: &Scored, met: bool) -> Vec<(usize, f64)> {
        if self.fetch.is_empty() {
            let step: Vec<f32> =
                self.look.iter().zip(&self.at).map(|(to, from)| to - from).collect();
            let before = std::mem::replace(&mut self.now, now.clone());
            self.model.stepped(&step, |label| {
                f64::from(now.scores[label]) - f64::from(before.scores[label])
            });
            self.at.clone_from(&self.look);
            self.step += 1;
            let length = norm(&self.at);
            if met && length < self.best {
                if length < (1.0 - STALLED.0) * self.best {
                    self.best_step = self.step;
                }
                (self.best, self.found) = (length, true);
            }
            self.asked = self.wanted(task, start);
        } else {
            self.asked = vec![(self.fetch[0], 1.0)];
        }
        self.asked.clone()
    }

    fn learn(&mut self, task: &Task, start: &Start, gradient: &[f32]) -> Option<Vec<f32>> {
        match self.asked.as_slice() {
            [(label, 1.0)] if !self.model.knows(*label) => self.model.fetched(*label, gradient),
            weights => self.model.combined(weights, gradient),
        }
        if !self.fetch.is_empty() {
            self.fetch.remove(0);
            if !self.fetch.is_empty() {
                return Some(self.at.clone());
            }
        }
        if self.found && self.step >= self.tail[1] {
            return None;
        }
        if self.chooses && self.step.is_multiple_of(RECHOOSE.0) && 2 * self.step < self.tail[1] {
            self.choose(start);
        }
        Some(self.propose(task, start))
    }

    fn begins_at(&self) -> &[f32] {
        &self.at
    }

    fn model(&self) -> &Model {
        &self.model
    }
}
