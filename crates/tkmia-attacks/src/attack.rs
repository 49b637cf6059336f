//! [`Attack`]: what every attack is, and the one door to them.

use std::fmt::Debug;

use tkmia_core::{Bounds, Classifier};

use crate::{AttackBatch, AttackError, BatchResult, Observer, Passes, Perturbed, Stop, View};

/// A way to perturb images until their top-k changes as wanted.
///
/// Rows are independent: a batch gives what its images give one at a time. The exception is an attack whose
/// perturbation is [universal](Self::is_universal).
///
/// An attack of your own implements [`perturb`](Self::perturb) and says what it stops at; [`run`](Self::run)
/// checks what goes in.
pub trait Attack: Debug + Send + Sync {
    /// Perturbs each image of a batch that [`run_watched`](Self::run_watched) has checked.
    ///
    /// # Errors
    /// [`AttackError`] if the scores aren't finite. An image that can't be attacked as asked is no error but
    /// [`Outcome::Ineligible`](crate::Outcome::Ineligible).
    fn perturb(
        &self,
        classifier: &dyn Classifier,
        batch: &AttackBatch,
        watch: &mut dyn Observer,
    ) -> Result<Perturbed, AttackError>;

    /// When an image is done, and what counts as success.
    fn stop(&self) -> &Stop;

    /// Passes that an image of a classifier of so many labels takes at most.
    fn passes_at_most(&self, k: usize, classes: usize) -> Passes;

    /// What the classifier is given where there is no perturbation.
    fn view(&self) -> View {
        View::Image
    }

    /// Whether it aims at a [target](tkmia_core::Goal::target).
    fn is_targeted(&self) -> bool {
        false
    }

    /// Whether it begins where a batch [starts](AttackBatch::with_start).
    fn takes_start(&self) -> bool {
        false
    }

    /// Whether the images of a batch share one perturbation, so that they must not be cut into several
    /// batches.
    fn is_universal(&self) -> bool {
        false
    }

    /// Attacks each image of a batch.
    ///
    /// # Errors
    /// As [`run_watched`](Self::run_watched).
    fn run(
        &self,
        classifier: &dyn Classifier,
        batch: &AttackBatch,
    ) -> Result<BatchResult, AttackError> {
        self.run_watched(classifier, batch, &mut ())
    }

    /// Attacks each image of a batch, with an observer that may end it early.
    ///
    /// # Errors
    /// [`AttackError`] naming what doesn't fit: images of another size, range or device than the classifier
    /// takes, labels of another number, a missing target, a start that the attack has no use for; and as
    /// [`perturb`](Self::perturb).
    fn run_watched(
        &self,
        classifier: &dyn Classifier,
        batch: &AttackBatch,
        watch: &mut dyn Observer,
    ) -> Result<BatchResult, AttackError> {
        self.check(classifier)?;
        batch.check(classifier)?;
        let (target, stop) = (batch.goal().target(), self.stop());
        if target.is_none() && (self.is_targeted() || stop.needs_target()) {
            return Err(AttackError::NoTarget { stop: stop.to_string() });
        }
        if batch.start().is_some() && !self.takes_start() {
            return Err(AttackError::NoStart);
        }
        let perturbed = self.perturb(classifier, batch, watch)?;
        Ok(BatchResult { perturbed, goal: batch.goal().clone(), stop: stop.clone() })
    }

    /// Whether it can be run on this classifier.
    ///
    /// # Errors
    /// [`AttackError::NotSymmetric`] if it squashes images and the classifier isn't on `[-1, 1]`.
    fn check(&self, classifier: &dyn Classifier) -> Result<(), AttackError> {
        match (self.view(), classifier.bounds()) {
            (View::Image, _) | (View::Tanh, Bounds::SYMMETRIC) => Ok(()),
            (View::Tanh, Bounds { low, high }) => Err(AttackError::NotSymmetric { low, high }),
        }
    }
}
