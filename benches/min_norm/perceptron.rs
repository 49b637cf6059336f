//! [`Perceptron`]: a network that is fast enough for thousands of passes.

use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use fastrand::Rng;
use tkmia::core::{Bounds, Classifier};

/// Side of its images in pixels.
pub const SIDE: usize = 16;

/// A multi-layer perceptron with random weights.
#[derive(Debug)]
pub struct Perceptron {
    layers: Vec<Tensor<2>>,
    bias: Tensor<2>,
}

impl Perceptron {
    /// With so many outputs of each layer, those of the last one being the scores.
    pub fn new(layers: &[usize], seed: u64) -> Self {
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
        let bias = random(1, layers[layers.len() - 1].dims()[1], 0.25);
        Self { layers, bias }
    }
}

impl Classifier for Perceptron {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let (last, hidden) = self.layers.split_last().expect("at least one layer");
        let layer = |values: Tensor<2>, weights: &Tensor<2>| relu(values.matmul(weights.clone()));
        let values = hidden.iter().fold(images.flatten(1, 3), layer);
        values.matmul(last.clone()) + self.bias.clone()
    }

    fn classes(&self) -> usize {
        self.bias.dims()[1]
    }

    fn bounds(&self) -> Bounds {
        Bounds::SYMMETRIC
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        Some([SIDE, SIDE])
    }

    fn device(&self) -> Device {
        self.bias.device()
    }
}
