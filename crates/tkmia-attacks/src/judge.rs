//! [`Verdict`]: success, judged from the returned images.

use burn::tensor::Tensor;
use tkmia_core::pixels::{l2_norm, linf_norm, round_to_pixels};
use tkmia_core::{Classifier, Goal};

use crate::criterion::{Criterion, SampleState, hits};
use crate::eligibility::eligible;
use crate::readback::{scored, values};
use crate::{AttackError, BatchResult, Indicator, Outcome, Perturbed};

/// Forward passes of judging a sample: unattacked, attacked, and rounded.
pub const JUDGING_PASSES: usize = 3;

/// What the returned image of one sample is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whether the sample takes part and the criterion holds at the returned image.
    pub success: bool,
    /// The same after rounding the image to 8-bit pixels: whether the success survives being saved as
    /// PNG.
    pub success_rounded: bool,
    /// The criterion's margin at the returned image, whether the sample takes part or not: below 0
    /// where it holds, see [`Criterion::margin`].
    pub margin: f64,
    /// Scores (logits) of the unattacked image, `[classes]`.
    pub clean_scores: Vec<f32>,
    /// Scores (logits) of the returned image, `[classes]`.
    pub scores: Vec<f32>,
    /// `|S ∩ T_k(x)| − |S ∩ T_k(x*)|`, the term of Eq. 12.
    pub excluded: i64,
    /// L2 norm of the perturbation in the attack's own space and unit.
    pub norm: f64,
    /// `‖x* − x̃‖₂` in model-input units.
    pub norm_input: f64,
    /// `‖x* − x̃‖_∞` in model-input units.
    pub linf_input: f64,
    /// Signs that the attack failed for reasons of its own: those of its run, and whether its success was lost
    /// here.
    pub indicators: Vec<Indicator>,
}

impl BatchResult {
    /// Evaluates each returned image again, by the criterion that the attack searched for. Three forward passes
    /// an image.
    ///
    /// # Errors
    /// [`AttackError::NonFiniteScore`] if the classifier gives a score that isn't a number.
    pub fn judge(&self, classifier: &dyn Classifier) -> Result<Vec<Verdict>, AttackError> {
        self.judge_by(classifier, &*self.stop)
    }

    /// The same, by another criterion than the attack's.
    ///
    /// # Errors
    /// As [`judge`](Self::judge).
    pub fn judge_by(
        &self,
        classifier: &dyn Classifier,
        criterion: &dyn Criterion,
    ) -> Result<Vec<Verdict>, AttackError> {
        judge(classifier, &self.goal, &self.perturbed, criterion)
    }
}

/// Evaluates each image of a result afresh and on its own, as a batch of one; nothing is taken from
/// the attack. Three forward passes an image, [`JUDGING_PASSES`].
fn judge(
    classifier: &dyn Classifier,
    goal: &Goal,
    result: &Perturbed,
    criterion: &dyn Criterion,
) -> Result<Vec<Verdict>, AttackError> {
    let difference = result.images.clone() - result.unattacked.clone();
    let norm = values(l2_norm(result.perturbation.clone()));
    let norm_input = values(l2_norm(difference.clone()));
    let linf_input = values(linf_norm(difference));
    let rounded = round_to_pixels(result.images.clone(), classifier.bounds());

    let verdict = |row: usize| {
        let look = |images: &Tensor<4>| {
            let scores = classifier.scores(images.clone().narrow(0, row, 1));
            Ok::<_, AttackError>(scored(scores, &[row], 0)?.remove(0))
        };
        let (clean, now) = (look(&result.unattacked)?, look(&result.images)?);
        let rounded = look(&rounded)?;
        let state = SampleState::of(goal, row, &clean, &now);
        let rounded = SampleState::of(goal, row, &clean, &rounded);
        let takes_part = eligible(state.clean, state.relevant, state.specified, goal.k()).is_ok();
        let specified_in = |ranking| hits(ranking, state.specified, goal.k()) as i64;
        let success = takes_part && criterion.is_met(&state);
        let mut indicators = result.indicators[row].clone();
        if result.outcomes[row] == Outcome::Succeeded && !success {
            indicators.push(Indicator::SuccessLost);
        }
        Ok(Verdict {
            success,
            success_rounded: takes_part && criterion.is_met(&rounded),
            margin: criterion.margin(&state),
            excluded: specified_in(&clean.ranking) - specified_in(&now.ranking),
            norm: norm[row].into(),
            norm_input: norm_input[row].into(),
            linf_input: linf_input[row].into(),
            indicators,
            clean_scores: clean.scores,
            scores: now.scores,
        })
    };
    (0..goal.rows()).map(verdict).collect()
}
