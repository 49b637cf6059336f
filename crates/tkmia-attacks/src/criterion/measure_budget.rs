//! [`MeasureBudget`]: how much of a measure an attack may cost.

use tkmia_metrics::{Ranking, average_precision_at_k, ndcg_at_k, precision_at_k};

use super::{Criterion, Standing};

/// A measure of one sample, in `[0, 1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// [`precision_at_k`], Eq. 8 of the paper.
    Precision,
    /// [`average_precision_at_k`], Eq. 9.
    AveragePrecision,
    /// [`ndcg_at_k`], Eq. 11.
    Ndcg,
}

impl Measure {
    fn at_k(self, ranking: &Ranking, relevant: &[bool], k: usize) -> Option<f64> {
        let value = match self {
            Self::Precision => precision_at_k(ranking, relevant, k).map(Some),
            Self::AveragePrecision => average_precision_at_k(ranking, relevant, k),
            Self::Ndcg => ndcg_at_k(ranking, relevant, k),
        };
        value.expect("one flag per label and 1 ≤ k ≤ c, as the goal was checked")
    }
}

/// A measure of this sample has dropped by at most τ: `Δ ≤ τ`, `Δ` = clean − now.
///
/// Margin: `Δ − τ`, in the measure's unit and not the scores'. It is 0, and the budget kept, where
/// the two differ by no more than rounding (1e-12). A sample without a relevant label has no AP@k
/// and no NDCG@k to lose: `Δ = 0`.
///
/// # Example: half a point of P@2, and no more
///
/// ```
/// use tkmia_attacks::{Criterion, Measure, MeasureBudget, Standing};
/// use tkmia_metrics::Ranking;
///
/// let (clean_scores, scores) = ([0.9_f32, 0.5, 0.25], [0.9_f32, 0.1, 0.25]);
/// let (clean, now) = (Ranking::new(&clean_scores)?, Ranking::new(&scores)?);
/// let (relevant, specified) = ([true, true, false], [false, true, false]);
/// let standing = Standing {
///     clean: &clean, clean_scores: &clean_scores, now: &now, scores: &scores,
///     relevant: &relevant, specified: &specified, target: None, k: 2,
/// };
/// let budget = |at_most| MeasureBudget { measure: Measure::Precision, at_most };
/// assert!(budget(0.5).is_met(&standing));
/// assert_eq!(budget(0.25).margin(&standing), 0.25);
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeasureBudget {
    /// What is counted.
    pub measure: Measure,
    /// τ; 0 allows no drop, a negative one asks for a gain.
    pub at_most: f64,
}

/// Between a drop and a budget; 1/3 and 1 − 2/3 differ by less.
const ROUNDING: f64 = 1e-12;

impl Criterion for MeasureBudget {
    fn is_met(&self, standing: &Standing<'_>) -> bool {
        self.margin(standing) <= 0.0
    }

    fn margin(&self, standing: &Standing<'_>) -> f64 {
        let value = |ranking| self.measure.at_k(ranking, standing.relevant, standing.k);
        let values = value(standing.clean).zip(value(standing.now));
        let margin = values.map_or(0.0, |(clean, now)| clean - now) - self.at_most;
        if margin.abs() <= ROUNDING { 0.0 } else { margin }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ONE_OUT, ONE_OUT_FOR_IRRELEVANT, weigh};
    use super::*;

    #[test]
    fn each_measure_has_its_own_drop() {
        // One hit of two, at rank 1: P@2 = 1/2, AP@2 = 1/2, NDCG@2 = 1/(1 + 1/log2(3)) = 0.613147.
        for (measure, drop) in [
            (Measure::Precision, 0.5),
            (Measure::AveragePrecision, 0.5),
            (Measure::Ndcg, 1.0 - 0.613147),
        ] {
            let budget = MeasureBudget { measure, at_most: 0.4 };
            let (met, margin) = weigh(&budget, &[0], ONE_OUT_FOR_IRRELEVANT);
            assert_eq!(met, drop <= 0.4);
            assert!((margin - (drop - 0.4)).abs() < 1e-6);
            assert_eq!(weigh(&budget, &[0], ONE_OUT), (true, -0.4));
        }
    }

    #[test]
    fn a_budget_that_is_just_spent_is_kept_whatever_the_rounding() {
        let at_most = 0.5_f64.next_down();
        let budget = MeasureBudget { measure: Measure::Precision, at_most };
        assert_eq!(weigh(&budget, &[0], ONE_OUT_FOR_IRRELEVANT), (true, 0.0));
        let none = MeasureBudget { measure: Measure::Precision, at_most: 0.0 };
        assert_eq!(weigh(&none, &[0], ONE_OUT), (true, 0.0));
    }

    #[test]
    fn without_a_relevant_label_there_is_nothing_to_lose() {
        let ranking = Ranking::new(&[2.0_f32, 1.0]).unwrap();
        let standing = Standing {
            clean: &ranking,
            clean_scores: &[2.0, 1.0],
            now: &ranking,
            scores: &[2.0, 1.0],
            relevant: &[false; 2],
            specified: &[false; 2],
            target: None,
            k: 1,
        };
        for measure in [Measure::Precision, Measure::AveragePrecision, Measure::Ndcg] {
            assert_eq!(MeasureBudget { measure, at_most: 0.25 }.margin(&standing), -0.25);
        }
    }
}
