//! [`TargetChoice`]: which labels a targeted attack makes the top-k.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tkmia_metrics::Ranking;

use crate::draw::draw;
use crate::names::{UnknownName, by_name};

/// The three cases of Hu et al. 2021: `k` irrelevant labels, by how near they are to the top-k.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetChoice {
    /// Those with the highest scores: the attacker's best case.
    #[default]
    Best,
    /// Drawn at random, by seed and sample.
    Random,
    /// Those with the lowest scores.
    Worst,
}

impl TargetChoice {
    /// Every choice, the default first.
    pub const ALL: [Self; 3] = [Self::Best, Self::Random, Self::Worst];

    /// The name as it is written in commands and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Random => "random",
            Self::Worst => "worst",
        }
    }

    /// The target of one sample: `k` labels that aren't relevant, or none where there are fewer than `k`.
    ///
    /// `id` is what the data set calls the sample; the same seed and id draw the same labels, whatever else
    /// is drawn.
    ///
    /// # Example
    ///
    /// ```
    /// use tkmia_attacks::TargetChoice;
    /// use tkmia_metrics::Ranking;
    ///
    /// let clean = Ranking::new(&[0.9_f32, 0.1, 0.4, 0.2])?;
    /// let relevant = [true, false, false, false];
    /// assert_eq!(TargetChoice::Best.target(&clean, &relevant, 2, 0, "a"), [2, 3]);
    /// assert_eq!(TargetChoice::Worst.target(&clean, &relevant, 2, 0, "a"), [1, 3]);
    /// # Ok::<(), tkmia_metrics::MetricsError>(())
    /// ```
    pub fn target(
        self,
        clean: &Ranking,
        relevant: &[bool],
        k: usize,
        seed: u64,
        id: &str,
    ) -> Vec<usize> {
        let order = clean.order().iter().copied();
        let mut labels: Vec<usize> = order.filter(|&label| !relevant[label]).collect();
        if labels.len() < k {
            return Vec::new();
        }
        match self {
            Self::Best => labels.truncate(k),
            Self::Worst => labels.drain(..labels.len() - k).for_each(drop),
            Self::Random => labels = draw(labels, k, seed, id),
        }
        labels.sort_unstable();
        labels
    }
}

impl FromStr for TargetChoice {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        by_name("target", &Self::ALL, Self::name, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_targets_depend_on_seed_and_sample_alone() {
        let scores: Vec<f32> = (0..20).map(|label| label as f32).collect();
        let clean = Ranking::new(&scores).unwrap();
        let relevant: Vec<bool> = (0..20).map(|label| label % 3 == 0).collect();
        let draw = |seed, id: &str| TargetChoice::Random.target(&clean, &relevant, 4, seed, id);
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert!(draw(1, "a") != draw(1, "b") && draw(1, "a") != draw(2, "a"));
        for id in 0..50 {
            let target = draw(7, &id.to_string());
            assert_eq!(target.len(), 4);
            assert!(target.iter().all(|&label| !relevant[label]));
            assert!(target.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn too_few_irrelevant_labels_make_no_target() {
        let clean = Ranking::new(&[3.0_f32, 2.0, 1.0]).unwrap();
        for choice in TargetChoice::ALL {
            assert!(choice.target(&clean, &[true, true, false], 2, 0, "a").is_empty());
        }
    }
}
