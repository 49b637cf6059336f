//! [`View`]: what a classifier is shown of an image that isn't perturbed.

use burn::tensor::Tensor;

named! {
    /// What the classifier is given where there is no perturbation. Eligibility and `S` follow from it.
    #[derive(PartialOrd, Ord)]
    pub enum View {
        /// The image.
        Image,
        /// `tanh` of the image, as in the published code.
        Tanh,
    }
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
