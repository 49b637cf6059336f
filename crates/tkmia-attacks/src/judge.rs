//! [`judge()`]: success, judged from the returned images.

use tkmia_core::pixels::{l2_norm, linf_norm};
use tkmia_core::{Classifier, Goal};

use crate::criterion::{Criterion, Standing, hits};
use crate::eligibility::eligible;
use crate::host::{rankings, values};
use crate::{AttackError, BatchResult};

/// What the returned image of one sample is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whether the sample takes part and the criterion holds at the returned image.
    pub success: bool,
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
    let clean_scores = classifier.scores(result.unattacked.clone());
    let scores = classifier.scores(result.images.clone());
    let rows: Vec<usize> = (0..goal.rows()).collect();
    let clean = rankings(clean_scores.clone(), &rows, 0)?;
    let now = rankings(scores.clone(), &rows, 0)?;
    let (clean_scores, scores) = (values(clean_scores), values(scores));
    let difference = result.images.clone() - result.unattacked.clone();
    let norm = values(l2_norm(result.perturbation.clone()));
    let norm_input = values(l2_norm(difference.clone()));
    let linf_input = values(linf_norm(difference));

    let k = goal.k();
    let classes = goal.relevant().classes();
    let verdict = |row: usize| {
        let standing = Standing {
            clean: &clean[row],
            now: &now[row],
            relevant: goal.relevant().row(row),
            specified: goal.specified().row(row),
            k,
        };
        let of_row = row * classes..(row + 1) * classes;
        let specified_in = |ranking| hits(ranking, standing.specified, k) as i64;
        Verdict {
            success: eligible(standing.clean, standing.relevant, standing.specified, k).is_ok()
                && criterion.is_met(&standing),
            clean_scores: clean_scores[of_row.clone()].to_vec(),
            scores: scores[of_row].to_vec(),
            excluded: specified_in(standing.clean) - specified_in(standing.now),
            norm: norm[row].into(),
            norm_input: norm_input[row].into(),
            linf_input: linf_input[row].into(),
        }
    };
    Ok(rows.into_iter().map(verdict).collect())
}
