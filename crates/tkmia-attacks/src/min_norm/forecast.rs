//! [`Forecast`]: what is to be expected near the best perturbation.

use super::constraints::Pair;

use super::model::{LabelGram, Model, Repair, labels_of};
use super::task::{Found, Start};
use crate::readback::Scored;

/// What the model says of perturbations near the best one, pair by pair.
pub(super) struct Forecast<'a> {
    pub best: &'a Found,
    pub pairs: Vec<Pair>,
    model: &'a Model,
    /// Of the pairs' labels: there are many repairs of one model.
    gram: LabelGram,
}

impl<'a> Forecast<'a> {
    /// Of the pairs that keep the best perturbation's top-k as it is, as far as they are modelled.
    pub fn new(start: &Start, best: &'a Found, model: &'a Model, now: &Scored) -> Self {
        let (scores, known) = ((&*now.scores, &now.ranking), |label| model.knows(label));
        let pairs = start.tight.pairs(best.top(start), scores, known, start.reach);
        Self::of_pairs(pairs, best, model)
    }

    /// Of these pairs.
    pub fn of_pairs(pairs: Vec<Pair>, best: &'a Found, model: &'a Model) -> Self {
        let gram = model.gram(labels_of(&pairs));
        Self { best, pairs, model, gram }
    }

    /// See [`Model::repair`].
    pub fn repair(&self, gaps: &[f64], at: &[f32], limits: impl Fn(usize) -> [f32; 2]) -> Repair {
        self.model.repair(self.gram.clone(), &self.pairs, gaps, at, limits)
    }

    /// The pairs' gaps at a perturbation, with what a look has shown to be missing and a margin.
    pub fn gaps(&self, perturbation: &[f32], bias: &[f64], margin: f64) -> Vec<f64> {
        let way = perturbation.iter().zip(&self.best.perturbation);
        let step: Vec<f32> = way.map(|(to, from)| to - from).collect();
        let mut scores = vec![None; self.best.seen.scores.len()];
        let mut score = |label: usize| {
            *scores[label].get_or_insert_with(|| {
                f64::from(self.best.seen.scores[label]) + self.model.change(label, &step)
            })
        };
        let pairs = self.pairs.iter().zip(bias);
        pairs.map(|(pair, bias)| pair.gap_of(&mut score) + bias + margin).collect()
    }

    /// What came of a perturbation less what was forecast.
    pub fn bias(&self, perturbation: &[f32], now: &Scored) -> Vec<f64> {
        let nothing = vec![0.0; self.pairs.len()];
        let forecast = self.gaps(perturbation, &nothing, 0.0);
        self.pairs.iter().zip(forecast).map(|(pair, gap)| pair.gap(&now.scores) - gap).collect()
    }
}
