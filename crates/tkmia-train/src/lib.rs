//! Victims made at home: fine-tuning multi-label ResNets on Burn's optimisers.
//!
//! [`Training`] takes a [`TrainableResNet`](tkmia_models::TrainableResNet), a training and a
//! validation split and a [`Recipe`], and leaves a folder with the network as a safetensors file with
//! torchvision's names, its learning curve as a table and a picture, and a checkpoint from which a
//! stopped run continues. The recipes of the paper and of its published code, which differ by
//! data set, are [`Published`].
//!
//! Sun et al., "When Measures are Unreliable: Imperceptible Adversarial Perturbations toward Top-k
//! Multi-Label Learning", ACM MM 2023 (*the paper* below), appendix B.

mod augmentation;
mod checkpoint;
mod curve;
mod error;
mod evaluation;
mod examples;
mod feed;
mod loss;
mod random;
mod recipe;
mod training;

pub use augmentation::Augmentation;
pub use curve::{Curve, Epoch};
pub use error::TrainError;
pub use evaluation::{Evaluation, evaluate, evaluate_by_image};
pub use examples::Examples;
pub use loss::{Loss, asymmetric_loss, binary_cross_entropy};
pub use recipe::{Optimiser, Published, Recipe};
pub use training::{Progress, Training, WRITTEN};
