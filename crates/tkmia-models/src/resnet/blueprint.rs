//! A network as plain numbers, between the file and what computes: [`Blueprint`].

use crate::{FloatType, Format, ModelError};

/// The size that stands in for one that a file leaves open.
pub(crate) const ANY_SIZE: [usize; 2] = [224, 224];

/// Everything that a [`ResNet`](crate::resnet::ResNet) is built from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Blueprint {
    pub format: Format,
    /// Height and width of the images, or `None` where any will do.
    pub input_size: Option<[usize; 2]>,
    /// What is done to the images before the stem. Its shift can't be folded into a padded stem.
    pub normalisation: Option<ChannelMap>,
    pub stem: Convolution,
    pub pool: Option<Window>,
    pub blocks: Vec<Block>,
    pub head: Head,
    /// Whether the file ends in a sigmoid; the network's scores are what enters it.
    pub sigmoid: bool,
    /// The names of the labels, where the file tells them.
    pub label_names: Option<Vec<String>>,
}

impl Blueprint {
    pub fn convolutions(&self) -> impl Iterator<Item = &Convolution> {
        std::iter::once(&self.stem).chain(self.blocks.iter().flat_map(Block::convolutions))
    }

    pub fn convolutions_mut(&mut self) -> impl Iterator<Item = &mut Convolution> {
        let blocks = self.blocks.iter_mut();
        let blocks = blocks.flat_map(|block| block.main.iter_mut().chain(&mut block.projection));
        std::iter::once(&mut self.stem).chain(blocks)
    }

    /// Channels, height and width of what each of the convolutions computes of an image of that size; 0
    /// where a kernel doesn't fit.
    pub fn outputs(&self, image: [usize; 2]) -> Vec<[usize; 3]> {
        let mut outputs = Vec::new();
        let mut through = |conv: &Convolution, size: [usize; 2]| {
            let size = conv.window.output_size(size).unwrap_or([0, 0]);
            outputs.push([conv.shape[0], size[0], size[1]]);
            size
        };
        let mut size = through(&self.stem, image);
        if let Some(pool) = &self.pool {
            size = pool.output_size(size).unwrap_or([0, 0]);
        }
        for block in &self.blocks {
            let before = size;
            size = block.main.iter().fold(size, |size, conv| through(conv, size));
            if let Some(projection) = &block.projection {
                through(projection, before);
            }
        }
        outputs
    }

    /// Folds every batch norm into its convolution.
    ///
    /// # Errors
    /// [`ModelError::NotFinite`] if a weight leaves the range of its type.
    pub fn fold(&mut self) -> Result<(), ModelError> {
        self.convolutions_mut().try_for_each(Convolution::fold_norm)
    }
}

/// A residual block: the convolutions of its main path, and that of its shortcut if it has one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Block {
    pub main: Vec<Convolution>,
    pub projection: Option<Convolution>,
}

impl Block {
    pub fn convolutions(&self) -> impl Iterator<Item = &Convolution> {
        self.main.iter().chain(&self.projection)
    }
}

/// A convolution with a bias, and with the batch norm after it if that isn't folded in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Convolution {
    /// What the file calls its weights.
    pub name: String,
    /// The type in which the file holds them.
    pub stored: FloatType,
    /// `[out, in / groups, kernel height, kernel width]`
    pub shape: [usize; 4],
    pub weights: Vec<f32>,
    /// Zeros beside a batch norm, whose mean has taken it up.
    pub bias: Vec<f32>,
    pub norm: Option<BatchNorm>,
    pub window: Window,
    pub groups: usize,
    /// Height and width of what it computes, at the input size or one that stands in for it.
    pub output_size: [usize; 2],
}

/// How a convolution or pooling moves over an image.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    /// Top, left, bottom, right.
    pub padding: [usize; 4],
    pub dilation: [usize; 2],
    /// Whether a pooling window may hang over the end.
    pub ceil: bool,
}

