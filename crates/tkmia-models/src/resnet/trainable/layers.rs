//! The layers of a ResNet as Burn modules that can be trained.

use burn::module::{Module, RunningState};
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, BatchNormConfig, Linear};
use burn::tensor::{Device, Tensor, TensorData};

use crate::resnet::blueprint;
use crate::resnet::layers::{conv2d, parameter, residual};

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
        let channels = conv.shape[0];
        let mut norm = BatchNormConfig::new(channels).init(device);
        if let Some(read) = &conv.norm {
            let row = |values: &[f64]| single(values);
            norm.gamma = parameter(row(&read.gamma), [channels], device);
            norm.beta = parameter(row(&read.beta), [channels], device);
            let state = |values: &[f64]| {
                let data = TensorData::new(row(values), [channels]);
                RunningState::new(Tensor::from_data(data, device))
            };
            norm.running_mean = state(&read.mean);
            norm.running_var = state(&read.variance);
            norm.epsilon = read.epsilon;
        }
        let weight = parameter(conv.weights.clone(), conv.shape, device);
        Self { conv: conv2d(weight, None, &conv.window, conv.groups), norm }
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
        residual(&self.main, &self.projection, x, ConvNorm::forward)
    }

    /// In the order of the blueprint's convolutions.
    pub fn layers(&self) -> impl Iterator<Item = &ConvNorm> {
        self.main.iter().chain(&self.projection)
    }
}

/// The linear layer from pooled features to scores.
pub fn linear(head: &blueprint::Head, device: &Device) -> Linear {
    let blueprint::Head { features, classes, weights, bias, .. } = head;
    Linear {
        weight: parameter(weights.clone(), [*features, *classes], device),
        bias: Some(parameter(bias.clone(), [*classes], device)),
    }
}
