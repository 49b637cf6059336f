//! What a network is, as read from its graph: [`Architecture`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::resnet::blueprint::{Blueprint, Convolution};
use crate::{FloatType, Format};

/// The kind of a ResNet's residual blocks.
///
/// He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, Fig. 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum BlockKind {
    /// Two 3×3 convolutions, as in ResNet-18 and -34.
    Basic,
    /// A 1×1, a 3×3 and a 1×1 convolution, as in ResNet-50, -101 and -152.
    Bottleneck,
}

impl BlockKind {
    /// Kernel and stride of each convolution of the main path.
    ///
    /// The stride of a bottleneck is in its 3×3 convolution, as in torchvision's networks.
    pub(crate) fn kernels(self, stride: usize) -> Vec<[usize; 2]> {
        match self {
            Self::Basic => vec![[3, stride], [3, 1]],
            Self::Bottleneck => vec![[1, 1], [3, stride], [1, 1]],
        }
    }
}

/// A ResNet's shape, without its weights.
///
/// A stage is a run of blocks of one output width, each but the first with stride 1.
///
/// # Example: how it is written
///
/// ```
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/variants/legacy-17.onnx");
/// let text = tkmia_models::architecture(path)?.to_string();
/// assert_eq!(text, "ResNet-6 (basic 1-1, width 4-8, 5 labels, 32×32)");
/// # Ok::<(), tkmia_models::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Architecture {
    /// The kind of file it was in.
    pub format: Format,
    /// The types in which the file holds the weights of its layers, the narrowest first.
    pub weight_types: Vec<FloatType>,
    /// The kind of its blocks.
    pub block: BlockKind,
    /// The number of blocks in each stage.
    pub depths: Vec<usize>,
    /// The width of each stage: the output channels of its first convolution.
    pub widths: Vec<usize>,
    /// The output channels of the stem.
    pub stem_width: usize,
    /// The channels that are averaged and enter the linear layer.
    pub features: usize,
    /// The number of labels.
    pub classes: usize,
    /// Height and width of the images, or `None` where any will do.
    pub input_size: Option<[usize; 2]>,
    /// The number of weights and biases, batch norms folded.
    pub parameters: usize,
    /// Multiplications with a weight in one image's pass, or `None` without a fixed input size.
    pub multiply_adds: Option<u64>,
    /// Whether the network normalises the images itself.
    pub normalisation: bool,
    /// Whether the file had batch norms of its own, rather than folded ones.
    pub batch_norm: bool,
    /// Whether the file ended in a sigmoid, which the scores leave out.
    pub sigmoid: bool,
}

impl Architecture {
    /// The number of layers that give a ResNet its name: 50 for bottlenecks 3-4-6-3.
    ///
    /// Counts the stem, the convolutions of the main paths, and the linear layer.
    pub fn depth(&self) -> usize {
        self.block.kernels(1).len() * self.depths.iter().sum::<usize>() + 2
    }

    pub(crate) fn of(blueprint: &Blueprint) -> Self {
        let Blueprint { stem, blocks, head, .. } = blueprint;
        let mut weight_types: Vec<FloatType> = blueprint.convolutions().map(|c| c.stored).collect();
        weight_types.push(head.stored);
        weight_types.sort_unstable();
        weight_types.dedup();
        let mut depths: Vec<usize> = Vec::new();
        let mut widths = Vec::new();
        let mut channels = None;
        for block in blocks {
            let out = block.main.last().map(|conv| conv.shape[0]);
            let strided = block.main.iter().any(|conv| conv.window.stride != [1, 1]);
            match depths.last_mut() {
                Some(depth) if out == channels && !strided => *depth += 1,
                _ => {
                    depths.push(1);
                    widths.push(block.main.first().map_or(0, |conv| conv.shape[0]));
                }
            }
            channels = out;
        }
        let bottleneck = blocks.first().is_some_and(|block| block.main.len() == 3);
        let count = |conv: &Convolution| conv.weights.len() + conv.bias.len();
        let linear = head.weights.len() as u64;
        Self {
            format: blueprint.format,
            weight_types,
            block: if bottleneck { BlockKind::Bottleneck } else { BlockKind::Basic },
            depths,
            widths,
            stem_width: stem.shape[0],
            features: head.features,
            classes: head.classes,
            input_size: blueprint.input_size,
            parameters: blueprint.convolutions().map(count).sum::<usize>()
                + head.weights.len()
                + head.bias.len(),
            multiply_adds: blueprint.input_size.map(|_| {
                blueprint.convolutions().map(multiply_adds).fold(linear, u64::saturating_add)
            }),
            normalisation: blueprint.normalisation.is_some(),
            batch_norm: blueprint.convolutions().any(|conv| conv.norm.is_some()),
            sigmoid: blueprint.sigmoid,
        }
    }
}

