//! [`Sequential`]: a quadratic programme a pass, on a linear model that is kept up to date.

use std::collections::{BTreeMap, BTreeSet};

use super::super::constraints::Pair;
use tkmia_metrics::Ranking;

use super::super::model::{Model, Repair, add, labels_of};
use super::super::task::{Found, Start, Task, norm};
use super::Search;
use super::target::{Outlook, by_score};
use crate::Norm;
use crate::geometry::dot;
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
    pairs: Vec<Pair>,
    /// The combination of scores that the multipliers name, and the same of the pairs' margins.
    weights: Vec<(usize, f64)>,
    margin: f64,
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

/// Steps of the first search, where others can follow it, and more for each place of the top-k.
const FIRST: [usize; 2] = [16, 4];
/// Labels of the active set at most: what a pass costs beside the network grows with their square.
const ACTIVE: usize = 9;
/// Of the target, the lowest labels whose rows are fetched at the start.
const LOWEST: usize = 7;
/// Share of a combination from which on a label's row is fetched.
const WORTH_A_ROW: f64 = 0.1;
/// Modelled labels beside the active set that may come into the target.
const CANDIDATES: usize = 4;
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
/// Of the perturbation: a step from which nothing is learnt.
const STILL: f64 = 1e-4;
/// In L∞: growth of the radius before the constraints hold, and where they don't any more.
const WIDER: [f64; 2] = [1.05, 1.01];
/// Every so many steps another target set is taken if it is cheaper by more than this factor.
const RECHOOSE: (usize, f64) = (6, 0.97);

