//! [`AtLeast`]: the one condition that most criteria are made of.

use super::{SampleState, hits};

/// At least so many labels of a set `A` are in the top-k: `|A ∩ T_k(x*)| ≥ n`.
///
/// "At most `a` of a set" is the same as "at least `k − a` of the others".
#[derive(Debug)]
pub(super) struct AtLeast {
    places: usize,
    labels: Vec<bool>,
}

impl AtLeast {
    /// At least `places` of the flagged labels.
    pub fn new(places: usize, labels: impl IntoIterator<Item = bool>) -> Self {
        Self { places, labels: labels.into_iter().collect() }
    }

    /// None of the flagged labels.
    pub fn none_of(labels: &[bool], k: usize) -> Self {
        Self::new(k, labels.iter().map(|&flag| !flag))
    }

    pub fn is_met(&self, state: &SampleState<'_>) -> bool {
        hits(state.now, &self.labels, state.k) >= self.places
    }

    /// `f_(¬A)[k−n+1] − f_A[n]`, where `f_X[i]` is the i-th largest score within the set `X`.
    ///
    /// These two labels contend for the last place: the n-th of `A` has it just when fewer than
    /// `k − n + 1` of the others are above. `−∞` where nothing is demanded or there are not so many
    /// others; `∞` where `n` exceeds `k` or `|A|`.
    pub fn margin(&self, state: &SampleState<'_>) -> f64 {
        let SampleState { now, scores, k, .. } = *state;
        if self.places == 0 {
            return f64::NEG_INFINITY;
        }
        if self.places > k {
            return f64::INFINITY;
        }
        let score_at = |place: usize, within: bool| {
            let mut labels = now.order().iter().filter(|&&label| self.labels[label] == within);
            labels.nth(place - 1).map(|&label| f64::from(scores[label]))
        };
        match (score_at(self.places, true), score_at(k - self.places + 1, false)) {
            (None, _) => f64::INFINITY,
            (_, None) => f64::NEG_INFINITY,
            (Some(lowest), Some(rival)) => rival - lowest,
        }
    }
}

#[cfg(test)]
mod tests {
    use tkmia_metrics::Ranking;

    use super::*;

    /// Verdict and margin of "at least `places` of the flagged labels" in the top-2 of four.
    fn weigh(places: usize, flags: [u8; 4], scores: [f32; 4]) -> (bool, f64) {
        let ranking = Ranking::new(&scores).unwrap();
        let state = SampleState {
            clean: &ranking,
            clean_scores: &scores,
            now: &ranking,
            scores: &scores,
            relevant: &[true; 4],
            specified: &[false; 4],
            target: None,
            k: 2,
            delta: None,
        };
        let at_least = AtLeast::new(places, flags.map(|flag| flag == 1));
        (at_least.is_met(&state), at_least.margin(&state))
    }

    const SCORES: [f32; 4] = [8.0, 4.0, 2.0, 1.0];

    #[test]
    fn the_margin_is_between_the_two_labels_that_contend_for_the_last_place() {
        assert_eq!(weigh(1, [0, 1, 1, 0], SCORES), (true, -3.0));
        assert_eq!(weigh(2, [0, 1, 1, 0], SCORES), (false, 6.0));
        assert_eq!(weigh(2, [1, 1, 0, 0], SCORES), (true, -2.0));
        assert_eq!(weigh(1, [0, 0, 1, 1], SCORES), (false, 2.0));
    }

    #[test]
    fn a_demand_that_scores_cannot_change_is_infinitely_far_from_its_border() {
        assert_eq!(weigh(0, [0, 0, 0, 0], SCORES), (true, f64::NEG_INFINITY));
        assert_eq!(weigh(1, [1, 1, 1, 0], SCORES), (true, f64::NEG_INFINITY));
        assert_eq!(weigh(2, [1, 0, 0, 0], SCORES), (false, f64::INFINITY));
        assert_eq!(weigh(3, [1, 1, 1, 1], SCORES), (false, f64::INFINITY));
    }

    #[test]
    fn a_tie_has_no_margin_and_the_lower_index_decides() {
        assert_eq!(weigh(2, [1, 1, 0, 0], [8.0, 2.0, 2.0, 1.0]), (true, 0.0));
        assert_eq!(weigh(2, [1, 0, 1, 0], [8.0, 2.0, 2.0, 1.0]), (false, 0.0));
    }
}
