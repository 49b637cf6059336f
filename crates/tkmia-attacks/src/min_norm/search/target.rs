//! Which labels are to fill the top-k: the set that the linear model reaches with the smallest step.

use super::super::constraints::{Pair, Tight};
use tkmia_metrics::Ranking;

use super::super::model::{LabelGram, Model};

/// What the search knows of the scores.
pub(crate) struct Outlook<'a> {
    pub tight: &'a Tight,
    pub model: &'a Model,
    pub gram: &'a LabelGram,
    /// The scores that the model gives the unattacked image, by label.
    pub scores: &'a [f64],
    pub now: &'a Ranking,
}

impl Outlook<'_> {
    /// The squared norm of the perturbation to a target set; infinite where it isn't admitted.
    pub fn cost(&self, target: &[usize]) -> f64 {
        if !self.tight.admits(target) {
            return f64::INFINITY;
        }
        let pairs: Vec<Pair> = (self.tight.pairs(target, self.now).into_iter())
            .filter(|pair| self.model.knows(pair.sinks) && self.model.knows(pair.rises))
            .collect();
        let gaps: Vec<f64> =
            pairs.iter().map(|pair| self.scores[pair.sinks] - self.scores[pair.rises]).collect();
        self.gram.cost(&pairs, &gaps)
    }

    /// Exchanges labels of the target with modelled ones as long as that makes it cheaper.
    pub fn improve(&self, mut target: Vec<usize>) -> Vec<usize> {
        let mut cost = self.cost(&target);
        let pool: Vec<usize> = self.model.labels().collect();
        for _ in 0..2 * target.len() {
            let mut best = None;
            for place in 0..target.len() {
                for &label in pool.iter().filter(|label| !target.contains(label)) {
                    let mut other = target.clone();
                    other[place] = label;
                    let other_cost = self.cost(&other);
                    if other_cost < best.as_ref().map_or(cost, |(cost, _)| *cost) {
                        best = Some((other_cost, other));
                    }
                }
            }
            match best {
                Some((best_cost, best)) => (cost, target) = (best_cost, best),
                None => break,
            }
        }
        target
    }
}

/// The target that the scores alone suggest: the best labels that may fill the places.
pub(crate) fn by_score(tight: &Tight, now: &Ranking) -> Vec<usize> {
    let (k, staying) = (tight.k(), tight.staying());
    let mut specified = 0;
    let usable: Vec<usize> = (now.order().iter().copied())
        .filter(|&label| {
            specified += usize::from(tight.is_specified(label));
            !tight.is_specified(label) || specified <= staying
        })
        .collect();
    let relevant = usable.iter().copied().filter(|&label| tight.is_relevant(label));
    let mut target: Vec<usize> = relevant.take(tight.kept()).collect();
    let rest: Vec<usize> = usable
        .iter()
        .copied()
        .filter(|label| !target.contains(label))
        .take(k - target.len())
        .collect();
    target.extend(rest);
    target
}
