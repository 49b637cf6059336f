//! [`View`]: what a classifier is shown of an image that isn't perturbed.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// What the classifier is given where there is no perturbation. Eligibility and `S` follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// The image.
    Image,
    /// `tanh` of the image, as in the published code.
    Tanh,
}

impl View {
    /// What is seen of these images.
    pub fn of(self, images: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Image => images,
            Self::Tanh => images.tanh(),
        }
    }
}
