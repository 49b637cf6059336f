//! [`Controls`]: what a universal perturbation is compared with.

use serde::{Deserialize, Serialize};
use tkmia_core::Classifier;

use super::UniversalPerturbation;
use crate::{Attack, AttackBatch, AttackError, JUDGING_PASSES, Stop};

/// Shuffles of the pixels.
const SHUFFLES: usize = 5;

/// On one image: whether what is as large as a universal perturbation does as well as it.
///
/// A perturbation that is no better than these succeeds by its size, not by its aim.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Controls {
    /// Whether `−v` succeeds.
    pub negated: bool,
    /// The share of five shuffles of `v`'s pixels that succeed.
    pub shuffled: f64,
}

impl Controls {
    /// Forward passes of an image: each control beside the image itself, and judged.
    pub const PASSES: usize = (1 + SHUFFLES) * (2 + JUDGING_PASSES);

    /// The controls of a perturbation on each image of a batch.
    ///
    /// # Errors
    /// As [`Attack::run`].
    pub fn of(
        perturbation: &UniversalPerturbation,
        stop: &Stop,
        classifier: &dyn Classifier,
        batch: &AttackBatch,
    ) -> Result<Vec<Self>, AttackError> {
        let successes = |control: UniversalPerturbation| -> Result<Vec<bool>, AttackError> {
            let result = control.attack(stop.clone()).run(classifier, batch)?;
            Ok(result.judge(classifier)?.iter().map(|verdict| verdict.success).collect())
        };
        let shuffled = (0..SHUFFLES as u64).map(|seed| successes(perturbation.shuffled(seed)));
        let shuffled = shuffled.collect::<Result<Vec<_>, _>>()?;
        let negated = successes(perturbation.negated())?.into_iter().enumerate();
        let controls = negated.map(|(row, negated)| {
            let count = shuffled.iter().filter(|successes| successes[row]).count();
            Self { negated, shuffled: count as f64 / SHUFFLES as f64 }
        });
        Ok(controls.collect())
    }
}
