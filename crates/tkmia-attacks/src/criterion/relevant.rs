//! Criteria on what becomes of the relevant labels.

use super::demand::Demand;
use super::{Criterion, SpecifiedOut, Standing, hits};

/// Eq. 2 of the paper: no specified label in the top-k, and the other relevant labels fill it.
///
/// `|T_k(x*) ∩ R| = min(k, |R|)` with `R = Y_p ∖ S`. As printed, `min_R f ≥ f_[k]` can't hold where
/// `|R| > k`; filling the places is what it means. Margin: the larger one of the two conditions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imperceptible;

impl Imperceptible {
    fn demands(standing: &Standing<'_>) -> [Demand; 2] {
        let Standing { relevant, specified, k, .. } = *standing;
        let labels = relevant.iter().zip(specified);
        let others: Vec<bool> =
            labels.map(|(&relevant, &specified)| relevant && !specified).collect();
        let places = k.min(others.iter().filter(|&&other| other).count());
        [Demand::none_of(specified, k), Demand::at_least(places, others)]
    }
}

impl Criterion for Imperceptible {
    fn is_met(&self, standing: &Standing<'_>) -> bool {
        Self::demands(standing).iter().all(|demand| demand.is_met(standing))
    }

    fn margin(&self, standing: &Standing<'_>) -> f64 {
        let [out, filled] = Self::demands(standing);
        out.margin(standing).max(filled.margin(standing))
    }
}

/// At least as many relevant labels in the top-k as before: `|T_k(x*) ∩ Y_p| ≥ |T_k(x) ∩ Y_p|`.
///
/// P@k doesn't drop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PrecisionPreserved;

impl PrecisionPreserved {
    fn demand(standing: &Standing<'_>) -> Demand {
        let before = hits(standing.clean, standing.relevant, standing.k);
        Demand::at_least(before, standing.relevant.iter().copied())
    }
}

impl Criterion for PrecisionPreserved {
    fn is_met(&self, standing: &Standing<'_>) -> bool {
        Self::demand(standing).is_met(standing)
    }

    fn margin(&self, standing: &Standing<'_>) -> f64 {
        Self::demand(standing).margin(standing)
    }
}

/// No specified label in the top-k, and at least as many relevant ones as before.
///
/// [`SpecifiedOut`] of all specified labels and [`PrecisionPreserved`]. Margin: the larger one of
/// the two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MeasurePreserving;

impl Criterion for MeasurePreserving {
    fn is_met(&self, standing: &Standing<'_>) -> bool {
        SpecifiedOut { delta: None }.is_met(standing) && PrecisionPreserved.is_met(standing)
    }

    fn margin(&self, standing: &Standing<'_>) -> f64 {
        SpecifiedOut { delta: None }.margin(standing).max(PrecisionPreserved.margin(standing))
    }
}

/// No relevant label in the top-k, `T_k(x*) ∩ Y_p = ∅`: where ML-CW-U stops in its original form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AllRelevantOut;

impl Criterion for AllRelevantOut {
    fn is_met(&self, standing: &Standing<'_>) -> bool {
        Demand::none_of(standing.relevant, standing.k).is_met(standing)
    }

    fn margin(&self, standing: &Standing<'_>) -> f64 {
        Demand::none_of(standing.relevant, standing.k).margin(standing)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ONE_OUT, ONE_OUT_FOR_IRRELEVANT, weigh};
    use super::*;

    #[test]
    fn imperceptible_wants_the_places_filled_by_relevant_labels() {
        assert_eq!(weigh(&Imperceptible, &[0], ONE_OUT), (true, -1.0));
        assert_eq!(weigh(&Imperceptible, &[0], ONE_OUT_FOR_IRRELEVANT), (false, 2.0));
        // R = {2} has one label for two places.
        assert_eq!(weigh(&Imperceptible, &[0, 1], [0.0, 1.0, 4.0, 3.0, 2.0]), (true, -2.0));
        assert_eq!(weigh(&Imperceptible, &[0, 1], [0.0, 1.0, 2.0, 3.0, 4.0]), (false, 1.0));
    }

    #[test]
    fn precision_preserved_does_not_care_which_relevant_labels_are_in() {
        assert_eq!(weigh(&PrecisionPreserved, &[1], ONE_OUT), (true, -1.0));
        assert_eq!(weigh(&PrecisionPreserved, &[1], ONE_OUT_FOR_IRRELEVANT), (false, 2.0));
    }

    #[test]
    fn measure_preserving_wants_no_fewer_relevant_labels() {
        assert_eq!(weigh(&MeasurePreserving, &[0], ONE_OUT), (true, -1.0));
        assert_eq!(weigh(&MeasurePreserving, &[0], ONE_OUT_FOR_IRRELEVANT), (false, 2.0));
        assert_eq!(weigh(&MeasurePreserving, &[1], ONE_OUT), (false, 2.0));
    }

    #[test]
    fn all_relevant_out_wants_every_place_for_an_irrelevant_label() {
        assert_eq!(weigh(&AllRelevantOut, &[0], ONE_OUT), (false, 3.0));
        assert_eq!(weigh(&AllRelevantOut, &[0], [0.0, 1.0, 2.0, 4.0, 3.0]), (true, -1.0));
    }
}
