//! Batches of training images, made while the one before is trained on: [`Feed`].

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;

use rand::seq::SliceRandom;
use rayon::prelude::*;
use tkmia_core::Bounds;
use tkmia_data::{DataError, Dataset, Resize, Transform};

use crate::random::{Purpose, generator};
use crate::{Settings, TrainError};

/// The batches of one epoch.
#[derive(Debug)]
pub struct Feed<'a> {
    pub dataset: &'a dyn Dataset,
    pub settings: &'a Settings,
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
    pub fn batches(dataset: &dyn Dataset, settings: &Settings) -> usize {
        (dataset.len() / settings.batch_size).max(1)
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
        let seed = self.settings.seed;
        order.shuffle(&mut generator(seed, self.epoch, Purpose::Order, ""));
        let batches = Self::batches(self.dataset, self.settings);
        thread::scope(|scope| {
            // One batch waits while one is made.
            let (sender, receiver) = mpsc::sync_channel(1);
            scope.spawn(move || {
                for rows in order.chunks(self.settings.batch_size).take(batches) {
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
        let images: Vec<Result<Vec<f32>, DataError>> =
            rows.par_iter().map(|&row| self.image(row)).collect();
        let images = images.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
        let labels = self.dataset.labels();
        let flags = rows.iter().flat_map(|&row| labels.row(row));
        let targets = flags.map(|&flag| f32::from(u8::from(flag))).collect();
        Ok(Batch { images, targets, rows: rows.len() })
    }

    fn image(&self, row: usize) -> Result<Vec<f32>, DataError> {
        let resize = Resize::Square(self.settings.input_size);
        let square = resize.apply(&self.dataset.image(row)?)?;
        let id = self.dataset.id(row);
        let mut random = generator(self.settings.seed, self.epoch, Purpose::Augmentation, id);
        let changed = self.settings.augmentation.apply(square, &mut random);
        Transform { resize, bounds: Bounds::SYMMETRIC }.apply(&changed)
    }
}