impl Sequential {
    pub fn new(task: &Task, start: &Start, chooses: bool) -> Self {
        let target = by_score(&start.tight, &start.clean.ranking);
        let fetch = rows_to_fetch(task, start, &target, &start.clean.ranking);
        let steps = task.max_passes.saturating_sub(fetch.len() + task.reserve());
        let steps = if task.has_time() { steps.min(FIRST[0] + FIRST[1] * task.k) } else { steps };
        Self {
            model: Model::default(),
            target,
            pairs: Vec::new(),
            weights: Vec::new(),
            margin: 0.0,
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

    /// The active set: the target's pairs whose labels are modelled and that the next step might turn round, those
    /// nearest to it as far as they are of few labels.
    fn pairs(&self, start: &Start) -> Vec<Pair> {
        let share = if self.found { (2.0 * self.beta).min(1.0) } else { 1.0 };
        let now = (&*self.now.scores, &self.now.ranking);
        let known = |label| self.model.knows(label);
        let within = share * start.reach + self.kappa;
        let mut pairs = start.tight.pairs(&self.target, now, known, start.reach + self.kappa);
        pairs.sort_by(|a, b| b.gap(now.0).total_cmp(&a.gap(now.0)));
        let mut labels = BTreeSet::new();
        pairs.retain(|pair| {
            let both = [pair.sinks, pair.rises];
            let new = both.iter().filter(|label| !labels.contains(*label)).count();
            let near = pair.gap(now.0) > -within || labels.is_empty();
            let fits = near && labels.len() + new <= ACTIVE;
            if fits {
                labels.extend(both);
            }
            fits
        });
        pairs
    }

    fn violation(&self) -> f64 {
        let gaps = self.pairs.iter().map(|pair| pair.gap(&self.now.scores));
        gaps.fold(f64::NEG_INFINITY, f64::max)
    }

    /// The pairs' gaps after a step, as the model has them, and `κ`.
    fn gaps(&self, step: &[f32]) -> Vec<f64> {
        let labels = labels_of(&self.pairs).into_iter();
        let scores: BTreeMap<usize, f64> = labels
            .map(|label| {
                (label, f64::from(self.now.scores[label]) + self.model.change(label, step))
            })
            .collect();
        let gap = |pair: &Pair| pair.gap_of(|label| scores[&label]) + self.kappa;
        self.pairs.iter().map(gap).collect()
    }

    /// Takes the combination of scores that the multipliers of the last repair name; of the worst pair where they are 0.
    fn combine(&mut self, mut multipliers: Vec<f64>) {
        if multipliers.iter().all(|&multiplier| multiplier == 0.0) {
            // The pairs begin with the one whose gap is largest.
            multipliers = vec![1.0];
        }
        let total: f64 = multipliers.iter().sum();
        let mut weights = BTreeMap::new();
        self.margin = 0.0;
        for (pair, multiplier) in self.pairs.iter().zip(&multipliers) {
            *weights.entry(pair.sinks).or_insert(0.0) += multiplier / total;
            *weights.entry(pair.rises).or_insert(0.0) -= multiplier / total;
            self.margin += multiplier / total * pair.by;
        }
        self.weights = weights.into_iter().filter(|(_, weight)| *weight != 0.0).collect();
    }

    /// Takes labels into the model that stand where they matter, with rows that are yet to be learnt.
    fn meet(&mut self, start: &Start) {
        let now = (&*self.now.scores, &self.now.ranking);
        let near = start.tight.pairs(&self.target, now, |_| true, self.kappa);
        for label in labels_of(&near) {
            self.model.meet(label, self.at.len());
        }
    }

    /// Of the combination, the label that weighs most of those whose row was never fetched.
    fn missing(&self) -> Option<usize> {
        let learnt = |&&(label, weight): &&(usize, f64)| {
            !self.model.is_exact(label) && weight.abs() > WORTH_A_ROW
        };
        let new = self.weights.iter().filter(learnt);
        new.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).map(|&(label, _)| label)
    }

    /// In L∞, the least radius at which the linear model could have the constraints hold: by weak duality
    /// `λᵀh/‖Nᵀλ‖₁`, with `h` the gaps at the unattacked image.
    fn least_radius(&self) -> f64 {
        let mut normal = vec![0.0_f32; self.at.len()];
        let mut gap = self.margin;
        for &(label, weight) in &self.weights {
            add(&mut normal, weight, self.model.row(label));
            gap += weight * f64::from(self.now.scores[label]);
        }
        let slope: f64 = normal.iter().map(|value| f64::from(value.abs())).sum();
        (gap + self.kappa - dot(&normal, &self.at)) / slope.max(f64::MIN_POSITIVE)
    }

    /// Takes another target set where the model finds one that is cheaper by some margin.
    fn choose(&mut self, start: &Start) {
        let mut labels: BTreeSet<usize> = labels_of(&self.pairs).into_iter().collect();
        let order = self.now.ranking.order().iter().copied();
        let others = order.filter(|&l| self.model.is_exact(l) && !self.target.contains(&l));
        labels.extend(others.take(CANDIDATES));
        let gram = self.model.gram(labels.iter().copied().collect());
        let mut unattacked: Vec<f64> = self.now.scores.iter().copied().map(f64::from).collect();
        for &label in &labels {
            unattacked[label] -= self.model.change(label, &self.at);
        }
        let outlook =
            Outlook { start, labels: &labels, gram: &gram, scores: &unattacked, now: &self.now };
        let target = outlook.improve(self.target.clone());
        let factor = RECHOOSE.1 * RECHOOSE.1;
        if outlook.cost(&target).0 < factor * outlook.cost(&self.target).0 {
            self.target = target;
        }
    }

    /// What the norm would be if the violation were repaired: `‖ε‖ + μ·violation`, with `μ` the
    /// multipliers' sum for a whole perturbation over its norm.
    fn merit(&self, task: &Task, violation: f64) -> f64 {
        task.norm(&self.at) + self.worth * violation.max(0.0)
    }

    /// Sets trust radius, β and κ by what the last step did.
    fn review(&mut self, task: &Task, start: &Start) {
        let violation = self.violation();
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
        let merit = self.merit(task, violation);
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
        self.pairs = self.pairs(start);
        if self.step > 0 {
            self.review(task, start);
        }
        let size = task.norm(&self.at);
        // Within this no element is beyond the ball of L∞; in L2 the ball needs no limits.
        let ball = match task.measured_by {
            Norm::L2 => f32::INFINITY,
            Norm::Linf => {
                let least = self.least_radius().max(0.0);
                (match (self.found, self.violation() > 0.0) {
                    (false, _) => WIDER[0] * least.max(size),
                    (true, true) => WIDER[1] * least.max(size),
                    (true, false) => size + self.beta * (least.min(size) - size),
                }) as f32
            }
        };
        let mut shrunk: Vec<f32> = match task.measured_by {
            Norm::L2 => self.at.iter().map(|by| by * (1.0 - self.beta) as f32).collect(),
            Norm::Linf => self.at.iter().map(|by| by.clamp(-ball, ball)).collect(),
        };
        let away: Vec<f32> = shrunk.iter().zip(&self.at).map(|(to, from)| to - from).collect();
        let from: Vec<f32> = task.origin.iter().zip(&shrunk).map(|(x, by)| x + by).collect();
        let limits = |at: usize| {
            let ([low, high], x) = (task.limits(at), task.origin[at]);
            [low.max(x - ball), high.min(x + ball)]
        };
        let gram = self.model.gram(labels_of(&self.pairs));
        let repair = self.model.repair(gram, &self.pairs, &self.gaps(&away), &from, limits);
        let Repair { mut step, multipliers, unlimited } = repair;
        self.combine(unlimited);
        let (radius, length) = (norm(&self.at), norm(&step));
        if size > 0.0 {
            self.worth = multipliers.iter().sum::<f64>() / (self.beta * size);
        }
        if self.trust == 0.0 {
            self.trust = TRUST * length;
        }
        // In L∞ the ball bounds it.
        let longest = match (task.measured_by, self.found) {
            (Norm::Linf, _) => f64::INFINITY,
            (Norm::L2, true) => 0.5 * radius,
            (Norm::L2, false) => self.trust,
        };
        let share = (longest / length.max(f64::MIN_POSITIVE)).min(1.0);
        step.iter_mut().for_each(|value| *value *= share as f32);
        self.before = self.violation();
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

/// Specified labels of the clean top-k, the lowest of the target's, and the next ones that might take part; as
/// many as a third of the passes allows, those that are needed first.
fn rows_to_fetch(task: &Task, start: &Start, target: &[usize], now: &Ranking) -> Vec<usize> {
    let order = now.order();
    let top = start.clean.ranking.order()[..task.k].iter().copied();
    let mut labels: Vec<usize> = top.filter(|&label| task.specified[label]).collect();
    labels.extend(order.iter().rev().filter(|label| target.contains(label)).take(LOWEST));
    let needed = labels.len();
    let others = |relevant: bool, most: usize, labels: &[usize]| -> Vec<usize> {
        let taken = |label| labels.contains(&label) || target.contains(&label);
        let free = order.iter().copied().filter(|&label| !taken(label) && !task.specified[label]);
        let free = free.filter(|&label| task.relevant[label] == relevant);
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

impl Search for Sequential {
    fn seen(&mut self, task: &Task, start: &Start, now: &Scored, met: bool) -> Vec<(usize, f64)> {
        if self.fetch.is_empty() {
            let step: Vec<f32> =
                self.look.iter().zip(&self.at).map(|(to, from)| to - from).collect();
            let before = std::mem::replace(&mut self.now, now.clone());
            self.meet(start);
            self.pairs = self.pairs(start);
            // The scores' rounding would tell more of a smaller step.
            if norm(&step) > STILL * norm(&self.look) {
                self.model.stepped(&labels_of(&self.pairs), &step, |label| {
                    f64::from(now.scores[label]) - f64::from(before.scores[label])
                });
            }
            self.at.clone_from(&self.look);
            self.step += 1;
            let length = task.norm(&self.at);
            if met && length < self.best {
                if length < (1.0 - STALLED.0) * self.best {
                    self.best_step = self.step;
                }
                (self.best, self.found) = (length, true);
            }
            if self.weights.is_empty() {
                self.combine(Vec::new());
            }
            self.asked = match self.missing() {
                Some(label) => vec![(label, 1.0)],
                None => self.weights.clone(),
            };
        } else {
            self.asked = vec![(self.fetch[0], 1.0)];
        }
        self.asked.clone()
    }

    fn learn(&mut self, task: &Task, start: &Start, gradient: &[f32]) -> Option<Vec<f32>> {
        match self.asked.as_slice() {
            [(label, 1.0)] if !self.model.is_exact(*label) => self.model.fetched(*label, gradient),
            weights => self.model.combined(weights, gradient),
        }
        if !self.fetch.is_empty() {
            self.fetch.remove(0);
            if !self.fetch.is_empty() {
                return Some(self.at.clone());
            }
        }
        if self.step >= self.tail[1] && (self.found || task.has_time()) {
            return None;
        }
        if self.step == 0 {
            self.pairs = self.pairs(start);
            self.combine(Vec::new());
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

#[cfg(test)]
mod tests {
    use super::super::super::constraints::Tight;
    use super::super::super::task::grey;
    use super::*;
    use crate::Keep;

    #[test]
    fn of_ten_thousand_labels_those_near_the_top_k_take_part() {
        let scores: Vec<f32> = (0..10_000_u16).map(|label| -f32::from(label)).collect();
        let task = Task {
            relevant: (0..10_000).map(|label| label < 30).collect(),
            specified: (0..10_000).map(|label| label == 0 || label == 5).collect(),
            k: 20,
            ..grey(12, Norm::L2, 40)
        };
        let ranking = Ranking::new(&scores).unwrap();
        let Task { relevant, specified, k, .. } = &task;
        let tight = Tight::new(&ranking, relevant, specified, *k, None, Keep::Order);
        let reach = tight.margin(&scores, &ranking);
        let worst = Pair { sinks: 0, rises: 21, by: 0.0 };
        assert_eq!((tight.contests(&ranking)[0], reach), (worst, 21.0));

        let start = Start { clean: Scored { scores, ranking }, tight, spread: 9999.0, reach };
        let mut search = Sequential::new(&task, &start, true);
        assert!(search.fetch.len() <= 2 + LOWEST + MORE_IRRELEVANT + MORE_RELEVANT);
        (0..200).for_each(|label| search.model.fetched(label, &[label as f32; 12]));
        let pairs = search.pairs(&start);
        assert!(pairs[0] == worst && labels_of(&pairs).len() <= ACTIVE, "{pairs:?}");
    }
}
