//! Convolutions of images with weights that stay as they are: [`Convolution`].

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::backend::DispatchTensor;
use pulp::Arch;

use super::node::{self, Floats};
use super::stencil::{Stencil, Stencils};

/// What a convolution is, but for its weights.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub groups: usize,
    /// Channels of a group.
    pub inputs: usize,
    pub outputs: usize,
    pub kernel: [usize; 2],
    pub strides: [usize; 2],
    pub dilations: [usize; 2],
    /// Above and to the left.
    pub padding: [usize; 2],
}

/// A convolution with what leads back from its output to its input.
pub(crate) struct Convolution {
    forward: Stencils,
    backward: Stencils,
}

/// Where the taps of a kernel read.
type Taps = Vec<[isize; 2]>;
/// A pixel between two strides, and the taps that lead to it.
type Place = ([usize; 2], Vec<usize>);

impl Convolution {
    /// Of weights `[groups · outputs, inputs, height, width]`, and a bias for each output or none.
    pub fn new(shape: &Shape, weights: &[f32], bias: Vec<f32>) -> Self {
        let &Shape { groups, inputs, outputs, kernel, strides, dilations, padding } = shape;
        let taps = kernel[0] * kernel[1];
        let weight = |group: usize, output: usize, input: usize, tap: usize| {
            weights[((group * outputs + output) * inputs + input) * taps + tap]
        };
        // Where each tap of the kernel reads, from where the stride has led.
        let reach = |tap: usize| -> [isize; 2] {
            let tap = [tap / kernel[1], tap % kernel[1]];
            [0, 1].map(|axis| (tap[axis] * dilations[axis]) as isize - padding[axis] as isize)
        };
        let stencil = Stencil::new(
            [groups, outputs, inputs],
            (0..taps).map(reach).collect(),
            vec![[0, 0]],
            |group, output, _, input, tap| weight(group, output, input, tap),
        );
        let (list, step_in, step_out) = (vec![stencil], strides, [1, 1]);
        let forward = Stencils { groups, inputs, outputs, step_in, step_out, list, bias };

        // The input pixels between two strides, by where their taps lead: those that agree are computed together.
        let mut kinds: BTreeMap<Taps, Vec<Place>> = BTreeMap::new();
        for place in
            (0..strides[0]).flat_map(|row| (0..strides[1]).map(move |column| [row, column]))
        {
            // Output o reads input s·o + reach: it is led back to s·j + place by o = j + (place − reach) / s.
            let back = |tap: usize| -> Option<[isize; 2]> {
                let reach = reach(tap);
                let [row, column] = [0, 1].map(|axis| {
                    let (apart, stride) =
                        (place[axis] as isize - reach[axis], strides[axis] as isize);
                    (apart.rem_euclid(stride) == 0).then_some(apart.div_euclid(stride))
                });
                Some([row?, column?])
            };
            let (kept, taps) = (0..taps).filter_map(|tap| Some((tap, back(tap)?))).unzip();
            kinds.entry(taps).or_default().push((place, kept));
        }
        let stencil = |(taps, places): (Taps, Vec<Place>)| {
            let (places, kept): (Vec<_>, Vec<Vec<usize>>) = places.into_iter().unzip();
            Stencil::new(
                [groups, inputs, outputs],
                taps,
                places,
                |group, input, place, output, tap| weight(group, output, input, kept[place][tap]),
            )
        };
        let list = kinds.into_iter().map(stencil).collect();
        let (step_in, step_out, bias) = ([1, 1], strides, Vec::new());
        let backward =
            Stencils { groups, inputs: outputs, outputs: inputs, step_in, step_out, list, bias };
        Self { forward, backward }
    }

    /// The convolution of `[images, channels, height, width]`, which has the given height and width.
    pub fn apply(self: &Arc<Self>, x: DispatchTensor, to: [usize; 2]) -> DispatchTensor {
        node::apply([x], |[x]| {
            let x = node::contiguous(x);
            let shape = node::shape(&x);
            let y = run(&self.forward, &x, to);
            let way = self.clone();
            let back = move |gradient: Floats, _: [bool; 1]| {
                [Some(run(&way.backward, &gradient, [shape[2], shape[3]]))]
            };
            (y, Box::new(back))
        })
    }
}

