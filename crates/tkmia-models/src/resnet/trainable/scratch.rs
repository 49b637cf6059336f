//! Networks with new weights.

use chacha20::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Normal};

use crate::format::state_dict::{EPSILON, POOL};
use crate::resnet::blueprint::{ANY_SIZE, BatchNorm, Block, Blueprint, Convolution, Head, Window};
use crate::{BlockKind, FloatType, Format, ModelError};

/// The networks that can be created with new weights: name, kind of block, blocks in each of four stages.
///
/// From ResNet-18 on those of He et al., "Deep Residual Learning for Image Recognition", CVPR 2016,
/// Table 1; 10 and 14 are the smallest that have a block in each stage.
pub const ARCHITECTURES: [(&str, BlockKind, [usize; 4]); 7] = [
    ("resnet10", BlockKind::Basic, [1, 1, 1, 1]),
    ("resnet14", BlockKind::Bottleneck, [1, 1, 1, 1]),
    ("resnet18", BlockKind::Basic, [2, 2, 2, 2]),
    ("resnet34", BlockKind::Basic, [3, 4, 6, 3]),
    ("resnet50", BlockKind::Bottleneck, [3, 4, 6, 3]),
    ("resnet101", BlockKind::Bottleneck, [3, 4, 23, 3]),
    ("resnet152", BlockKind::Bottleneck, [3, 8, 36, 3]),
];

/// Output channels of a bottleneck over its width.
const EXPANSION: usize = 4;

/// A network with new weights.
pub fn network(
    name: &str,
    width: usize,
    classes: usize,
    seed: u64,
) -> Result<Blueprint, ModelError> {
    let known = ARCHITECTURES.iter().find(|(known, ..)| *known == name);
    let (Some((_, block, depths)), 1.., 1..) = (known, width, classes) else {
        let name = name.to_owned();
        return Err(ModelError::UnknownArchitecture { name, width, classes });
    };
    let mut draw = Draw { seed, layer: 0 };
    let stem = draw.convolution(3, width, 7, 2);
    let mut channels = width;
    let mut blocks = Vec::new();
    for (stage, depth) in depths.iter().enumerate() {
        let width = width << stage;
        for at in 0..*depth {
            let stride = if stage > 0 && at == 0 { 2 } else { 1 };
            let out = match block {
                BlockKind::Basic => width,
                BlockKind::Bottleneck => EXPANSION * width,
            };
            let kernels = block.kernels(stride);
            let (mut main, mut from, layers) = (Vec::new(), channels, kernels.len());
            for (number, [kernel, stride]) in (1..).zip(kernels) {
                let to = if number == layers { out } else { width };
                main.push(draw.convolution(from, to, kernel, stride));
                from = to;
            }
            let projection =
                (stride > 1 || channels != out).then(|| draw.convolution(channels, out, 1, stride));
            blocks.push(Block { main, projection });
            channels = out;
        }
    }
    let mut blueprint = Blueprint {
        format: Format::Safetensors,
        input_size: None,
        normalisation: None,
        stem,
        pool: Some(POOL),
        blocks,
        head: head(channels, classes, seed),
        sigmoid: false,
        label_names: None,
    };
    let outputs = blueprint.outputs(ANY_SIZE);
    for (conv, [_, height, width]) in blueprint.convolutions_mut().zip(outputs) {
        conv.output_size = [height, width];
    }
    Ok(blueprint)
}

/// A linear layer as PyTorch begins one: weights and bias uniform within 1 over √features.
pub fn head(features: usize, classes: usize, seed: u64) -> Head {
    let mut random = generator(seed, u64::MAX);
    let bound = 1.0 / (features as f32).sqrt();
    let mut values = |count: usize| {
        (0..count).map(|_| random.random_range(-bound..=bound)).collect::<Vec<f32>>()
    };
    let (weights, bias) = (values(features * classes), values(classes));
    Head { features, classes, weights, bias, stored: FloatType::F32 }
}

/// Numbers that depend on the seed and the layer alone.
fn generator(seed: u64, layer: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&layer.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// Draws one layer after the other.
struct Draw {
    seed: u64,
    layer: u64,
}

impl Draw {
    fn convolution(
        &mut self,
        channels: usize,
        out: usize,
        kernel: usize,
        stride: usize,
    ) -> Convolution {
        let mut random = generator(self.seed, self.layer);
        self.layer += 1;
        let fan_out = (out * kernel * kernel) as f32;
        let deviation = (2.0 / fan_out).sqrt();
        let shape = [out, channels, kernel, kernel];
        let normal = Normal::new(0.0, deviation).expect("a deviation above 0");
        let weights = (0..shape.iter().product()).map(|_| normal.sample(&mut random)).collect();
        Convolution {
            name: format!("convolution {}", self.layer),
            stored: FloatType::F32,
            shape,
            weights,
            bias: vec![0.0; out],
            norm: Some(BatchNorm {
                gamma: vec![1.0; out],
                beta: vec![0.0; out],
                mean: vec![0.0; out],
                variance: vec![1.0; out],
                epsilon: EPSILON,
            }),
            window: Window::square(kernel, stride, kernel / 2),
            groups: 1,
            output_size: [1, 1],
        }
    }
}
