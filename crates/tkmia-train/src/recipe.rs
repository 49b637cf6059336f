//! How a network is trained: [`Recipe`], and the paper's own: [`Published`].

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, ModuleOptimizer, SgdConfig};
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantArray, VariantNames};
use tkmia_core::Bounds;
use tkmia_data::{Resize, Transform};

use crate::{Augmentation, Examples, Loss, TrainError};

/// A rule by which weights are moved along their gradients: `sgd` or `adam`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Optimiser {
    /// Gradient descent with momentum 0.9.
    Sgd,
    /// Kingma and Ba, "Adam", ICLR 2015, with its own constants (0.9, 0.999, 1e-8).
    Adam,
}

impl Optimiser {
    /// The optimiser of a whole network. Weight decay is added to the gradient, as in PyTorch.
    pub(crate) fn init(self, weight_decay: f32) -> ModuleOptimizer {
        let decay = (weight_decay > 0.0).then(|| WeightDecayConfig::new(weight_decay));
        match self {
            Self::Sgd => {
                let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
                SgdConfig::new().with_momentum(Some(momentum)).with_weight_decay(decay).init()
            }
            Self::Adam => AdamConfig::new().with_epsilon(1e-8).with_weight_decay(decay).init(),
        }
    }
}

/// A data set that the paper and its published code have a recipe for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Display, Deserialize, EnumString, VariantArray, VariantNames,
)]
#[strum(parse_err_fn = unknown, parse_err_ty = TrainError)]
pub enum Published {
    /// `voc-2012`: SGD, batches of 32, images of 300 pixels.
    #[serde(rename = "voc-2012")]
    #[strum(serialize = "voc-2012")]
    Voc2012,
    /// `coco-2014`: Adam, batches of 128, images of 448 pixels.
    #[serde(rename = "coco-2014")]
    #[strum(serialize = "coco-2014")]
    Coco2014,
    /// `nus-wide`: Adam, batches of 64, images of 224 pixels.
    #[serde(rename = "nus-wide")]
    #[strum(serialize = "nus-wide")]
    NusWide,
}

impl Published {
    /// Its recipe.
    ///
    /// The paper gives optimiser, batch size, learning rate, weight decay and input size (its
    /// appendix B); the published code the augmentations, twenty epochs and a cosine schedule.
    pub fn recipe(self) -> Recipe {
        let (optimiser, batch_size, input_size) = match self {
            Self::Voc2012 => (Optimiser::Sgd, 32, 300),
            Self::Coco2014 => (Optimiser::Adam, 128, 448),
            Self::NusWide => (Optimiser::Adam, 64, 224),
        };
        Recipe {
            optimiser,
            batch_size,
            learning_rate: 1e-4,
            weight_decay: 1e-4,
            epochs: 20,
            input_size,
            augmentation: Augmentation::of(self),
            centre_crop: self == Self::Voc2012,
            seed: 0,
            noise: 0.0,
            loss: Loss::default(),
            examples: None,
        }
    }
}

fn unknown(name: &str) -> TrainError {
    TrainError::UnknownRecipe { name: name.to_owned() }
}

/// How a network is trained.
///
/// # Example
///
/// ```
/// use tkmia_train::{Optimiser, Published, Recipe};
///
/// let recipe = Recipe { epochs: 5, ..Published::Voc2012.recipe() };
/// assert_eq!((recipe.optimiser, recipe.batch_size), (Optimiser::Sgd, 32));
/// recipe.check()?;
/// # Ok::<(), tkmia_train::TrainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The rule of the steps.
    pub optimiser: Optimiser,
    /// Images in a batch, 2 at least: batch norms go by its statistics.
    pub batch_size: usize,
    /// The learning rate that the cosine begins at; it ends at 0.
    pub learning_rate: f64,
    /// The L2 penalty's factor.
    pub weight_decay: f32,
    /// Passes over the training split.
    pub epochs: usize,
    /// The side of the square images, in pixels.
    pub input_size: u32,
    /// What is changed of a training image at random.
    pub augmentation: Augmentation,
    /// Whether validation images are scaled by their short side and cropped, rather than squeezed into
    /// a square. Training images are always squeezed, as in the published code.
    pub centre_crop: bool,
    /// Where random numbers come from; each draw is keyed by epoch and image beside it.
    pub seed: u64,
    /// Standard deviation of the Gaussian noise of training images, in pixels of `[0, 1]`, as for a network that is to be smoothed
    /// (Cohen, Rosenfeld & Kolter, ICML 2019). It isn't cut off at the range of pixels.
    #[serde(default, skip_serializing_if = "is_none")]
    pub noise: f32,
    /// What is lowered.
    #[serde(default, skip_serializing_if = "Loss::is_default")]
    pub loss: Loss,
    /// Adversarial examples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examples: Option<Examples>,
}

