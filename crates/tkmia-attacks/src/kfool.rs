//! [`KFool`]: top-k DeepFool.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use tkmia_core::Classifier;

use crate::criterion::Criterion;
use crate::drive::{Look, Mover, Rules, Survivors, drive, pick};
use crate::host::Seen;
use crate::jacobian::jacobian;
use crate::{Attack, AttackBatch, AttackError, BatchResult, Budget, Observer, Passes, Space};

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
    /// What it may cost. An iteration is a step here: one forward pass to judge more than that, and for each
    /// step one forward and one backward pass of each of k + 2 labels.
    pub budget: Budget,
}

impl Attack for KFool {
    fn run(
        &self,
        classifier: &dyn Classifier,
        batch: &AttackBatch,
        watch: &mut dyn Observer,
    ) -> Result<BatchResult, AttackError> {
        let mut mover = Geometry { space: self.space, images: None };
        let rules = Rules {
            space: self.space,
            criterion: self.criterion.as_ref(),
            budget: self.budget.of_steps(),
            targeted: false,
        };
        let mut result = drive(classifier, batch, rules, &mut mover, watch)?;
        result.iterations.iter_mut().for_each(|iterations| *iterations -= 1);
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
    fn cost(&self, survivors: &Survivors, _: usize, _: &Seen) -> Passes {
        let labels = survivors.goal.k() + 2;
        Passes { forward: labels, backward: labels }
    }

    fn stays_where_it_stopped(&self) -> bool {
        true
    }

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
        now: &[Seen],
    ) -> Tensor<1> {
        let images = self.images.take().expect("a step follows a look");
        let device = images.device();
        let rows = now.len();
        let ahead = survivors.goal.k() + 1;
        let mut labels = Vec::with_capacity(rows);
        let mut gaps = Vec::with_capacity(rows * ahead);
        for (row, Seen { scored: now, .. }) in now.iter().enumerate() {
            let relevant = survivors.goal.relevant().row(row);
            let best = survivors.clean[row].ranking.order().iter().find(|&&label| relevant[label]);
            let &best = best.expect("an eligible image has a relevant label");
            // `m` stands in for itself among the k + 1 first: its difference is 0 and drops out.
            let others = &now.ranking.order()[..ahead];
            gaps.extend(others.iter().map(|&label| now.scores[label] - now.scores[best]));
            labels.push(others.iter().copied().chain([best]).collect());
        }
        let gradients = jacobian(classifier, &images, &labels);
        let gradients = gradients.reshape([rows as i32, ahead as i32 + 1, -1]);
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
        // Where there is no direction, or one that isn't finite, there is no step.
        let somewhere = length.clone().greater_scalar(0.0);
        let nowhere = somewhere.bool_and(length.clone().lower_equal_scalar(f32::MAX)).bool_not();
        let step = (w * (b / length.clone())).reshape(images.dims());
        let nowhere = nowhere.reshape([rows, 1, 1, 1]).expand(images.dims());
        let variable = survivors.variable.clone() + step.mask_fill(nowhere, 0.0);
        survivors.variable = self.space.settle(survivors.origin.clone(), variable);
        length.reshape([rows])
    }

    fn keep(&mut self, positions: &[usize]) {
        self.images = self.images.as_ref().map(|images| pick(images, positions));
    }
}