impl Window {
    /// Of a square kernel, the same on every side.
    pub const fn square(kernel: usize, stride: usize, padding: usize) -> Self {
        Self {
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 4],
            dilation: [1; 2],
            ceil: false,
        }
    }

    /// Height and width of the result, or `None` if the window doesn't fit in the padded image.
    ///
    /// Source: <https://onnx.ai/onnx/operators/onnx__MaxPool.html>; a window that would start in
    /// the padding at the end is left out.
    pub fn output_size(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        let along = |axis: usize| {
            let (begin, end) = (self.padding[axis], self.padding[axis + 2]);
            let reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
            let slack = (size[axis] + begin + end).checked_sub(reach)?;
            let stride = self.stride[axis];
            let steps = if self.ceil { slack.div_ceil(stride) } else { slack / stride };
            let hangs_off = self.ceil && steps * stride >= size[axis] + begin;
            Some(steps + usize::from(!hangs_off))
        };
        Some([along(0)?, along(1)?])
    }
}

/// The linear layer from the pooled features to the scores.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Head {
    pub features: usize,
    pub classes: usize,
    /// `[features, classes]`
    pub weights: Vec<f32>,
    pub bias: Vec<f32>,
    /// The type in which the file holds them.
    pub stored: FloatType,
}

/// A row-major matrix of so many columns, transposed.
pub(crate) fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|at| values.iter().skip(at).step_by(columns).copied()).collect()
}

/// A batch norm in inference mode: `gamma · (x − mean) / √(variance + epsilon) + beta`.
///
/// Ioffe and Szegedy, "Batch Normalization", ICML 2015.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BatchNorm {
    pub gamma: Vec<f64>,
    pub beta: Vec<f64>,
    pub mean: Vec<f64>,
    pub variance: Vec<f64>,
    pub epsilon: f64,
}

impl BatchNorm {
    /// What it does to each channel.
    pub fn map(&self) -> ChannelMap {
        let scales = self.gamma.iter().zip(&self.variance);
        let scale: Vec<f64> = scales.map(|(g, v)| g / (v + self.epsilon).sqrt()).collect();
        let shifts = self.beta.iter().zip(&self.mean).zip(&scale);
        let shift = shifts.map(|((beta, mean), scale)| beta - mean * scale).collect();
        ChannelMap { scale, shift }
    }

    /// The norm that does the same to a value without a bias as this one to a value with it.
    pub fn taking_up(mut self, bias: &[f32]) -> Self {
        self.mean.iter_mut().zip(bias).for_each(|(mean, &bias)| *mean -= f64::from(bias));
        self
    }

    /// This norm, then a map of each channel.
    pub fn then(&mut self, next: &ChannelMap) {
        let each = self.gamma.iter_mut().zip(&mut self.beta);
        for ((gamma, beta), (scale, shift)) in each.zip(next.scale.iter().zip(&next.shift)) {
            *gamma *= scale;
            *beta = *beta * scale + shift;
        }
    }
}

/// `scale · x + shift`, each channel with its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChannelMap {
    pub scale: Vec<f64>,
    pub shift: Vec<f64>,
}

impl ChannelMap {
    /// This map, then another.
    pub fn then(&self, next: &Self) -> Self {
        let pairs = next.scale.iter().zip(&next.shift);
        let scale = self.scale.iter().zip(&next.scale).map(|(a, b)| a * b).collect();
        let shift = self.shift.iter().zip(pairs).map(|(c, (a, b))| a * c + b).collect();
        Self { scale, shift }
    }
}

impl Convolution {
    /// Folds in what is done to each channel of the result: `w ← scale · w`, `b ← scale · b + shift`.
    ///
    /// # Errors
    /// [`ModelError::NotFinite`] if a weight leaves the range of its type.
    pub fn fold(&mut self, map: &ChannelMap) -> Result<(), ModelError> {
        let each = self.weights.len() / self.bias.len();
        for (weights, scale) in self.weights.chunks_mut(each).zip(&map.scale) {
            weights.iter_mut().for_each(|w| *w = (f64::from(*w) * scale) as f32);
        }
        for (bias, (scale, shift)) in self.bias.iter_mut().zip(map.scale.iter().zip(&map.shift)) {
            *bias = (f64::from(*bias) * scale + shift) as f32;
        }
        check_finite(&self.name, &self.weights)?;
        check_finite(&self.name, &self.bias)
    }

