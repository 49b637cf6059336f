//! [`Targets`]: which labels a targeted attack makes the top-k.

use burn::tensor::Tensor;
use tkmia_core::{Classifier, Goal};
use tkmia_metrics::Ranking;

use crate::AttackError;
use crate::draw::shuffled;
use crate::readback::scored;

named! {
    /// The three cases of Hu et al. 2021: `k` irrelevant labels, by how near they are to the top-k. In which order only
    /// ordered attacks care: that of their scores, or as they were drawn.
    #[derive(Default)]
    pub enum TargetChoice {
        /// Those with the highest scores: the attacker's best case
        #[default]
        Best,
        /// Drawn at random, by seed and sample
        Random,
        /// Those with the lowest scores
        Worst,
    }
}

impl TargetChoice {
    /// The target of one sample in its order: `k` labels that aren't relevant, or none where there are fewer than `k`.
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
    /// assert_eq!(TargetChoice::Worst.target(&clean, &relevant, 2, 0, "a"), [3, 1]);
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
            Self::Random => {
                labels = shuffled(labels, seed, id);
                labels.truncate(k);
            }
        }
        labels
    }
}

/// How the samples of targeted attacks get their targets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Targets {
    /// Which labels.
    pub choice: TargetChoice,
    /// Of random ones.
    pub seed: u64,
}

impl Targets {
    /// The goal with a target for each row; an empty one where fewer than `k` labels are irrelevant, or the
    /// scores aren't finite.
    ///
    /// `unattacked` are the images as the classifier is given them without a perturbation, `ids` what the
    /// data set calls them. One forward pass.
    ///
    /// # Errors
    /// [`CoreError::ShapeMismatch`](tkmia_core::CoreError::ShapeMismatch) if the classifier hasn't the goal's labels,
    /// and a classifier that failed.
    pub fn aim(
        &self,
        goal: Goal,
        classifier: &dyn Classifier,
        unattacked: Tensor<4>,
        ids: &[impl AsRef<str>],
    ) -> Result<Goal, AttackError> {
        let clean = scored(classifier.scores(unattacked));
        classifier.check()?;
        let targets = clean.iter().zip(ids).enumerate().map(|(row, (clean, id))| {
            let (Ok(clean), relevant) = (clean, goal.relevant().row(row)) else {
                return Vec::new();
            };
            self.choice.target(&clean.ranking, relevant, goal.k(), self.seed, id.as_ref())
        });
        let targets = targets.collect();
        Ok(goal.with_target(targets)?)
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

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
        }
    }

    #[test]
    fn too_few_irrelevant_labels_make_no_target() {
        let clean = Ranking::new(&[3.0_f32, 2.0, 1.0]).unwrap();
        for choice in TargetChoice::iter() {
            assert!(choice.target(&clean, &[true, true, false], 2, 0, "a").is_empty());
        }
    }
}
