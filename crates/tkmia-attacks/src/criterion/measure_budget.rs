//! [`MeasureBudget`]: how much of a measure an attack may cost.

use tkmia_metrics::{Formula, Measure, Ranking, Sample};

use super::{Criterion, Keep, SampleState};

/// A measure of this sample has dropped by at most τ: `Δ ≤ τ`, `Δ` = clean − now.
///
/// Margin: `Δ − τ`, in the measure's unit and not the scores'. It is 0, and the budget kept, where
/// the two differ by no more than rounding (1e-12). A sample that lacks what the measure needs, such as
/// a relevant label for AP@k, has nothing to lose: `Δ = 0`. A measure
/// [over samples](Formula::OverSamples) says nothing of one: such a budget is never met, its margin
/// is `∞`.
///
/// # Example: half a point of P@2, and no more
///
/// ```
/// use tkmia_attacks::{Criterion, MeasureBudget, SampleState};
/// use tkmia_metrics::{Measure, Ranking};
///
/// let (clean_scores, scores) = ([0.9_f32, 0.5, 0.25], [0.9_f32, 0.1, 0.25]);
/// let (clean, now) = (Ranking::new(&clean_scores)?, Ranking::new(&scores)?);
/// let (relevant, specified) = ([true, true, false], [false, true, false]);
/// let state = SampleState {
///     clean: &clean, clean_scores: &clean_scores, now: &now, scores: &scores,
///     relevant: &relevant, specified: &specified, target: None, k: 2, delta: None,
/// };
/// let measure = Measure::named("p").expect("a measure's name");
/// let budget = |at_most| MeasureBudget { measure, at_most };
/// assert!(budget(0.5).is_met(&state));
/// assert_eq!(budget(0.25).margin(&state), 0.25);
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, derive_more::Display)]
#[display("measure-budget({}, {at_most})", measure.name)]
pub struct MeasureBudget {
    /// What is counted, one of [`MEASURES`](tkmia_metrics::MEASURES).
    pub measure: &'static Measure,
    /// τ; 0 allows no drop, a negative one asks for a gain.
    pub at_most: f64,
}

impl MeasureBudget {
    /// The budget, if the measure is one of single samples.
    pub(super) fn new(measure: &'static Measure, at_most: f64) -> Option<Self> {
        matches!(measure.formula, Formula::PerSample(_)).then_some(Self { measure, at_most })
    }
}

/// Between a drop and a budget; 1/3 and 1 − 2/3 differ by less.
const ROUNDING: f64 = 1e-12;

impl Criterion for MeasureBudget {
    fn is_met(&self, state: &SampleState<'_>) -> bool {
        self.margin(state) <= 0.0
    }

    fn margin(&self, state: &SampleState<'_>) -> f64 {
        let Formula::PerSample(measure) = self.measure.formula else {
            return f64::INFINITY;
        };
        let SampleState { relevant, specified, k, .. } = *state;
        let value = |ranking: &Ranking| {
            let value = measure(&Sample { ranking, relevant, specified: Some(specified), k });
            value.expect("one flag per label and 1 ≤ k ≤ c, as the goal was checked")
        };
        let values = value(state.clean).zip(value(state.now));
        let margin = values.map_or(0.0, |(clean, now)| clean - now) - self.at_most;
        if margin.abs() <= ROUNDING { 0.0 } else { margin }
    }

    /// Of a measure that doesn't drop.
    fn keeps(&self) -> Option<Keep> {
        match self.measure.name {
            _ if self.at_most < 0.0 => None,
            "p" => Some(Keep::Count),
            "ap" | "ndcg" => Some(Keep::Order),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ONE_OUT, ONE_OUT_FOR_IRRELEVANT, weigh};
    use super::*;

    fn budget(name: &str, at_most: f64) -> MeasureBudget {
        MeasureBudget { measure: Measure::named(name).unwrap(), at_most }
    }

    #[test]
    fn each_measure_has_its_own_drop() {
        // One hit of two, at rank 1: P@2 = 1/2, AP@2 = 1/2, NDCG@2 = 1/(1 + 1/log2(3)) = 0.613147.
        for (name, drop) in [("p", 0.5), ("ap", 0.5), ("ndcg", 1.0 - 0.613147)] {
            let budget = budget(name, 0.4);
            let (met, margin) = weigh(&budget, &[0], ONE_OUT_FOR_IRRELEVANT);
            assert_eq!(met, drop <= 0.4);
            assert!((margin - (drop - 0.4)).abs() < 1e-6);
            assert_eq!(weigh(&budget, &[0], ONE_OUT), (true, -0.4));
        }
    }

    #[test]
    fn a_budget_that_is_just_spent_is_kept_whatever_the_rounding() {
        let at_most = 0.5_f64.next_down();
        assert_eq!(weigh(&budget("p", at_most), &[0], ONE_OUT_FOR_IRRELEVANT), (true, 0.0));
        assert_eq!(weigh(&budget("p", 0.0), &[0], ONE_OUT), (true, 0.0));
    }

    #[test]
    fn without_a_relevant_label_there_is_nothing_to_lose() {
        let ranking = Ranking::new(&[2.0_f32, 1.0]).unwrap();
        let state = SampleState {
            clean: &ranking,
            clean_scores: &[2.0, 1.0],
            now: &ranking,
            scores: &[2.0, 1.0],
            relevant: &[false; 2],
            specified: &[false; 2],
            target: None,
            k: 1,
            delta: None,
        };
        for name in ["p", "ap", "ndcg"] {
            assert_eq!(budget(name, 0.25).margin(&state), -0.25);
        }
    }

    #[test]
    fn the_specified_labels_can_be_budgeted_as_well() {
        // Label 0 is the specified one; it leaves.
        let (met, margin) = weigh(&budget("specified_in_top_k", 0.0), &[0], ONE_OUT);
        assert_eq!((met, margin), (false, 1.0));
    }

    #[test]
    fn a_measure_over_samples_is_never_kept() {
        let (met, margin) = weigh(&budget("map_category", 1.0), &[0], ONE_OUT);
        assert_eq!((met, margin), (false, f64::INFINITY));
    }
}
