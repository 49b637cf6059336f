//! A residual network whose weights can be trained: [`TrainableResNet`].

mod layers;
pub(crate) mod scratch;

use std::io;
use std::path::Path;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use tkmia_core::Classifier;
use tkmia_file::write_whole;

use self::layers::{Block, ConvNorm, host, linear};
pub use self::scratch::ARCHITECTURES;
use crate::format::state_dict;
use crate::resnet::ResNet;
use crate::resnet::blueprint::{Blueprint, Convolution, Head};
use crate::resnet::layers::MaxPool;
use crate::{Architecture, ModelError, load};

/// A residual network with batch norms of its own, on an autodiff device, to be trained.
///
/// It is built [with new weights](Self::new) or [from a file](Self::load), given a [new
/// head](Self::with_head), trained by any of Burn's optimisers, and then [saved](Self::save) as a
/// safetensors file with torchvision's names, which [`load`](crate::load()) and PyTorch read. For
/// scoring, [`victim`](Self::victim) is the same network frozen, its batch norms folded.
///
/// # Example: what is saved scores the same
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tkmia_core::Classifier;
/// use tkmia_models::{TrainableResNet, load};
///
/// let device = Device::flex();
/// let network = TrainableResNet::new("resnet10", 4, 20, 7, &device)?;
/// let images = Tensor::zeros([2, 3, 32, 32], &network.device());
/// // By the batch's own statistics, and with gradients: this is what a loss is made of.
/// assert!(network.forward(images).is_autodiff());
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("fresh.safetensors");
/// network.save(&path, Some(32))?;
/// let victim = load(&path, &device)?;
/// assert_eq!(victim.input_size(), Some([32, 32]));
/// let images = Tensor::zeros([2, 3, 32, 32], &device);
/// let scores = victim.scores(images.clone()).into_data();
/// assert_eq!(scores, network.victim()?.scores(images).into_data());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Module, Debug)]
pub struct TrainableResNet {
    stem: ConvNorm,
    pool: MaxPool,
    blocks: Vec<Block>,
    head: Linear,
    /// The network without its weights.
    #[module(skip)]
    plan: Blueprint,
}

impl TrainableResNet {
    /// A network of a name among [`ARCHITECTURES`] with new weights, drawn by the seed.
    ///
    /// `width` is that of the stem and of the first stage: 64 for the networks of the paper that
    /// gave them their names, less for smaller ones. Weights are drawn as torchvision does
    /// (He et al., "Delving Deep into Rectifiers", ICCV 2015, by fan-out).
    ///
    /// # Errors
    /// [`ModelError::UnknownArchitecture`] for another name, a width or a number of labels of 0.
    pub fn new(
        name: &str,
        width: usize,
        classes: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ModelError> {
        Ok(Self::build(scratch::network(name, width, classes, seed)?, device))
    }

    /// Reads a network from any file that [`load`](crate::load()) reads, if its batch norms aren't
    /// folded.
    ///
    /// # Errors
    /// Those of [`load`](crate::load()), and [`ModelError::NotTrainable`] where batch norms are folded, or
    /// the graph has strides, or a normalisation of images, that torchvision's names can't tell.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, ModelError> {
        let path = path.as_ref();
        let network = load::blueprint(path)?;
        check(&network).map_err(|fault| ModelError::in_file(path, fault))?;
        Ok(Self::build(network, device))
    }

    /// The same network with a new head of so many labels, drawn by the seed as PyTorch does.
    ///
    /// # Panics
    /// If there is no label.
    pub fn with_head(mut self, classes: usize, seed: u64) -> Self {
        assert!(classes > 0, "a head has at least one label");
        let head = scratch::head(self.plan.head.features, classes, seed);
        self.head = linear(&head, &self.device());
        self.plan.head = without_weights(head);
        self.plan.label_names = None;
        self
    }

