//! The layers of a ResNet as frozen Burn modules.

use burn::module::{Module, Param};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::tensor::activation::relu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor, TensorData, s};

use crate::resnet::blueprint::{self, Blueprint};

/// A tensor of weights, which asks for gradients on an autodiff device.
pub(crate) fn parameter<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
}

/// A tensor that asks for no gradient.
fn frozen<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Param<Tensor<D>> {
    parameter(values, shape, device).set_require_grad(false)
}

/// A network as Burn's layers.
#[derive(Module, Debug)]
pub(crate) struct Layers {
    normalisation: Option<Normalisation>,
    stem: Convolution,
    pool: Option<MaxPool>,
    blocks: Vec<Block>,
    head: Conv2d,
}

impl Layers {
    /// Of a blueprint with folded batch norms; no weight asks for a gradient.
    pub fn new(blueprint: Blueprint, device: &Device) -> Self {
        Self {
            normalisation: blueprint.normalisation.map(|map| Normalisation::new(map, device)),
            stem: Convolution::new(blueprint.stem, device),
            pool: blueprint.pool.map(MaxPool::new),
            blocks: blueprint.blocks.into_iter().map(|block| Block::new(block, device)).collect(),
            head: linear(blueprint.head, device),
        }
        .freeze()
    }

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

/// What is done to each channel of the images: `scale · x + shift`.
#[derive(Module, Debug)]
struct Normalisation {
    scale: Param<Tensor<4>>,
    shift: Param<Tensor<4>>,
}

impl Normalisation {
    pub fn new(map: blueprint::ChannelMap, device: &Device) -> Self {
        let each = |values: Vec<f64>| {
            let values: Vec<f32> = values.into_iter().map(|v| v as f32).collect();
            let channels = values.len();
            frozen(values, [1, channels, 1, 1], device)
        };
        Self { scale: each(map.scale), shift: each(map.shift) }
    }

    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        images * self.scale.val() + self.shift.val()
    }
}

/// A convolution that skips what a strided 1×1 kernel would skip.
///
/// A 1×1 kernel of stride `s` reads every `s`-th pixel: taking those first and convolving them with
/// stride 1 is the same sum, and the CPU backend has a faster path for it.
#[derive(Module, Debug)]
pub(crate) struct Convolution {
    conv: Conv2d,
    #[module(skip)]
    subsample: [usize; 2],
}

impl Convolution {
    pub fn new(conv: blueprint::Convolution, device: &Device) -> Self {
        let mut window = conv.window;
        let pointwise = window.kernel == [1, 1] && window.padding == [0; 4];
        let subsample =
            if pointwise { std::mem::replace(&mut window.stride, [1, 1]) } else { [1, 1] };
        let channels = conv.bias.len();
        let weight = frozen(conv.weights, conv.shape, device);
        let bias = frozen(conv.bias, [channels], device);
        Self { conv: conv2d(weight, Some(bias), &window, conv.groups), subsample }
    }

    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let images = match self.subsample {
            [1, 1] => images,
            [down, across] => images.slice(s![.., .., ..;down, ..;across]),
        };
        self.conv.forward(images)
    }
}

/// A residual block: `relu(main(x) + shortcut(x))`.
#[derive(Module, Debug)]
struct Block {
    main: Vec<Convolution>,
    projection: Option<Convolution>,
}

impl Block {
    pub fn new(block: blueprint::Block, device: &Device) -> Self {
        let new = |conv| Convolution::new(conv, device);
        Self {
            main: block.main.into_iter().map(new).collect(),
            projection: block.projection.map(new),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        residual(&self.main, &self.projection, x, Convolution::forward)
    }
}

/// What a residual block computes: `relu(main(x) + shortcut(x))`, with a ReLU between the layers of `main`.
pub(crate) fn residual<L>(
    main: &[L],
    projection: &Option<L>,
    x: Tensor<4>,
    forward: impl Fn(&L, Tensor<4>) -> Tensor<4>,
) -> Tensor<4> {
    let mut through = x.clone();
    for (at, layer) in main.iter().enumerate() {
        through = forward(layer, if at == 0 { through } else { relu(through) });
    }
    let shortcut = match projection {
        Some(layer) => forward(layer, x),
        None => x,
    };
    relu(through + shortcut)
}

/// Burn's convolution of a window.
pub(crate) fn conv2d(
    weight: Param<Tensor<4>>,
    bias: Option<Param<Tensor<1>>>,
    window: &blueprint::Window,
    groups: usize,
) -> Conv2d {
    let blueprint::Window { kernel, stride, padding, dilation, .. } = *window;
    let [top, left, bottom, right] = padding;
    let padding = PaddingConfig2d::Explicit(top, left, bottom, right);
    Conv2d { weight, bias, stride, kernel_size: kernel, dilation, groups, padding }
}

/// The stem's max-pooling.
#[derive(Module, Debug)]
pub(crate) struct MaxPool {
    #[module(skip)]
    options: MaxPoolOptions<2>,
}

impl MaxPool {
    pub fn new(window: blueprint::Window) -> Self {
        let [top, left, bottom, right] = window.padding;
        let options = MaxPoolOptions::new(window.kernel)
            .with_stride(window.stride)
            .with_padding_pairs([(top, bottom), (left, right)])
            .with_dilation(window.dilation)
            .with_ceil_mode(window.ceil);
        Self { options }
    }

    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        max_pool2d(images, self.options.clone())
    }
}

