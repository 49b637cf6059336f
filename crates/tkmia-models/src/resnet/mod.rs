//! A frozen residual network: [`ResNet`].

pub(crate) mod architecture;
pub(crate) mod blueprint;
mod filter;
#[cfg(feature = "flex")]
mod fused;
mod layers;
mod memory;
pub(crate) mod trainable;

#[cfg(feature = "flex")]
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use tkmia_core::{Bounds, Classifier, PassMemory};

use self::blueprint::Blueprint;
use self::layers::Layers;
use self::memory::MemoryPlan;
use crate::{Architecture, ModelError};

/// A residual network made for attacking.
///
/// He et al., "Deep Residual Learning for Image Recognition", CVPR 2016. Batch norms are folded into
/// the convolutions and no weight asks for a gradient, so a backward pass leads to the images
/// alone, and a row's scores never depend on the other rows. The weights stay on a device without
/// autodiff; images may come from either.
///
/// On the CPU backend a pass is one operation with kernels of its own, image by image, on all
/// threads of the rayon pool that it is called in; its results are the same to the last bit for any batch,
/// number of threads and vector width. Networks with groups, and other devices, use Burn's layers.
#[derive(Debug)]
pub(crate) struct ResNet {
    network: Network,
    device: Device,
    memory: MemoryPlan,
    architecture: Architecture,
    label_names: Option<Vec<String>>,
    bounds: Bounds,
}

/// What computes the scores.
#[derive(Debug)]
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
    pub fn new(mut blueprint: Blueprint, device: &Device) -> Result<Self, ModelError> {
        let device = device.clone().without_autodiff();
        let architecture = Architecture::of(&blueprint);
        blueprint.fold()?;
        let fused = Network::fused(&blueprint, &device);
        let memory = MemoryPlan::of(&blueprint, fused.is_some());
        let label_names = blueprint.label_names.take();
        let network =
            fused.unwrap_or_else(|| Network::Layers(Box::new(Layers::new(blueprint, &device))));
        let bounds = Bounds::SYMMETRIC;
        Ok(Self { network, device, memory, architecture, label_names, bounds })
    }

    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The same network for images of another range than `[-1, 1]`.
    pub fn with_bounds(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }
}

impl Classifier for ResNet {
    /// Images are of [`input_size`](Classifier::input_size), or large enough for the network's kernels.
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        match &self.network {
            #[cfg(feature = "flex")]
            Network::Fused(network) => fused::scores(network, images),
            Network::Layers(layers) => layers.forward(images),
        }
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

    fn pass_memory(&self, size: [usize; 2]) -> PassMemory {
        self.memory.at(size)
    }

    fn label_names(&self) -> Option<&[String]> {
        self.label_names.as_deref()
    }

    fn description(&self) -> String {
        self.architecture.to_string()
    }
}
