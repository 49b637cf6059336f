//! [`Defence`]: what a classifier's images pass first; [`Defended`]: one that takes details out of them.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use tkmia_core::{Classifier, in_front_of};

use crate::picture::{fill, to_rgb};
use crate::{DataError, RandomlyResized, Squeezer};

/// What a classifier's images pass first, as a defence that attacks see through.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Defence {
    /// [`Squeezer::BitDepth`].
    BitDepth,
    /// [`Squeezer::Jpeg`].
    Jpeg,
    /// [`Squeezer::Blur`].
    Blur,
    /// Random scaling and padding, [`RandomlyResized`].
    Resize,
}

/// Draws whose mean an attacker differentiates.
const EXPECTED: usize = 10;

impl Defence {
    /// A classifier behind it; and, where that is drawn at random, what an attacker attacks who knows of it but not of the draws.
    pub fn of(
        self,
        classifier: Arc<dyn Classifier>,
    ) -> (Box<dyn Classifier>, Option<Box<dyn Classifier>>) {
        let squeezer = match self {
            Self::BitDepth => Squeezer::BitDepth,
            Self::Jpeg => Squeezer::Jpeg,
            Self::Blur => Squeezer::Blur,
            Self::Resize => {
                let resized = |draws, seed| -> Box<dyn Classifier> {
                    let classifier = Arc::clone(&classifier);
                    Box::new(RandomlyResized { classifier, probability: 1.0, draws, seed })
                };
                return (resized(1, 0), Some(resized(EXPECTED, 1)));
            }
        };
        (Box::new(Defended { classifier, squeezer }), None)
    }
}

/// A classifier behind an input transformation (Guo, Rana, Cissé & van der Maaten, ICLR 2018), as one sees it who attacks both.
///
/// Scores are those of the squeezed images, as pixels of 8 bits. Gradients pass the squeezer as if it were not there: the
/// straight-through form of BPDA (Athalye, Carlini & Wagner, ICML 2018), without which a squeezer has no gradient, and looks like
/// a defence.
#[derive(Debug)]
pub struct Defended<C> {
    /// What scores the squeezed images.
    pub classifier: C,
    /// What they pass first.
    pub squeezer: Squeezer,
}

impl<C: Classifier> Defended<C> {
    /// The values of images without the details.
    fn squeezed(
        &self,
        values: &[f32],
        [_, _, height, width]: [usize; 4],
    ) -> Result<Vec<f32>, DataError> {
        let bounds = self.bounds();
        let mut squeezed = vec![0.0; values.len()];
        let size = (3 * height * width).max(1);
        for (image, into) in values.chunks_exact(size).zip(squeezed.chunks_exact_mut(size)) {
            let image = to_rgb(image, [height as u32, width as u32], bounds)?;
            // A JPEG has no more pixels than a network takes, and no fewer than one.
            let image = self.squeezer.apply(&image).expect("an image of a network's size");
            fill(into, &image, bounds)?;
        }
        Ok(squeezed)
    }
}

impl<C: Classifier> Classifier for Defended<C> {
    in_front_of!(self => self.classifier; input_size, pass_memory, label_names, notes);

    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let fixed = images.clone().detach();
        let (shape, device) = (images.dims(), images.device());
        let values = fixed.clone().try_to_vec_as::<f32>().expect("float tensors convert to f32");
        let values = self.squeezed(&values, shape).expect("as many values as the shape says");
        let squeezed = Tensor::from_data(TensorData::new(values, shape), &device);
        self.classifier.scores(images + (squeezed - fixed))
    }

    fn description(&self) -> String {
        format!("{}, behind {}", self.classifier.description(), self.squeezer)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use strum::VariantNames;
    use tkmia_core::Bounds;

    use super::*;

    /// Label i is scored by the square of the image's i-th value.
    #[derive(Debug)]
    struct Squares;

    impl Classifier for Squares {
        fn scores(&self, images: Tensor<4>) -> Tensor<2> {
            images.flatten(1, 3).powi_scalar(2)
        }

        fn classes(&self) -> usize {
            12
        }

        fn bounds(&self) -> Bounds {
            Bounds::UNIT
        }

        fn input_size(&self) -> Option<[usize; 2]> {
            Some([2, 2])
        }

        fn device(&self) -> Device {
            Device::default()
        }
    }

    #[test]
    fn only_a_defence_with_draws_is_attacked_by_another_classifier() {
        let of = |defence: Defence| defence.of(Arc::new(Squares));
        for name in Defence::VARIANTS.iter().filter(|name| **name != "resize") {
            let (defended, attacked) = of(name.parse().unwrap());
            assert!(attacked.is_none());
            assert_eq!(defended.description(), format!("12 labels, 2×2, behind {name}"));
        }
        let (defended, attacked) = of(Defence::Resize);
        let images = Tensor::<4>::full([1, 3, 2, 2], 0.9, &Device::default());
        let scores =
            |of: &dyn Classifier| of.scores(images.clone()).try_to_vec_as::<f32>().unwrap();
        let (one, mean) = (scores(&defended), scores(&attacked.unwrap()));
        // A side of 2 becomes 1, and three quarters of the image are grey.
        assert_eq!(one.iter().filter(|&&score| (score - 0.81).abs() < 1e-6).count(), 3);
        assert_eq!(one.iter().filter(|&&score| score == 0.25).count(), 9);
        let sum: f32 = mean.iter().sum();
        assert!((sum - (3.0 * 0.81 + 9.0 * 0.25)).abs() < 1e-4 && mean != one, "{mean:?}");
    }

    #[test]
    fn scores_are_of_the_squeezed_image_and_gradients_are_taken_there() {
        let defended = Defended { classifier: Squares, squeezer: Squeezer::BitDepth };
        // 0.4 is 12.4 of 31 steps, and 12 of them 99 of 255 levels.
        let images = Tensor::<4>::full([2, 3, 2, 2], 0.4, &Device::default().autodiff());
        let images = images.require_grad();
        let scores = defended.scores(images.clone());
        let gradient = images.grad(&scores.clone().sum().backward()).unwrap();
        let level = 99.0_f32 / 255.0;
        let near = |values: Vec<f32>, expected: f32| {
            values.len() == 24 && values.iter().all(|value| (value - expected).abs() < 1e-6)
        };
        assert!(near(scores.inner().try_to_vec_as().unwrap(), level * level));
        assert!(near(gradient.try_to_vec_as().unwrap(), 2.0 * level));
        assert_eq!(defended.description(), "12 labels, 2×2, behind bit-depth");
    }
}