/// The linear layer from pooled features to scores, as a 1×1 convolution.
///
/// The CPU backend computes a convolution image by image, but a linear layer as one matrix product,
/// whose rounding depends on its number of rows. As a convolution a row's scores and gradient are the
/// same to the last bit, whatever else is in the batch.
fn linear(head: blueprint::Head, device: &Device) -> Conv2d {
    let blueprint::Head { features, classes, weights, bias, .. } = head;
    let weights = Tensor::<2>::from_data(TensorData::new(weights, [features, classes]), device);
    let weights = weights.transpose().reshape([classes, features, 1, 1]);
    let weight = Param::from_tensor(weights).set_require_grad(false);
    let window = blueprint::Window::square(1, 1, 0);
    conv2d(weight, Some(frozen(bias, [classes], device)), &window, 1)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;
    use burn::tensor::module::conv2d;
    use burn::tensor::ops::{ConvOptions, PadMode};

    use super::*;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.try_into_data().unwrap().try_to_vec().unwrap()
    }

    /// Asserts that a layer gives the output of `f`, and the gradient of the sum of its squares.
    fn compare(
        conv: blueprint::Convolution,
        images: Tensor<4>,
        f: impl Fn(Tensor<4>, Tensor<4>, Tensor<1>) -> Tensor<4>,
    ) {
        let device = images.device();
        let weight = Tensor::from_data(TensorData::new(conv.weights.clone(), conv.shape), &device);
        let bias = Tensor::from_data(TensorData::new(conv.bias.clone(), [conv.shape[0]]), &device);
        let layer = Convolution::new(conv, &device);
        let run = |f: &dyn Fn(Tensor<4>) -> Tensor<4>| {
            let x = images.clone().autodiff().require_grad();
            let y = f(x.clone());
            let gradient = x.grad(&y.clone().powi_scalar(2).sum().backward()).unwrap();
            (values(y.inner()), values(gradient))
        };
        let (found, expected) =
            (run(&|x| layer.forward(x)), run(&|x| f(x, weight.clone(), bias.clone())));
        for (found, expected) in [(found.0, expected.0), (found.1, expected.1)] {
            assert_eq!(found.len(), expected.len());
            for (a, b) in found.iter().zip(&expected) {
                assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0), "{a} against {b}");
            }
        }
    }

    fn convolution(
        kernel: usize,
        stride: [usize; 2],
        padding: [usize; 4],
    ) -> blueprint::Convolution {
        let shape = [4, 3, kernel, kernel];
        let count = shape.iter().product::<usize>();
        blueprint::Convolution {
            name: "w".into(),
            stored: crate::FloatType::F32,
            norm: None,
            shape,
            weights: (0..count).map(|i| (i as f32 * 0.7).sin() * 0.5).collect(),
            bias: vec![0.1, -0.2, 0.3, 0.0],
            window: blueprint::Window {
                stride,
                padding,
                ..blueprint::Window::square(kernel, 1, 0)
            },
            groups: 1,
            output_size: [1, 1],
        }
    }

    fn images(height: usize, width: usize) -> Tensor<4> {
        let device = Device::flex();
        Tensor::random([2, 3, height, width], Distribution::Uniform(-1.0, 1.0), &device)
    }

    #[test]
    fn skipping_pixels_first_is_a_strided_1x1_convolution() {
        for (stride, size) in [([2, 2], [8, 8]), ([2, 2], [7, 9]), ([3, 1], [7, 5])] {
            let options = ConvOptions::new(stride, [0, 0], [1, 1], 1);
            compare(convolution(1, stride, [0; 4]), images(size[0], size[1]), |x, w, b| {
                conv2d(x, w, Some(b), options.clone())
            });
        }
    }

    #[test]
    fn padding_that_differs_by_side_is_padding_first() {
        compare(convolution(3, [2, 2], [0, 1, 2, 3]), images(8, 8), |x, w, b| {
            // Left, right, top, bottom.
            let padded = x.pad((1, 3, 0, 2), PadMode::Constant(0.0));
            conv2d(padded, w, Some(b), ConvOptions::new([2, 2], [0, 0], [1, 1], 1))
        });
    }
}
