//! A network that takes images in another range than it was given: [`Normalised`].

use burn::tensor::{Device, Tensor};
use tkmia_core::{Bounds, Classifier, PassMemory};

/// Mean and standard deviation of each channel, which the network's images are normalised by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalisation {
    /// Of red, green and blue, in the range of the images.
    pub mean: [f32; 3],
    /// The same.
    pub std: [f32; 3],
}

/// A network behind `(images − mean) / std`.
#[derive(Debug)]
pub struct Normalised {
    network: Box<dyn Classifier>,
    mean: Tensor<4>,
    std: Tensor<4>,
}

impl Normalised {
    pub fn new(network: Box<dyn Classifier>, normalisation: &Normalisation) -> Self {
        let device = network.device();
        let line =
            |values: [f32; 3]| Tensor::<1>::from_floats(values, &device).reshape([1, 3, 1, 1]);
        Self { mean: line(normalisation.mean), std: line(normalisation.std), network }
    }
}

impl Classifier for Normalised {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let beside = |line: &Tensor<4>| match images.is_autodiff() {
            true => line.clone().to_device(&images.device()),
            false => line.clone(),
        };
        self.network.scores((images.clone() - beside(&self.mean)) / beside(&self.std))
    }

    fn classes(&self) -> usize {
        self.network.classes()
    }

    fn bounds(&self) -> Bounds {
        self.network.bounds()
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        self.network.input_size()
    }

    fn device(&self) -> Device {
        self.network.device()
    }

    fn pass_memory(&self, size: [usize; 2]) -> PassMemory {
        self.network.pass_memory(size)
    }

    fn label_names(&self) -> Option<&[String]> {
        self.network.label_names()
    }

    fn notes(&self) -> &[String] {
        self.network.notes()
    }

    fn description(&self) -> String {
        format!("{}, images normalised", self.network.description())
    }
}
