//! A function of the CPU backend with a way back of its own, as a node of Burn's graph: [`apply`].

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::{
    BalancedCheckpointing, CheckpointStrategy, NoCheckpointing,
};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, AutodiffBackend, DispatchKindConversion, DispatchTensor, Flex, TensorMetadata,
};
use burn::tensor::{Tensor, TensorData};

/// A tensor of the CPU backend, of any rank.
pub(crate) type Floats = FloatTensor<Flex>;

/// From the gradient of the output, side by side in memory, to those of the inputs that are asked for.
pub(crate) type Back<const N: usize> =
    Box<dyn FnOnce(Floats, [bool; N]) -> [Option<Floats>; N] + Send>;

/// What `compute` makes of inputs on the CPU; gradients go the way back that it gives with that.
pub(crate) fn apply<const N: usize>(
    inputs: [DispatchTensor; N],
    compute: impl FnOnce([Floats; N]) -> (Floats, Back<N>),
) -> DispatchTensor {
    // A tensor's rank is in its type alone: any will do.
    let inputs = inputs.map(Tensor::<1>::from_dispatch);
    let Some(tracked) = inputs.iter().find(|input| input.is_autodiff()).cloned() else {
        let (output, _) = compute(inputs.map(plain));
        return Tensor::<1>::from_primitive::<Flex>(output).into_dispatch();
    };
    match tracked.try_into_primitive::<Autodiff<Flex, NoCheckpointing>>() {
        Ok(_) => recorded::<NoCheckpointing, N>(inputs, compute),
        Err(_) => recorded::<BalancedCheckpointing, N>(inputs, compute),
    }
}

fn recorded<C: CheckpointStrategy, const N: usize>(
    inputs: [Tensor<1>; N],
    compute: impl FnOnce([Floats; N]) -> (Floats, Back<N>),
) -> DispatchTensor
where
    DispatchTensor: DispatchKindConversion<Autodiff<Flex, C>>,
{
    let parts = inputs.map(|input| {
        let input = match input.is_autodiff() {
            true => input.try_into_primitive::<Autodiff<Flex, C>>().expect(SAME_DEVICE),
            false => Autodiff::<Flex, C>::from_inner(plain(input)),
        };
        let (values, node) = input.into_parts();
        (Some(values), Some(node))
    });
    let mut parts = parts;
    let values = parts.each_mut().map(|(values, _)| values.take().expect("taken once"));
    let nodes = parts.map(|(_, node)| node.expect("taken once"));
    let prepared = Way.prepare::<C>(nodes).compute_bound().stateful();
    let (output, back) = compute(values);
    let output = match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(Kept::new(back), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    Tensor::<1>::from_primitive::<Autodiff<Flex, C>>(output).into_dispatch()
}

const SAME_DEVICE: &str = "all inputs lie on the CPU, in one graph";

/// The backward step of any function.
#[derive(Debug)]
struct Way;

/// A way back until it is gone.
#[derive(Clone)]
struct Kept<const N: usize>(Arc<Mutex<Option<Back<N>>>>);

impl<const N: usize> Kept<N> {
    fn new(back: Back<N>) -> Self {
        Self(Arc::new(Mutex::new(Some(back))))
    }
}

impl<const N: usize> fmt::Debug for Kept<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

impl<const N: usize> Backward<Flex, N> for Way {
    type State = Kept<N>;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = contiguous(gradients.consume::<Flex>(&ops.node));
        let back = ops.state.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let back = back.expect("Burn walks a graph back once");
        let asked = ops.parents.each_ref().map(Option::is_some);
        for (parent, gradient) in ops.parents.into_iter().zip(back(gradient, asked)) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

fn plain(tensor: Tensor<1>) -> Floats {
    tensor.try_into_primitive::<Flex>().expect(SAME_DEVICE)
}

/// The same tensor with its values side by side, and nothing else in memory with them.
pub(crate) fn contiguous(tensor: Floats) -> Floats {
    tensor.to_contiguous()
}

/// The values of a contiguous tensor.
pub(crate) fn values(tensor: &Floats) -> &[f32] {
    tensor.as_slice().expect("made contiguous")
}

/// The shape of a tensor.
pub(crate) fn shape(tensor: &Floats) -> Vec<usize> {
    tensor.shape().to_vec()
}

pub(crate) fn tensor(values: Vec<f32>, shape: &[usize]) -> Floats {
    Flex::float_from_data(TensorData::new(values, shape.to_vec()), &Default::default())
}
