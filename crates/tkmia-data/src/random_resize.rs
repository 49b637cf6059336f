//! [`RandomlyResized`]: a classifier whose images are scaled down and moved at random first.

use burn::tensor::{Tensor, TensorData};
use tkmia_core::{Classifier, PassMemory, in_front_of};
use tkmia_file::sha256;

/// Scores of images that are scaled down at random and padded with grey to their size: the mean over several draws.
///
/// Three things by their settings:
/// - a defence, drawn at each prediction: Xie, Wang, Zhang, Ren & Yuille, ICLR 2018
/// - what an attacker differentiates who knows of it, the expectation over its draws: Athalye, Carlini & Wagner, ICML 2018
/// - input diversity, by which an attack on a surrogate fits that one less: Xie et al., CVPR 2019
///
/// Sides are nine tenths of the image's at least, scaled bilinearly. A draw follows from the seed and the image's values: another image, as
/// after a step of an attack, has another one, and the same image the same one in any batch.
#[derive(Debug)]
pub struct RandomlyResized<C> {
    /// What scores the images.
    pub classifier: C,
    /// With which probability a draw changes the image at all.
    pub probability: f64,
    /// How many draws the scores are the mean of, at least 1.
    pub draws: usize,
    /// Of the draws.
    pub seed: u64,
}

/// The smallest side, of the image's.
const SMALLEST: f64 = 0.9;

impl<C: Classifier> RandomlyResized<C> {
    /// The images of one draw.
    fn drawn(&self, images: &Tensor<4>, values: &[f32], draw: usize) -> Tensor<4> {
        let [count, _, height, width] = images.dims();
        let bounds = self.classifier.bounds();
        let grey = (bounds.low + bounds.high) / 2.0;
        let (mut rows, mut columns, mut padding) = (Vec::new(), Vec::new(), Vec::new());
        for image in values.chunks_exact(values.len() / count) {
            let placed = self.placed(image, [height, width], draw);
            let [vertical, horizontal] = placed;
            rows.extend(vertical.weights());
            columns.extend(horizontal.weights());
            padding.extend((0..height * width).map(|at| {
                let inside = vertical.holds(at / width) && horizontal.holds(at % width);
                if inside { 0.0 } else { grey }
            }));
        }
        let tensor = |values: Vec<f32>, shape: [usize; 4]| {
            Tensor::<4>::from_data(TensorData::new(values, shape), &images.device())
        };
        let rows = tensor(rows, [count, 1, height, height]);
        let columns = tensor(columns, [count, 1, width, width]).transpose();
        let padding = tensor(padding, [count, 1, height, width]);
        // Bilinear scaling is a linear map of the rows and one of the columns, so that its gradient is theirs.
        rows.matmul(images.clone()).matmul(columns) + padding
    }

    /// Where a draw puts the rows and columns of an image.
    fn placed(&self, image: &[f32], [height, width]: [usize; 2], draw: usize) -> [Placed; 2] {
        let key = [self.seed, draw as u64].into_iter().flat_map(u64::to_le_bytes);
        let bytes = image.iter().flat_map(|value| value.to_le_bytes());
        let hash = sha256(key.chain(bytes).collect::<Vec<u8>>());
        // Four numbers in [0, 1).
        let number = |at: usize| {
            let digits = &hash[16 * at..][..8];
            let number = u32::from_str_radix(digits, 16).expect("a hash is of hexadecimal digits");
            f64::from(number) / 2.0_f64.powi(32)
        };
        let whole = [height, width].map(|of| Placed { of, side: of, at: 0 });
        if number(0) >= self.probability {
            return whole;
        }
        let scale = SMALLEST + (1.0 - SMALLEST) * number(1);
        let of_side = |of: usize, at: f64| {
            let side = ((of as f64 * scale) as usize).max(1);
            Placed { of, side, at: ((of - side + 1) as f64 * at) as usize }
        };
        [of_side(height, number(2)), of_side(width, number(3))]
    }
}

/// An axis scaled down to a part of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Placed {
    of: usize,
    side: usize,
    at: usize,
}

impl Placed {
    fn holds(self, position: usize) -> bool {
        (self.at..self.at + self.side).contains(&position)
    }

    /// What each position takes of each one before, `[of, of]`: the two whose centres are nearest, by how near they are.
    fn weights(self) -> Vec<f32> {
        let Self { of, side, at } = self;
        let mut weights = vec![0.0; of * of];
        for position in 0..side {
            let centre = (position as f64 + 0.5) * of as f64 / side as f64 - 0.5;
            let centre = centre.clamp(0.0, (of - 1) as f64);
            let (below, share) = (centre as usize, centre.fract() as f32);
            let row = &mut weights[(at + position) * of..][..of];
            row[below] = 1.0 - share;
            if share > 0.0 {
                row[below + 1] = share;
            }
        }
        weights
    }
}

