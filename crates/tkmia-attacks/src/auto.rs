//! [`AutoAttack`]: one attack after the other, and the smallest success of each image.

use std::fmt;
use std::ops::ControlFlow;

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tkmia_core::{Bounds, Classifier};

use crate::descent::pick;
use crate::readback::values;
use crate::{
    Attack, AttackBatch, AttackError, AttackName, Ball, Geometric, Limits, MinNorm, Norm, Outcome,
    Passes, Perturbed, Run, Square, Step, Stop, Variant,
};

/// The smallest success of several attacks: it has no knobs but its norm and its limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Auto {
    /// Corrected.
    #[serde(skip)]
    pub variant: Variant,
    /// What is to be small.
    #[serde(default)]
    pub norm: Norm,
}

impl Auto {
    /// The runnable attack.
    pub(crate) fn init(&self, limits: Limits, stop: &Stop) -> AutoAttack {
        AutoAttack { norm: self.norm, stop: stop.clone(), limits }
    }
}

/// What records call it beside its name: what isn't at its default.
impl fmt::Display for Auto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.norm == Norm::default() { Ok(()) } else { write!(f, ", {}", self.norm) }
    }
}

/// The minimum-norm form, where it searches for the criterion; JMA; and Square on the images on which neither succeeds.
/// Each has a third of the passes. Where the classifier has no gradients, Square has all of them.
///
/// After AutoAttack: Croce & Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
/// Parameter-free Attacks", ICML 2020. That one stays within a radius, this one returns the smallest success.
#[derive(Debug)]
pub struct AutoAttack {
    /// What is to be small.
    pub norm: Norm,
    /// When an image is done.
    pub stop: Stop,
    /// How far all attacks together may go; an iteration is a forward pass.
    pub limits: Limits,
}

/// Of the box's width: the root mean square of the perturbations that Square searches, or in L∞ the largest value.
const RADIUS: f64 = 0.05;

impl Attack for AutoAttack {
    fn perturb(&self, Run { classifier, batch, watch }: Run<'_>) -> Result<Perturbed, AttackError> {
        let [_, channels, height, width] = batch.images().dims();
        let mut rows: Vec<usize> = (0..batch.rows()).collect();
        let mut best: Option<Perturbed> = None;
        let (mut passes, mut flow) = (0, ControlFlow::Continue(()));
        let attacks = self.attacks(classifier, channels * height * width)?;
        for (at, attack) in attacks.iter().enumerate() {
            if let Some(best) = &best {
                let goes_on = |row: &usize| match best.outcomes[*row] {
                    Outcome::Succeeded => at + 1 < attacks.len(),
                    Outcome::Exhausted => true,
                    Outcome::Ineligible(_)
                    | Outcome::NonFiniteScore { .. }
                    | Outcome::Interrupted => false,
                };
                rows.retain(goes_on);
            }
            if rows.is_empty() || flow.is_break() {
                break;
            }
            let before = passes;
            let mut relay = |step: &Step<'_>| {
                passes = before + step.iteration;
                let rows: Vec<usize> = step.rows.iter().map(|&at| rows[at]).collect();
                // What ends here may go on with another attack.
                let finished = &[];
                flow = watch.on_step(&Step { iteration: passes, rows: &rows, finished, ..*step });
                flow
            };
            let found = attack.run_watched(classifier, &batch.select(&rows), &mut relay)?.perturbed;
            match &mut best {
                None => best = Some(found),
                Some(best) => self.join(best, &rows, found, batch),
            }
        }
        let mut best = best.expect("Square has passes");
        for outcome in best.outcomes.iter_mut().filter(|_| flow.is_break()) {
            if *outcome == Outcome::Exhausted {
                *outcome = Outcome::Interrupted;
            }
        }
        let all: Vec<usize> = (0..batch.rows()).collect();
        let _ = watch.on_step(&Step { iteration: passes, rows: &all, loss: None, finished: &all });
        Ok(best)
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }

    fn needs_gradients(&self) -> bool {
        false
    }

    fn passes_at_most(&self, _: usize, _: usize) -> Passes {
        let most = self.limits.max_iterations;
        self.limits.cap(Passes { forward: most, backward: most })
    }
}

impl AutoAttack {
    /// The attacks in their order, for images of so many values.
    fn attacks(
        &self,
        classifier: &dyn Classifier,
        values: usize,
    ) -> Result<Vec<Box<dyn Attack>>, AttackError> {
        let Passes { forward, backward } = self.passes_at_most(0, 0);
        let (share, each) = (forward / 3, backward / 3);
        let limits =
            Limits { max_iterations: share, max_forward: Some(share), max_backward: Some(each) };
        let mut attacks: Vec<Box<dyn Attack>> = Vec::new();
        if share > 0 && each > 0 && classifier.has_gradients() {
            match (MinNorm { norm: self.norm, ..MinNorm::default() }).init(limits, &self.stop) {
                Ok(attack) => attacks.push(Box::new(attack)),
                Err(AttackError::NotSearched { .. }) => {}
                Err(other) => return Err(other),
            }
            let jma = Geometric { name: AttackName::Jma, variant: Variant::Corrected };
            attacks.push(Box::new(jma.init(limits, &self.stop)?));
        }
        let Bounds { low, high } = classifier.bounds();
        let per_value = RADIUS * f64::from(high - low);
        let radius = match self.norm {
            Norm::L2 => per_value * (values as f64).sqrt(),
            Norm::Linf => per_value,
        };
        let square = Square { variant: Variant::Corrected, ball: Ball { norm: self.norm, radius } };
        let left = forward - if attacks.is_empty() { 0 } else { 2 * share };
        let limits = Limits { max_iterations: left, max_forward: None, max_backward: None };
        attacks.push(Box::new(square.init(limits, &self.stop)?));
        Ok(attacks)
    }

    /// Puts what was found on these rows in the place of what was found before, where it is a smaller success.
    fn join(&self, best: &mut Perturbed, rows: &[usize], found: Perturbed, batch: &AttackBatch) {
        let norms =
            |images: &Tensor<4>| values(self.norm.of(images.clone() - pick(batch.images(), rows)));
        let (before, now) = (norms(&pick(&best.images, rows)), norms(&found.images));
        // The rows of both, of which each image has one.
        let mut places: Vec<usize> = (0..batch.rows()).collect();
        for (at, &row) in rows.iter().enumerate() {
            best.iterations[row] += found.iterations[at];
            best.passes[row].forward += found.passes[at].forward;
            best.passes[row].backward += found.passes[at].backward;
            let succeeded = |outcome: Outcome| outcome == Outcome::Succeeded;
            let is_first = !succeeded(best.outcomes[row]);
            if succeeded(found.outcomes[at]) && (is_first || now[at] < before[at]) {
                places[row] = batch.rows() + at;
                best.outcomes[row] = Outcome::Succeeded;
                best.indicators[row].clone_from(&found.indicators[at]);
            }
        }
        let chosen = |best: &Tensor<4>, found: Tensor<4>| {
            pick(&Tensor::cat(vec![best.clone(), found], 0), &places)
        };
        best.images = chosen(&best.images, found.images);
        best.perturbation = chosen(&best.perturbation, found.perturbation);
    }
}
