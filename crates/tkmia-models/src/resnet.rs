//! A frozen residual network: [`ResNet`].

#[cfg(feature = "flex")]
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use tkmia_core::{Bounds, Classifier};

use crate::blueprint::Blueprint;
#[cfg(feature = "flex")]
use crate::fused;
use crate::layers::Layers;
use crate::memory::MemoryPlan;
use crate::{Architecture, ModelError, PassMemory};

/// A residual network made for attacking.
///
/// He et al., "Deep Residual Learning for Image Recognition", CVPR 2016. Batch norms are folded into
/// the convolutions and no weight asks for a gradient, so a backward pass leads to the images
/// alone, and a row's scores never depend on the other rows. The weights stay on a device without
/// autodiff; images may come from either. A clone shares the weights.
///
/// On the CPU backend a pass is one operation with kernels of its own, image by image, on all
/// threads of the rayon pool that it is called in; its results are the same to the last bit for any batch,
/// number of threads and vector width. Networks with groups, and other devices, use Burn's layers.
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
#[derive(Debug, Clone)]
pub struct ResNet {
    network: Network,
    device: Device,
    memory: MemoryPlan,
    architecture: Architecture,
    bounds: Bounds,
}

/// What computes the scores.
#[derive(Debug, Clone)]
enum Network {
    /// On the CPU backend: one operation of our own.
    #[cfg(feature = "flex")]
    Fused(Arc<fused::Network>),
    /// On any other, and for networks that the operation doesn't know: Burn's layers.
    Layers(Box<Layers>),
}

impl Network {
    #[cfg(feature = "flex")]
    fn fused(blueprint: &Blueprint, device: &Device) -> Option<Self> {
        let network = (*device == Device::flex()).then(|| fused::Network::new(blueprint));
        network.flatten().map(|network| Self::Fused(Arc::new(network)))
    }

    #[cfg(not(feature = "flex"))]
    fn fused(_: &Blueprint, _: &Device) -> Option<Self> {
        None
    }
}

impl ResNet {
    /// Builds the network, its batch norms folded.
    ///
    /// # Errors
    /// [`ModelError::NotFinite`](crate::ModelError::NotFinite) if folding makes a weight infinite.
    pub(crate) fn new(mut blueprint: Blueprint, device: &Device) -> Result<Self, ModelError> {
        let device = device.clone().without_autodiff();
        let architecture = Architecture::of(&blueprint);
        blueprint.fold()?;
        let fused = Network::fused(&blueprint, &device);
        let memory = MemoryPlan::of(&blueprint, fused.is_some());
        let network =
            fused.unwrap_or_else(|| Network::Layers(Box::new(Layers::new(blueprint, &device))));
        Ok(Self { network, device, memory, architecture, bounds: Bounds::SYMMETRIC })
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

    /// What passes of images of that height and width take of memory.
    pub fn pass_memory(&self, size: [usize; 2]) -> PassMemory {
        self.memory.at(size)
    }

    /// Logits of a batch of images.
    ///
    /// # Shapes
    /// - images: `[batch, 3, height, width]`, of [`input_size`](Classifier::input_size); where that is
    ///   `None`, large enough for the network's kernels
    /// - output: `[batch, classes]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        match &self.network {
            #[cfg(feature = "flex")]
            Network::Fused(network) => fused::scores(network, images),
            Network::Layers(layers) => layers.forward(images),
        }
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
        self.device.clone()
    }
}