impl<C: Classifier> Classifier for RandomlyResized<C> {
    in_front_of!(self => self.classifier; input_size, label_names, notes);

    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let fixed = images.clone().detach();
        let values = fixed.try_to_vec_as::<f32>().expect("float tensors convert to f32");
        let scores =
            (0..self.draws).map(|draw| self.classifier.scores(self.drawn(&images, &values, draw)));
        let sum = scores.reduce(|sum, scores| sum + scores).expect("there is a draw");
        sum / self.draws as f32
    }

    fn pass_memory(&self, size: [usize; 2]) -> PassMemory {
        // A gradient needs what all draws have kept.
        let PassMemory { weights, worker, image } = self.classifier.pass_memory(size);
        PassMemory { weights, worker, image: self.draws as u64 * image }
    }

    fn description(&self) -> String {
        let Self { classifier, probability, draws, .. } = self;
        let of = if *draws == 1 { String::new() } else { format!(", the mean of {draws} draws") };
        format!(
            "{}, resized at random with probability {probability}{of}",
            classifier.description()
        )
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use tkmia_core::Bounds;

    use super::*;

    /// The scores are the image's values.
    #[derive(Debug)]
    struct Values([usize; 2]);

    impl Classifier for Values {
        fn scores(&self, images: Tensor<4>) -> Tensor<2> {
            images.flatten(1, 3)
        }

        fn classes(&self) -> usize {
            3 * self.0[0] * self.0[1]
        }

        fn bounds(&self) -> Bounds {
            Bounds::UNIT
        }

        fn input_size(&self) -> Option<[usize; 2]> {
            Some(self.0)
        }

        fn device(&self) -> Device {
            Device::default()
        }
    }

    const SIZE: [usize; 2] = [20, 30];

    fn resized(probability: f64, draws: usize, seed: u64) -> RandomlyResized<Values> {
        RandomlyResized { classifier: Values(SIZE), probability, draws, seed }
    }

    fn images(count: usize) -> Tensor<4> {
        let shape = [count, 3, SIZE[0], SIZE[1]];
        let values: Vec<f32> =
            (0..shape.iter().product()).map(|at| (at * 37 % 101) as f32 / 101.0).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::default())
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.try_to_vec_as().unwrap()
    }

    #[test]
    fn a_batch_gives_what_its_images_give_and_a_seed_the_same_again() {
        let one = resized(0.7, 2, 5);
        let all = values(one.scores(images(6)));
        for row in 0..6 {
            let alone = values(one.scores(images(6).narrow(0, row, 1)));
            assert_eq!(alone, all[row * alone.len()..][..alone.len()]);
        }
        assert_ne!(all, values(resized(0.7, 2, 6).scores(images(6))));
        assert_eq!(values(resized(0.0, 1, 5).scores(images(6))), values(images(6)));
    }

    #[test]
    fn images_are_of_every_size_and_place_and_grey_around() {
        let one = resized(1.0, 1, 0);
        let (mut sides, mut corners) = (Vec::new(), Vec::new());
        for image in values(images(400)).chunks_exact(1800) {
            let [vertical, horizontal] = one.placed(image, SIZE, 0);
            assert!(vertical.at + vertical.side <= 20 && horizontal.at + horizontal.side <= 30);
            sides.push((vertical.side, horizontal.side));
            corners.push((vertical.at, horizontal.at));
        }
        for list in [&mut sides, &mut corners] {
            list.sort_unstable();
            list.dedup();
        }
        assert_eq!(sides, [(18, 27), (18, 28), (19, 28), (19, 29)]);
        assert!(corners.contains(&(0, 0)) && corners.contains(&(2, 3)), "{corners:?}");
        let white = Tensor::<4>::ones([1, 3, 20, 30], &Device::default());
        let seen = values(one.scores(white.clone()));
        let [vertical, horizontal] = one.placed(&values(white), SIZE, 0);
        let inside = seen.iter().filter(|&&value| (value - 1.0).abs() < 1e-6).count();
        assert_eq!(inside, 3 * vertical.side * horizontal.side);
        assert!(seen.iter().all(|&value| value == 0.5 || (value - 1.0).abs() < 1e-6));
    }

    #[test]
    fn three_become_two_by_hand() {
        let placed = Placed { of: 3, side: 2, at: 1 };
        // Centres at 0.25 and 1.75.
        assert_eq!(placed.weights(), [0.0, 0.0, 0.0, 0.75, 0.25, 0.0, 0.0, 0.25, 0.75]);
    }

    #[test]
    fn gradients_are_the_mean_over_the_draws() {
        let (one, count) = (resized(1.0, 3, 2), 3 * 20 * 30);
        let images = images(1).autodiff().require_grad();
        let scores = one.scores(images.clone());
        let weights: Vec<f32> = (0..count).map(|at| (at % 7) as f32).collect();
        let weights = Tensor::from_data(TensorData::new(weights, [1, count]), &images.device());
        let gradient = images.grad(&(scores * weights.clone()).sum().backward()).unwrap();
        // Scores are linear while draws stay: of the map without its padding.
        let black = values(images.clone().inner());
        let drawn = |to: Tensor<4>| {
            let each = (0..3).map(|draw| one.drawn(&to, &black, draw));
            each.reduce(|sum, one| sum + one).unwrap() / 3.0
        };
        let step = images.inner().mul_scalar(-0.5).add_scalar(0.25);
        let zeros = drawn(step.zeros_like());
        let change = (drawn(step.clone()) - zeros).flatten::<2>(1, 3) * weights.inner();
        let (change, by_gradient) = (values(change.sum())[0], values((gradient * step).sum())[0]);
        assert!((change - by_gradient).abs() < 1e-3 * change.abs(), "{change} {by_gradient}");
    }
}
