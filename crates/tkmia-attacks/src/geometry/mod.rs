//! [`run()`]: attacks whose steps follow from rows of the Jacobian, without an objective.

mod jacobian;
mod kfool;
mod ml_dp;
mod qp;
mod settings;

use burn::tensor::Tensor;
use tkmia_core::Classifier;

use crate::descent::{ForwardPass, Mover, Rules, Survivors, drive, pick};
use crate::readback::Seen;
use crate::{AttackBatch, AttackError, Limits, Observer, Passes, Perturbed, Space, Stop};

pub use kfool::KFool;
pub use ml_dp::MlDp;
pub use settings::Geometric;

pub(crate) use qp::{LeastNorm, dot, gram, least_norm};

use jacobian::jacobian;

/// Where an attack steps, given the gradients that it asks for.
pub(crate) trait Geometry {
    /// The labels whose gradients a step of the survivor at this position needs.
    fn labels(&self, survivors: &Survivors, at: usize, now: &Seen) -> Vec<usize>;

    /// The step of each survivor, `[rows, 3, height, width]`, and the norm of what it goes along,
    /// `[rows]`; where that is 0 or not finite no step is made.
    ///
    /// # Shapes
    /// - labels: those that each survivor asked for
    /// - gradients: `[labels of all survivors, 3 · height · width]`, survivor after survivor
    fn step(
        &mut self,
        survivors: &Survivors,
        now: &[Seen],
        labels: &[Vec<usize>],
        gradients: Tensor<2>,
    ) -> (Tensor<4>, Tensor<1>);

    /// Forgets all but the images at these positions of the last look.
    fn keep(&mut self, _positions: &[usize]) {}
}

/// Attacks a batch by a geometry, whose iterations are steps: there is one look more.
pub(crate) fn run(
    geometry: &mut dyn Geometry,
    classifier: &dyn Classifier,
    batch: &AttackBatch,
    (space, stop, limits): (Space, &Stop, Limits),
    watch: &mut dyn Observer,
) -> Result<Perturbed, AttackError> {
    let mut mover = ByGeometry { geometry, space, images: None };
    let rules = Rules { space, stop, limits: limits.of_steps(), targeted: false };
    let mut result = drive(classifier, batch, rules, &mut mover, watch)?;
    result.iterations.iter_mut().for_each(|iterations| *iterations -= 1);
    Ok(result)
}

/// A [`Geometry`] under way.
struct ByGeometry<'a> {
    geometry: &'a mut dyn Geometry,
    space: Space,
    /// What the last look saw.
    images: Option<Tensor<4>>,
}

impl Mover for ByGeometry<'_> {
    fn cost(&self, survivors: &Survivors, at: usize, now: &Seen) -> Passes {
        let rows = self.geometry.labels(survivors, at, now).len();
        Passes { forward: rows, backward: rows }
    }

    fn stays_where_it_stopped(&self) -> bool {
        true
    }

    fn look(&mut self, classifier: &dyn Classifier, survivors: &Survivors) -> ForwardPass {
        let images = self.space.image(
            survivors.origin.clone(),
            survivors.variable.clone(),
            survivors.bounds,
        );
        let scores = classifier.scores(images.clone());
        self.images = Some(images.clone());
        ForwardPass { images, scores, loss: None }
    }

    fn step(
        &mut self,
        classifier: &dyn Classifier,
        survivors: &mut Survivors,
        now: &[Seen],
    ) -> Tensor<1> {
        let images = self.images.take().expect("a step follows a look");
        let labels: Vec<Vec<usize>> =
            (0..now.len()).map(|at| self.geometry.labels(survivors, at, &now[at])).collect();
        let gradients = jacobian(classifier, &images, &labels);
        let (step, length) = self.geometry.step(survivors, now, &labels, gradients);

        let somewhere = length.clone().greater_scalar(0.0);
        let nowhere = somewhere.bool_and(length.clone().lower_equal_scalar(f32::MAX)).bool_not();
        let nowhere = nowhere.reshape([now.len(), 1, 1, 1]).expand(step.dims());
        let variable = survivors.variable.clone() + step.mask_fill(nowhere, 0.0);
        survivors.variable =
            self.space.settle(survivors.origin.clone(), variable, survivors.bounds);
        length
    }

    fn keep(&mut self, positions: &[usize]) {
        self.geometry.keep(positions);
        self.images = self.images.as_ref().map(|images| pick(images, positions));
    }
}