/// Recipes without noise are as they were before there was any.
fn is_none(noise: &f32) -> bool {
    *noise == 0.0
}

impl Recipe {
    /// Checks every field.
    ///
    /// # Errors
    /// [`TrainError::Setting`] with the first that can't be.
    pub fn check(&self) -> Result<(), TrainError> {
        let refuse =
            |field, expected, found: String| Err(TrainError::Setting { field, expected, found });
        let positive = |value: f64| value.is_finite() && value > 0.0;
        if self.batch_size < 2 {
            return refuse("batch size", "2 at least", self.batch_size.to_string());
        }
        if self.epochs == 0 {
            return refuse("epochs", "1 at least", self.epochs.to_string());
        }
        if self.input_size == 0 {
            return refuse("input size", "1 at least", self.input_size.to_string());
        }
        if !positive(self.learning_rate) {
            return refuse("learning rate", "a number above 0", self.learning_rate.to_string());
        }
        if !self.weight_decay.is_finite() || self.weight_decay < 0.0 {
            return refuse("weight decay", "0 or a number above it", self.weight_decay.to_string());
        }
        if !self.noise.is_finite() || self.noise < 0.0 {
            return refuse("noise", "0 or a number above it", self.noise.to_string());
        }
        self.examples.as_ref().map_or(Ok(()), Examples::check)?;
        self.augmentation.check()
    }

    /// The transform of validation images.
    pub fn transform(&self) -> Transform {
        let side = self.input_size;
        let resize = match self.centre_crop {
            true => Resize::short_side(side),
            false => Resize::square(side),
        };
        Transform { resize, bounds: Bounds::SYMMETRIC }
    }

    /// The learning rate of a step: half a period of a cosine, from the first step to the last.
    ///
    /// Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts. The published code has PyTorch's
    /// `CosineAnnealingLR` of 12 epochs, which rises again from the thirteenth on.
    pub(crate) fn learning_rate_at(&self, step: usize, steps: usize) -> f64 {
        let done = step as f64 / steps.max(1) as f64;
        self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipes_are_those_of_the_paper() {
        let table = <Published as VariantArray>::VARIANTS.iter().map(|published| {
            let recipe = published.recipe();
            recipe.check().unwrap();
            assert_eq!((recipe.learning_rate, recipe.weight_decay), (1e-4, 1e-4));
            (recipe.optimiser, recipe.batch_size, recipe.input_size)
        });
        let paper =
            [(Optimiser::Sgd, 32, 300), (Optimiser::Adam, 128, 448), (Optimiser::Adam, 64, 224)];
        assert_eq!(table.collect::<Vec<_>>(), paper);
    }

    #[test]
    fn a_recipe_is_found_by_its_name() {
        for (published, name) in
            <Published as VariantArray>::VARIANTS.iter().zip(<Published as VariantNames>::VARIANTS)
        {
            assert_eq!(&name.parse::<Published>().unwrap(), published);
            assert_eq!(published.to_string(), *name);
        }
        let message = "voc".parse::<Published>().unwrap_err().to_string();
        assert_eq!(message, "unknown recipe `voc`: expected one of voc-2012, coco-2014, nus-wide");
    }

    #[test]
    fn the_cosine_falls_from_the_rate_to_nothing() {
        let recipe = Recipe { learning_rate: 2.0, ..Published::Voc2012.recipe() };
        let rates = [0, 5, 10].map(|step| recipe.learning_rate_at(step, 10));
        assert!((rates[0] - 2.0).abs() < 1e-12 && (rates[1] - 1.0).abs() < 1e-12);
        assert!(rates[2].abs() < 1e-12);
    }

    #[test]
    fn a_setting_that_cannot_be_is_named() {
        let sound = Published::Voc2012.recipe();
        let cases = [
            (Recipe { batch_size: 1, ..sound.clone() }, "batch size: expected 2 at least, found 1"),
            (Recipe { epochs: 0, ..sound.clone() }, "epochs"),
            (Recipe { input_size: 0, ..sound.clone() }, "input size"),
            (Recipe { learning_rate: f64::NAN, ..sound.clone() }, "learning rate"),
            (Recipe { learning_rate: 0.0, ..sound.clone() }, "learning rate"),
            (Recipe { weight_decay: -1.0, ..sound.clone() }, "weight decay"),
            (Recipe { noise: -0.1, ..sound.clone() }, "noise"),
        ];
        for (recipe, says) in cases {
            let message = recipe.check().unwrap_err().to_string();
            assert!(message.starts_with(says), "{message}");
        }
    }
}
