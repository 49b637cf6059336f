//! [`Measures`]: a number for each measure.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::array;
use core::ops::Sub;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{MEASURES, Measure, MetricsError, Sample};

/// A number for each measure of the [table](MEASURES) that has one: of one sample, the means of
/// several, or a difference of either.
///
/// As JSON it is a map from names to numbers, in the order of the table.
///
/// # Example: what is left of the measures when the first label drops to the third place
///
/// ```
/// use tkmia_metrics::{Measures, MetricsError, Ranking, Sample};
///
/// let measures = |scores: [f32; 4]| -> Result<Measures, MetricsError> {
///     let relevant = &[true, false, true, false];
///     Measures::of(&Sample { ranking: &Ranking::new(&scores)?, relevant, specified: None, k: 2 })
/// };
/// let (clean, perturbed) = (measures([0.9, 0.8, 0.7, 0.1])?, measures([0.5, 0.8, 0.7, 0.1])?);
/// assert_eq!((clean.get("p"), clean.get("ap")), (Some(0.5), Some(0.5)));
/// let change = clean - perturbed;
/// assert_eq!((change.get("p"), change.get("ap")), (Some(0.0), Some(0.25)));
/// # Ok::<(), MetricsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measures {
    values: [Option<f64>; MEASURES.len()],
}

impl Measures {
    /// Measures one sample.
    ///
    /// # Errors
    /// [`MetricsError::TopKOutOfRange`] and [`MetricsError::LengthMismatch`].
    pub fn of(sample: &Sample<'_>) -> Result<Self, MetricsError> {
        let mut values = [None; MEASURES.len()];
        for (value, measure) in values.iter_mut().zip(&MEASURES) {
            *value = measure.of(sample)?;
        }
        Ok(Self { values })
    }

    /// From a value for each place in the table.
    pub(crate) fn from_fn(value: impl FnMut(usize) -> Option<f64>) -> Self {
        Self { values: array::from_fn(value) }
    }

    /// The number of the measure of this name; `None` if it has none, or there is no such measure.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.iter().find(|(measure, _)| measure.name == name).map(|(_, value)| value)
    }

    /// The measures that have a number, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Measure, f64)> {
        MEASURES.iter().zip(self.values).filter_map(|(measure, value)| Some((measure, value?)))
    }
}

/// Δ, clean minus perturbed, of each measure that both have: a drop is positive.
impl Sub for Measures {
    type Output = Self;

    fn sub(self, perturbed: Self) -> Self {
        Self::from_fn(|at| Some(self.values[at]? - perturbed.values[at]?))
    }
}

impl Serialize for Measures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(measure, value)| (measure.name, value)))
    }
}

impl<'de> Deserialize<'de> for Measures {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = BTreeMap::<String, Option<f64>>::deserialize(deserializer)?;
        Ok(Self::from_fn(|at| found.get(MEASURES[at].name).copied().flatten()))
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;
    use crate::Ranking;

    const NAMES: [&str; 5] = ["tkacc", "tkacc_released", "p", "ap", "ndcg"];

    /// The measures of [`NAMES`], worked by hand; NaN stands for none.
    fn check(relevant: &str, scores: &[f64], k: usize, expected: [f64; 5]) {
        let relevant: Vec<bool> = relevant.chars().map(|flag| flag == '1').collect();
        let ranking = Ranking::new(scores).unwrap();
        let sample = Sample { ranking: &ranking, relevant: &relevant, specified: None, k };
        let found = Measures::of(&sample).unwrap();
        for (name, expected) in NAMES.into_iter().zip(expected) {
            let found = found.get(name);
            assert_eq!(found.is_none(), expected.is_nan(), "{name}");
            assert_abs_diff_eq!(
                found.unwrap_or(0.0),
                if expected.is_nan() { 0.0 } else { expected },
                epsilon = 1e-6
            );
        }
    }

    #[test]
    fn more_relevant_labels_than_places() {
        let scores = [0.9, 0.2, 0.8, 0.1, 0.3, 0.85, 0.7, 0.05];
        check("11111000", &scores, 3, [0.0, 0.0, 2.0 / 3.0, 0.555556, 0.703918]);
    }

    #[test]
    fn negative_scores_are_ranked_like_any_others() {
        let scores = [0.9, 0.2, 0.8, 0.1, 0.3, 0.85, 0.7, 0.05].map(|score| score - 1.0);
        check("11111000", &scores, 3, [0.0, 0.0, 2.0 / 3.0, 0.555556, 0.703918]);
    }

    #[test]
    fn a_tie_across_the_kth_place_goes_to_the_lower_index() {
        check("10100", &[0.9, 0.5, 0.5, 0.5, 0.1], 2, [0.0, 0.0, 0.5, 0.5, 0.613147]);
    }

    #[test]
    fn fewer_relevant_labels_than_places() {
        check("010001", &[0.6, 0.5, 0.4, 0.3, 0.2, 0.1], 4, [0.0, 0.0, 0.25, 0.25, 0.386853]);
    }

    #[test]
    fn without_a_relevant_label_the_averages_are_absent() {
        check("0000", &[0.4, 0.3, 0.2, 0.1], 2, [1.0, 1.0, 0.0, f64::NAN, f64::NAN]);
    }

    #[test]
    fn with_all_scores_tied_the_first_labels_are_the_top() {
        check("1001", &[0.5; 4], 2, [0.0, 0.0, 0.5, 0.5, 0.613147]);
    }

    #[test]
    fn a_single_hit_at_the_kth_place() {
        check(
            "001011",
            &[0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
            3,
            [0.0, 0.0, 1.0 / 3.0, 1.0 / 9.0, 0.234639],
        );
    }

    #[test]
    fn json_holds_what_there_is_and_is_read_back() -> Result<(), serde_json::Error> {
        let ranking = Ranking::new(&[0.9, 0.8]).unwrap();
        let specified = Some(&[true; 2][..]);
        let sample = Sample { ranking: &ranking, relevant: &[false; 2], specified, k: 1 };
        let measures = Measures::of(&sample).unwrap();
        let json = serde_json::to_string(&measures)?;
        assert!(json.starts_with(r#"{"tkacc":1.0,"tkacc_released":1.0,"p":0.0"#), "{json}");
        assert!(json.contains(r#""specified_in_top_k":1.0"#) && !json.contains("ap"), "{json}");
        assert_eq!(serde_json::from_str::<Measures>(&json)?, measures);
        Ok(())
    }
}
