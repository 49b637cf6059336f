//! The network as a node of Burn's graph: [`scores`].

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::{
    BalancedCheckpointing, CheckpointStrategy, NoCheckpointing,
};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{Device, FloatDType, Tensor, TensorData};

use super::network::{Network, Tape};

/// Scores of a batch; gradients lead back to the images if those ask for them.
///
/// # Shapes
/// - images: `[batch, channels, height, width]`, on the CPU backend, with autodiff or without
/// - output: `[batch, classes]`
pub(crate) fn scores(network: &Arc<Network>, images: Tensor<4>) -> Tensor<2> {
    if !images.is_autodiff() {
        return forward(network, images).0;
    }
    match images.clone().try_into_primitive::<Autodiff<Flex, NoCheckpointing>>() {
        Ok(images) => {
            Tensor::from_primitive::<Autodiff<Flex, NoCheckpointing>>(tracked::<NoCheckpointing>(
                network, images,
            ))
        }
        Err(_) => {
            let images = images
                .try_into_primitive::<Autodiff<Flex, BalancedCheckpointing>>()
                .expect("images lie on the network's device");
            Tensor::from_primitive::<Autodiff<Flex, BalancedCheckpointing>>(tracked::<
                BalancedCheckpointing,
            >(
                network, images
            ))
        }
    }
}

fn tracked<C: CheckpointStrategy>(
    network: &Arc<Network>,
    images: FloatTensor<Autodiff<Flex, C>>,
) -> FloatTensor<Autodiff<Flex, C>> {
    let (images, node) = images.into_parts();
    let images = Tensor::<4>::from_primitive::<Flex>(images);
    let prepared = Pass.prepare::<C>([node]).compute_bound().stateful();
    let (scores, tape) = forward(network, images);
    let scores = primitive(scores);
    match prepared {
        OpsKind::Tracked(prepared) => prepared.finish((network.clone(), Arc::new(tape)), scores),
        OpsKind::UnTracked(prepared) => prepared.finish(scores),
    }
}

fn forward(network: &Network, images: Tensor<4>) -> (Tensor<2>, Tape) {
    let (device, shape) = (images.device(), images.dims());
    let (scores, tape) = network.forward(values(&contiguous(images)), shape);
    (tensor(scores, [shape[0], network.classes()], &device), tape)
}

/// Forward and backward of the network.
#[derive(Debug)]
struct Pass;

impl Backward<Flex, 1> for Pass {
    type State = (Arc<Network>, Arc<Tape>);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let scores = Tensor::<2>::from_primitive::<Flex>(gradients.consume::<Flex>(&ops.node));
        let [parent] = ops.parents;
        if let Some(parent) = parent {
            let (network, tape) = ops.state;
            let (device, images) = (scores.device(), scores.dims()[0]);
            let gradient = network.backward(&tape, values(&contiguous(scores)));
            let gradient = tensor(gradient, tape.shape(images, &network), &device);
            gradients.register::<Flex>(parent.id, primitive(gradient));
        }
    }
}

/// The same tensor in `f32`, its values side by side.
fn contiguous<const D: usize>(tensor: Tensor<D>) -> FloatTensor<Flex> {
    primitive(tensor.cast(FloatDType::F32)).to_contiguous()
}

fn values(tensor: &FloatTensor<Flex>) -> &[f32] {
    tensor.as_slice().expect("made contiguous")
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn primitive<const D: usize>(tensor: Tensor<D>) -> FloatTensor<Flex> {
    tensor.try_into_primitive::<Flex>().expect("made on the CPU backend")
}
