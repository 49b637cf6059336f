//! A convolution and its transpose: [`Layer`].

use pulp::Arch;

use super::maps::{Arena, Halo, LANES, Maps, wider};
use super::stencil::{Stencil, Steps};
use super::task::{Finish, Relu};
use super::winograd::Winograd;
use crate::resnet::blueprint::{Convolution, Window};
use crate::resnet::filter::Filter;

/// What computes a layer one way.
enum Kernel {
    Stencil(Stencil),
    Winograd(Winograd),
}

impl Kernel {
    /// Of `[output, input, tap]` weights and one bias for each output.
    fn new(
        filter: Option<Filter>,
        channels: [usize; 2],
        steps: Steps,
        bias: &[f32],
        weight: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        match filter {
            Some(filter) => {
                Self::Winograd(Winograd::new(filter, channels, &steps.taps, bias, weight))
            }
            None => Self::Stencil(Stencil::new(channels, steps, bias, weight)),
        }
    }

    fn outputs(&self) -> usize {
        match self {
            Self::Stencil(stencil) => stencil.outputs(),
            Self::Winograd(winograd) => winograd.outputs(),
        }
    }

    fn halo(&self, input: [usize; 2], output: [usize; 2]) -> Halo {
        match self {
            Self::Stencil(stencil) => stencil.halo(input, output),
            Self::Winograd(winograd) => winograd.halo(input, output),
        }
    }

    fn run(&self, arch: Arch, arena: &mut Arena, from: &Maps, to: &mut Maps, finish: Finish<'_>) {
        match self {
            Self::Stencil(stencil) => stencil.run(arch, from, to, finish),
            Self::Winograd(winograd) => winograd.run(arch, arena, from, to, finish),
        }
    }
}

/// A convolution with what leads back from its output to its input.
pub(super) struct Layer {
    window: Window,
    forward: Kernel,
    /// One for each place of an input pixel between two strides; together they write every pixel.
    backward: Vec<Kernel>,
    /// Blocks of input channels.
    inputs: usize,
}

impl Layer {
    /// Of a convolution without groups.
    pub fn new(conv: &Convolution) -> Self {
        let [outputs, inputs, height, width] = conv.shape;
        let Window { stride, padding, dilation, .. } = conv.window;
        let index = |output, input, tap| (output * inputs + input) * height * width + tap;
        // Where each tap of the kernel reads, from where the stride has led.
        let reach = |tap: usize| -> [isize; 2] {
            let tap = [tap / width, tap % width];
            std::array::from_fn(|axis| {
                (tap[axis] * dilation[axis]) as isize - padding[axis] as isize
            })
        };
        let all = 0..height * width;
        let filter = Filter::of(conv);
        let steps = Steps {
            taps: all.clone().map(reach).collect(),
            step_in: stride,
            step_out: [1, 1],
            origin: [0, 0],
        };
        let forward =
            Kernel::new(filter, [outputs, inputs], steps, &conv.bias, |output, input, tap| {
                conv.weights[index(output, input, tap)]
            });
        let places = (0..stride[0]).flat_map(|row| (0..stride[1]).map(move |column| [row, column]));
        let backward = places.map(|place| {
            // Output o reads input s·o + reach: it is led back to s·j + place by o = j + (place − reach) / s.
            let back = |tap: usize| -> Option<[isize; 2]> {
                let reach = reach(tap);
                let [row, column] = std::array::from_fn(|axis| {
                    let (apart, stride) =
                        (place[axis] as isize - reach[axis], stride[axis] as isize);
                    (apart.rem_euclid(stride) == 0).then_some(apart.div_euclid(stride))
                });
                Some([row?, column?])
            };
            let (kept, taps): (Vec<usize>, Vec<[isize; 2]>) =
                all.clone().filter_map(|tap| Some((tap, back(tap)?))).unzip();
            let steps = Steps { taps, step_in: [1, 1], step_out: stride, origin: place };
            Kernel::new(filter, [inputs, outputs], steps, &[], |input, output, tap| {
                conv.weights[index(output, input, kept[tap])]
            })
        });
        Self {
            forward,
            backward: backward.collect(),
            window: conv.window.clone(),
            inputs: inputs.div_ceil(LANES),
        }
    }

    /// Blocks of input channels.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Blocks of output channels.
    pub fn outputs(&self) -> usize {
        self.forward.outputs()
    }

    /// Height and width of the output.
    pub fn size(&self, input: [usize; 2]) -> [usize; 2] {
        size(&self.window, input)
    }

    /// The halo that the input must have.
    pub fn halo(&self, input: [usize; 2], output: [usize; 2]) -> Halo {
        self.forward.halo(input, output)
    }

