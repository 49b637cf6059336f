//! [`judge()`]: success, judged from the returned images.

use tkmia_core::pixels::{l2_norm, linf_norm};
use tkmia_core::{Classifier, Goal};

use crate::criterion::{Criterion, Standing, hits};
use crate::eligibility::eligible;
use crate::host::{Scored, scored, values};
use crate::{AttackError, BatchResult};

/// What the returned image of one sample is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whether the sample takes part and the criterion holds at the returned image.
    pub success: bool,
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
}

/// Evaluates the images of a result afresh: two forward passes, nothing taken from the attack.
///
/// # Errors
/// [`AttackError::NonFiniteScore`] if the classifier gives a score that isn't a number.
pub fn judge(
    classifier: &dyn Classifier,
    goal: &Goal,
    result: &BatchResult,
    criterion: &dyn Criterion,
) -> Result<Vec<Verdict>, AttackError> {
    let rows: Vec<usize> = (0..goal.rows()).collect();
    let clean = scored(classifier.scores(result.unattacked.clone()), &rows, 0)?;
    let now = scored(classifier.scores(result.images.clone()), &rows, 0)?;
    let difference = result.images.clone() - result.unattacked.clone();
    let norm = values(l2_norm(result.perturbation.clone()));
    let norm_input = values(l2_norm(difference.clone()));
    let linf_input = values(linf_norm(difference));

    let k = goal.k();
    let verdict = |(row, (clean, now)): (usize, (Scored, Scored))| {
        let standing = Standing {
            clean: &clean.ranking,
            clean_scores: &clean.scores,
            now: &now.ranking,
            scores: &now.scores,
            relevant: goal.relevant().row(row),
            specified: goal.specified().row(row),
            k,
        };
        let specified_in = |ranking| hits(ranking, standing.specified, k) as i64;
        Verdict {
            success: eligible(standing.clean, standing.relevant, standing.specified, k).is_ok()
                && criterion.is_met(&standing),
            margin: criterion.margin(&standing),
            excluded: specified_in(standing.clean) - specified_in(standing.now),
            clean_scores: clean.scores,
            scores: now.scores,
            norm: norm[row].into(),
            norm_input: norm_input[row].into(),
            linf_input: linf_input[row].into(),
        }
    };
    Ok(clean.into_iter().zip(now).enumerate().map(verdict).collect())
}
