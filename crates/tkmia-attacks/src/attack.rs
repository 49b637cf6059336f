//! [`Attack`], and what goes in and comes out of one.

use std::fmt::Debug;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use tkmia_core::{Classifier, CoreError, Goal, LabelSet};

use crate::drive::pick;
use crate::{AttackError, Indicator, Observer, Passes, Reason};

/// A way to perturb images until their top-k changes as wanted.
///
/// Rows are independent: a batch gives what its images give one at a time. Those alone aren't whose
/// perturbation is [universal](Self::is_universal).
pub trait Attack: Debug + Send + Sync {
    /// Attacks each image of a batch.
    ///
    /// # Errors
    /// [`AttackError`] if the batch doesn't fit the classifier, or its scores aren't finite. An image
    /// that can't be attacked as asked is no error but [`Outcome::Ineligible`].
    fn run(
        &self,
        classifier: &dyn Classifier,
        batch: &AttackBatch,
        watch: &mut dyn Observer,
    ) -> Result<BatchResult, AttackError>;

    /// The image that the classifier sees before any perturbation, `x̃`: the image itself, unless
    /// the attack's change of variable already alters it.
    fn unattacked(&self, images: Tensor<4>) -> Tensor<4>;

    /// Whether the images of a batch share one perturbation, so that they must not be cut into several
    /// batches.
    fn is_universal(&self) -> bool {
        false
    }
}

/// Images and what is wanted of each.
#[derive(Debug, Clone)]
pub struct AttackBatch {
    /// `[batch, 3, height, width]` within the classifier's bounds.
    pub images: Tensor<4>,
    /// Relevant and specified labels of each image, its target if it has one, and `k`.
    pub goal: Goal,
    /// Where the attack's variable starts, in its own space, same shape; at 0 if there is nothing here.
    pub start: Option<Tensor<4>>,
}

impl AttackBatch {
    /// Puts images and label sets together, on the images' device.
    ///
    /// # Errors
    /// As [`Goal::new`], and [`CoreError::ShapeMismatch`] if the sets hasn't one row per image.
    pub fn new(
        images: Tensor<4>,
        relevant: LabelSet,
        specified: LabelSet,
        k: usize,
    ) -> Result<Self, CoreError> {
        let (rows, classes) = (images.dims()[0], relevant.classes());
        if relevant.rows() != rows {
            return Err(CoreError::ShapeMismatch {
                what: "labels of a batch",
                expected: [rows, classes],
                found: [relevant.rows(), classes],
            });
        }
        let goal = Goal::new(relevant, specified, k, &images.device())?;
        Ok(Self { images, goal, start: None })
    }

    /// The rows at the given positions, in that order.
    ///
    /// # Panics
    /// If a position isn't a row.
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            images: pick(&self.images, rows),
            goal: self.goal.select(rows),
            start: self.start.as_ref().map(|start| pick(start, rows)),
        }
    }

    /// Checks the batch against a classifier.
    ///
    /// # Errors
    /// [`AttackError`] naming what doesn't fit.
    pub fn check(&self, classifier: &dyn Classifier) -> Result<(), AttackError> {
        let (images, device) = (self.images.device(), classifier.device());
        if images != device {
            let (images, classifier) = (format!("{images:?}"), format!("{device:?}"));
            return Err(AttackError::DeviceMismatch { images, classifier });
        }
        let [rows, channels, height, width] = self.images.dims();
        let [expected_height, expected_width] = classifier.input_size().unwrap_or([height, width]);
        let (found, expected) = ([channels, height, width], [3, expected_height, expected_width]);
        if found != expected {
            return Err(AttackError::ImageSize { expected, found });
        }
        let relevant = self.goal.relevant();
        if relevant.classes() != classifier.classes() {
            return Err(AttackError::Core(CoreError::ShapeMismatch {
                what: "labels of a batch and of the classifier",
                expected: [rows, classifier.classes()],
                found: [rows, relevant.classes()],
            }));
        }
        if let Some(start) = &self.start
            && start.dims() != self.images.dims()
        {
            let (expected, found) = (self.images.dims(), start.dims());
            return Err(AttackError::StartShape { expected, found });
        }
        self.check_values(classifier)
    }

    fn check_values(&self, classifier: &dyn Classifier) -> Result<(), AttackError> {
        let bounds = classifier.bounds();
        let values = crate::host::values(self.images.clone());
        let range = bounds.low..=bounds.high;
        match values.iter().position(|value| !range.contains(value)) {
            None => Ok(()),
            Some(at) => Err(AttackError::ImageOutOfBounds {
                row: at / (values.len() / self.goal.rows()),
                value: values[at],
                low: bounds.low,
                high: bounds.high,
            }),
        }
    }
}

/// What an attack makes of a batch; row by row as in the batch.
///
/// It holds no scores and no verdict of success that counts: [`judge`](crate::judge()) gives those
/// from the images.
#[derive(Debug, Clone)]
pub struct BatchResult {
    /// `x*`: the adversarial images where the attack succeeded, the last ones tried elsewhere; what
    /// the classifier is to be given. `[batch, 3, height, width]`
    pub images: Tensor<4>,
    /// `x̃`: what the classifier is given where there is no perturbation. Same shape.
    pub unattacked: Tensor<4>,
    /// The perturbation in the attack's own space and unit. Same shape.
    pub perturbation: Tensor<4>,
    /// How the attack on each image ended.
    pub outcomes: Vec<Outcome>,
    /// Iterations of each image: forward passes inside the loop, for kFool steps.
    pub iterations: Vec<usize>,
    /// Passes through the classifier that each image's result took.
    pub passes: Vec<Passes>,
    /// What was seen on each image's way that speaks against the attack; [`judge`](crate::judge()) adds
    /// what it finds.
    pub indicators: Vec<Vec<Indicator>>,
}

/// How the attack on one image ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The stop condition held at the returned image.
    Succeeded,
    /// The iterations or passes were used up before, or there was no going on.
    Exhausted,
    /// The image doesn't take part, and no step was made.
    Ineligible(Reason),
    /// The observer ended the run before the attack had ended.
    Interrupted,
}