    /// The halo that the gradient of the output must have.
    pub fn gradient_halo(&self, input: [usize; 2], output: [usize; 2]) -> Halo {
        let halos = self.backward.iter().map(|kernel| kernel.halo(output, input));
        halos.reduce(wider).expect("strides are at least 1")
    }

    /// Writes the convolution into `output`, or adds it to what is there.
    pub fn forward(
        &self,
        arch: Arch,
        arena: &mut Arena,
        input: &Maps,
        output: &mut Maps,
        finish: Finish<'_>,
    ) {
        self.forward.run(arch, arena, input, output, finish);
    }

    /// From the gradient of the output to that of the input. What wasn't positive by `signs` has
    /// none.
    pub fn backward(
        &self,
        arch: Arch,
        arena: &mut Arena,
        gradient: &Maps,
        input: &mut Maps,
        add: bool,
        signs: Option<&[u16]>,
    ) {
        for kernel in &self.backward {
            let relu = signs.map_or(Relu::None, Relu::Apply);
            kernel.run(arch, arena, gradient, input, Finish { add, relu });
        }
    }
}

/// Height and width of what a window gives.
pub(super) fn size(window: &Window, input: [usize; 2]) -> [usize; 2] {
    window.output_size(input).expect("images are large enough for the network's kernels")
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, TensorData};
    use chacha20::ChaCha8Rng;
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};

    use super::super::maps::Shape;
    use super::*;
    use crate::FloatType;
    use crate::resnet::layers;

    const WEIGHT: f32 = 0.2;

    /// A value in [−1, 1] for each place, and not zero at the first: a layer of one weight would be nothing but zeros.
    fn wave(at: usize) -> f32 {
        ((at + 1) as f32 * 0.61).sin()
    }

    fn maps(values: &[f32], channels: usize, size: [usize; 2], halo: Halo) -> Maps {
        let mut maps = Maps::zeros(Shape { blocks: channels.div_ceil(LANES), size, halo });
        let shape = maps.shape;
        for (at, &value) in values.iter().enumerate() {
            let (channel, row, column) = (at / shape.area(), at / size[1] % size[0], at % size[1]);
            let place = channel / LANES * shape.plane() + shape.row(row) + column;
            maps.values[place].0[channel % LANES] = value;
        }
        maps
    }

    fn values(maps: &Maps, channels: usize) -> Vec<f32> {
        let shape = maps.shape;
        let places = (0..channels * shape.area()).map(|at| {
            let (row, column) = (at / shape.size[1] % shape.size[0], at % shape.size[1]);
            (at / shape.area(), shape.row(row) + column)
        });
        let value = |(channel, at): (usize, usize)| {
            maps.values[channel / LANES * shape.plane() + at].0[channel % LANES]
        };
        places.map(value).collect()
    }

    fn largest(values: &[f32]) -> f32 {
        values.iter().fold(0.0, |most, value| most.max(value.abs()))
    }

    /// By how much sums of so many products with weights up to [`WEIGHT`] differ at most, over the size that such sums
    /// have where nothing cancels, since rounding is of that size.
    fn apart(found: &[f32], expected: &[f32], factors: &[f32], terms: usize) -> f32 {
        assert_eq!(found.len(), expected.len());
        let size = WEIGHT * largest(factors) * (terms as f32).sqrt();
        let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
        differences.fold(0.0, f32::max) / size.max(largest(expected))
    }

    /// A convolution that is computed that way.
    fn convolution(shape: [usize; 4], window: Window, filter: Option<Filter>) -> Convolution {
        let outputs = shape[0];
        let conv = Convolution {
            name: "w".into(),
            stored: FloatType::F32,
            shape,
            weights: (0..shape.iter().product()).map(|at: usize| WEIGHT * wave(at)).collect(),
            bias: (0..outputs).map(|at| wave(7 * at)).collect(),
            norm: None,
            window,
            groups: 1,
            output_size: match filter {
                None => [1, 1],
                Some(Filter::Two) => [8, 8],
                Some(Filter::Four) => [64, 64],
            },
        };
        assert_eq!(Filter::of(&conv), filter);
        conv
    }

    /// By how much a layer and its gradient differ from Burn's.
    fn compare(
        shape: [usize; 4],
        window: Window,
        filter: Option<Filter>,
        size: [usize; 2],
    ) -> [f32; 2] {
        let [outputs, inputs, height, width] = shape;
        let conv = convolution(shape, window, filter);
        let layer = Layer::new(&conv);
        let mut arena = Arena::new(size);
        let taps = height * width;
        let image: Vec<f32> = (0..inputs * size[0] * size[1]).map(|at| wave(3 * at)).collect();
        let to = layer.size(size);
        let input = maps(&image, inputs, size, layer.halo(size, to));
        let mut output = maps(&[], outputs, to, [0; 4]);
        let finish = Finish { add: false, relu: Relu::None };
        layer.forward(Arch::new(), &mut arena, &input, &mut output, finish);
        let twice: Vec<f32> = values(&output, outputs).iter().map(|y| 2.0 * y).collect();
        let gradient = maps(&twice, outputs, to, layer.gradient_halo(size, to));
        let mut back = maps(&[], inputs, size, [0; 4]);
        layer.backward(Arch::new(), &mut arena, &gradient, &mut back, false, None);

        let device = Device::flex();
        let tensor = TensorData::new(image.clone(), [1, inputs, size[0], size[1]]);
        let tensor = Tensor::<4>::from_data(tensor, &device).autodiff().require_grad();
        let expected = layers::Convolution::new(conv, &device).forward(tensor.clone());
        let slope = tensor.grad(&expected.clone().powi_scalar(2).sum().backward()).unwrap();
        let expected: Vec<f32> = expected.inner().try_to_vec_as().unwrap();
        let slope: Vec<f32> = slope.try_to_vec_as().unwrap();
        [
            apart(&values(&output, outputs), &expected, &image, inputs * taps),
            apart(&values(&back, inputs), &slope, &twice, outputs * taps),
        ]
    }

    proptest! {
        #[test]
        fn a_layer_is_a_convolution_forward_and_its_gradient_back(
            [inputs, outputs] in [1..36_usize, 1..36_usize],
            kernel in [1..4_usize, 1..4_usize],
            stride in [1..4_usize, 1..3_usize],
            dilation in [1..3_usize, 1..3_usize],
            padding in [0..3_usize, 0..3_usize, 0..3_usize, 0..3_usize],
            size in [6..17_usize, 6..17_usize],
        ) {
            let window = Window { kernel, stride, padding, dilation, ceil: false };
            let apart = compare([outputs, inputs, kernel[0], kernel[1]], window, None, size);
            prop_assert!(apart.iter().all(|apart| *apart < 2e-5), "{apart:?}");
        }

        #[test]
        fn so_it_is_with_minimal_filters(
            [inputs, outputs] in [1..70_usize, 1..70_usize],
            four in any::<bool>(),
            padding in [0..4_usize, 0..4_usize, 0..4_usize, 0..4_usize],
            size in [3..24_usize, 3..24_usize],
        ) {
            let window = Window { padding, ..Window::square(3, 1, 0) };
            let filter = if four { Filter::Four } else { Filter::Two };
            let apart = compare([outputs, inputs, 3, 3], window, Some(filter), size);
            prop_assert!(apart.iter().all(|apart| *apart < 3e-5), "{apart:?}");
        }
    }

    /// The root mean square of a layer's rounding, over that of its values.
    fn rounding(filter: Option<Filter>) -> f64 {
        const CHANNELS: usize = 128;
        const SIZE: usize = 16;
        let mut random = ChaCha8Rng::seed_from_u64(0);
        let mut noise = |count: usize| -> Vec<f32> {
            (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
        };
        let mut conv = convolution([CHANNELS, CHANNELS, 3, 3], Window::square(3, 1, 0), filter);
        conv.bias.fill(0.0);
        conv.weights = noise(conv.weights.len());
        let image = noise(CHANNELS * SIZE * SIZE);
        let layer = Layer::new(&conv);
        let to = layer.size([SIZE; 2]);
        let input = maps(&image, CHANNELS, [SIZE; 2], layer.halo([SIZE; 2], to));
        let mut output = maps(&[], CHANNELS, to, [0; 4]);
        let finish = Finish { add: false, relu: Relu::None };
        layer.forward(Arch::new(), &mut Arena::new([SIZE; 2]), &input, &mut output, finish);
        let exact = |at: usize| {
            let (channel, row, column) = (at / (to[0] * to[1]), at / to[1] % to[0], at % to[1]);
            let term = |at: usize| {
                let (input, tap) = (at / 9, at % 9);
                let pixel = (input * SIZE + row + tap / 3) * SIZE + column + tap % 3;
                f64::from(conv.weights[channel * CHANNELS * 9 + at]) * f64::from(image[pixel])
            };
            (0..CHANNELS * 9).map(term).sum::<f64>()
        };
        let [mut errors, mut squares] = [0.0; 2];
        for (at, &found) in values(&output, CHANNELS).iter().enumerate() {
            let exact = exact(at);
            errors += (f64::from(found) - exact).powi(2);
            squares += exact.powi(2);
        }
        (errors / squares).sqrt()
    }

    #[test]
    fn filters_round_little_more_than_plain_sums() {
        let plain = rounding(None);
        let [two, four] = [Filter::Two, Filter::Four].map(|filter| rounding(Some(filter)));
        assert!(plain < 1e-6 && two < plain && four < 2.5 * plain, "{plain} {two} {four}");
    }
}
