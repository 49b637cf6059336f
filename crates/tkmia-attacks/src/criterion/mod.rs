//! [`Criterion`]: what counts as success, to stop an attack and to judge its result.
//!
//! | criterion | holds when |
//! |---|---|
//! | [`SpecifiedOut`] | δ specified labels have left the top-k |
//! | [`Imperceptible`] | no specified label is in it, and other relevant ones fill it (Eq. 2) |
//! | [`PrecisionPreserved`] | it has as many relevant labels as before |
//! | [`MeasurePreserving`] | both: no specified label in it, and as many relevant ones as before |
//! | [`AllRelevantOut`] | no relevant label is in it |
//! | [`TargetReached`] | it is the sample's target |
//! | [`TargetSet`], [`OrderedTopK`] | it is a given set, or a given list, the same for all samples |
//! | [`MeasureBudget`] | P@k, AP@k or NDCG@k has dropped by no more than τ |
//! | [`And`], [`Or`], [`Not`] | others do, together |

mod by_name;
mod combine;
mod demand;
mod measure_budget;
mod relevant;
mod specified_out;
mod target;

use std::fmt::Debug;
use std::sync::Arc;

use tkmia_core::Goal;
use tkmia_metrics::Ranking;

use crate::host::Scored;

pub use by_name::{CRITERION_NAMES, UnknownCriterion, criterion};
pub use combine::{And, Not, Or};
pub use measure_budget::{Measure, MeasureBudget};
pub use relevant::{AllRelevantOut, Imperceptible, MeasurePreserving, PrecisionPreserved};
pub use specified_out::SpecifiedOut;
pub use target::{OrderedTopK, TargetReached, TargetSet};

/// One sample as a [`Criterion`] sees it: its scores and rankings before and now, and its labels.
///
/// All slices have one element per label, the rankings are those of the scores, and
/// `1 ≤ k ≤ classes`; criteria rely on it and panic where it doesn't hold.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The ranking of the unattacked image.
    pub clean: &'a Ranking,
    /// The scores of the unattacked image, `[classes]`.
    pub clean_scores: &'a [f32],
    /// The ranking of the perturbed image.
    pub now: &'a Ranking,
    /// The scores of the perturbed image, `[classes]`.
    pub scores: &'a [f32],
    /// `Y_p`, `[classes]`.
    pub relevant: &'a [bool],
    /// `S`, `[classes]`.
    pub specified: &'a [bool],
    /// `T`, `[classes]`, where there is a target.
    pub target: Option<&'a [bool]>,
    /// Size of the predicted set.
    pub k: usize,
}

impl<'a> Standing<'a> {
    /// A row of a goal, by its scores before and now.
    pub(crate) fn of(goal: &'a Goal, row: usize, clean: &'a Scored, now: &'a Scored) -> Self {
        Self {
            clean: &clean.ranking,
            clean_scores: &clean.scores,
            now: &now.ranking,
            scores: &now.scores,
            relevant: goal.relevant().row(row),
            specified: goal.specified().row(row),
            target: goal.target().map(|target| target.row(row)),
            k: goal.k(),
        }
    }
}

/// A condition on one sample.
///
/// The verdict is read from the rankings, so that ties go to the lower label index; the margin is
/// read from the scores.
///
/// # Example
///
/// Label 0 is to leave the top-2, and is still above label 2:
///
/// ```
/// use tkmia_attacks::{Criterion, SpecifiedOut, Standing};
/// use tkmia_metrics::Ranking;
///
/// let (clean_scores, scores) = ([0.9_f32, 0.5, 0.25], [0.5_f32, 0.75, 0.25]);
/// let (clean, now) = (Ranking::new(&clean_scores)?, Ranking::new(&scores)?);
/// let (relevant, specified) = ([true; 3], [true, false, false]);
/// let standing = Standing {
///     clean: &clean, clean_scores: &clean_scores, now: &now, scores: &scores,
///     relevant: &relevant, specified: &specified, target: None, k: 2,
/// };
/// assert!(!SpecifiedOut::default().is_met(&standing));
/// assert_eq!(SpecifiedOut::default().margin(&standing), 0.25);
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
pub trait Criterion: Debug + Send + Sync {
    /// Whether the condition holds.
    fn is_met(&self, standing: &Standing<'_>) -> bool;

    /// How far the sample is from the border between holding and not: below 0 the condition holds,
    /// above 0 it doesn't, and at 0 only [`is_met`](Self::is_met) can tell.
    ///
    /// In the unit of the scores, unless the criterion says otherwise; `−∞` where nothing could break
    /// the condition, `∞` where nothing could fulfil it.
    fn margin(&self, standing: &Standing<'_>) -> f64;

    /// How many specified labels the condition asks to leave the top-k, for attacks that must know;
    /// `None`: all that are in the clean one.
    fn leaving(&self) -> Option<usize> {
        None
    }

    /// This condition and another one.
    fn and(self, other: impl Criterion + 'static) -> And
    where
        Self: Sized + 'static,
    {
        And(vec![Arc::new(self), Arc::new(other)])
    }

    /// This condition or another one, or both.
    fn or(self, other: impl Criterion + 'static) -> Or
    where
        Self: Sized + 'static,
    {
        Or(vec![Arc::new(self), Arc::new(other)])
    }

    /// The opposite of this condition.
    fn not(self) -> Not
    where
        Self: Sized + 'static,
    {
        Not(Arc::new(self))
    }
}

/// A shared criterion is one itself, so that what [`criterion`] returns combines like any other.
impl<C: Criterion + ?Sized> Criterion for Arc<C> {
    fn is_met(&self, standing: &Standing<'_>) -> bool {
        self.as_ref().is_met(standing)
    }

    fn margin(&self, standing: &Standing<'_>) -> f64 {
        self.as_ref().margin(standing)
    }

    fn leaving(&self) -> Option<usize> {
        self.as_ref().leaving()
    }
}

/// `|flags ∩ T_k|`, for flags and `k` that were checked where they came in.
pub(crate) fn hits(ranking: &Ranking, flags: &[bool], k: usize) -> usize {
    ranking.count(flags, k).expect("one flag per label and 1 ≤ k ≤ c, as the goal was checked")
}

#[cfg(test)]
mod sample {
    use super::*;

    /// Verdict and margin where c = 5, k = 2, Y_p = {0, 1, 2} and the clean order is 0 1 2 3 4.
    pub(super) fn weigh(
        criterion: &dyn Criterion,
        specified: &[usize],
        scores: [f32; 5],
    ) -> (bool, f64) {
        let clean_scores = [5.0, 4.0, 3.0, 2.0, 1.0];
        let flags = |labels: &[usize]| [0, 1, 2, 3, 4].map(|label| labels.contains(&label));
        let standing = Standing {
            clean: &Ranking::new(&clean_scores).unwrap(),
            clean_scores: &clean_scores,
            now: &Ranking::new(&scores).unwrap(),
            scores: &scores,
            relevant: &flags(&[0, 1, 2]),
            specified: &flags(specified),
            target: None,
            k: 2,
        };
        (criterion.is_met(&standing), criterion.margin(&standing))
    }

    /// The top-2 is {1, 2}.
    pub(super) const ONE_OUT: [f32; 5] = [0.0, 4.0, 3.0, 2.0, 1.0];
    /// The top-2 is {1, 4}.
    pub(super) const ONE_OUT_FOR_IRRELEVANT: [f32; 5] = [0.0, 4.0, 1.0, 2.0, 3.0];
}
