//! [`Criterion`]: what counts as success, to stop an attack and to judge its result.
//!
//! | criterion | holds when |
//! |---|---|
//! | [`SpecifiedOut`] | δ specified labels have left the top-k |
//! | [`Imperceptible`] | no specified label is in it, and other relevant ones fill it (Eq. 2) |
//! | [`PrecisionPreserved`] | it has as many relevant labels as before |
//! | [`MeasurePreserving`] | both: no specified label in it, and as many relevant ones as before |
//! | [`AllRelevantOut`] | no relevant label is in it |
//! | [`TargetReached`], [`TargetInOrder`] | it is the sample's target, in any order or in its own |
//! | [`TargetSet`], [`OrderedTopK`] | it is a given set, or a given list, the same for all samples |
//! | [`MeasureBudget`] | a measure of the sample has dropped by no more than τ |
//! | [`And`], [`Or`], [`Not`] | others do, together |
//! | [`By`] | another does, by a margin that only an attack keeps to |

mod at_least;
mod by;
mod combine;
mod keep;
mod measure_budget;
mod parse;
mod relevant;
mod specified_out;
mod stop;
mod target;

use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::sync::Arc;

use tkmia_core::Goal;
use tkmia_metrics::{Measure, Ranking};

use crate::readback::Scored;

pub use by::By;
pub use combine::{And, Not, Or};
pub use keep::Keep;
pub use measure_budget::MeasureBudget;
pub use parse::UnknownCriterion;
pub use relevant::{AllRelevantOut, Imperceptible, MeasurePreserving, PrecisionPreserved};
pub use specified_out::SpecifiedOut;
pub use stop::Stop;
pub use target::{OrderedTopK, TargetInOrder, TargetReached, TargetSet};

/// A criterion as it is held.
type Shared = Arc<dyn Criterion>;

/// How a criterion is called, and how it is made of its arguments.
type Named = (&'static str, fn(&[&str]) -> Option<Shared>);

/// Every criterion with a name of its own, the paper's evaluation first.
const NAMED: [Named; 10] = [
    ("excluded", |given| plain(SpecifiedOut, given)),
    ("imperceptible", |given| plain(Imperceptible, given)),
    ("measure-preserving", |given| plain(MeasurePreserving, given)),
    ("precision-preserved", |given| plain(PrecisionPreserved, given)),
    ("all-relevant-out", |given| plain(AllRelevantOut, given)),
    ("target-reached", |given| plain(TargetReached, given)),
    ("target-in-order", |given| plain(TargetInOrder, given)),
    ("target-set", |given| shared(TargetSet { labels: all(given)?.into_iter().collect() })),
    ("ordered-top-k", |given| shared(OrderedTopK { labels: all(given)? })),
    ("measure-budget", |given| {
        let [name, at_most] = given else { return None };
        let at_most = at_most.parse().ok().filter(|at_most: &f64| at_most.is_finite())?;
        shared(MeasureBudget::new(Measure::named(name)?, at_most)?)
    }),
];

/// The names of the criteria, the paper's evaluation first.
pub const CRITERION_NAMES: [&str; NAMED.len()] = {
    let mut names = [""; NAMED.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = NAMED[at].0;
        at += 1;
    }
    names
};

fn shared(criterion: impl Criterion + 'static) -> Option<Shared> {
    Some(Arc::new(criterion))
}

/// A criterion without arguments.
fn plain(criterion: impl Criterion + 'static, given: &[&str]) -> Option<Shared> {
    shared(criterion).filter(|_| given.is_empty())
}

/// Arguments of one kind, at least one.
fn all<T: FromStr>(given: &[&str]) -> Option<Vec<T>> {
    let all: Option<Vec<T>> = given.iter().map(|one| one.parse().ok()).collect();
    all.filter(|all| !all.is_empty())
}

/// One sample as a [`Criterion`] sees it: its scores and rankings before and now, and its labels.
///
/// All slices but the target have one element per label, the rankings are those of the scores, and
/// `1 ≤ k ≤ classes`; criteria rely on it and panic where it doesn't hold.
#[derive(Debug, Clone, Copy)]
pub struct SampleState<'a> {
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
    /// `T` in its order, `[k]`, where there is a target; empty where this sample has none.
    pub target: Option<&'a [usize]>,
    /// Size of the predicted set.
    pub k: usize,
    /// δ, how many specified labels must leave the top-k; none: all that are in the clean one.
    pub delta: Option<usize>,
}

/// How many specified labels a condition asks to leave the top-k.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leaving {
    /// At least so many.
    AtLeast(usize),
    /// All that are in the clean one.
    All,
}

