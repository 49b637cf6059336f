//! [`KFool`]: top-k DeepFool.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use tkmia_core::Classifier;

use crate::criterion::Criterion;
use crate::drive::{Look, Mover, Survivors, drive, pick};
use crate::host::Scored;
use crate::jacobian::jacobian;
use crate::{Attack, AttackBatch, AttackError, BatchResult, Observer, Passes, Space};

/// kFool: Tursynbek et al., "Geometry-Inspired Top-k Adversarial Perturbations", WACV 2022.
///
/// Let `m` be the relevant label with the highest score on the unattacked image, `P` the labels now at
/// ranks 1 to k + 1 except `m`, and `g_i` the gradient of score i at the image that the classifier
/// sees. A step is
///
/// ```text
/// w = Σ_{i∈P} (g_i − g_m)/‖g_i − g_m‖,   b = Σ_{i∈P} (f_i − f_m)/‖g_i − g_m‖,   ε ← ε + |b| w/‖w‖
/// ```
///
/// It has no learning rate and nothing that keeps the norm small. The published code adds the step,
/// a gradient after tanh, to the variable before it; in [`Space::TanhOfImage`] so does this.
#[derive(Debug)]
pub struct KFool {
    /// The variable.
    pub space: Space,
    /// When an image is done.
    pub criterion: Arc<dyn Criterion>,
    /// Steps at most; one forward pass to judge more than that, and for each step one forward and one
    /// backward pass of each of k + 2 labels.
    pub max_steps: usize,
}

impl Attack for KFool {
    fn run(
        &self,
        classifier: &dyn Classifier,
        batch: &AttackBatch,
        watch: &mut dyn Observer,
    ) -> Result<BatchResult, AttackError> {
        let mut mover = Geometry { space: self.space, images: None };
        let (criterion, passes) = (self.criterion.as_ref(), self.max_steps + 1);
        let mut result =
            drive(classifier, batch, self.space, criterion, passes, &mut mover, watch)?;
        for iterations in &mut result.iterations {
            *iterations -= 1;
        }
        Ok(result)
    }

    fn unattacked(&self, images: Tensor<4>) -> Tensor<4> {
        self.space.unattacked(images)
    }
}

/// A [`KFool`] under way.
struct Geometry {
    space: Space,
    /// What the last look saw.
    images: Option<Tensor<4>>,
}

impl Mover for Geometry {
    fn look(&mut self, classifier: &dyn Classifier, survivors: &Survivors) -> Look {
        let images = self.space.image(survivors.origin.clone(), survivors.variable.clone());
        let scores = classifier.scores(images.clone());
        self.images = Some(images.clone());
        Look { images, scores, loss: None }
    }

    fn step(
        &mut self,
        classifier: &dyn Classifier,
        survivors: &mut Survivors,
        now: &[Scored],
    ) -> Passes {
        let images = self.images.take().expect("a step follows a look");
        let device = images.device();
        let rows = now.len();
        let ahead = survivors.goal.k() + 1;
        let mut labels = Vec::with_capacity(rows);
        let mut gaps = Vec::with_capacity(rows * ahead);
        for (row, now) in now.iter().enumerate() {
            let relevant = survivors.goal.relevant().row(row);
            let best = survivors.clean[row].ranking.order().iter().find(|&&label| relevant[label]);
            let &best = best.expect("an eligible image has a relevant label");
            // `m` stands in for itself among the k + 1 first: its difference is 0 and drops out.
            let others = &now.ranking.order()[..ahead];
            gaps.extend(others.iter().map(|&label| now.scores[label] - now.scores[best]));
            labels.push(others.iter().copied().chain([best]).collect());
        }
        let gradients = jacobian(classifier, &images, &labels);
        let gaps = TensorData::new(gaps, [rows, ahead, 1]);
        let gaps = Tensor::<3>::from_data(gaps, &device);

        let best = gradients.clone().narrow(1, ahead, 1);
        let differences = gradients.narrow(1, 0, ahead) - best;
        let norms = differences.clone().powi_scalar(2).sum_dim(2).sqrt();
        let nothing = norms.clone().equal_scalar(0.0);
        let inverse = norms.recip().mask_fill(nothing, 0.0);
        let w = (differences * inverse.clone()).sum_dim(1);
        let b = (gaps * inverse).sum_dim(1).abs();
        let length = w.clone().powi_scalar(2).sum_dim(2).sqrt();
        let nowhere = length.clone().equal_scalar(0.0);
        let step = w * (b / length).mask_fill(nowhere, 0.0);
        survivors.variable = survivors.variable.clone() + step.reshape(images.dims());
        Passes { forward: ahead + 1, backward: ahead + 1 }
    }

    fn keep(&mut self, positions: &[usize]) {
        self.images = self.images.as_ref().map(|images| pick(images, positions));
    }
}
