//! [`Case`]: images of noise and what is wanted of them.

use burn::tensor::{Tensor, TensorData};
use fastrand::Rng;
use tkmia::attacks::AttackBatch;
use tkmia::core::{Classifier, LabelSet};
use tkmia::metrics::Ranking;

use crate::perceptron::SIDE;

/// Images and their labels, with the seed of the setting.
pub struct Case {
    pub batch: AttackBatch,
}

impl Case {
    pub fn new(victim: &dyn Classifier, k: usize, specified: usize, images: usize) -> Self {
        Self::sized(victim, SIDE, k, specified, images)
    }

    /// Of each image about four of five labels in the top-k are relevant, and three of ten near it; up to
    /// so many relevant ones in the top-k are specified.
    pub fn sized(
        victim: &dyn Classifier,
        side: usize,
        k: usize,
        specified: usize,
        images: usize,
    ) -> Self {
        let mut rng = Rng::with_seed((1000 * k + specified) as u64);
        let shape = [images, 3, side, side];
        // Whole pixels.
        let pixels = (0..images * 3 * side * side).map(|_| f32::from(rng.u8(..)) / 127.5 - 1.0);
        let data = TensorData::new(pixels.collect::<Vec<_>>(), shape);
        let images = Tensor::<4>::from_data(data, &victim.device());
        let scores = victim.scores(images.clone()).try_to_vec_as::<f32>().expect("floats");
        let (mut relevant, mut chosen) = (Vec::new(), Vec::new());
        for scores in scores.chunks_exact(victim.classes()) {
            let ranking = Ranking::new(scores).expect("finite scores");
            let (top, below) = ranking.order().split_at(k);
            let mut of_top: Vec<usize> = top.iter().copied().filter(|_| rng.f64() < 0.8).collect();
            if of_top.is_empty() {
                of_top.push(top[0]);
            }
            let near = &below[..below.len().min(2 * k + 10)];
            let mut others: Vec<usize> = near.iter().copied().filter(|_| rng.f64() < 0.3).collect();
            // Enough of them to fill the top-k when the specified ones have left.
            let more = below.iter().filter(|label| !others.contains(*label)).copied();
            let missing = (k + specified).saturating_sub(of_top.len() + others.len());
            let more: Vec<usize> = more.take(missing).collect();
            others.extend(more);
            relevant.push([&of_top[..], &others].concat());
            rng.shuffle(&mut of_top);
            of_top.truncate(specified);
            chosen.push(of_top);
        }
        let set = |rows: &[Vec<usize>]| {
            LabelSet::from_indices(rows, victim.classes()).expect("labels of the network")
        };
        let (relevant, specified) = (set(&relevant), set(&chosen));
        Self { batch: AttackBatch::new(images, relevant, specified, k).expect("all fit") }
    }

    /// Passes some of the images through, and back if asked to.
    pub fn pass(&self, victim: &dyn Classifier, rows: &[usize], back: bool) {
        let images = self.batch.select(rows).images().clone();
        let images = if back { images.autodiff().require_grad() } else { images };
        let scores = victim.scores(images.clone());
        if back {
            let gradients = images.grad_remove(&mut scores.sum().backward());
            drop(gradients.expect("the images ask for it").try_to_vec_as::<f32>());
        } else {
            drop(scores.try_to_vec_as::<f32>());
        }
    }
}
