//! Reads a ResNet off the names and shapes of a state dict: [`recognise`].
//!
//! Source of the names, and of what they don't tell (strides, padding, pooling):
//! <https://github.com/pytorch/vision/blob/main/torchvision/models/resnet.py>

use super::StateDict;
use super::names::Names;
use crate::format::label_names;
use crate::resnet::blueprint::{
    ANY_SIZE, Block, Blueprint, Convolution, Head, Window, check_finite, transposed,
};
use crate::{BlockKind, ModelError};

/// The stem's max-pooling.
pub const POOL: Window = Window::square(3, 2, 1);

/// Reads a ResNet off a state dict.
///
/// # Errors
/// The first tensor that is missing, of another shape, damaged, or out of place.
pub(crate) fn recognise(dict: &StateDict) -> Result<Blueprint, ModelError> {
    let mut walk =
        Walk { names: Names::new(dict)?, channels: 3, size: dict.input_size.unwrap_or(ANY_SIZE) };
    let stem = walk.convolution("conv1", "bn1", 7, 2)?;
    walk.size = POOL.output_size(walk.size).unwrap_or(walk.size);
    let mut blocks = Vec::new();
    let (mut stage, mut at) = (1, 0);
    // The first block must be there; another begins the next stage where this one has no more.
    while blocks.is_empty() || walk.has_block(stage, at) {
        let stride = if stage > 1 && at == 0 { 2 } else { 1 };
        blocks.push(walk.block(&format!("layer{stage}.{at}"), stride)?);
        (stage, at) = if walk.has_block(stage, at + 1) { (stage, at + 1) } else { (stage + 1, 0) };
    }
    let head = walk.head()?;
    let classes = head.classes;
    walk.names.finish()?;
    let text = |key: &str| dict.metadata.get(key).map(String::as_str);
    Ok(Blueprint {
        format: dict.format,
        input_size: dict.input_size,
        normalisation: None,
        stem,
        pool: Some(POOL),
        blocks,
        head,
        sigmoid: false,
        label_names: label_names::find(text, classes),
    })
}

/// Where the reading is: the channels and the size of what has been computed so far.
struct Walk<'d> {
    names: Names<'d>,
    channels: usize,
    size: [usize; 2],
}

impl Walk<'_> {
    /// A convolution of a square kernel, padded to keep the size, with its batch norm.
    ///
    /// The number of groups is what makes the weights fit the channels.
    fn convolution(
        &mut self,
        name: &str,
        norm: &str,
        kernel: usize,
        stride: usize,
    ) -> Result<Convolution, ModelError> {
        let name = format!("{name}.weight");
        let channels = self.channels;
        let expected = format!("weights [out, {channels} / groups, {kernel}, {kernel}]");
        let shape = self.names.dims(&name, &expected, |[out, inner, height, width]| {
            let divides = |of: usize| inner > 0 && of > 0 && of.is_multiple_of(inner);
            let groups = channels.checked_div(inner).unwrap_or(0);
            [height, width] == [kernel; 2] && divides(channels) && out > 0 && out % groups == 0
        })?;
        let window = Window::square(kernel, stride, kernel / 2);
        let (stored, weights) = self.names.floats(&name)?;
        let [out, inner, ..] = shape;
        let output_size = window.output_size(self.size).unwrap_or(self.size);
        let norm = Some(self.names.norm(norm, out)?);
        self.channels = out;
        self.size = output_size;
        Ok(Convolution {
            name: self.names.full(&name),
            stored,
            shape,
            weights,
            bias: vec![0.0; out],
            norm,
            window,
            groups: channels / inner,
            output_size,
        })
    }

    fn has_block(&self, stage: usize, at: usize) -> bool {
        self.names.shape(&format!("layer{stage}.{at}.conv1.weight")).is_some()
    }

    /// A residual block: basic, or a bottleneck where there is a third convolution.
    fn block(&mut self, name: &str, stride: usize) -> Result<Block, ModelError> {
        let (channels, size) = (self.channels, self.size);
        let part = |part: &str| format!("{name}.{part}");
        let kind = match self.names.shape("layer1.0.conv3.weight") {
            Some(_) => BlockKind::Bottleneck,
            None => BlockKind::Basic,
        };
        let mut main = Vec::new();
        for (at, [kernel, stride]) in (1..).zip(kind.kernels(stride)) {
            let (conv, norm) = (part(&format!("conv{at}")), part(&format!("bn{at}")));
            main.push(self.convolution(&conv, &norm, kernel, stride)?);
        }
        let (out, end) = (self.channels, self.size);
        let shortcut = part("downsample.0");
        let there = self.names.shape(&format!("{shortcut}.weight")).is_some();
        let projection = if there || stride > 1 || out != channels {
            (self.channels, self.size) = (channels, size);
            let projection = self.convolution(&shortcut, &part("downsample.1"), 1, stride)?;
            if self.channels != out {
                return Err(ModelError::TensorFit {
                    tensor: projection.name,
                    expected: format!("weights for {out} channels, as the block's other end has"),
                    found: projection.shape.to_vec(),
                });
            }
            Some(projection)
        } else {
            None
        };
        self.size = end;
        Ok(Block { main, projection })
    }

    /// The linear layer: `fc`, or the one among the layers that people put in its place.
    fn head(&mut self) -> Result<Head, ModelError> {
        let features = self.channels;
        let matrix = |name: &String| {
            let shape = self.names.shape(&format!("{name}.weight"));
            shape.is_some_and(|shape| shape.len() == 2)
        };
        let name = (0..10).map(|at| format!("fc.{at}")).find(matrix);
        let name = name.filter(|_| self.names.shape("fc.weight").is_none());
        let name = name.unwrap_or_else(|| "fc".to_owned());
        let weight = format!("{name}.weight");
        let expected = format!("weights [labels, {features}]");
        let [classes, _] =
            self.names.dims(&weight, &expected, |[out, inner]| out > 0 && inner == features)?;
        let (stored, by_class) = self.names.floats(&weight)?;
        let weights = transposed(&by_class, features);
        let bias = format!("{name}.bias");
        let bias = match self.names.shape(&bias) {
            Some(_) => self.names.row(&bias, classes)?,
            None => vec![0.0; classes],
        };
        check_finite(&weight, &bias)?;
        Ok(Head { features, classes, weights, bias, stored })
    }
}
