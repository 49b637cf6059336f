//! Criteria on what becomes of the relevant labels.

use super::at_least::AtLeast;
use super::{Criterion, Keep, Leaving, SampleState, SpecifiedOut, hits};

/// Eq. 2 of the paper: no specified label in the top-k, and the other relevant labels fill it.
///
/// `|T_k(x*) ∩ R| = min(k, |R|)` with `R = Y_p ∖ S`. As printed, `min_R f ≥ f_[k]` can't hold where
/// `|R| > k`; filling the places is what it means. Margin: the larger one of the two conditions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, derive_more::Display)]
#[display("imperceptible")]
pub struct Imperceptible;

impl Imperceptible {
    fn parts(state: &SampleState<'_>) -> [AtLeast; 2] {
        let SampleState { relevant, specified, k, .. } = *state;
        let labels = relevant.iter().zip(specified);
        let others: Vec<bool> =
            labels.map(|(&relevant, &specified)| relevant && !specified).collect();
        let places = k.min(others.iter().filter(|&&other| other).count());
        [AtLeast::none_of(specified, k), AtLeast::new(places, others)]
    }
}

impl Criterion for Imperceptible {
    fn is_met(&self, state: &SampleState<'_>) -> bool {
        Self::parts(state).iter().all(|part| part.is_met(state))
    }

    fn margin(&self, state: &SampleState<'_>) -> f64 {
        let [out, filled] = Self::parts(state);
        out.margin(state).max(filled.margin(state))
    }

    fn leaving(&self, _: Option<usize>) -> Option<Leaving> {
        Some(Leaving::All)
    }

    fn keeps(&self) -> Option<Keep> {
        Some(Keep::Full)
    }
}

/// At least as many relevant labels in the top-k as before: `|T_k(x*) ∩ Y_p| ≥ |T_k(x) ∩ Y_p|`.
///
/// P@k doesn't drop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, derive_more::Display)]
#[display("precision-preserved")]
pub struct PrecisionPreserved;

impl PrecisionPreserved {
    fn at_least(state: &SampleState<'_>) -> AtLeast {
        let before = hits(state.clean, state.relevant, state.k);
        AtLeast::new(before, state.relevant.iter().copied())
    }
}

impl Criterion for PrecisionPreserved {
    fn is_met(&self, state: &SampleState<'_>) -> bool {
        Self::at_least(state).is_met(state)
    }

    fn margin(&self, state: &SampleState<'_>) -> f64 {
        Self::at_least(state).margin(state)
    }

    fn keeps(&self) -> Option<Keep> {
        Some(Keep::Count)
    }
}

/// No specified label in the top-k, and at least as many relevant ones as before.
///
/// [`SpecifiedOut`] of all specified labels and [`PrecisionPreserved`]. Margin: the larger one of
/// the two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, derive_more::Display)]
#[display("measure-preserving")]
pub struct MeasurePreserving;

impl Criterion for MeasurePreserving {
    fn is_met(&self, state: &SampleState<'_>) -> bool {
        SpecifiedOut.is_met(&all_out(state)) && PrecisionPreserved.is_met(state)
    }

    fn margin(&self, state: &SampleState<'_>) -> f64 {
        SpecifiedOut.margin(&all_out(state)).max(PrecisionPreserved.margin(state))
    }

    fn leaving(&self, _: Option<usize>) -> Option<Leaving> {
        Some(Leaving::All)
    }

    fn keeps(&self) -> Option<Keep> {
        PrecisionPreserved.keeps()
    }
}

/// The same with all specified labels to leave, whatever δ.
fn all_out<'a>(state: &SampleState<'a>) -> SampleState<'a> {
    SampleState { delta: None, ..*state }
}

/// No relevant label in the top-k, `T_k(x*) ∩ Y_p = ∅`: where ML-CW-U stops in its original form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, derive_more::Display)]
#[display("all-relevant-out")]
pub struct AllRelevantOut;

impl Criterion for AllRelevantOut {
    fn is_met(&self, state: &SampleState<'_>) -> bool {
        AtLeast::none_of(state.relevant, state.k).is_met(state)
    }

    fn margin(&self, state: &SampleState<'_>) -> f64 {
        AtLeast::none_of(state.relevant, state.k).margin(state)
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
