//! [`Statistic`]: what is watched of each image.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use tkmia_metrics::{Formula, MEASURES, Measure, Need, Ranking, Sample};

use crate::{MonitorError, Observation, Squeezed};

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
    /// `Σ_i |σ(f_i(x)) − σ(f_i(squeezed x))|` by bit depth: how far the probabilities move when details are lost (Xu, Evans &
    /// Qi, NDSS 2018). An image whose [squeezed scores](Observation::squeezed) aren't there has no value.
    BitDepth,
    /// The same by JPEG.
    Jpeg,
    /// The same by blurring.
    Blur,
    /// The largest of the three, their joint detector.
    Squeezing,
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
    const OTHERS: [(&str, Self); 9] = [
        ("label-frequency", Self::LabelFrequency),
        ("co-occurrence", Self::CoOccurrence),
        ("border-margin", Self::BorderMargin),
        ("top-margin", Self::TopMargin),
        ("joint-energy", Self::JointEnergy),
        ("bit-depth", Self::BitDepth),
        ("jpeg", Self::Jpeg),
        ("blur", Self::Blur),
        ("squeezing", Self::Squeezing),
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
            Self::BitDepth => "squeezing by bit depth".to_owned(),
            Self::Jpeg => "squeezing by JPEG".to_owned(),
            Self::Blur => "squeezing by a blur".to_owned(),
            Self::Squeezing => "squeezing by all three".to_owned(),
        }
    }

    /// Whether an image needs labels to have a value.
    pub fn needs_labels(self) -> bool {
        matches!(self, Self::Measure(_))
    }

    /// Whether an image needs squeezed scores to have a value.
    pub fn needs_squeezed(self) -> bool {
        matches!(self, Self::BitDepth | Self::Jpeg | Self::Blur | Self::Squeezing)
    }

    /// Its value on an image; `None` if the image lacks labels or squeezed scores that it needs.
    ///
    /// # Errors
    /// [`MonitorError::TopK`], [`MonitorError::Classes`] for squeezed scores of other labels, and [`MonitorError::Metrics`] for
    /// scores that aren't finite and for `k` out of range.
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
            Self::BitDepth | Self::Jpeg | Self::Blur | Self::Squeezing => {
                let Some(Squeezed { bit_depth, jpeg, blur }) = seen.squeezed else {
                    return Ok(None);
                };
                let all = [bit_depth, jpeg, blur];
                let squeezed = match self {
                    Self::BitDepth => &all[..1],
                    Self::Jpeg => &all[1..2],
                    Self::Blur => &all[2..],
                    _ => &all,
                };
                let moves = squeezed.iter().map(|squeezed| moved(seen.scores, squeezed));
                let moves = moves.collect::<Result<Vec<f64>, _>>()?;
                Reading::Number(moves.into_iter().fold(0.0, f64::max))
            }
        }))
    }
}

/// The L1 distance of the probabilities.
fn moved(scores: &[f32], squeezed: &[f32]) -> Result<f64, MonitorError> {
    let (expected, found) = (scores.len(), squeezed.len());
    if expected != found {
        return Err(MonitorError::Classes { expected, found });
    }
    // Refuses scores that aren't finite.
    Ranking::new(squeezed)?;
    let probability = |&score: &f32| 1.0 / (1.0 + libm::exp(-f64::from(score)));
    let pairs = scores.iter().zip(squeezed);
    Ok(pairs.map(|(before, after)| (probability(before) - probability(after)).abs()).sum())
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

    fn seen<'a>(scores: &'a [f32], relevant: Option<&'a [bool]>) -> Observation<'a> {
        Observation { scores, relevant, squeezed: None }
    }

    fn number(name: &str, k: usize, scores: &[f32], relevant: Option<&[bool]>) -> Option<f64> {
        let statistic: Statistic = name.parse().unwrap();
        match statistic.read(k, &seen(scores, relevant)).unwrap()? {
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
        let labels = Statistic::LabelFrequency.read(2, &seen(&scores, None)).unwrap();
        assert_eq!(labels, Some(Reading::Labels(vec![1, 3])));
    }

    #[test]
    fn squeezing_is_how_far_probabilities_move() {
        let third = 3.0_f32.ln();
        // Probabilities of ½ and ¾ move by ¼ and ½, by nothing, and by ½ and ½.
        let squeezed =
            Squeezed { bit_depth: &[third, -third], jpeg: &[0.0, third], blur: &[-99.0, -third] };
        let scores = [0.0, third];
        let image = Observation { squeezed: Some(squeezed), ..seen(&scores, None) };
        let read = |statistic: Statistic, image: &Observation<'_>| statistic.read(1, image);
        for (statistic, expected) in [
            (Statistic::BitDepth, 0.75),
            (Statistic::Jpeg, 0.0),
            (Statistic::Blur, 1.0),
            (Statistic::Squeezing, 1.0),
        ] {
            let Some(Reading::Number(found)) = read(statistic, &image).unwrap() else { panic!() };
            assert_abs_diff_eq!(found, expected, epsilon = 1e-6);
            assert_eq!(read(statistic, &seen(&scores, None)), Ok(None));
        }
        let with = |jpeg| Observation { squeezed: Some(Squeezed { jpeg, ..squeezed }), ..image };
        let short = read(Statistic::Squeezing, &with(&[0.0]));
        assert_eq!(short, Err(MonitorError::Classes { expected: 2, found: 1 }));
        assert!(read(Statistic::Jpeg, &with(&[0.0, f32::NAN])).is_err());
        assert!(read(Statistic::Blur, &with(&[0.0, f32::NAN])).is_ok());
    }

    #[test]
    fn what_has_no_value_is_said() {
        let read = |name: &str, k, scores: &[f32]| {
            let statistic: Statistic = name.parse().unwrap();
            statistic.read(k, &seen(scores, None)).unwrap_err().to_string()
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
        assert_eq!((all.len(), Statistic::at(1).count(), Statistic::at(2).count()), (14, 12, 14));
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
            let halved = |scores: &[f32]| scores.iter().map(|score| score / 2.0).collect::<Vec<f32>>();
            let (lower, turned_lower) = (halved(&scores), halved(&turned));
            let zeros = vec![0.0; scores.len()];
            for statistic in Statistic::all() {
                let squeezed = Squeezed { bit_depth: &lower, jpeg: &scores, blur: &zeros };
                let one = Observation { squeezed: Some(squeezed), ..seen(&scores, Some(flags)) };
                let squeezed = Squeezed { bit_depth: &turned_lower, jpeg: &turned, blur: &zeros };
                let other =
                    Observation { squeezed: Some(squeezed), ..seen(&turned, Some(&turned_flags)) };
                match (statistic.read(3, &one).unwrap(), statistic.read(3, &other).unwrap()) {
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
