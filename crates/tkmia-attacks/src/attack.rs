//! [`Attack`]: what every attack is, and the one door to them.

use std::fmt::{self, Debug};

use tkmia_core::{Bounds, Classifier};

use crate::{
    AttackBatch, AttackError, BatchResult, Observer, Passes, Perturbed, Stop, UniversalAttack, View,
};

/// What an attack is run on, and who watches.
pub struct Run<'a> {
    /// The victim.
    pub classifier: &'a dyn Classifier,
    /// Images that fit the victim, and what is wanted of each.
    pub batch: &'a AttackBatch,
    /// Sees each pass, and may end the run.
    pub watch: &'a mut dyn Observer,
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { classifier, batch, .. } = self;
        f.debug_struct("Run").field("classifier", classifier).field("batch", batch).finish()
    }
}

/// A way to perturb images until their top-k changes as wanted.
///
/// Rows are independent: a batch gives what its images give one at a time. The exception is an attack whose
/// perturbation is [universal](Self::universal).
///
/// An attack of your own implements [`perturb`](Self::perturb) and says what it stops at; [`run`](Self::run)
/// checks what goes in.
pub trait Attack: Debug + Send + Sync {
    /// Perturbs each image of a batch that [`run_watched`](Self::run_watched) has checked.
    ///
    /// # Errors
    /// [`AttackError`] if the attack can't be made. What is wrong with one image is its
    /// [`Outcome`](crate::Outcome), and the others go on.
    fn perturb(&self, run: Run<'_>) -> Result<Perturbed, AttackError>;

    /// When an image is done, and what counts as success.
    fn stop(&self) -> &Stop;

    /// Passes that an image of a classifier of so many labels takes at most.
    fn passes_at_most(&self, k: usize, classes: usize) -> Passes;

    /// What the classifier is given where there is no perturbation.
    fn view(&self) -> View {
        View::Image
    }

    /// Whether it can't do without gradients.
    fn needs_gradients(&self) -> bool {
        self.passes_at_most(1, 2).backward > 0
    }

    /// Whether it aims at a [target](tkmia_core::Goal::target).
    fn is_targeted(&self) -> bool {
        false
    }

    /// Whether it begins where a batch [starts](AttackBatch::with_start).
    fn takes_start(&self) -> bool {
        false
    }

    /// The fit behind it, if the images of a batch share one perturbation: they must not be cut into several
    /// batches then.
    fn universal(&self) -> Option<&UniversalAttack> {
        None
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
    /// takes, labels of another number, a missing target, a start that the attack has no use for; a classifier that
    /// failed; and as [`perturb`](Self::perturb).
    fn run_watched(
        &self,
        classifier: &dyn Classifier,
        batch: &AttackBatch,
        watch: &mut dyn Observer,
    ) -> Result<BatchResult, AttackError> {
        admit(self, classifier, batch)?;
        let perturbed = self.perturb(Run { classifier, batch, watch })?;
        classifier.check()?;
        Ok(BatchResult { perturbed, goal: batch.goal().clone(), stop: self.stop().clone() })
    }

    /// Whether it can be run on this classifier.
    ///
    /// # Errors
    /// [`AttackError::NoGradients`] if it needs gradients and the classifier has none, [`AttackError::NotSymmetric`] if it
    /// squashes images and the classifier isn't on `[-1, 1]`.
    fn check(&self, classifier: &dyn Classifier) -> Result<(), AttackError> {
        if self.needs_gradients() && !classifier.has_gradients() {
            return Err(AttackError::NoGradients);
        }
        match (self.view(), classifier.bounds()) {
            (View::Image, _) | (View::Tanh, Bounds::SYMMETRIC) => Ok(()),
            (View::Tanh, Bounds { low, high }) => Err(AttackError::NotSymmetric { low, high }),
        }
    }
}

/// Checks what an attack is given.
pub(crate) fn admit<A: Attack + ?Sized>(
    attack: &A,
    classifier: &dyn Classifier,
    batch: &AttackBatch,
) -> Result<(), AttackError> {
    attack.check(classifier)?;
    batch.check(classifier)?;
    let (target, stop) = (batch.goal().target(), attack.stop());
    if target.is_none() && (attack.is_targeted() || stop.needs_target()) {
        return Err(AttackError::NoTarget { stop: stop.to_string() });
    }
    match batch.start() {
        Some(_) if !attack.takes_start() => Err(AttackError::NoStart),
        _ => Ok(()),
    }
}