    fn fold_norm(&mut self) -> Result<(), ModelError> {
        self.norm.take().map_or(Ok(()), |norm| self.fold(&norm.map()))
    }
}

/// Refuses NaN and infinite values.
pub(crate) fn check_finite(tensor: &str, values: &[f32]) -> Result<(), ModelError> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => {
            Err(ModelError::NotFinite { tensor: tensor.to_owned(), index, value: values[index] })
        }
    }
}

impl ChannelMap {
    /// Refuses values that aren't finite in 32 bits; `tensor` is what made them so.
    pub fn check_finite(&self, tensor: &str) -> Result<(), ModelError> {
        [&self.scale, &self.shift].into_iter().try_for_each(|values| {
            let stored: Vec<f32> = values.iter().map(|&v| v as f32).collect();
            check_finite(tensor, &stored)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(kernel: usize, stride: usize, padding: usize, ceil: bool) -> Window {
        Window { ceil, ..Window::square(kernel, stride, padding) }
    }

    #[test]
    fn a_matrix_is_transposed() {
        assert_eq!(transposed(&[1., 2., 3., 4., 5., 6.], 3), [1., 4., 2., 5., 3., 6.]);
    }

    #[test]
    fn a_window_gives_the_sizes_of_a_resnet_stem() {
        assert_eq!(window(7, 2, 3, false).output_size([224, 300]), Some([112, 150]));
        assert_eq!(window(3, 2, 1, false).output_size([112, 150]), Some([56, 75]));
        assert_eq!(window(3, 2, 0, true).output_size([112, 111]), Some([56, 55]));
        assert_eq!(window(2, 2, 1, true).output_size([3, 4]), Some([2, 3]));
        assert_eq!(window(7, 1, 0, false).output_size([6, 8]), None);
    }

    fn conv() -> Convolution {
        Convolution {
            name: "w".into(),
            stored: FloatType::F32,
            shape: [2, 1, 1, 2],
            weights: vec![1.0, 2.0, 3.0, 4.0],
            bias: vec![1.0, -1.0],
            norm: None,
            window: window(1, 1, 0, false),
            groups: 1,
            output_size: [1, 1],
        }
    }

    fn norm() -> BatchNorm {
        let (gamma, beta) = (vec![2.0, 1.0], vec![0.0, 3.0]);
        BatchNorm { gamma, beta, mean: vec![1.0, -1.0], variance: vec![3.0, 0.0], epsilon: 1.0 }
    }

    #[test]
    fn a_norm_takes_up_a_bias_before_it_and_a_map_behind_it() {
        let next = ChannelMap { scale: vec![3.0, 0.5], shift: vec![0.5, 1.0] };
        let mut taken = norm().taking_up(&[5.0, 2.0]);
        taken.then(&next);
        let bias = ChannelMap { scale: vec![1.0; 2], shift: vec![5.0, 2.0] };
        assert_eq!(taken.map(), bias.then(&norm().map()).then(&next));
    }

    #[test]
    fn a_weight_that_folding_makes_infinite_is_named() {
        let mut huge = conv();
        huge.norm = Some(BatchNorm { gamma: vec![1e38, 1.0], ..norm() });
        huge.weights = vec![1e30; 4];
        let message = huge.fold_norm().unwrap_err().to_string();
        assert_eq!(message, "tensor `w`: expected finite values, found inf at element 0");
    }

    #[test]
    fn folding_a_map_changes_weights_and_bias() {
        let mut conv = conv();
        conv.fold(&ChannelMap { scale: vec![2.0, 0.5], shift: vec![0.0, 10.0] }).unwrap();
        assert_eq!(conv.weights, [2.0, 4.0, 1.5, 2.0]);
        assert_eq!(conv.bias, [2.0, 9.5]);
    }

    #[test]
    fn maps_compose_in_order() {
        let halve = ChannelMap { scale: vec![0.5], shift: vec![0.5] };
        let normalise = ChannelMap { scale: vec![4.0], shift: vec![-2.0] };
        let both = halve.then(&normalise);
        assert_eq!(both, ChannelMap { scale: vec![2.0], shift: vec![0.0] });
    }
}
