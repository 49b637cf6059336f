//! Weighted sums over the neighbourhood of a pixel, what convolutions are forward and backward:
//! [`Stencil`].

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use super::maps::{Halo, LANES, Lanes, Maps, Shape};
use super::task::{Block, Finish, PAIR, Task, Walk, at_once, height};

/// Sums over all input channels and a few neighbours of a pixel:
///
/// ```text
/// output[step_out · p + origin] = bias + Σ_tap weights[tap] · input[step_in · p + tap]
/// ```
///
/// Whatever the size of the maps and the machine, a sum is taken in the same order, by
/// fused multiply-adds: over blocks of input channels, within them over taps, within them over
/// channels.
pub(super) struct Stencil {
    /// Blocks of input channels.
    inputs: usize,
    steps: Steps,
    /// `[outputs, inputs, taps, LANES]`: the weights of an output block for one input channel.
    weights: Vec<Lanes>,
    /// `[outputs]`
    bias: Vec<Lanes>,
}

/// Where a stencil reads and writes.
pub(super) struct Steps {
    /// Row and column, relative to the position in the input.
    pub taps: Vec<[isize; 2]>,
    pub step_in: [usize; 2],
    pub step_out: [usize; 2],
    pub origin: [usize; 2],
}

impl Stencil {
    /// Of `[output, input, tap]` weights and one bias for each output.
    pub fn new(
        [outputs, inputs]: [usize; 2],
        steps: Steps,
        bias: &[f32],
        weight: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let taps = steps.taps.len();
        let blocks = inputs.div_ceil(LANES);
        let each = blocks * taps * LANES;
        let mut weights = vec![Lanes::ZERO; outputs.div_ceil(LANES) * each];
        if each > 0 {
            weights.par_chunks_mut(each).enumerate().for_each(|(block, weights)| {
                for input in 0..inputs {
                    for tap in 0..taps {
                        let at = (input / LANES * taps + tap) * LANES + input % LANES;
                        weights[at] =
                            Lanes::of(block, outputs, |output| weight(output, input, tap));
                    }
                }
            });
        }
        Self { inputs: blocks, steps, weights, bias: biases(outputs, bias) }
    }

    /// Blocks of output channels.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Positions along rows and columns for an output of that size.
    fn positions(&self, output: [usize; 2]) -> [usize; 2] {
        std::array::from_fn(|axis| {
            output[axis].saturating_sub(self.steps.origin[axis]).div_ceil(self.steps.step_out[axis])
        })
    }

    /// The halo that the input must have.
    pub fn halo(&self, input: [usize; 2], output: [usize; 2]) -> Halo {
        let positions = self.positions(output);
        let along = |axis: usize| {
            let taps = || self.steps.taps.iter().map(|tap| tap[axis]);
            let (first, last) = (taps().min().unwrap_or(0), taps().max().unwrap_or(0));
            let end =
                (positions[axis].saturating_sub(1) * self.steps.step_in[axis]) as isize + last;
            let (before, after) = (-first, end + 1 - input[axis] as isize);
            [before.max(0) as usize, after.max(0) as usize]
        };
        let ([top, bottom], [left, right]) = (along(0), along(1));
        [top, left, bottom, right]
    }

    /// Computes all sums.
    pub fn run(&self, arch: Arch, input: &Maps, output: &mut Maps, finish: Finish<'_>) {
        let (from, to) = (input.shape, output.shape);
        debug_assert!(from.blocks == self.inputs && to.blocks == self.outputs());
        let [rows, columns] = self.positions(to.size);
        let each = self.inputs * self.steps.taps.len() * LANES;
        let of_row = PAIR * each * columns;
        let height = height(rows, to.blocks.div_ceil(PAIR), of_row * rows);
        let walks: Vec<Walk> = (0..rows)
            .step_by(height)
            .map(|first| self.walk(from, to, first..rows.min(first + height)))
            .collect();
        let cuts: Vec<usize> = (0..rows).step_by(height).map(|first| self.cut(first)).collect();
        Block::pairs(output, finish.relu, &cuts)
            .into_par_iter()
            .enumerate()
            .with_min_len(at_once(of_row * height))
            .for_each(|(at, blocks)| {
                let first = at / walks.len() * PAIR;
                arch.dispatch(Task {
                    walk: &walks[at % walks.len()],
                    input: &input.values,
                    weights: &self.weights[first * each..],
                    bias: &self.bias[first..],
                    each,
                    add: finish.add,
                    blocks,
                });
            });
    }

    /// The row of the output where the band of a position's row begins.
    fn cut(&self, first: usize) -> usize {
        match first {
            0 => 0,
            _ => self.steps.origin[0] + first * self.steps.step_out[0],
        }
    }

    /// How to go over a band of the maps.
    fn walk(&self, from: Shape, to: Shape, band: Range<usize>) -> Walk {
        let Steps { taps, step_in, step_out, origin } = &self.steps;
        let pitch = from.pitch();
        let offset = |&[row, column]: &[isize; 2]| {
            let row = row + (band.start * step_in[0]) as isize;
            (from.origin() as isize + row * pitch as isize + column) as usize
        };
        let row = origin[0] + band.start * step_out[0];
        let [cut, cut_signs] = to.cut(self.cut(band.start));
        Walk {
            rows: band.len(),
            columns: self.positions(to.size)[1],
            read: [step_in[0] * pitch, step_in[1]],
            write: [step_out[0] * to.pitch(), step_out[1]],
            note: [step_out[0] * to.size[1], step_out[1]],
            taps: taps.iter().map(offset).collect(),
            start: to.row(row) + origin[1] - cut,
            first_sign: row * to.size[1] + origin[1] - cut_signs,
            plane: from.plane(),
        }
        .flat()
    }
}

/// A bias for each output, `[blocks]`, 0 where there is none.
pub(super) fn biases(outputs: usize, bias: &[f32]) -> Vec<Lanes> {
    let value = |output: usize| bias.get(output).copied().unwrap_or(0.0);
    (0..outputs.div_ceil(LANES)).map(|block| Lanes::of(block, outputs, value)).collect()
}
