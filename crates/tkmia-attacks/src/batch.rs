//! [`AttackBatch`]: images and what is wanted of each.

use burn::tensor::Tensor;
use tkmia_core::{Classifier, CoreError, Goal, LabelSet};

use crate::descent::pick;
use crate::readback::values;
use crate::targets::Targets;
use crate::{AttackError, View};

/// Images and what is wanted of each, checked against each other.
#[derive(Debug, Clone)]
pub struct AttackBatch {
    images: Tensor<4>,
    goal: Goal,
    start: Option<Tensor<4>>,
}

impl AttackBatch {
    /// Puts images `[batch, 3, height, width]` and label sets together, on the images' device.
    ///
    /// # Errors
    /// As [`Goal::new`], and [`CoreError::ShapeMismatch`] if the sets haven't one row per image.
    pub fn new(
        images: Tensor<4>,
        relevant: LabelSet,
        specified: LabelSet,
        k: usize,
    ) -> Result<Self, CoreError> {
        let goal = Goal::new(relevant, specified, k, &images.device())?;
        Self::with_goal(images, goal)
    }

    /// Puts images together with a goal that exists already.
    ///
    /// # Errors
    /// [`CoreError::ShapeMismatch`] if the goal hasn't one row per image.
    pub fn with_goal(images: Tensor<4>, goal: Goal) -> Result<Self, CoreError> {
        let (rows, classes) = (images.dims()[0], goal.relevant().classes());
        if goal.rows() != rows {
            return Err(CoreError::ShapeMismatch {
                what: "labels of a batch",
                expected: [rows, classes],
                found: [goal.rows(), classes],
            });
        }
        Ok(Self { images, goal, start: None })
    }

    /// The same batch, but δ specified labels must leave the top-k, see [`Goal::with_delta`].
    ///
    /// # Errors
    /// [`CoreError::DeltaOutOfRange`] unless `1 ≤ δ ≤ |S|` for each image.
    pub fn with_delta(self, delta: usize) -> Result<Self, CoreError> {
        Ok(Self { goal: self.goal.with_delta(delta)?, ..self })
    }

    /// The same batch with a target for each image, see [`Goal::with_target`].
    ///
    /// # Errors
    /// As there.
    pub fn with_target(self, target: Vec<Vec<usize>>) -> Result<Self, CoreError> {
        Ok(Self { goal: self.goal.with_target(target)?, ..self })
    }

    /// The same batch with a start for the attack's variable, in its own space. Without one it starts at 0.
    ///
    /// # Errors
    /// [`AttackError::Shape`] unless it is shaped as the images are.
    pub fn with_start(self, start: Tensor<4>) -> Result<Self, AttackError> {
        let (expected, found) = (self.images.dims(), start.dims());
        match expected == found {
            true => Ok(Self { start: Some(start), ..self }),
            false => Err(AttackError::Shape {
                what: "start, as the images",
                expected: expected.into(),
                found: found.into(),
            }),
        }
    }

    /// The same batch with the target that `targets` chooses for each image, by its scores without a
    /// perturbation. `ids` are what the data set calls the images.
    ///
    /// # Errors
    /// As [`Targets::aim`].
    pub fn aim(
        self,
        targets: Targets,
        view: View,
        classifier: &dyn Classifier,
        ids: &[impl AsRef<str>],
    ) -> Result<Self, AttackError> {
        let goal = targets.aim(self.goal, classifier, view.of(self.images.clone()), ids)?;
        Ok(Self { goal, ..self })
    }

    /// The images, `[batch, 3, height, width]`.
    pub fn images(&self) -> &Tensor<4> {
        &self.images
    }

    /// Relevant and specified labels of each image, its target if it has one, `k` and δ.
    pub fn goal(&self) -> &Goal {
        &self.goal
    }

    /// Where the attack's variable starts, if not at 0.
    pub fn start(&self) -> Option<&Tensor<4>> {
        self.start.as_ref()
    }

    /// Number of images.
    pub fn rows(&self) -> usize {
        self.goal.rows()
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
    pub(crate) fn check(&self, classifier: &dyn Classifier) -> Result<(), AttackError> {
        let (images, device) = (self.images.device(), classifier.device());
        if images != device {
            let (images, classifier) = (format!("{images:?}"), format!("{device:?}"));
            return Err(AttackError::DeviceMismatch { images, classifier });
        }
        let [rows, channels, height, width] = self.images.dims();
        let [expected_height, expected_width] = classifier.input_size().unwrap_or([height, width]);
        let found = [rows, channels, height, width];
        let expected = [rows, 3, expected_height, expected_width];
        if found != expected {
            let what = "images, as the classifier takes them";
            let (expected, found) = (expected.into(), found.into());
            return Err(AttackError::Shape { what, expected, found });
        }
        let relevant = self.goal.relevant();
        if relevant.classes() != classifier.classes() {
            return Err(AttackError::Core(CoreError::ShapeMismatch {
                what: "labels of a batch and of the classifier",
                expected: [rows, classifier.classes()],
                found: [rows, relevant.classes()],
            }));
        }
        self.check_values(classifier)
    }

    /// On the device: what comes back is one number, unless there is something to name.
    fn check_values(&self, classifier: &dyn Classifier) -> Result<(), AttackError> {
        let bounds = classifier.bounds();
        let images = self.images.clone();
        let inside = images.clone().greater_equal_scalar(bounds.low);
        let inside = inside.bool_and(images.clone().lower_equal_scalar(bounds.high));
        if inside.all().into_scalar::<bool>() {
            return Ok(());
        }
        let values = values(images);
        let range = bounds.low..=bounds.high;
        let at = values.iter().position(|value| !range.contains(value)).unwrap_or_default();
        Err(AttackError::ImageOutOfBounds {
            row: at / (values.len() / self.rows()),
            value: values[at],
            low: bounds.low,
            high: bounds.high,
        })
    }
}
