//! [`PassMemory`]: the memory that passes take, and the batch size that follows.

/// Bytes that forward and backward passes take, beside what the program takes without them.
///
/// For a ResNet it is found by counting what the layers compute; `docs/src/speed.md` has the formulas and
/// what was measured.
///
/// # Example: as many images at once as fit
///
/// ```
/// use tkmia_core::PassMemory;
///
/// let memory = PassMemory { weights: 100, worker: 10, image: 5 };
/// assert_eq!(memory.total(2, 3), 100 + 2 * (10 + 3 * 5));
/// assert_eq!(memory.batch_size(2, 150), 3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassMemory {
    /// Once.
    pub weights: u64,
    /// For each pass under way.
    pub worker: u64,
    /// For each image in a batch under way.
    pub image: u64,
}

/// Images that an attack keeps of each that it is given: where it began and is, its modifier, momentum,
/// gradient, and what they are computed by.
const COPIES: u64 = 10;

/// What a ResNet-50 made of Burn's layers keeps of each pixel, in bytes.
const OF_A_PIXEL: u64 = 1800;

impl PassMemory {
    /// Where a batch size is chosen: 4 GiB.
    pub const LIMIT: u64 = 4 << 30;

    /// The largest batch that is chosen. Larger ones are no faster on CPUs, and images that are done
    /// early leave fewer behind in small ones.
    pub const LARGEST_BATCH: usize = 8;

    /// An estimate for a network of which only the images' height and width are known: that its layers
    /// keep as much of an image as those of a ResNet-50.
    pub fn of_images(size: [usize; 2]) -> Self {
        let layers = OF_A_PIXEL * (size[0] * size[1]) as u64;
        Self { weights: 0, worker: 0, image: layers + Self::attacked_image(size) }
    }

    /// What an attack itself keeps of each image of that height and width.
    pub fn attacked_image([height, width]: [usize; 2]) -> u64 {
        COPIES * (3 * size_of::<f32>() * height * width) as u64
    }

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
    fn an_unknown_network_is_estimated_by_its_pixels() {
        let [small, large] = [224, 448].map(|side| PassMemory::of_images([side; 2]));
        assert_eq!(small.image, 224 * 224 * (1800 + 10 * 3 * 4));
        assert_eq!(large.image, 4 * small.image);
        assert_eq!(small.batch_size(2, PassMemory::LIMIT), 8);
    }
}