/// Each weight is used once per output position.
fn multiply_adds(conv: &Convolution) -> u64 {
    let positions = conv.output_size[0].saturating_mul(conv.output_size[1]);
    (positions as u64).saturating_mul(conv.weights.len() as u64)
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dashed =
            |numbers: &[usize]| numbers.iter().map(usize::to_string).collect::<Vec<_>>().join("-");
        write!(
            f,
            "ResNet-{} ({} {}, width {}, {} labels, ",
            self.depth(),
            self.block,
            dashed(&self.depths),
            dashed(&self.widths),
            self.classes
        )?;
        match self.input_size {
            Some([height, width]) => write!(f, "{height}×{width})"),
            None => write!(f, "any size)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resnet::blueprint::{Block, Head, Window};

    fn conv(out: usize, inner: usize, stride: usize) -> Convolution {
        Convolution {
            name: "w".into(),
            stored: FloatType::F32,
            norm: None,
            shape: [out, inner, 1, 1],
            weights: vec![0.0; out * inner],
            bias: vec![0.0; out],
            window: Window::square(1, stride, 0),
            groups: 1,
            output_size: [2, 3],
        }
    }

    fn block(inner: usize, out: usize, stride: usize) -> Block {
        let projection = (inner != out).then(|| conv(out, inner, stride));
        Block { main: vec![conv(out, inner, stride), conv(out, out, 1)], projection }
    }

    fn blueprint() -> Blueprint {
        Blueprint {
            format: Format::Onnx,
            input_size: Some([4, 6]),
            normalisation: None,
            stem: conv(2, 3, 1),
            pool: None,
            blocks: vec![block(2, 2, 1), block(2, 2, 1), block(2, 4, 2), block(4, 4, 2)],
            head: Head {
                features: 4,
                classes: 5,
                weights: vec![0.0; 20],
                bias: vec![0.0; 5],
                stored: FloatType::F16,
            },
            sigmoid: false,
            label_names: None,
        }
    }

    #[test]
    fn a_stage_begins_where_the_width_changes_or_the_stride_is_not_one() {
        let architecture = Architecture::of(&blueprint());
        assert_eq!(architecture.depths, [2, 1, 1]);
        assert_eq!(architecture.widths, [2, 4, 4]);
        assert_eq!(architecture.depth(), 10);
        assert_eq!(architecture.weight_types, [FloatType::F16, FloatType::F32]);
    }

    #[test]
    fn parameters_and_multiply_adds_are_counted() {
        let architecture = Architecture::of(&blueprint());
        // Stem 6; blocks 2·8 and 8 + 16 + projection 8 and 32; linear 20; biases 2 + 8 + 12 + 8 + 5.
        assert_eq!(architecture.parameters, 6 + 16 + 32 + 32 + 20 + 35);
        assert_eq!(architecture.multiply_adds, Some(6 * (6 + 16 + 32 + 32) + 20));
    }

    #[test]
    fn without_a_fixed_input_size_there_is_no_count_of_multiply_adds() {
        let mut any_size = blueprint();
        any_size.input_size = None;
        let architecture = Architecture::of(&any_size);
        assert_eq!(architecture.multiply_adds, None);
        assert!(architecture.to_string().ends_with("5 labels, any size)"));
    }
}
