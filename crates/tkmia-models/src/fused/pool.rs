//! The stem's max-pooling: [`Pool`].

use pulp::Arch;
use rayon::prelude::*;

use super::layer::size;
use super::maps::{Halo, LANES, Lanes, Maps};
use crate::blueprint::Window;

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
        let taps = self.taps(from.pitch());
        let mut largest = vec![[NONE; LANES]; to.blocks * to.area()];
        let planes = input.values.par_chunks(from.plane());
        let outputs = output.values.par_chunks_mut(to.plane());
        let plane = |input: &[Lanes], output: &mut [Lanes], largest: &mut [[u8; LANES]]| {
            for row in 0..to.size[0] {
                for column in 0..to.size[1] {
                    let first = self.first(from.origin(), from.pitch(), [row, column]);
                    let which = &mut largest[row * to.size[1] + column];
                    let mut most = [0.0; LANES];
                    for (tap, offset) in taps.iter().enumerate() {
                        let values = &input[first + offset].0;
                        for lane in 0..LANES {
                            let value = values[lane];
                            // NaN must come through.
                            let more = value > most[lane] || value.is_nan();
                            most[lane] = if more { value } else { most[lane] };
                            which[lane] = if more { tap as u8 } else { which[lane] };
                        }
                    }
                    output[to.row(row) + column] = Lanes(most);
                }
            }
        };
        planes
            .zip(outputs)
            .zip(largest.par_chunks_mut(to.area()))
            .for_each(|((input, output), largest)| arch.dispatch(|| plane(input, output, largest)));
        largest
    }

    /// Hands the gradient of each output to its largest input.
    pub fn backward(&self, arch: Arch, gradient: &Maps, largest: &Largest, input: &mut Maps) {
        let (from, to) = (input.shape, gradient.shape);
        let taps = self.taps(from.pitch());
        let planes = input.values.par_chunks_mut(from.plane());
        let gradients = gradient.values.par_chunks(to.plane());
        let plane = |input: &mut [Lanes], gradient: &[Lanes], largest: &[[u8; LANES]]| {
            input.fill(Lanes::ZERO);
            for row in 0..to.size[0] {
                for column in 0..to.size[1] {
                    let first = self.first(from.origin(), from.pitch(), [row, column]);
                    let which = &largest[row * to.size[1] + column];
                    let values = &gradient[to.row(row) + column].0;
                    for (tap, offset) in taps.iter().enumerate() {
                        let sums = &mut input[first + offset].0;
                        for lane in 0..LANES {
                            let own = which[lane] == tap as u8;
                            sums[lane] += if own { values[lane] } else { 0.0 };
                        }
                    }
                }
            }
        };
        planes.zip(gradients).zip(largest.par_chunks(to.area())).for_each(
            |((input, gradient), largest)| arch.dispatch(|| plane(input, gradient, largest)),
        );
    }

    /// What each tap is from the first.
    fn taps(&self, pitch: usize) -> Vec<usize> {
        let Window { kernel, dilation, .. } = &self.0;
        let rows = (0..kernel[0]).map(|row| row * dilation[0] * pitch);
        rows.flat_map(|row| (0..kernel[1]).map(move |column| row + column * dilation[1])).collect()
    }

    /// Where the first tap of an output is.
    fn first(&self, origin: usize, pitch: usize, [row, column]: [usize; 2]) -> usize {
        let Window { stride, padding, .. } = &self.0;
        let inside = origin + row * stride[0] * pitch + column * stride[1];
        inside - padding[0] * pitch - padding[1]
    }
}
