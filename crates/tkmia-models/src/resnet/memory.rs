//! The memory that a ResNet's passes take: [`MemoryPlan`].

use tkmia_core::PassMemory;

use crate::resnet::blueprint::{ANY_SIZE, Blueprint, Convolution};
use crate::resnet::filter::Filter;

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
        let [height, width] = blueprint.input_size.unwrap_or(ANY_SIZE);
        let outputs = blueprint.outputs([height, width]);
        let mut kinds = outputs.clone();
        kinds.sort_unstable();
        kinds.dedup();
        let values = |[channels, height, width]: &[usize; 3]| (channels * height * width) as u64;
        let all: u64 = outputs.iter().map(values).sum();
        let distinct: u64 = kinds.iter().map(values).sum();
        let bytes = size_of::<f32>() as u64;
        let weights = |of: fn(&Convolution) -> usize| {
            let convolutions: usize = blueprint.convolutions().map(of).sum();
            bytes * (convolutions + blueprint.head.weights.len()) as u64
        };
        let points = blueprint.convolutions().filter_map(|conv| {
            let filter = Filter::of(conv)?;
            let tiles: usize = filter.tiles(conv.output_size).iter().product();
            Some(filter.points() * tiles * (conv.shape[0] + conv.shape[1]))
        });
        let points = points.max().unwrap_or(0);
        let by_pixel = |bytes: u64| bytes as f64 / (height * width) as f64;
        match fused {
            // Weights are laid out for both ways; of each size there are maps for both ways, and there is room for
            // the points of one layer's filters; a pass back knows one bit of each value, and one byte of each that
            // was pooled, a fourth of the stem's.
            true => Self {
                weights: 2 * weights(|conv| match Filter::of(conv) {
                    Some(filter) => conv.weights.len() / 9 * filter.points(),
                    None => conv.weights.len(),
                }),
                worker: by_pixel(bytes * (2 * distinct + points as u64)),
                image: by_pixel(all / 8 + values(&outputs[0]) / 4),
            },
            // A layer keeps its input and its ReLU its output.
            false => Self {
                weights: weights(|conv| conv.weights.len()),
                worker: 0.0,
                image: by_pixel(2 * bytes * all),
            },
        }
    }

    pub fn at(&self, size: [usize; 2]) -> PassMemory {
        let pixels = (size[0] * size[1]) as f64;
        PassMemory {
            weights: self.weights,
            worker: (self.worker * pixels) as u64,
            image: (self.image * pixels) as u64 + PassMemory::attacked_image(size),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_with_the_pixels_and_not_the_weights() {
        let blueprint =
            crate::resnet::trainable::scratch::network("resnet50", 64, 1000, 0).unwrap();
        let plan = MemoryPlan::of(&blueprint, true);
        let (small, large) = (plan.at([224, 224]), plan.at([448, 448]));
        // 6×6 points for 3×3 weights in the first two stages, 4×4 in the others.
        let more =
            3 * (64 * 64 + 128 * 128) * (36 - 9) + (5 * 256 * 256 + 2 * 512 * 512) * (16 - 9);
        assert_eq!(small.weights, 2 * 4 * (23_454_912 + 2_048_000 + more));
        assert_eq!(large.weights, small.weights);
        assert_eq!(large.worker, 4 * small.worker);
        assert!(large.image.abs_diff(4 * small.image) < 4);
        assert!(MemoryPlan::of(&blueprint, false).at([224, 224]).image > 10 * small.image);
    }
}
