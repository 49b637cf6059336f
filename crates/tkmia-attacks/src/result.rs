//! [`Perturbed`] and [`BatchResult`]: what comes out of an attack.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use tkmia_core::Goal;

use crate::{Indicator, Passes, Reason, Stop};

/// What an attack makes of a batch; row by row as in the batch.
///
/// It holds no scores, and its outcomes are the attack's own word: [`BatchResult::judge`] gives scores and
/// success from the images.
#[derive(Debug, Clone)]
pub struct Perturbed {
    /// `x*`: the adversarial image if the attack succeeded, otherwise the last one tried; what
    /// the classifier is to be given. `[batch, 3, height, width]`
    pub images: Tensor<4>,
    /// `x̃`: what the classifier is given without a perturbation. Same shape.
    pub unattacked: Tensor<4>,
    /// The perturbation in the attack's own space and unit. Same shape.
    pub perturbation: Tensor<4>,
    /// How the attack on each image ended.
    pub outcomes: Vec<Outcome>,
    /// Iterations of each image: forward passes inside the loop, for kFool steps.
    pub iterations: Vec<usize>,
    /// Passes through the classifier that each image's result took.
    pub passes: Vec<Passes>,
    /// Whether a universal perturbation was fitted to these images: successes are the fit's own then, and say
    /// nothing of other images.
    pub fitted: bool,
    /// Signs, seen while each image was attacked, that the attack failed for reasons of its own;
    /// [`BatchResult::judge`] adds what it finds.
    pub indicators: Vec<Vec<Indicator>>,
}

/// What came of a batch, what was wanted of it, and what the attack stopped at.
#[derive(Debug, Clone)]
pub struct BatchResult {
    /// What came of it.
    pub perturbed: Perturbed,
    /// What was wanted.
    pub goal: Goal,
    /// What the attack searched for.
    pub stop: Stop,
}

/// How the attack on one image ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Outcome {
    /// The stop condition held at the returned image.
    Succeeded,
    /// The iterations or passes were used up before that, or no further step was possible.
    Exhausted,
    /// The image doesn't take part, and no step was made.
    Ineligible(Reason),
    /// The classifier gave a score that isn't finite, on the image or on the way. The image comes back
    /// unattacked.
    NonFiniteScore {
        /// The first such label.
        label: usize,
    },
    /// The observer ended the run before the attack had ended.
    Interrupted,
}
