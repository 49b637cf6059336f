//! [`Statistic`]: what is watched of each image.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tkmia_metrics::{Formula, MEASURES, Measure, Need, Ranking, Sample};

use crate::{MonitorError, Observation};

/// What is watched of each image, in O(c log c).
///
/// `f_[i]` is the i-th largest score, `T_k` the set of the k labels with the highest scores. Ties go to the lower label index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Statistic {
    /// A ranking measure; it needs labels, and an image without them has no value.
    Measure(&'static Measure),
    /// Which labels are in `T_k`: one indicator for each.
    LabelFrequency,
    /// How much more often than by chance the labels of `T_k` stand there together on clean images: the mean over their pairs
    /// of the smoothed pointwise mutual information (Church & Hanks 1990) `ln((n_ij + 1) / (n_i n_j / n + 1))`.
    CoOccurrence,
    /// `f_[k] − f_[k+1]`, what the last label of `T_k` has over the next.
    BorderMargin,
    /// `f_[1] − f_[2]`.
    TopMargin,
    /// JointEnergy `Σ_i ln(1 + exp f_i)` (Wang et al., NeurIPS 2021). EDGE (Sun et al., AAAI 2025) trains a network for the same
    /// statistic.
    JointEnergy,
}

/// The value of a statistic on one image.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// A number.
    Number(f64),
    /// The labels of `T_k`, by rank.
    Labels(Vec<usize>),
}

impl Statistic {
    /// Those that are always there, beside the measures.
    const OTHERS: [(&str, Self); 5] = [
        ("label-frequency", Self::LabelFrequency),
        ("co-occurrence", Self::CoOccurrence),
        ("border-margin", Self::BorderMargin),
        ("top-margin", Self::TopMargin),
        ("joint-energy", Self::JointEnergy),
    ];

    /// All of them: the measures of single images in the order of [`MEASURES`], then the others.
    pub fn all() -> impl Iterator<Item = Self> {
        let of_one = |measure: &&Measure| {
            matches!(measure.formula, Formula::PerSample(_))
                && !measure.needs.contains(&Need::SpecifiedLabels)
        };
        let measures = MEASURES.iter().filter(of_one).map(Self::Measure);
        measures.chain(Self::OTHERS.map(|(_, statistic)| statistic))
    }

    /// Those that say something of their own at this `k`: of one label there are no pairs, and both margins are the same.
    pub fn at(k: usize) -> impl Iterator<Item = Self> {
        let is_more = |statistic: &Self| ![Self::CoOccurrence, Self::TopMargin].contains(statistic);
        Self::all().filter(move |statistic| k > 1 || is_more(statistic))
    }

    /// Its name in files and commands.
    pub fn name(self) -> &'static str {
        let is = |&&(_, other): &&(&str, Self)| other == self;
        match self {
            Self::Measure(measure) => measure.name,
            _ => Self::OTHERS.iter().find(is).map(|(name, _)| *name).expect("the table has all"),
        }
    }

    /// Its name with `k` in its place.
    pub fn title(self, k: usize) -> String {
        match self {
            Self::Measure(measure) => measure.title(k),
            Self::LabelFrequency => format!("label frequencies in the top-{k}"),
            Self::CoOccurrence => format!("co-occurrence in the top-{k}"),
            Self::BorderMargin => format!("margin of rank {k} over {}", k + 1),
            Self::TopMargin => "margin of rank 1 over 2".to_owned(),
            Self::JointEnergy => "JointEnergy".to_owned(),
        }
    }

    /// Whether an image needs labels to have a value.
    pub fn needs_labels(self) -> bool {
        matches!(self, Self::Measure(_))
    }

    /// Its value on an image; `None` if the image lacks labels that it needs.
    ///
    /// # Errors
    /// [`MonitorError::TopK`], and [`MonitorError::Metrics`] for scores that aren't finite and for `k` out of range.
    pub fn read(self, k: usize, seen: &Observation<'_>) -> Result<Option<Reading>, MonitorError> {
        let ranking = Ranking::new(seen.scores)?;
        let top = ranking.top(k)?;
        let wrong = |expected| Err(MonitorError::TopK { expected, statistic: self, found: k });
        let score = |rank: usize| f64::from(seen.scores[ranking.order()[rank - 1]]);
        Ok(Some(match self {
            Self::Measure(measure) => {
                let Some(relevant) = seen.relevant else { return Ok(None) };
                let sample = Sample { ranking: &ranking, relevant, specified: None, k };
                return Ok(measure.of(&sample)?.map(Reading::Number));
            }
            Self::CoOccurrence if k < 2 => return wrong("2 at least"),
            Self::BorderMargin | Self::TopMargin if k >= ranking.classes() => {
                return wrong("less than the number of labels");
            }
            Self::LabelFrequency | Self::CoOccurrence => Reading::Labels(top.to_vec()),
            Self::BorderMargin => Reading::Number(score(k) - score(k + 1)),
            Self::TopMargin => Reading::Number(score(1) - score(2)),
            Self::JointEnergy => {
                let each = seen.scores.iter().map(|&score| softplus(f64::from(score)));
                Reading::Number(each.sum())
            }
        }))
    }
}

/// `ln(1 + exp x)`, without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<Statistic> for String {
    fn from(statistic: Statistic) -> Self {
        statistic.name().to_owned()
    }
}

