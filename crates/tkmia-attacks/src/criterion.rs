//! What counts as success: criteria that stop an attack and judge its result.

use std::fmt::Debug;

use tkmia_metrics::Ranking;

/// One sample as a [`Criterion`] sees it: its rankings before and now, and its labels.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The ranking of the unattacked image.
    pub clean: &'a Ranking,
    /// The ranking of the perturbed image.
    pub now: &'a Ranking,
    /// `Y_p`, `[classes]`.
    pub relevant: &'a [bool],
    /// `S`, `[classes]`.
    pub specified: &'a [bool],
    /// Size of the predicted set.
    pub k: usize,
}

/// A condition on one sample.
pub trait Criterion: Debug + Send + Sync {
    /// Whether the condition holds.
    fn is_met(&self, standing: &Standing<'_>) -> bool;
}

/// The paper's evaluation: at least δ specified labels have left the top-k.
///
/// Counted as in Eq. 12 and in the published code: `|S ∩ T_k(x)| − |S ∩ T_k(x*)| ≥ δ`, so a specified
/// label that enters makes up for one that leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Excluded {
    /// How many must leave; `None`: all that were in the clean top-k, as under the global scheme.
    pub delta: Option<usize>,
}

impl Criterion for Excluded {
    fn is_met(&self, standing: &Standing<'_>) -> bool {
        let before = hits(standing.clean, standing.specified, standing.k);
        let now = hits(standing.now, standing.specified, standing.k);
        now + self.delta.unwrap_or(before) <= before
    }
}

/// Eq. 2 of the paper: no specified label in the top-k, and the other relevant labels fill it.
///
/// `|T_k(x*) ∩ R| = min(k, |R|)` with `R = Y_p ∖ S`. As printed, `min_R f ≥ f_[k]` can't hold where
/// `|R| > k`; filling the places is what it means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imperceptible;

impl Criterion for Imperceptible {
    fn is_met(&self, standing: &Standing<'_>) -> bool {
        let labels = standing.relevant.iter().zip(standing.specified);
        let others: Vec<bool> =
            labels.map(|(&relevant, &specified)| relevant && !specified).collect();
        let places = standing.k.min(others.iter().filter(|&&other| other).count());
        hits(standing.now, standing.specified, standing.k) == 0
            && hits(standing.now, &others, standing.k) == places
    }
}

/// No specified label in the top-k, and at least as many relevant ones as before: P@k doesn't drop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MeasurePreserving;

impl Criterion for MeasurePreserving {
    fn is_met(&self, standing: &Standing<'_>) -> bool {
        let relevant = |ranking| hits(ranking, standing.relevant, standing.k);
        hits(standing.now, standing.specified, standing.k) == 0
            && relevant(standing.now) >= relevant(standing.clean)
    }
}

/// `|flags ∩ T_k|`, for flags and `k` that were checked where they came in.
pub(crate) fn hits(ranking: &Ranking, flags: &[bool], k: usize) -> usize {
    ranking.count(flags, k).expect("one flag per label and 1 ≤ k ≤ c, as the goal was checked")
}

#[cfg(test)]
mod tests {
    use super::*;

    // c = 5, k = 2; clean order 0 1 2 3 4; Y_p = {0, 1, 2}.
    fn verdict(criterion: &dyn Criterion, specified: &[usize], now: [f32; 5]) -> bool {
        let clean = Ranking::new(&[5.0_f32, 4.0, 3.0, 2.0, 1.0]).unwrap();
        let now = Ranking::new(&now).unwrap();
        let flags = |labels: &[usize]| [0, 1, 2, 3, 4].map(|label| labels.contains(&label));
        criterion.is_met(&Standing {
            clean: &clean,
            now: &now,
            relevant: &flags(&[0, 1, 2]),
            specified: &flags(specified),
            k: 2,
        })
    }

    const ONE_OUT: [f32; 5] = [0.0, 4.0, 3.0, 2.0, 1.0];
    const ONE_OUT_FOR_IRRELEVANT: [f32; 5] = [0.0, 4.0, 1.0, 2.0, 3.0];

    #[test]
    fn excluded_counts_the_specified_labels_that_left() {
        assert!(verdict(&Excluded::default(), &[0], ONE_OUT));
        assert!(!verdict(&Excluded::default(), &[0, 1], ONE_OUT));
        assert!(verdict(&Excluded { delta: Some(1) }, &[0, 1], ONE_OUT));
        assert!(!verdict(&Excluded { delta: Some(2) }, &[0, 1], ONE_OUT));
        // Label 2 is specified too and enters: the count stays.
        assert!(!verdict(&Excluded { delta: Some(1) }, &[0, 2], ONE_OUT));
    }

    #[test]
    fn imperceptible_wants_the_places_filled_by_relevant_labels() {
        assert!(verdict(&Imperceptible, &[0], ONE_OUT));
        assert!(!verdict(&Imperceptible, &[0], ONE_OUT_FOR_IRRELEVANT));
        // R = {2} has one label for two places.
        assert!(verdict(&Imperceptible, &[0, 1], [0.0, 1.0, 4.0, 3.0, 2.0]));
        assert!(!verdict(&Imperceptible, &[0, 1], [0.0, 1.0, 2.0, 3.0, 4.0]));
    }

    #[test]
    fn measure_preserving_wants_no_fewer_relevant_labels() {
        assert!(verdict(&MeasurePreserving, &[0], ONE_OUT));
        assert!(!verdict(&MeasurePreserving, &[0], ONE_OUT_FOR_IRRELEVANT));
        assert!(!verdict(&MeasurePreserving, &[1], ONE_OUT));
    }
}
