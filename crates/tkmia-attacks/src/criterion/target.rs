//! [`TargetReached`], [`TargetSet`] and [`OrderedTopK`]: the top-k is to be a given one.

use std::collections::BTreeSet;
use std::fmt;

use super::at_least::AtLeast;
use super::{Criterion, SampleState};

/// The top-k is the sample's [target](tkmia_core::Goal::target): `T_k(x*) = T`, in any order. Where
/// targeted attacks stop in their original form.
///
/// Never reached without a target (margin `∞`). Margin as that of [`TargetSet`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, derive_more::Display)]
#[display("target-reached")]
pub struct TargetReached;

impl TargetReached {
    fn at_least(state: &SampleState<'_>) -> AtLeast {
        let target = state.target.unwrap_or_default();
        let flags = (0..state.scores.len()).map(|label| target.contains(&label));
        AtLeast::new(state.k, flags)
    }
}

impl Criterion for TargetReached {
    fn is_met(&self, state: &SampleState<'_>) -> bool {
        Self::at_least(state).is_met(state)
    }

    fn margin(&self, state: &SampleState<'_>) -> f64 {
        Self::at_least(state).margin(state)
    }

    fn needs_target(&self) -> bool {
        true
    }
}

/// The top-k is the sample's own [target](tkmia_core::Goal::target) in its order of rank: what ordered attacks are after.
///
/// Never reached without a target (margin `∞`). Margin as that of [`OrderedTopK`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, derive_more::Display)]
#[display("target-in-order")]
pub struct TargetInOrder;

impl Criterion for TargetInOrder {
    fn is_met(&self, state: &SampleState<'_>) -> bool {
        is_in_order(state.target.unwrap_or_default(), state)
    }

    fn margin(&self, state: &SampleState<'_>) -> f64 {
        margin_in_order(state.target.unwrap_or_default(), state)
    }

    fn needs_target(&self) -> bool {
        true
    }
}

/// The top-k is this set of labels, in any order: `T_k(x*) = target`, the same for every sample.
///
/// A target that doesn't have `k` labels, or has one that the classifier lacks, is never reached (margin
/// `∞`). Margin: the highest score outside the target − the lowest one within it.
///
/// # Example
///
/// ```
/// use std::collections::BTreeSet;
///
/// use tkmia_attacks::{Criterion, SampleState, TargetSet};
/// use tkmia_metrics::Ranking;
///
/// let scores = [0.5_f32, 0.75, 0.25];
/// let ranking = Ranking::new(&scores)?;
/// let state = SampleState {
///     clean: &ranking, clean_scores: &scores, now: &ranking, scores: &scores,
///     relevant: &[true; 3], specified: &[false; 3], target: None, k: 2, delta: None,
/// };
/// let target = |labels| TargetSet { labels: BTreeSet::from(labels) };
/// assert!(target([0, 1]).is_met(&state));
/// assert_eq!(target([1, 2]).margin(&state), 0.25);
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetSet {
    /// The `k` labels, by index.
    pub labels: BTreeSet<usize>,
}

impl TargetSet {
    fn at_least(&self, state: &SampleState<'_>) -> AtLeast {
        let flags = (0..state.scores.len()).map(|label| self.labels.contains(&label));
        // A target of another size asks for more places than it has labels, or than there are.
        AtLeast::new(state.k.max(self.labels.len()), flags)
    }
}

impl fmt::Display for TargetSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "target-set({})", listed(&self.labels))
    }
}

fn listed<'a>(labels: impl IntoIterator<Item = &'a usize>) -> String {
    labels.into_iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

impl Criterion for TargetSet {
    fn is_met(&self, state: &SampleState<'_>) -> bool {
        self.at_least(state).is_met(state)
    }

    fn margin(&self, state: &SampleState<'_>) -> f64 {
        self.at_least(state).margin(state)
    }
}

/// The top-k is this list of labels, in this order of rank, the same for every sample.
///
/// A list that doesn't have `k` labels, names one twice, or has one that the classifier lacks, is never
/// reached (margin `∞`). Margin: the largest of `f_(t_{i+1}) − f_(t_i)` along the list and of the
/// highest score outside the list − `f_(t_k)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderedTopK {
    /// The `k` labels, by index, the one wanted at rank 1 first.
    pub labels: Vec<usize>,
}

