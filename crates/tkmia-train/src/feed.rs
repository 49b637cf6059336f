//! Batches of training images, made while the one before is trained on: [`Feed`].

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;

use image::RgbImage;
use rand::seq::SliceRandom;
use rand_distr::{Distribution, StandardNormal};
use tkmia_core::{Bounds, LabelSet};
use tkmia_data::{DataError, Dataset, Resize, batch_values};

use crate::random::{Purpose, generator};
use crate::{Recipe, TrainError};

/// The batches of one epoch.
#[derive(Debug)]
pub struct Feed<'a> {
    pub dataset: &'a dyn Dataset,
    pub recipe: &'a Recipe,
    /// From 0.
    pub epoch: usize,
}

/// A batch as plain values.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[rows, 3, side, side]`
    pub images: Vec<f32>,
    /// 0 or 1, `[rows, classes]`
    pub targets: Vec<f32>,
    pub rows: usize,
}

impl Feed<'_> {
    /// The number of batches: what doesn't fill one is left out, as in the published code.
    pub fn batches(dataset: &dyn Dataset, recipe: &Recipe) -> usize {
        (dataset.len() / recipe.batch_size).max(1)
    }

    /// Hands the batches to `train`, in the epoch's order, until it breaks off.
    ///
    /// # Errors
    /// What an image has, or `train` says.
    pub fn run(
        &self,
        mut train: impl FnMut(Batch) -> Result<ControlFlow<()>, TrainError>,
    ) -> Result<ControlFlow<()>, TrainError> {
        let mut order: Vec<usize> = (0..self.dataset.len()).collect();
        let seed = self.recipe.seed;
        order.shuffle(&mut generator(seed, self.epoch, Purpose::Order, ""));
        let batches = Self::batches(self.dataset, self.recipe);
        thread::scope(|scope| {
            // One batch waits while one is made.
            let (sender, receiver) = mpsc::sync_channel(1);
            scope.spawn(move || {
                for rows in order.chunks(self.recipe.batch_size).take(batches) {
                    // The receiver is gone once training is broken off.
                    if sender.send(self.batch(rows)).is_err() {
                        break;
                    }
                }
            });
            for batch in receiver {
                if train(batch?)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    fn batch(&self, rows: &[usize]) -> Result<Batch, DataError> {
        let side = self.recipe.input_size;
        let mut images = batch_values(rows, side, Bounds::SYMMETRIC, |row| self.image(row))?;
        self.add_noise(rows, &mut images);
        let targets = targets(self.dataset.labels(), rows);
        Ok(Batch { images, targets, rows: rows.len() })
    }

    fn add_noise(&self, rows: &[usize], images: &mut [f32]) {
        let Recipe { noise, seed, .. } = *self.recipe;
        if noise == 0.0 {
            return;
        }
        let sigma = noise * (Bounds::SYMMETRIC.high - Bounds::SYMMETRIC.low);
        let size = images.len() / rows.len();
        for (image, &row) in images.chunks_exact_mut(size).zip(rows) {
            let random = generator(seed, self.epoch, Purpose::Noise, self.dataset.id(row));
            let noise = StandardNormal.sample_iter(random);
            image.iter_mut().zip(noise).for_each(|(value, one): (_, f32)| *value += sigma * one);
        }
    }

    fn image(&self, row: usize) -> Result<RgbImage, DataError> {
        let resize = Resize::square(self.recipe.input_size);
        let square = resize.apply(&self.dataset.image(row)?)?;
        let id = self.dataset.id(row);
        let mut random = generator(self.recipe.seed, self.epoch, Purpose::Augmentation, id);
        Ok(self.recipe.augmentation.apply(square, &mut random))
    }
}

/// Whether the images of these rows have each label, as 0 or 1: `[rows, classes]`.
pub fn targets(labels: &LabelSet, rows: &[usize]) -> Vec<f32> {
    let flags = rows.iter().flat_map(|&row| labels.row(row));
    flags.map(|&flag| f32::from(u8::from(flag))).collect()
}

#[cfg(test)]
mod tests {
    use tkmia_data::Folder;

    use super::*;
    use crate::{Published, TrainError};

    #[test]
    fn noise_is_as_wide_as_it_says_and_keyed_by_epoch_and_image() -> Result<(), TrainError> {
        let ids = vec!["a".to_owned(), "b".to_owned()];
        let labels = LabelSet::new(vec![true; 2], 1)?;
        let dataset = Folder::tagged("", ids, vec!["label".into()], labels);
        let recipe = Recipe { noise: 0.1, ..Published::Voc2012.recipe() };
        let noise = |epoch, rows: &[usize]| {
            let mut images = vec![0.5; rows.len() * 30_000];
            Feed { dataset: &dataset, recipe: &recipe, epoch }.add_noise(rows, &mut images);
            images
        };
        let [both, second] = [noise(0, &[0, 1]), noise(0, &[1])];
        assert_eq!(both[30_000..], second);
        assert_ne!(both[..30_000], second);
        assert_ne!(noise(1, &[1]), second);
        let square = second.iter().map(|value| (value - 0.5).powi(2)).sum::<f32>() / 30_000.0;
        // [-1, 1] is twice as wide as [0, 1].
        assert!((square.sqrt() - 0.2).abs() < 0.005, "{square}");
        Ok(())
    }
}
