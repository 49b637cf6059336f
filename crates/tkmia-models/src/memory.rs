//! [`PassMemory`]: what passes take of memory.

use crate::blueprint::Blueprint;

/// Bytes that passes forward and back take, beside what the program takes without them.
///
/// Found by counting what the layers compute; `docs/src/speed.md` has the formulas and what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassMemory {
    /// Once.
    pub weights: u64,
    /// For each pass under way.
    pub worker: u64,
    /// For each image in a batch under way.
    pub image: u64,
}

impl PassMemory {
    /// Where a batch size is chosen: 4 GiB.
    pub const LIMIT: u64 = 4 << 30;

    /// The largest batch that is chosen. Larger ones are no faster on CPUs, and images that are done
    /// early leave fewer behind in small ones.
    pub const LARGEST_BATCH: usize = 8;

    /// Bytes that batches of that size take, one for each worker.
    pub fn total(&self, workers: usize, batch_size: usize) -> u64 {
        let workers = workers as u64;
        self.weights + workers * (self.worker + batch_size as u64 * self.image)
    }

    /// The largest batch size up to [`LARGEST_BATCH`](Self::LARGEST_BATCH) that keeps within a
    /// limit, or 1.
    pub fn batch_size(&self, workers: usize, limit: u64) -> usize {
        let within = |&size: &usize| self.total(workers, size) <= limit;
        (1..=Self::LARGEST_BATCH).rev().find(within).unwrap_or(1)
    }
}

/// Images that an attack keeps of each that it is given: where it began and is, its modifier, momentum,
/// gradient, and what they are computed by.
const COPIES: u64 = 10;

/// What a network's passes take for each pixel of an image.
#[derive(Debug, Clone)]
pub(crate) struct MemoryPlan {
    weights: u64,
    /// Bytes by pixel.
    worker: f64,
    image: f64,
}

impl MemoryPlan {
    /// Of a network as one operation, or as Burn's layers.
    pub fn of(blueprint: &Blueprint, fused: bool) -> Self {
        let [height, width] = blueprint.input_size.unwrap_or([224, 224]);
        let outputs = blueprint.outputs([height, width]);
        let mut kinds = outputs.clone();
        kinds.sort_unstable();
        kinds.dedup();
        let values = |[channels, height, width]: &[usize; 3]| (channels * height * width) as u64;
        let all: u64 = outputs.iter().map(values).sum();
        let distinct: u64 = kinds.iter().map(values).sum();
        let bytes = size_of::<f32>() as u64;
        let parameters: usize = blueprint.convolutions().map(|conv| conv.weights.len()).sum();
        let weights = bytes * (parameters + blueprint.head.weights.len()) as u64;
        let by_pixel = |bytes: u64| bytes as f64 / (height * width) as f64;
        match fused {
            // Weights are laid out for both ways; of each size there are maps for both ways; a pass back
            // knows one bit of each value, and one byte of each that was pooled, a fourth of the stem's.
            true => Self {
                weights: 2 * weights,
                worker: by_pixel(2 * bytes * distinct),
                image: by_pixel(all / 8 + values(&outputs[0]) / 4),
            },
            // A layer keeps its input and its ReLU its output.
            false => Self { weights, worker: 0.0, image: by_pixel(2 * bytes * all) },
        }
    }

    pub fn at(&self, [height, width]: [usize; 2]) -> PassMemory {
        let pixels = (height * width) as f64;
        let copies = COPIES * (3 * size_of::<f32>() * height * width) as u64;
        PassMemory {
            weights: self.weights,
            worker: (self.worker * pixels) as u64,
            image: (self.image * pixels) as u64 + copies,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: PassMemory = PassMemory { weights: 100, worker: 10, image: 5 };

    #[test]
    fn a_batch_grows_as_far_as_the_limit_lets_it() {
        assert_eq!(SMALL.total(2, 3), 150);
        assert_eq!(SMALL.batch_size(2, 150), 3);
        assert_eq!(SMALL.batch_size(2, 149), 2);
        assert_eq!(SMALL.batch_size(1, u64::MAX), PassMemory::LARGEST_BATCH);
        assert_eq!(SMALL.batch_size(4, 0), 1);
    }

    #[test]
    fn memory_grows_with_the_pixels_and_not_the_weights() {
        let blueprint = crate::trainable::scratch::network("resnet50", 64, 1000, 0).unwrap();
        let plan = MemoryPlan::of(&blueprint, true);
        let (small, large) = (plan.at([224, 224]), plan.at([448, 448]));
        assert_eq!(small.weights, 2 * 4 * (23_454_912 + 2_048_000));
        assert_eq!(large.weights, small.weights);
        assert_eq!(large.worker, 4 * small.worker);
        assert!(large.image.abs_diff(4 * small.image) < 4);
        assert!(MemoryPlan::of(&blueprint, false).at([224, 224]).image > 10 * small.image);
    }
}
