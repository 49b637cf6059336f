//! [`Facets`]: the steps of kFool.

use burn::tensor::{Tensor, TensorData};

use super::Geometry;
use crate::descent::Survivors;
use crate::readback::Seen;

/// kFool, top-k DeepFool: Tursynbek et al., "Geometry-Inspired Top-k Adversarial Perturbations", WACV 2022.
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
/// a gradient after tanh, to the variable before it; in [`Space::TanhOfImage`](crate::Space::TanhOfImage) so
/// does this.
pub(super) struct Facets;

impl Geometry for Facets {
    /// The first k + 1 labels, and `m`; among the others it stands in for itself: its difference is 0 and
    /// drops out.
    fn labels(&self, survivors: &Survivors, at: usize, now: &Seen) -> Vec<usize> {
        let relevant = survivors.goal.relevant().row(at);
        let best = survivors.clean[at].ranking.order().iter().find(|&&label| relevant[label]);
        let &best = best.expect("specified labels are relevant, and each image has one");
        let ahead = &now.scored.ranking.order()[..survivors.goal.k() + 1];
        ahead.iter().copied().chain([best]).collect()
    }

    fn step(
        &mut self,
        survivors: &Survivors,
        now: &[Seen],
        labels: &[Vec<usize>],
        gradients: Tensor<2>,
    ) -> (Tensor<4>, Tensor<1>) {
        let (rows, ahead) = (now.len(), survivors.goal.k() + 1);
        let device = gradients.device();
        let gaps = labels.iter().zip(now).flat_map(|(labels, now)| {
            let score = |label: usize| now.scored.scores[label];
            labels[..ahead].iter().map(move |&label| score(label) - score(labels[ahead]))
        });
        let gaps = TensorData::new(gaps.collect::<Vec<f32>>(), [rows, ahead, 1]);
        let gaps = Tensor::<3>::from_data(gaps, &device);
        let gradients = gradients.reshape([rows as i32, ahead as i32 + 1, -1]);

        let best = gradients.clone().narrow(1, ahead, 1);
        let differences = gradients.narrow(1, 0, ahead) - best;
        let norms = differences.clone().powi_scalar(2).sum_dim(2).sqrt();
        let nothing = norms.clone().equal_scalar(0.0);
        let inverse = norms.recip().mask_fill(nothing, 0.0);
        let w = (differences * inverse.clone()).sum_dim(1);
        let b = (gaps * inverse).sum_dim(1).abs();
        let length = w.clone().powi_scalar(2).sum_dim(2).sqrt();
        let step = (w * (b / length.clone())).reshape(survivors.origin.dims());
        (step, length.reshape([rows]))
    }
}