    fn build(network: Blueprint, device: &Device) -> Self {
        let device = &device.clone().autodiff();
        let pool = network.pool.clone().unwrap_or(state_dict::POOL);
        Self {
            stem: ConvNorm::new(&network.stem, device),
            pool: MaxPool::new(pool),
            blocks: network.blocks.iter().map(|block| Block::new(block, device)).collect(),
            head: linear(&network.head, device),
            plan: plan(network),
        }
    }

    /// Logits of a batch of images on [`device`](Self::device), by the batch's own statistics.
    ///
    /// # Shapes
    /// - images: `[batch, 3, height, width]`
    /// - output: `[batch, classes]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let mut x = self.pool.forward(relu(self.stem.forward(images)));
        for block in &self.blocks {
            x = block.forward(x);
        }
        self.head.forward(x.mean_dims(&[2, 3]).flatten(1, 3))
    }

    /// The device of its weights, with autodiff.
    pub fn device(&self) -> Device {
        self.head.weight.device()
    }

    /// What the network is.
    pub fn architecture(&self) -> Architecture {
        Architecture::of(&self.network())
    }

    /// The network as it is now, frozen, for images of any size.
    ///
    /// # Errors
    /// [`ModelError::NotFinite`] if training has gone astray.
    pub fn victim(&self) -> Result<Box<dyn Classifier>, ModelError> {
        Ok(Box::new(ResNet::new(self.network(), &self.device())?))
    }

    /// Writes the network as a safetensors file with torchvision's names, whole or not at all.
    ///
    /// `side` is the side of the square images that it was trained on, in pixels.
    ///
    /// # Errors
    /// [`ModelError::Write`].
    pub fn save(&self, path: impl AsRef<Path>, side: Option<usize>) -> Result<(), ModelError> {
        let path = path.as_ref();
        let bytes = state_dict::to_safetensors(&self.network(), side).map_err(io::Error::other);
        let written = bytes.and_then(|bytes| write_whole(path, bytes));
        written.map_err(|source| ModelError::Write { path: path.to_owned(), source })
    }

    /// The network with its weights as they are now.
    fn network(&self) -> Blueprint {
        let mut network = self.plan.clone();
        let layers = std::iter::once(&self.stem).chain(self.blocks.iter().flat_map(Block::layers));
        layers.zip(network.convolutions_mut()).for_each(|(layer, conv)| layer.read_into(conv));
        network.head.weights = host(self.head.weight.val());
        network.head.bias =
            self.head.bias.as_ref().map(|bias| host(bias.val())).unwrap_or_default();
        network
    }
}

/// Whether a network can be trained, and then told by torchvision's names.
fn check(network: &Blueprint) -> Result<(), ModelError> {
    let refuse = |reason| Err(ModelError::NotTrainable { reason });
    if network.convolutions().any(|conv| conv.norm.is_none()) {
        return refuse(
            "its batch norms are folded: give a state dict, or an export that keeps them",
        );
    }
    if network.normalisation.is_some() {
        return refuse("it normalises images itself, which a state dict doesn't tell");
    }
    let told = state_dict::to_safetensors(network, None)
        .map_err(|source| ModelError::NotSafetensors { source })
        .and_then(state_dict::from_safetensors)
        .and_then(|dict| state_dict::recognise(&dict));
    let window = |conv: &Convolution| (conv.window.clone(), conv.groups);
    let same = told.is_ok_and(|told| {
        told.pool == network.pool
            && told.convolutions().map(window).eq(network.convolutions().map(window))
    });
    match same {
        true => Ok(()),
        false => refuse("its strides, kernels or pooling aren't those of torchvision's resnets"),
    }
}

/// A network without its weights.
fn plan(mut network: Blueprint) -> Blueprint {
    for conv in network.convolutions_mut() {
        (conv.weights, conv.norm) = (Vec::new(), None);
    }
    network.head = without_weights(network.head);
    network.sigmoid = false;
    network
}

fn without_weights(head: Head) -> Head {
    Head { weights: Vec::new(), bias: Vec::new(), ..head }
}
