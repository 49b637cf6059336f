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
    /// Images, or the start of a batch, haven't the shape that they must have.
    #[error("{what}: expected {expected:?}, found {found:?}")]
    Shape {
        /// What hasn't, and whose shape it must have.
        what: &'static str,
        /// That shape.
        expected: Vec<usize>,
        /// Its own.
        found: Vec<usize>,
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
    /// The attack needs gradients, and the classifier gives scores alone.
    #[error(
        "the attack needs gradients, and the classifier gives scores alone: expected square or auto, or a surrogate to attack"
    )]
    NoGradients,
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
    /// The method, or the way it steps, doesn't come in this variant.
    #[error("{what} has no {variant} variant: expected {expected}")]
    NoVariant {
        /// The method, or the way it steps.
        what: &'static str,
        /// The variant that was asked for.
        variant: &'static str,
        /// Those that there are.
        expected: String,
    },
    /// The attack moves within a ball, and none is given.
    #[error("{what} moves within a ball: expected a norm and a radius, found none")]
    NoBall {
        /// The method, or the way it steps.
        what: &'static str,
    },
    /// An optimiser was given for a method that has steps of its own.
    #[error("{method} has steps of its own: {optimiser} is for methods with an objective")]
    OwnSteps {
        /// The method.
        method: &'static str,
        /// The way of stepping that was asked for.
        optimiser: &'static str,
    },
    /// A knob that the attack doesn't have.
    #[error("{attack} has no `{knob}`: its knobs are {knobs}")]
    NoSuchKnob {
        /// The attack.
        attack: String,
        /// The knob.
        knob: String,
        /// Those that it has.
        knobs: String,
    },
    /// A knob has a value that it can't have.
    #[error("`{knob}`: {reason}")]
    BadKnob {
        /// The knob.
        knob: String,
        /// What was expected and found.
        reason: String,
    },
    /// The settings of one family name an attack of another.
    #[error("{name} doesn't step by rows of the Jacobian: expected kfool, ml-dp or jma")]
    OtherFamily {
        /// The attack.
        name: &'static str,
    },
    /// The attack doesn't search for what the criterion asks.
    #[error(
        "{method} doesn't search for `{criterion}`: expected excluded, measure-preserving or imperceptible, alone or \
         with precision-preserved or a measure-budget of p, ap or ndcg"
    )]
    NotSearched {
        /// The attack.
        method: String,
        /// What it was to stop at.
        criterion: String,
    },
    /// The attack, or what it stops at, needs a target for each image.
    #[error(
        "expected a target set for each image, as targeted attacks have them (stop: `{stop}`), found none"
    )]
    NoTarget {
        /// What the attack stops at.
        stop: String,
    },
    /// The batch has a start, but the attack always begins at the same place.
    #[error("the attack has no use for a start")]
    NoStart,
    /// A universal perturbation of another size than the image that it is for.
    #[error("perturbation: expected {expected:?}, found {found:?}")]
    PerturbationSize {
        /// The size that would do.
        expected: [usize; 4],
        /// Its size.
        found: [usize; 4],
    },
    /// The perturbations of labels are composed for specified labels, and there are none.
    #[error("a perturbation of each label: expected images with specified labels")]
    NoLabels,
    /// Images and classifier are on two devices.
    #[error("images are on {images}, the classifier is on {classifier}")]
    DeviceMismatch {
        /// The device of the images.
        images: String,
        /// The device of the classifier.
        classifier: String,
    },
    /// Labels, `k` or the goal's shape.
    #[error(transparent)]
    Core(#[from] CoreError),
}

/// That a setting is in its range.
pub(crate) fn check(
    setting: &'static str,
    expected: &'static str,
    found: f64,
    holds: bool,
) -> Result<(), AttackError> {
    match holds {
        true => Ok(()),
        false => Err(AttackError::BadSetting { setting, expected, found }),
    }
}
