//! What can be wrong with an attack's settings, its batch, or its victim.

use tkmia_core::CoreError;

/// Why an attack can't be made or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttackError {
    /// A setting lies outside its range.
    #[error("{setting} must be {expected}, found {found}")]
    BadSetting {
        /// The name of the setting.
        setting: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: f64,
    },
    /// The images aren't what the classifier takes.
    #[error("images: the classifier takes {expected:?} (channels, height, width), found {found:?}")]
    ImageSize {
        /// What the classifier takes.
        expected: [usize; 3],
        /// What the batch holds.
        found: [usize; 3],
    },
    /// An image has a value that isn't finite or lies outside the classifier's range.
    #[error("image {row} of the batch: value {value} is outside [{low}, {high}]")]
    ImageOutOfBounds {
        /// Position of the image in the batch.
        row: usize,
        /// The first offending value.
        value: f32,
        /// The lowest value that the classifier takes.
        low: f32,
        /// The highest value that the classifier takes.
        high: f32,
    },
    /// The tanh change of variable is for images in `[-1, 1]`.
    #[error(
        "the released variant squashes images with tanh and needs a classifier on [-1, 1], this one takes [{low}, {high}]"
    )]
    NotSymmetric {
        /// The lowest value that the classifier takes.
        low: f32,
        /// The highest value that the classifier takes.
        high: f32,
    },
    /// kFool has no objective, so nothing of it can be taken to the letter.
    #[error("kfool has no literal variant: expected corrected or released")]
    NoLiteral,
    /// The minimum-norm form is one of TkMIA's constraints, and other methods have others.
    #[error("{method} has no min-norm variant: only tkmia has")]
    NoMinNorm {
        /// The name of the method.
        method: &'static str,
    },
    /// Images and classifier are on two devices.
    #[error("images are on {images}, the classifier is on {classifier}")]
    DeviceMismatch {
        /// The device of the images.
        images: String,
        /// The device of the classifier.
        classifier: String,
    },
    /// The classifier gave a score that isn't a number, at a finite image.
    #[error("image {row} of the batch, forward pass {pass}: score of label {label} is {score}")]
    NonFiniteScore {
        /// Position of the image in the batch.
        row: usize,
        /// The forward pass, from 1.
        pass: usize,
        /// The label.
        label: usize,
        /// Its score.
        score: f64,
    },
    /// Labels, `k` or the goal's shape.
    #[error(transparent)]
    Core(#[from] CoreError),
}
