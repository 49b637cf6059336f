//! [`SpecifiedOut`]: specified labels have left the top-k.

use super::at_least::AtLeast;
use super::{Criterion, Keep, Leaving, SampleState, hits};

/// The paper's evaluation: at least δ specified labels have left the top-k.
///
/// Counted as in Eq. 12 and in the published code: `|S ∩ T_k(x)| − |S ∩ T_k(x*)| ≥ δ`, so a specified
/// label that enters makes up for one that leaves. δ is the [goal's](tkmia_core::Goal::delta), by default
/// all that were in the clean top-k. A δ above `|S ∩ T_k(x)|` is never met.
///
/// Margin: how far all of `S` must sink for that, from the current scores; the distance between the
/// highest label of `S` that is to be out and the lowest of the others that is to be in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, derive_more::Display)]
#[display("excluded")]
pub struct SpecifiedOut;

impl SpecifiedOut {
    /// "At most `before − δ` of S", said of the other labels.
    fn at_least(state: &SampleState<'_>) -> AtLeast {
        let before = hits(state.clean, state.specified, state.k);
        let delta = state.delta.unwrap_or(before);
        let others = state.specified.iter().map(|&specified| !specified);
        AtLeast::new((state.k - before).saturating_add(delta), others)
    }
}

impl Criterion for SpecifiedOut {
    fn is_met(&self, state: &SampleState<'_>) -> bool {
        Self::at_least(state).is_met(state)
    }

    fn margin(&self, state: &SampleState<'_>) -> f64 {
        Self::at_least(state).margin(state)
    }

    fn leaving(&self, delta: Option<usize>) -> Option<Leaving> {
        Some(delta.map_or(Leaving::All, Leaving::AtLeast))
    }

    fn keeps(&self) -> Option<Keep> {
        Some(Keep::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ONE_OUT, weigh_by};
    use super::*;

    #[test]
    fn the_specified_labels_that_left_are_counted() {
        let weigh = |delta, specified: &[usize]| weigh_by(&SpecifiedOut, specified, ONE_OUT, delta);
        assert_eq!(weigh(None, &[0]), (true, -3.0));
        assert_eq!(weigh(None, &[0, 1]), (false, 2.0));
        assert_eq!(weigh(Some(1), &[0, 1]), (true, -3.0));
        assert_eq!(weigh(Some(2), &[0, 1]), (false, 2.0));
        // Label 2 is specified too and enters: the count stays.
        assert_eq!(weigh(Some(1), &[0, 2]), (false, 1.0));
    }

    #[test]
    fn more_than_were_in_cannot_leave() {
        for delta in [3, usize::MAX] {
            let weighed = weigh_by(&SpecifiedOut, &[0, 1], ONE_OUT, Some(delta));
            assert_eq!(weighed, (false, f64::INFINITY));
        }
    }
}
