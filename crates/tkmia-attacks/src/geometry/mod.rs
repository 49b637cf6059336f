//! [`GeometricAttack`]: steps that follow from rows of the Jacobian, without an objective.

mod jacobian;
mod jma;
mod kfool;
mod least_step;
mod ml_dp;
mod qp;
mod settings;

use burn::tensor::Tensor;
use tkmia_core::Classifier;
use tkmia_core::pixels::linf_norm;

use crate::descent::{ForwardPass, Mover, Rules, Stride, Survivors, drive, pick};
use crate::readback::Seen;
use crate::{Attack, AttackError, Limits, Passes, Perturbed, Run, Space, Steps, Stop, View};

pub use settings::Geometric;

pub(crate) use qp::{Gram, dot, gram, least_norm};

pub(crate) use jacobian::jacobian;
use jma::Mahalanobis;
use kfool::Facets;
use ml_dp::Decisions;

/// An attack that steps by rows of the Jacobian.
#[derive(Debug)]
pub struct GeometricAttack {
    /// How it steps.
    pub steps: Steps,
    /// The variable.
    pub space: Space,
    /// When an image is done.
    pub stop: Stop,
    /// How far it may go. An iteration is a step here: one forward pass to judge more than that, and for each
    /// step one forward and one backward pass of each label whose gradient it needs.
    pub limits: Limits,
}

impl Attack for GeometricAttack {
    fn perturb(&self, run: Run<'_>) -> Result<Perturbed, AttackError> {
        let mut mover = self.mover(run.batch.rows(), run.classifier.classes());
        let (space, stop, limits) = (self.space, &self.stop, self.limits.of_steps());
        let rules = Rules { space, stop, limits, targeted: false };
        let mut result = drive(run, rules, &mut mover)?;
        result.iterations.iter_mut().for_each(|iterations| *iterations -= 1);
        Ok(result)
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }

    fn passes_at_most(&self, k: usize, classes: usize) -> Passes {
        let (steps, rows) = (self.limits.max_iterations, self.steps.gradients_at_most(k, classes));
        self.limits.cap(Passes { forward: steps * (rows + 1) + 1, backward: steps * rows })
    }

    fn view(&self) -> View {
        self.space.view()
    }

    fn takes_start(&self) -> bool {
        true
    }
}

impl GeometricAttack {
    /// The attack at work on so many images.
    pub(crate) fn mover(&self, rows: usize, classes: usize) -> impl Mover + use<> {
        let geometry: Box<dyn Geometry> = match self.steps {
            Steps::KFool => Box::new(Facets),
            Steps::MlDp => Box::new(Decisions::new(rows, classes)),
            Steps::Jma => Box::new(Mahalanobis::new(rows)),
        };
        ByGeometry { geometry, space: self.space, images: None }
    }
}

impl Steps {
    /// Labels whose gradients a step needs.
    pub(crate) fn gradients_at_most(self, k: usize, classes: usize) -> usize {
        match self {
            Self::KFool => k + 2,
            Self::MlDp | Self::Jma => classes,
        }
    }
}

/// Where an attack steps, given the gradients that it asks for.
trait Geometry {
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

    /// See [`Mover::looked`].
    fn looked(&mut self, _at: usize, met: bool) -> bool {
        !met
    }

    /// Forgets all but the images at these positions of the last look.
    fn keep(&mut self, _positions: &[usize]) {}
}

/// A [`Geometry`] under way.
struct ByGeometry {
    geometry: Box<dyn Geometry>,
    space: Space,
    /// What the last look saw.
    images: Option<Tensor<4>>,
}

impl Mover for ByGeometry {
    fn cost(&self, survivors: &Survivors, at: usize, now: &Seen) -> Passes {
        let rows = self.geometry.labels(survivors, at, now).len();
        Passes { forward: rows, backward: rows }
    }

    fn look(&mut self, classifier: &dyn Classifier, survivors: &Survivors) -> ForwardPass {
        let pass = survivors.look(classifier, self.space);
        self.images = Some(pass.images.clone());
        pass
    }

    fn looked(&mut self, at: usize, met: bool) -> bool {
        self.geometry.looked(at, met)
    }

    fn step(
        &mut self,
        classifier: &dyn Classifier,
        survivors: &mut Survivors,
        now: &[Seen],
    ) -> Stride {
        let images = self.images.take().expect("a step follows a look");
        let labels: Vec<Vec<usize>> =
            (0..now.len()).map(|at| self.geometry.labels(survivors, at, &now[at])).collect();
        let gradients = jacobian(classifier, &images, &labels);
        let (step, length) = self.geometry.step(survivors, now, &labels, gradients);

        let somewhere = length.clone().greater_scalar(0.0);
        let nowhere = somewhere.bool_and(length.clone().lower_equal_scalar(f32::MAX)).bool_not();
        let nowhere = nowhere.reshape([now.len(), 1, 1, 1]).expand(step.dims());
        let variable = survivors.variable.clone() + step.mask_fill(nowhere, 0.0);
        let variable = self.space.settle(survivors.origin.clone(), variable, survivors.bounds);
        let moved = linf_norm(variable.clone() - survivors.variable.clone());
        survivors.variable = variable;
        Stride { slope: Some(length), moved: Some(moved) }
    }

    fn keep(&mut self, positions: &[usize]) {
        self.geometry.keep(positions);
        self.images = self.images.as_ref().map(|images| pick(images, positions));
    }
}