impl fmt::Display for OrderedTopK {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ordered-top-k({})", listed(&self.labels))
    }
}

impl Criterion for OrderedTopK {
    fn is_met(&self, state: &SampleState<'_>) -> bool {
        is_in_order(&self.labels, state)
    }

    fn margin(&self, state: &SampleState<'_>) -> f64 {
        margin_in_order(&self.labels, state)
    }
}

fn is_in_order(labels: &[usize], state: &SampleState<'_>) -> bool {
    state.now.order()[..state.k] == *labels
}

fn margin_in_order(labels: &[usize], state: &SampleState<'_>) -> f64 {
    let classes = state.scores.len();
    let distinct = labels.iter().collect::<BTreeSet<_>>().len() == labels.len();
    let known = labels.iter().all(|&label| label < classes);
    if labels.len() != state.k || !distinct || !known {
        return f64::INFINITY;
    }
    let score = |label: usize| f64::from(state.scores[label]);
    let last = score(labels[state.k - 1]);
    let along = labels.windows(2).map(|pair| score(pair[1]) - score(pair[0]));
    let others = (0..classes).filter(|label| !labels.contains(label));
    along.chain(others.map(|label| score(label) - last)).fold(f64::NEG_INFINITY, f64::max)
}

#[cfg(test)]
mod tests {
    use tkmia_metrics::Ranking;

    use super::super::sample::{ONE_OUT, weigh};
    use super::*;

    const NEVER: (bool, f64) = (false, f64::INFINITY);

    #[test]
    fn a_samples_own_target_is_reached_in_any_order_or_in_its_own() {
        let with = |target: Option<&[usize]>| {
            let ranking = Ranking::new(&ONE_OUT).unwrap();
            let state = SampleState {
                clean: &ranking,
                clean_scores: &ONE_OUT,
                now: &ranking,
                scores: &ONE_OUT,
                relevant: &[true, false, false, false, false],
                specified: &[true, false, false, false, false],
                target,
                k: 2,
                delta: None,
            };
            let weigh = |by: &dyn Criterion| (by.is_met(&state), by.margin(&state));
            (weigh(&TargetReached), weigh(&TargetInOrder))
        };
        assert_eq!(with(Some(&[1, 2])), ((true, -1.0), (true, -1.0)));
        assert_eq!(with(Some(&[2, 1])), ((true, -1.0), (false, 1.0)));
        assert_eq!(with(Some(&[1, 3])), ((false, 1.0), (false, 1.0)));
        assert_eq!(with(Some(&[])), (NEVER, NEVER));
        assert_eq!(with(None), (NEVER, NEVER));
    }

    #[test]
    fn a_target_set_is_reached_in_any_order() {
        let set = |labels: &[usize]| {
            let labels = labels.iter().copied().collect();
            weigh(&TargetSet { labels }, &[0], ONE_OUT)
        };
        assert_eq!(set(&[2, 1]), (true, -1.0));
        assert_eq!(set(&[0, 1]), (false, 3.0));
        for unreachable in [&[1][..], &[1, 2, 3], &[1, 9], &[]] {
            assert_eq!(set(unreachable), NEVER);
        }
    }

    #[test]
    fn an_ordered_target_is_reached_in_its_order_alone() {
        let list = |labels: &[usize]| {
            let labels = labels.to_vec();
            weigh(&OrderedTopK { labels }, &[0], ONE_OUT)
        };
        assert_eq!(list(&[1, 2]), (true, -1.0));
        assert_eq!(list(&[2, 1]), (false, 1.0));
        assert_eq!(list(&[1, 0]), (false, 3.0));
        for unreachable in [&[1][..], &[1, 2, 3], &[1, 9], &[1, 1], &[]] {
            assert_eq!(list(unreachable), NEVER);
        }
    }
}
