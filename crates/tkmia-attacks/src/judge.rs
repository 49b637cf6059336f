//! [`Verdict`]: success, judged from the returned images.

use burn::tensor::Tensor;
use tkmia_core::pixels::{l2_norm, linf_norm, round_to_pixels};
use tkmia_core::{Bounds, Classifier, Goal};

use crate::criterion::{Criterion, SampleState, hits};
use crate::eligibility::eligible;
use crate::indicator::is_on_border;
use crate::readback::{NonFinite, Scored, scored, values};
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
    /// where it holds, see [`Criterion::margin`]; `∞` where a score isn't finite.
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
    /// Whether the attack was fitted to this very image, so that its success says nothing of other images.
    pub fitted: bool,
    /// Signs that the attack failed for reasons of its own: those of its run, and those that show in its image.
    pub indicators: Vec<Indicator>,
}

impl BatchResult {
    /// Evaluates each returned image again, by the criterion that the attack searched for. Three forward passes
    /// an image.
    ///
    /// # Errors
    /// [`AttackError::NoTarget`] if the criterion needs a target and the goal has none, and a classifier that failed.
    pub fn judge(&self, classifier: &dyn Classifier) -> Result<Vec<Verdict>, AttackError> {
        self.judge_by(classifier, &*self.stop)
    }

    /// The same on another classifier than the attacked one. That a success isn't one there is no
    /// [sign](Indicator::SuccessLost) of a failing attack.
    ///
    /// # Errors
    /// As [`judge`](Self::judge).
    pub fn judge_elsewhere(
        &self,
        classifier: &dyn Classifier,
    ) -> Result<Vec<Verdict>, AttackError> {
        let mut verdicts = self.judge(classifier)?;
        for verdict in &mut verdicts {
            verdict.indicators.retain(|&sign| sign != Indicator::SuccessLost);
        }
        Ok(verdicts)
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
    let criterion = criterion.wanted().unwrap_or(criterion);
    if goal.target().is_none() && criterion.needs_target() {
        return Err(AttackError::NoTarget { stop: criterion.to_string() });
    }
    let bounds = classifier.bounds();
    let difference = result.images.clone() - result.unattacked.clone();
    let norm = values(l2_norm(result.perturbation.clone()));
    let norm_input = values(l2_norm(difference.clone()));
    let linf_input = values(linf_norm(difference));
    let on_border = on_border(result, bounds);
    let rounded = round_to_pixels(result.images.clone(), bounds);

    let verdict = |row: usize| {
        let look = |images: &Tensor<4>| {
            scored(classifier.scores(images.clone().narrow(0, row, 1))).remove(0)
        };
        let (clean, now, rounded) =
            (look(&result.unattacked), look(&result.images), look(&rounded));
        let state = state(goal, row, &clean, &now);
        let takes_part = state.is_some_and(|state| {
            let SampleState { clean, relevant, specified, k, delta, .. } = state;
            eligible(clean, relevant, specified, k, delta).is_ok()
        });
        let is_met = |state: Option<SampleState<'_>>| {
            takes_part && state.is_some_and(|state| criterion.is_met(&state))
        };
        let success = is_met(state);
        let success_rounded = is_met(self::state(goal, row, &clean, &rounded));
        let specified_in = |ranking| hits(ranking, goal.specified().row(row), goal.k()) as i64;

        let outcome = result.outcomes[row];
        let non_finite = [&clean, &now, &rounded].iter().any(|look| look.is_err())
            || matches!(outcome, Outcome::NonFiniteScore { .. });
        let mut indicators = result.indicators[row].clone();
        let found = [
            (non_finite, Indicator::NonFiniteScore),
            (outcome == Outcome::Exhausted && on_border[row], Indicator::OnBoxBorder),
            (outcome == Outcome::Succeeded && takes_part && !success, Indicator::SuccessLost),
        ];
        indicators.extend(found.iter().filter(|(shows, _)| *shows).map(|&(_, sign)| sign));
        indicators.sort_unstable();
        Verdict {
            success,
            success_rounded,
            margin: state.map_or(f64::INFINITY, |state| criterion.margin(&state)),
            excluded: state.map_or(0, |state| specified_in(state.clean) - specified_in(state.now)),
            norm: norm[row].into(),
            norm_input: norm_input[row].into(),
            linf_input: linf_input[row].into(),
            fitted: result.fitted,
            indicators,
            clean_scores: scores(clean),
            scores: scores(now),
        }
    };
    let verdicts = (0..goal.rows()).map(verdict).collect();
    classifier.check()?;
    Ok(verdicts)
}

/// A row by its scores before and now, where they are finite.
fn state<'a>(
    goal: &'a Goal,
    row: usize,
    clean: &'a Result<Scored, NonFinite>,
    now: &'a Result<Scored, NonFinite>,
) -> Option<SampleState<'a>> {
    Some(SampleState::of(goal, row, clean.as_ref().ok()?, now.as_ref().ok()?))
}

fn scores(look: Result<Scored, NonFinite>) -> Vec<f32> {
    look.map_or_else(|fault| fault.scores, |scored| scored.scores)
}

/// Of the box's width: what is nearer to its border is on it.
const NEAR: f32 = 1e-6;

/// Which images are [on the border of their box](Indicator::OnBoxBorder).
fn on_border(result: &Perturbed, Bounds { low, high }: Bounds) -> Vec<bool> {
    let near = NEAR * (high - low);
    let off = |images: &Tensor<4>| {
        let above = images.clone().greater_elem(low + near);
        above.bool_and(images.clone().lower_elem(high - near)).float()
    };
    let count = |flags: Tensor<4>| values(flags.flatten::<2>(1, 3).sum_dim(1));
    let (before, now) = (off(&result.unattacked), off(&result.images));
    let free = count(before.clone());
    let left = count(before * now);
    free.iter().zip(left).map(|(&free, left)| is_on_border(free - left, free)).collect()
}
