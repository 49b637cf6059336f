//! [`Perceptron`]: a network that is fast enough for thousands of passes.

use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use fastrand::Rng;
use tkmia::core::{Bounds, Classifier};

/// Side of what its first layer sees.
pub const SIDE: usize = 16;

/// A multi-layer perceptron with random weights, on the means of square cells.
#[derive(Debug)]
pub struct Perceptron {
    /// Side of a cell in pixels.
    cell: usize,
    layers: Vec<Tensor<2>>,
    bias: Tensor<2>,
}

impl Perceptron {
    /// With so many outputs of each layer, those of the last one being the scores.
    pub fn new(layers: &[usize], seed: u64) -> Self {
        Self::with(layers, seed, 1, 0.25)
    }

    /// On images that are larger by the side of a cell, and with biases of this variance: the larger, the further
    /// labels are from changing places.
    pub fn with(layers: &[usize], seed: u64, cell: usize, bias: f64) -> Self {
        let mut rng = Rng::with_seed(seed);
        // The variance is kept from layer to layer.
        let mut random = |rows: usize, columns: usize, variance: f64| {
            let most = (3.0 * variance).sqrt();
            let values = (0..rows * columns).map(|_| ((2.0 * rng.f64() - 1.0) * most) as f32);
            let data = TensorData::new(values.collect::<Vec<_>>(), [rows, columns]);
            Tensor::from_data(data, &Device::default())
        };
        let inputs = std::iter::once(&(3 * SIDE * SIDE)).chain(layers);
        let layers = inputs.zip(layers).map(|(&from, &to)| random(from, to, 2.0 / from as f64));
        let layers: Vec<Tensor<2>> = layers.collect();
        let bias = random(1, layers[layers.len() - 1].dims()[1], bias);
        Self { cell, layers, bias }
    }
}

impl Classifier for Perceptron {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let (last, hidden) = self.layers.split_last().expect("at least one layer");
        let layer = |values: Tensor<2>, weights: &Tensor<2>| relu(values.matmul(weights.clone()));
        let [rows, channels, height, _] = images.dims();
        let (side, cell) = (height / self.cell, self.cell);
        let cells = images.reshape([rows, channels, side, cell, side, cell]);
        // The mean of a cell of noise is smaller than the noise by the cell's side.
        let means = cells.sum_dim(3).sum_dim(5).div_scalar(self.cell as f32);
        let values = hidden.iter().fold(means.flatten(1, 5), layer);
        values.matmul(last.clone()) + self.bias.clone()
    }

    fn classes(&self) -> usize {
        self.bias.dims()[1]
    }

    fn bounds(&self) -> Bounds {
        Bounds::SYMMETRIC
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        Some([self.cell * SIDE; 2])
    }

    fn device(&self) -> Device {
        self.bias.device()
    }
}
