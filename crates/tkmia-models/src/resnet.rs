//! A frozen residual network: [`ResNet`].

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use tkmia_core::{Bounds, Classifier};

use crate::blueprint::Blueprint;
use crate::layers::{Block, Convolution, MaxPool, Normalisation, linear};
use crate::{Architecture, ModelError};

/// A residual network made for attacking.
///
/// He et al., "Deep Residual Learning for Image Recognition", CVPR 2016. Batch norms are folded into
/// the convolutions and no weight asks for a gradient, so a backward pass leads to the images
/// alone, and a row's scores never depend on the other rows. The weights stay on a device without
/// autodiff; images may come from either. A clone shares the weights.
///
/// Read one with [`load`](crate::load).
///
/// # Example: the gradient of a score with respect to the image
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tkmia_core::Classifier;
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/variants/legacy-17.onnx");
/// let device = Device::flex();
/// let model = tkmia_models::load(path, &device)?;
///
/// let images = Tensor::<4>::zeros([1, 3, 32, 32], &device).autodiff().require_grad();
/// let score = model.scores(images.clone()).slice([0..1, 0..1]).sum();
/// let gradient = images.grad(&score.backward()).expect("the images ask for it");
/// assert_eq!(gradient.dims(), [1, 3, 32, 32]);
/// # Ok::<(), tkmia_models::ModelError>(())
/// ```
#[derive(Module, Debug)]
pub struct ResNet {
    normalisation: Option<Normalisation>,
    stem: Convolution,
    pool: Option<MaxPool>,
    blocks: Vec<Block>,
    head: Conv2d,
    #[module(skip)]
    architecture: Architecture,
    #[module(skip)]
    bounds: Bounds,
}

impl ResNet {
    /// Builds the network, its batch norms folded.
    ///
    /// # Errors
    /// [`ModelError::NotFinite`](crate::ModelError::NotFinite) if folding makes a weight infinite.
    pub(crate) fn new(mut blueprint: Blueprint, device: &Device) -> Result<Self, ModelError> {
        let device = &device.clone().without_autodiff();
        let architecture = Architecture::of(&blueprint);
        blueprint.fold()?;
        Ok(Self {
            normalisation: blueprint.normalisation.map(|map| Normalisation::new(map, device)),
            stem: Convolution::new(blueprint.stem, device),
            pool: blueprint.pool.map(MaxPool::new),
            blocks: blueprint.blocks.into_iter().map(|block| Block::new(block, device)).collect(),
            head: linear(blueprint.head, device),
            architecture,
            bounds: Bounds::SYMMETRIC,
        }
        .freeze())
    }

    /// The same network for images of another range than `[-1, 1]`.
    ///
    /// Images aren't rescaled: the bounds tell an attack what the network was trained on.
    pub fn with_bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// What the network is.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Logits of a batch of images.
    ///
    /// # Shapes
    /// - images: `[batch, 3, height, width]`, of [`input_size`](Classifier::input_size); where that is
    ///   `None`, large enough for the network's kernels
    /// - output: `[batch, classes]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let images = match &self.normalisation {
            Some(normalisation) => normalisation.forward(images),
            None => images,
        };
        let mut x = relu(self.stem.forward(images));
        if let Some(pool) = &self.pool {
            x = pool.forward(x);
        }
        for block in &self.blocks {
            x = block.forward(x);
        }
        self.head.forward(x.mean_dims(&[2, 3])).flatten(1, 3)
    }
}

impl Classifier for ResNet {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images)
    }

    fn classes(&self) -> usize {
        self.architecture.classes
    }

    fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        self.architecture.input_size
    }

    fn device(&self) -> Device {
        self.head.weight.val().device()
    }
}
