//! [`SpecifiedOut`]: specified labels have left the top-k.

use super::demand::Demand;
use super::{Criterion, Standing, hits};

/// The paper's evaluation: at least δ specified labels have left the top-k.
///
/// Counted as in Eq. 12 and in the published code: `|S ∩ T_k(x)| − |S ∩ T_k(x*)| ≥ δ`, so a specified
/// label that enters makes up for one that leaves. A δ above `|S ∩ T_k(x)|` is never met.
///
/// Margin: how far all of `S` must sink for that, from the current scores; the distance between the
/// highest label of `S` that is to be out and the lowest of the others that is to be in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpecifiedOut {
    /// How many must leave; `None`: all that were in the clean top-k, as under the global scheme.
    pub delta: Option<usize>,
}

impl SpecifiedOut {
    /// "At most `before − δ` of S", said of the other labels.
    fn demand(&self, standing: &Standing<'_>) -> Demand {
        let before = hits(standing.clean, standing.specified, standing.k);
        let delta = self.delta.unwrap_or(before);
        let others = standing.specified.iter().map(|&specified| !specified);
        Demand::at_least((standing.k - before).saturating_add(delta), others)
    }
}

impl Criterion for SpecifiedOut {
    fn is_met(&self, standing: &Standing<'_>) -> bool {
        self.demand(standing).is_met(standing)
    }

    fn margin(&self, standing: &Standing<'_>) -> f64 {
        self.demand(standing).margin(standing)
    }

    fn leaving(&self) -> Option<usize> {
        self.delta
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ONE_OUT, weigh};
    use super::*;

    #[test]
    fn the_specified_labels_that_left_are_counted() {
        assert_eq!(weigh(&SpecifiedOut::default(), &[0], ONE_OUT), (true, -3.0));
        assert_eq!(weigh(&SpecifiedOut::default(), &[0, 1], ONE_OUT), (false, 2.0));
        assert_eq!(weigh(&SpecifiedOut { delta: Some(1) }, &[0, 1], ONE_OUT), (true, -3.0));
        assert_eq!(weigh(&SpecifiedOut { delta: Some(2) }, &[0, 1], ONE_OUT), (false, 2.0));
        // Label 2 is specified too and enters: the count stays.
        assert_eq!(weigh(&SpecifiedOut { delta: Some(1) }, &[0, 2], ONE_OUT), (false, 1.0));
    }

    #[test]
    fn more_than_were_in_cannot_leave() {
        for delta in [3, usize::MAX] {
            let criterion = SpecifiedOut { delta: Some(delta) };
            assert_eq!(weigh(&criterion, &[0, 1], ONE_OUT), (false, f64::INFINITY));
        }
    }
}
