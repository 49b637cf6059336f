//! The layers of a ResNet as Burn modules that can be trained.

use burn::module::{Module, Param, RunningState};
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};

use crate::blueprint;

/// A tensor that asks for gradients.
fn trained<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
}

/// The values of a tensor, row-major.
pub fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_to_vec_as().expect("float tensors convert to f32")
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

fn double<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    host(tensor).into_iter().map(f64::from).collect()
}

/// A convolution with its batch norm.
#[derive(Module, Debug)]
pub struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

impl ConvNorm {
    /// Of a convolution that has a norm.
    pub fn new(conv: &blueprint::Convolution, device: &Device) -> Self {
        let blueprint::Window { kernel, stride, padding, dilation, .. } = conv.window;
        let [top, left, bottom, right] = padding;
        let channels = conv.shape[0];
        let mut norm = BatchNormConfig::new(channels).init(device);
        if let Some(read) = &conv.norm {
            let row = |values: &[f64]| single(values);
            norm.gamma = trained(row(&read.gamma), [channels], device);
            norm.beta = trained(row(&read.beta), [channels], device);
            let state = |values: &[f64]| {
                let data = TensorData::new(row(values), [channels]);
                RunningState::new(Tensor::from_data(data, device))
            };
            norm.running_mean = state(&read.mean);
            norm.running_var = state(&read.variance);
            norm.epsilon = read.epsilon;
        }
        let conv = Conv2d {
            weight: trained(conv.weights.clone(), conv.shape, device),
            bias: None,
            stride,
            kernel_size: kernel,
            dilation,
            groups: conv.groups,
            padding: PaddingConfig2d::Explicit(top, left, bottom, right),
        };
        Self { conv, norm }
    }

    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(images))
    }

    /// Writes its weights into the plan that it was built from.
    pub fn read_into(&self, plan: &mut blueprint::Convolution) {
        plan.weights = host(self.conv.weight.val());
        plan.norm = Some(blueprint::BatchNorm {
            gamma: double(self.norm.gamma.val()),
            beta: double(self.norm.beta.val()),
            mean: double(self.norm.running_mean.value_sync()),
            variance: double(self.norm.running_var.value_sync()),
            epsilon: self.norm.epsilon,
        });
    }
}

/// A residual block: `relu(main(x) + shortcut(x))`.
#[derive(Module, Debug)]
pub struct Block {
    main: Vec<ConvNorm>,
    projection: Option<ConvNorm>,
}

impl Block {
    pub fn new(block: &blueprint::Block, device: &Device) -> Self {
        let new = |conv| ConvNorm::new(conv, device);
        Self {
            main: block.main.iter().map(new).collect(),
            projection: block.projection.as_ref().map(new),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut main = x.clone();
        for (at, layer) in self.main.iter().enumerate() {
            main = layer.forward(if at == 0 { main } else { relu(main) });
        }
        let shortcut = match &self.projection {
            Some(layer) => layer.forward(x),
            None => x,
        };
        relu(main + shortcut)
    }

    pub fn read_into(&self, plan: &mut blueprint::Block) {
        let layers = self.main.iter().chain(&self.projection);
        for (layer, conv) in layers.zip(plan.main.iter_mut().chain(&mut plan.projection)) {
            layer.read_into(conv);
        }
    }
}

/// The linear layer from pooled features to scores.
pub fn linear(head: &blueprint::Head, device: &Device) -> Linear {
    let blueprint::Head { features, classes, weights, bias, .. } = head;
    Linear {
        weight: trained(weights.clone(), [*features, *classes], device),
        bias: Some(trained(bias.clone(), [*classes], device)),
    }
}
