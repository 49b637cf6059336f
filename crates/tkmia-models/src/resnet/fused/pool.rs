//! The stem's max-pooling: [`Pool`].

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::layer::size;
use super::maps::{Halo, LANES, Lanes, Maps, Shape};
use crate::resnet::blueprint::Window;

/// Max-pooling of values that aren't negative.
///
/// The padding is zero where it should be −∞. A window without a positive value gives 0 either way,
/// and leads no gradient back, since all its values are zeros of a ReLU.
pub(super) struct Pool(Window);

/// The tap of each output that was the largest, the first of several; [`NONE`] where none was positive.
pub(super) type Largest = Vec<[u8; LANES]>;

const NONE: u8 = u8::MAX;

impl Pool {
    /// Of a window whose taps can be told by a byte.
    pub fn new(window: Window) -> Option<Self> {
        (window.kernel[0] * window.kernel[1] <= usize::from(NONE)).then_some(Self(window))
    }

    /// Height and width of the output.
    pub fn size(&self, input: [usize; 2]) -> [usize; 2] {
        size(&self.0, input)
    }

    /// The halo that the input must have.
    pub fn halo(&self, input: [usize; 2]) -> Halo {
        let Window { kernel, stride, padding, dilation, .. } = &self.0;
        let output = self.size(input);
        let after = |axis: usize| {
            let last = (output[axis] - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1);
            (last + 1).saturating_sub(padding[axis] + input[axis])
        };
        [padding[0], padding[1], after(0), after(1)]
    }

    /// Writes the largest values into `output`, and gives which they were.
    pub fn forward(&self, arch: Arch, input: &Maps, output: &mut Maps) -> Largest {
        let (from, to) = (input.shape, output.shape);
        let mut largest = vec![[NONE; LANES]; to.blocks * to.area()];
        let walk = self.walk(from, to);
        let planes = input.values.par_chunks(from.plane());
        let outputs = output.values.par_chunks_mut(to.plane());
        planes.zip(outputs).zip(largest.par_chunks_mut(to.area())).for_each(
            |((input, output), largest)| {
                arch.dispatch(Choose { walk: &walk, input, output, largest });
            },
        );
        largest
    }

    /// Hands the gradient of each output to its largest input.
    pub fn backward(&self, arch: Arch, gradient: &Maps, largest: &Largest, input: &mut Maps) {
        let (from, to) = (input.shape, gradient.shape);
        let walk = self.walk(from, to);
        let planes = input.values.par_chunks_mut(from.plane());
        let gradients = gradient.values.par_chunks(to.plane());
        planes.zip(gradients).zip(largest.par_chunks(to.area())).for_each(
            |((input, gradient), largest)| {
                arch.dispatch(HandBack { walk: &walk, input, gradient, largest });
            },
        );
    }

    /// Over maps of these shapes.
    fn walk(&self, from: Shape, to: Shape) -> Walk {
        let Window { kernel, stride, padding, dilation, .. } = &self.0;
        let pitch = from.pitch();
        let rows = (0..kernel[0]).map(|row| row * dilation[0] * pitch);
        let taps = rows
            .flat_map(|row| (0..kernel[1]).map(move |column| row + column * dilation[1]))
            .collect();
        let first = from.origin() - padding[0] * pitch - padding[1];
        Walk { taps, first, step: [stride[0] * pitch, stride[1]], to }
    }
}

/// How a window goes over maps of certain shapes.
struct Walk {
    /// What each tap is from the first.
    taps: Vec<usize>,
    /// The first tap of the first output, and from row to row and from column to column.
    first: usize,
    step: [usize; 2],
    to: Shape,
}

impl Walk {
    /// Calls `visit` for each output with its place, its place without the halo, and its first tap's.
    #[inline(always)]
    fn each(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let [rows, columns] = self.to.size;
        for row in 0..rows {
            for column in 0..columns {
                let first = self.first + row * self.step[0] + column * self.step[1];
                visit(self.to.row(row) + column, row * columns + column, first);
            }
        }
    }
}

/// [`Pool::forward`] of a block of channels.
struct Choose<'a> {
    walk: &'a Walk,
    input: &'a [Lanes],
    output: &'a mut [Lanes],
    largest: &'a mut [[u8; LANES]],
}

impl WithSimd for Choose<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { walk, input, output, largest } = self;
        let zero = simd.splat_f32s(0.0);
        let always = simd.equal_f32s(zero, zero);
        walk.each(|at, place, first| {
            let mut which = [0.0; LANES];
            let (largest_values, _) = S::as_mut_simd_f32s(&mut output[at].0);
            let (their_taps, _) = S::as_mut_simd_f32s(&mut which);
            for part in 0..largest_values.len() {
                let (mut most, mut taken) = (zero, simd.splat_f32s(f32::from(NONE)));
                for (tap, offset) in walk.taps.iter().enumerate() {
                    let value = S::as_simd_f32s(&input[first + offset].0).0[part];
                    // NaN must come through.
                    let nan = simd.xor_m32s(simd.equal_f32s(value, value), always);
                    let more = simd.or_m32s(simd.greater_than_f32s(value, most), nan);
                    most = simd.select_f32s(more, value, most);
                    taken = simd.select_f32s(more, simd.splat_f32s(tap as f32), taken);
                }
                (largest_values[part], their_taps[part]) = (most, taken);
            }
            largest[place] = which.map(|tap| tap as u8);
        });
    }
}

/// [`Pool::backward`] of a block of channels.
struct HandBack<'a> {
    walk: &'a Walk,
    input: &'a mut [Lanes],
    gradient: &'a [Lanes],
    largest: &'a [[u8; LANES]],
}

impl WithSimd for HandBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { walk, input, gradient, largest } = self;
        input.fill(Lanes::ZERO);
        walk.each(|at, place, first| {
            let which = largest[place].map(f32::from);
            let (taken, _) = S::as_simd_f32s(&which);
            let (values, _) = S::as_simd_f32s(&gradient[at].0);
            for (part, (taken, value)) in taken.iter().zip(values).enumerate() {
                for (tap, offset) in walk.taps.iter().enumerate() {
                    let sum = &mut S::as_mut_simd_f32s(&mut input[first + offset].0).0[part];
                    let own = simd.equal_f32s(*taken, simd.splat_f32s(tap as f32));
                    let value = simd.select_f32s(own, *value, simd.splat_f32s(0.0));
                    *sum = simd.add_f32s(*sum, value);
                }
            }
        });
    }
}