impl FromStr for Statistic {
    type Err = MonitorError;

    fn from_str(name: &str) -> Result<Self, MonitorError> {
        Self::all().find(|statistic| statistic.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Self::all().map(Self::name).collect();
            let (expected, found) = (names.join(", "), name.to_owned());
            MonitorError::UnknownStatistic { expected, found }
        })
    }
}

impl TryFrom<String> for Statistic {
    type Error = MonitorError;

    fn try_from(name: String) -> Result<Self, MonitorError> {
        name.parse()
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    use super::*;

    fn number(name: &str, k: usize, scores: &[f32], relevant: Option<&[bool]>) -> Option<f64> {
        let statistic: Statistic = name.parse().unwrap();
        match statistic.read(k, &Observation { scores, relevant }).unwrap()? {
            Reading::Number(number) => Some(number),
            Reading::Labels(labels) => panic!("{labels:?}"),
        }
    }

    #[test]
    fn values_are_those_worked_by_hand() {
        let scores = [0.5, 2.0, -1.0, 1.25];
        assert_eq!(number("border-margin", 2, &scores, None), Some(0.75));
        assert_eq!(number("border-margin", 3, &scores, None), Some(1.5));
        assert_eq!(number("top-margin", 3, &scores, None), Some(0.75));
        // ln 2 + ln 4
        let energy = number("joint-energy", 1, &[0.0, 3.0_f32.ln()], None).unwrap();
        assert_abs_diff_eq!(energy, 8.0_f64.ln(), epsilon = 1e-6);
        assert_eq!(number("joint-energy", 1, &[1000.0, -1000.0], None), Some(1000.0));
        let relevant = Some(&[true, true, false, false][..]);
        assert_eq!(number("p", 2, &scores, relevant), Some(0.5));
        assert_eq!(number("ap", 2, &scores, relevant), Some(0.5));
        assert_eq!(number("tkacc", 3, &scores, relevant), Some(1.0));
        assert_eq!(number("p", 2, &scores, None), None);
        assert_eq!(number("ndcg", 2, &scores, Some(&[false; 4])), None);
        let seen = Observation { scores: &scores, relevant: None };
        let labels = Statistic::LabelFrequency.read(2, &seen).unwrap();
        assert_eq!(labels, Some(Reading::Labels(vec![1, 3])));
    }

    #[test]
    fn what_has_no_value_is_said() {
        let read = |name: &str, k, scores: &[f32]| {
            let statistic: Statistic = name.parse().unwrap();
            statistic.read(k, &Observation { scores, relevant: None }).unwrap_err().to_string()
        };
        assert_eq!(
            read("co-occurrence", 1, &[0.0; 3]),
            "k: expected 2 at least for co-occurrence, found 1"
        );
        let found = read("border-margin", 3, &[0.0; 3]);
        assert!(found.contains("less than the number of labels"), "{found}");
        assert!(read("top-margin", 4, &[0.0; 3]).contains("found 4"));
        assert!(read("joint-energy", 1, &[f32::NAN]).contains("label 0"));
        let unknown = "energy".parse::<Statistic>().unwrap_err().to_string();
        assert!(unknown.contains("joint-energy") && unknown.contains("ndcg"), "{unknown}");
    }

    #[test]
    fn names_are_read_as_they_are_written_and_differ() {
        let all: Vec<Statistic> = Statistic::all().collect();
        assert_eq!((all.len(), Statistic::at(1).count(), Statistic::at(2).count()), (10, 8, 10));
        for (at, &statistic) in all.iter().enumerate() {
            let json = serde_json::to_string(&statistic).unwrap();
            assert_eq!(serde_json::from_str::<Statistic>(&json).unwrap(), statistic);
            assert!(all[..at].iter().all(|other| other.title(3) != statistic.title(3)));
        }
    }

    proptest! {
        #[test]
        fn the_order_of_labels_does_not_matter(
            scores in prop::collection::hash_set(-1000_i32..1000, 5..12),
            flags in prop::collection::vec(any::<bool>(), 12),
            turn in 0_usize..12,
        ) {
            // Different ones: a tie is broken by the order of labels.
            let scores: Vec<f32> = scores.into_iter().map(|score| score as f32 / 64.0).collect();
            let flags = &flags[..scores.len()];
            let (mut turned, mut turned_flags) = (scores.clone(), flags.to_vec());
            let by = turn % scores.len();
            turned.rotate_left(by);
            turned_flags.rotate_left(by);
            for statistic in Statistic::all() {
                let seen = Observation { scores: &scores, relevant: Some(flags) };
                let same = Observation { scores: &turned, relevant: Some(&turned_flags) };
                match (statistic.read(3, &seen).unwrap(), statistic.read(3, &same).unwrap()) {
                    (Some(Reading::Labels(one)), Some(Reading::Labels(other))) => {
                        let back = other.iter().map(|label| (label + by) % scores.len());
                        prop_assert!(back.eq(one));
                    }
                    (Some(Reading::Number(one)), Some(Reading::Number(other))) => {
                        prop_assert!((one - other).abs() < 1e-9 * one.abs().max(1.0));
                    }
                    (one, other) => prop_assert_eq!(one, other),
                }
            }
        }
    }
}
