//! Which labels are to fill the top-k: the set that the linear model reaches with the smallest step.

use std::collections::BTreeSet;

use tkmia_metrics::Ranking;

use super::super::constraints::Tight;
use super::super::model::LabelGram;
use super::super::task::Start;
use crate::readback::Scored;

/// What the search knows of the scores.
pub(crate) struct Outlook<'a> {
    pub start: &'a Start,
    /// Those that are modelled, as far as they are looked at.
    pub labels: &'a BTreeSet<usize>,
    pub gram: &'a LabelGram,
    /// The scores that the model gives the unattacked image, by label.
    pub scores: &'a [f64],
    pub now: &'a Scored,
}

impl Outlook<'_> {
    /// The squared norm of the perturbation to a target set, infinite where it isn't admitted; and its
    /// labels that it would be smaller without.
    pub fn cost(&self, target: &[usize]) -> (f64, Vec<usize>) {
        let Start { tight, reach, .. } = self.start;
        if !tight.admits(target) {
            return (f64::INFINITY, Vec::new());
        }
        let now = (&*self.now.scores, &self.now.ranking);
        let pairs = tight.pairs(target, now, |label| self.labels.contains(&label), *reach);
        let gaps: Vec<f64> =
            pairs.iter().map(|pair| pair.gap_of(|label| self.scores[label])).collect();
        let (cost, multipliers) = self.gram.solve(&pairs, &gaps);
        let active = pairs.iter().zip(multipliers).filter(|(_, multiplier)| *multiplier > 0.0);
        let dear: BTreeSet<usize> = active.map(|(pair, _)| pair.rises).collect();
        (cost, dear.into_iter().collect())
    }

    /// Exchanges labels of the target with modelled ones as long as that makes it cheaper.
    pub fn improve(&self, mut target: Vec<usize>) -> Vec<usize> {
        let (mut cost, mut dear) = self.cost(&target);
        for _ in 0..EXCHANGES {
            let mut best: Option<(f64, Vec<usize>, Vec<usize>)> = None;
            for place in (0..target.len()).filter(|&place| dear.contains(&target[place])) {
                for &label in self.labels.iter().filter(|label| !target.contains(label)) {
                    let mut other = target.clone();
                    other[place] = label;
                    let (other_cost, dear) = self.cost(&other);
                    if other_cost < best.as_ref().map_or(cost, |(cost, ..)| *cost) {
                        best = Some((other_cost, dear, other));
                    }
                }
            }
            match best {
                Some(best) => (cost, dear, target) = best,
                None => break,
            }
        }
        target
    }
}

/// Labels that are exchanged at once, at most.
const EXCHANGES: usize = 4;

/// The target that the scores alone suggest: the best labels that may fill the places.
pub(crate) fn by_score(tight: &Tight, now: &Ranking) -> Vec<usize> {
    let usable: Vec<usize> = tight.usable(now).collect();
    let relevant = usable.iter().copied().filter(|&label| tight.is_relevant(label));
    let mut target: Vec<usize> = relevant.take(tight.kept()).collect();
    let rest: Vec<usize> = usable
        .iter()
        .copied()
        .filter(|label| !target.contains(label))
        .take(tight.k() - target.len())
        .collect();
    target.extend(rest);
    target
}