impl<'a> SampleState<'a> {
    /// A row of a goal, by its scores before and now.
    pub(crate) fn of(goal: &'a Goal, row: usize, clean: &'a Scored, now: &'a Scored) -> Self {
        Self {
            clean: &clean.ranking,
            clean_scores: &clean.scores,
            now: &now.ranking,
            scores: &now.scores,
            relevant: goal.relevant().row(row),
            specified: goal.specified().row(row),
            target: goal.target().map(|target| target[row].as_slice()),
            k: goal.k(),
            delta: goal.delta(),
        }
    }
}

/// A condition on one sample; it is displayed as experiments and command lines write it.
///
/// The verdict is read from the rankings, so that ties go to the lower label index; the margin is
/// read from the scores.
///
/// # Example
///
/// Label 0 is to leave the top-2, and is still above label 2:
///
/// ```
/// use tkmia_attacks::{Criterion, SpecifiedOut, SampleState};
/// use tkmia_metrics::{Measure, Ranking};
///
/// let (clean_scores, scores) = ([0.9_f32, 0.5, 0.25], [0.5_f32, 0.75, 0.25]);
/// let (clean, now) = (Ranking::new(&clean_scores)?, Ranking::new(&scores)?);
/// let (relevant, specified) = ([true; 3], [true, false, false]);
/// let state = SampleState {
///     clean: &clean, clean_scores: &clean_scores, now: &now, scores: &scores,
///     relevant: &relevant, specified: &specified, target: None, k: 2, delta: None,
/// };
/// assert!(!SpecifiedOut.is_met(&state));
/// assert_eq!(SpecifiedOut.margin(&state), 0.25);
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
pub trait Criterion: Debug + Display + Send + Sync {
    /// Whether the condition holds.
    fn is_met(&self, state: &SampleState<'_>) -> bool;

    /// How far the sample is from the border between holding and not: below 0 the condition holds,
    /// above 0 it doesn't, and at 0 only [`is_met`](Self::is_met) can tell.
    ///
    /// In the unit of the scores, unless the criterion says otherwise; `−∞` where nothing could break
    /// the condition, `∞` where nothing could fulfil it.
    fn margin(&self, state: &SampleState<'_>) -> f64;

    /// How many specified labels the condition asks to leave the top-k, for a goal with this δ: what attacks
    /// that search for just that must know. `None` where it asks for something else.
    fn leaving(&self, _delta: Option<usize>) -> Option<Leaving> {
        None
    }

    /// What suffices to be kept of the clean ranking, once as many labels have [left](Self::leaving), for the condition to
    /// hold. `None` where keeping labels doesn't bring it about.
    fn keeps(&self) -> Option<Keep> {
        None
    }

    /// Whether it needs a [target](Goal::target).
    fn needs_target(&self) -> bool {
        false
    }

    /// What counts as success, where an attack is to go on [beyond](By) it.
    fn wanted(&self) -> Option<&dyn Criterion> {
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

/// A shared criterion is one itself, so that it combines like any other.
impl<C: Criterion + ?Sized> Criterion for Arc<C> {
    fn is_met(&self, state: &SampleState<'_>) -> bool {
        self.as_ref().is_met(state)
    }

    fn margin(&self, state: &SampleState<'_>) -> f64 {
        self.as_ref().margin(state)
    }

    fn leaving(&self, delta: Option<usize>) -> Option<Leaving> {
        self.as_ref().leaving(delta)
    }

    fn keeps(&self) -> Option<Keep> {
        self.as_ref().keeps()
    }

    fn needs_target(&self) -> bool {
        self.as_ref().needs_target()
    }

    fn wanted(&self) -> Option<&dyn Criterion> {
        self.as_ref().wanted()
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
        weigh_by(criterion, specified, scores, None)
    }

    /// The same with δ.
    pub(super) fn weigh_by(
        criterion: &dyn Criterion,
        specified: &[usize],
        scores: [f32; 5],
        delta: Option<usize>,
    ) -> (bool, f64) {
        let clean_scores = [5.0, 4.0, 3.0, 2.0, 1.0];
        let flags = |labels: &[usize]| [0, 1, 2, 3, 4].map(|label| labels.contains(&label));
        let state = SampleState {
            clean: &Ranking::new(&clean_scores).unwrap(),
            clean_scores: &clean_scores,
            now: &Ranking::new(&scores).unwrap(),
            scores: &scores,
            relevant: &flags(&[0, 1, 2]),
            specified: &flags(specified),
            target: None,
            k: 2,
            delta,
        };
        (criterion.is_met(&state), criterion.margin(&state))
    }

    /// The top-2 is {1, 2}.
    pub(super) const ONE_OUT: [f32; 5] = [0.0, 4.0, 3.0, 2.0, 1.0];
    /// The top-2 is {1, 4}.
    pub(super) const ONE_OUT_FOR_IRRELEVANT: [f32; 5] = [0.0, 4.0, 1.0, 2.0, 3.0];
}
