//! [`PassTime`]: how long a pass takes here.

use std::time::Instant;

use burn::tensor::{Tensor, TensorData};
use serde::Serialize;
use tkmia_core::{Bounds, Classifier};

use crate::error::ExperimentError;
use crate::workers::Workers;

/// Seconds that each image takes, all workers together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PassTime {
    /// A forward pass.
    pub forward: f64,
    /// A forward pass and the way back to the image.
    pub both: f64,
}

/// Rounds of which the middle one counts, after one that doesn't.
const ROUNDS: usize = 5;

/// Measures passes of made-up images, a batch for each worker, as an attack makes them.
///
/// `size` is the images' height and width.
///
/// # Errors
/// [`ExperimentError::Zero`] for no workers or an empty batch, [`ExperimentError::Interrupted`] if
/// [`Workers::stop`] was set.
pub fn pass_time(
    classifier: &dyn Classifier,
    size: [usize; 2],
    workers: Workers<'_>,
) -> Result<PassTime, ExperimentError> {
    let images = workers.count * workers.batch_size;
    let rows: Vec<usize> = (0..images).collect();
    let round = |work: &(dyn Fn(Tensor<4>) + Sync)| {
        let (start, mut done) = (Instant::now(), 0);
        let batch = |rows: &[usize]| {
            work(made_up(classifier, rows.len(), size));
            Ok(rows.len())
        };
        workers.run(&rows, batch, |rows| {
            done += rows;
            Ok(())
        })?;
        match done == images {
            true => Ok(start.elapsed().as_secs_f64() / images as f64),
            false => Err(ExperimentError::Interrupted { done, of: images }),
        }
    };
    let forward = |images: Tensor<4>| read(classifier.scores(images));
    let both = |images: Tensor<4>| {
        let images = images.autodiff().require_grad();
        let scores = classifier.scores(images.clone());
        read(images.grad_remove(&mut scores.sum().backward()).expect("the scores depend on them"));
    };
    let mut times = [Vec::new(), Vec::new()];
    for number in 0..=ROUNDS {
        let found = [round(&forward)?, round(&both)?];
        if number > 0 {
            times.iter_mut().zip(found).for_each(|(times, found)| times.push(found));
        }
    }
    let [forward, both] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    });
    Ok(PassTime { forward, both })
}

/// Waits for the device.
fn read<const D: usize>(tensor: Tensor<D>) {
    tensor.try_into_data().expect("results can be read");
}

/// Images with a bit of everything.
fn made_up(classifier: &dyn Classifier, count: usize, [height, width]: [usize; 2]) -> Tensor<4> {
    let Bounds { low, high } = classifier.bounds();
    let shape = [count, 3, height, width];
    let value = |at: usize| low + (high - low) * (0.5 + 0.5 * (at as f32 * 0.7).sin());
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_data(TensorData::new(values, shape), &classifier.device())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use burn::tensor::Device;

    use super::*;

    /// Scores are the first values of the image.
    #[derive(Debug)]
    struct First;

    impl Classifier for First {
        fn scores(&self, images: Tensor<4>) -> Tensor<2> {
            images.flatten::<2>(1, 3).narrow(1, 0, 5)
        }

        fn classes(&self) -> usize {
            5
        }

        fn bounds(&self) -> Bounds {
            Bounds::SYMMETRIC
        }

        fn input_size(&self) -> Option<[usize; 2]> {
            None
        }

        fn device(&self) -> Device {
            Device::flex()
        }
    }

    #[test]
    fn passes_take_time_and_a_stop_is_heard() {
        let stop = AtomicBool::new(false);
        let workers = Workers { count: 2, batch_size: 2, stop: &stop };
        let time = pass_time(&First, [3, 4], workers).unwrap();
        assert!(time.forward > 0.0 && time.both > 0.0);

        let stop = AtomicBool::new(true);
        let error = pass_time(&First, [3, 4], Workers { stop: &stop, ..workers });
        assert!(matches!(error, Err(ExperimentError::Interrupted { done: 0, of: 4 })));
    }
}