fn run(stencils: &Stencils, x: &Floats, to: [usize; 2]) -> Floats {
    let shape = node::shape(x);
    let y = stencils.run(Arch::new(), node::values(x), shape[0], [shape[2], shape[3]], to);
    node::tensor(y, &[shape[0], stencils.groups * stencils.outputs, to[0], to[1]])
}

#[cfg(test)]
pub mod tests {
    use burn::tensor::module::conv2d;
    use burn::tensor::ops::ConvOptions;
    use burn::tensor::{Device, Tensor, TensorData};
    use proptest::prelude::*;

    use super::*;

    pub fn wave(count: usize, by: usize) -> Vec<f32> {
        (0..count).map(|at| ((by * at) as f32 * 0.61).sin()).collect()
    }

    /// The output, and the gradient of the sum of its squares.
    pub fn pass<const D: usize>(x: Tensor<D>, f: impl Fn(Tensor<D>) -> Tensor<D>) -> [Vec<f32>; 2] {
        let x = x.autodiff().require_grad();
        let y = f(x.clone());
        let gradient = x.grad(&y.clone().powi_scalar(2).sum().backward()).unwrap();
        [y.inner().try_to_vec_as().unwrap(), gradient.try_to_vec_as().unwrap()]
    }

    pub fn apart(found: &[f32], expected: &[f32]) -> f32 {
        assert_eq!(found.len(), expected.len());
        let largest = expected.iter().fold(1.0_f32, |most, value| most.max(value.abs()));
        found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest
    }

    proptest! {
        #[test]
        fn a_convolution_computes_what_burns_does_and_leads_back(
            images in 1..4_usize,
            groups in 1..4_usize,
            [inputs, outputs] in [1..15_usize, 1..15_usize],
            kernel in [1..4_usize, 1..4_usize],
            strides in [1..4_usize, 1..4_usize],
            dilations in [1..3_usize, 1..3_usize],
            padding in [0..3_usize, 0..3_usize, 0..3_usize, 0..3_usize],
            size in [6..17_usize, 6..17_usize],
            biased in any::<bool>(),
        ) {
            let device = Device::flex();
            let shape = Shape {
                groups, inputs, outputs, kernel, strides, dilations,
                padding: [padding[0], padding[1]],
            };
            let of_weights = [groups * outputs, inputs, kernel[0], kernel[1]];
            let weights = wave(of_weights.iter().product(), 7);
            let bias = if biased { wave(groups * outputs, 5) } else { Vec::new() };
            let x = [images, groups * inputs, size[0], size[1]];
            let x = Tensor::<4>::from_data(TensorData::new(wave(x.iter().product(), 3), x), &device);

            let mut options = ConvOptions::new(strides, [0; 2], dilations, groups);
            options.padding = [(padding[0], padding[2]), (padding[1], padding[3])];
            let of = Tensor::from_data(TensorData::new(weights.clone(), of_weights), &device);
            let added = biased.then(|| Tensor::from_data(&bias[..], &device));
            let expected = pass(x.clone(), |x| conv2d(x, of.clone(), added.clone(), options.clone()));

            let to = [0, 1].map(|axis| {
                let extent = dilations[axis] * (kernel[axis] - 1) + 1;
                (size[axis] + padding[axis] + padding[axis + 2] - extent) / strides[axis] + 1
            });
            let convolution = Arc::new(Convolution::new(&shape, &weights, bias));
            let direct = |x: Tensor<4>| Tensor::from_dispatch(convolution.apply(x.into_dispatch(), to));
            let found = pass(x.clone(), direct);
            // Rounding is of the size that such sums have where nothing cancels.
            let terms = kernel[0] * kernel[1] * inputs.max(outputs);
            prop_assert!(apart(&found[0], &expected[0]) < 2e-6 * terms as f32);
            prop_assert!(apart(&found[1], &expected[1]) < 2e-6 * terms as f32);

            // Alone and on other threads each image has the same last bit.
            let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
            let last = pool.install(|| pass(x.narrow(0, images - 1, 1), direct));
            for (together, alone) in found.iter().zip(&last) {
                prop_assert_eq!(&together[together.len() - alone.len()..], &alone[..]);
            }
        }
    }
}
