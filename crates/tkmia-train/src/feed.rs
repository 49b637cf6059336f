//! Batches of training images, made while the one before is trained on: [`Feed`].

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;

use image::RgbImage;
use rand::seq::SliceRandom;
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
#[derive(Debug)]
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
        let images = batch_values(rows, side, Bounds::SYMMETRIC, |row| self.image(row))?;
        let targets = targets(self.dataset.labels(), rows);
        Ok(Batch { images, targets, rows: rows.len() })
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
