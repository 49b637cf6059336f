//! Weighted sums over the neighbourhood of a pixel, what convolutions are forward and backward:
//! [`Stencil`].

use pulp::Arch;
use rayon::prelude::*;

use super::maps::{Halo, LANES, Lanes, Maps, Shape};
use super::task::{Block, PAIR, Relu, Task, Walk};

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
    /// Blocks of output channels.
    outputs: usize,
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

/// What becomes of the sums.
pub(super) struct Finish<'a> {
    /// Whether they are added to what is in the output.
    pub add: bool,
    pub relu: Relu<'a>,
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
        let lanes = |block: usize, value: &dyn Fn(usize) -> f32| {
            Lanes(std::array::from_fn(|lane| {
                let channel = block * LANES + lane;
                if channel < outputs { value(channel) } else { 0.0 }
            }))
        };
        let each = blocks * taps * LANES;
        let mut weights = vec![Lanes::ZERO; outputs.div_ceil(LANES) * each];
        if each > 0 {
            weights.par_chunks_mut(each).enumerate().for_each(|(block, weights)| {
                for input in 0..inputs {
                    for tap in 0..taps {
                        let at = (input / LANES * taps + tap) * LANES + input % LANES;
                        weights[at] = lanes(block, &|output| weight(output, input, tap));
                    }
                }
            });
        }
        let outputs = outputs.div_ceil(LANES);
        let bias = (0..outputs)
            .map(|block| lanes(block, &|output| bias.get(output).copied().unwrap_or(0.0)))
            .collect();
        Self { inputs: blocks, outputs, steps, weights, bias }
    }

    /// Blocks of output channels.
    pub fn outputs(&self) -> usize {
        self.outputs
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
        debug_assert!(from.blocks == self.inputs && to.blocks == self.outputs);
        let walks = self.walks(from, to);
        let (pairs, each) = (to.blocks.div_ceil(PAIR), self.weights_of_block());
        let mut tasks: Vec<Task<'_>> = (0..pairs)
            .flat_map(|pair| walks.iter().map(move |walk| (pair, walk)))
            .map(|(pair, walk)| Task {
                walk,
                input: &input.values,
                weights: &self.weights[pair * PAIR * each..],
                bias: &self.bias[pair * PAIR..],
                each,
                add: finish.add,
                blocks: Vec::with_capacity(PAIR),
            })
            .collect();
        let mut left = finish.relu;
        for (block, mut values) in output.values.chunks_mut(to.plane()).enumerate() {
            let (mut signs, behind) = left.split_at(to.area());
            left = behind;
            for (band, walk) in walks.iter().enumerate().rev() {
                let (before, output) = values.split_at_mut(walk.cut);
                let (earlier, relu) = signs.split_at(walk.cut_signs);
                (values, signs) = (before, earlier);
                tasks[block / PAIR * walks.len() + band].blocks.push(Block { output, relu });
            }
        }
        let smallest = tasks.iter().map(Task::products).min().unwrap_or_default();
        let at_once = SMALLEST.div_ceil(smallest.max(1));
        tasks.into_par_iter().with_min_len(at_once).for_each(|task| arch.dispatch(task));
    }

    /// Weights of an output block, each of them a vector.
    fn weights_of_block(&self) -> usize {
        self.inputs * self.steps.taps.len() * LANES
    }

    /// How to go over the maps, in bands of rows: as many as keep all threads busy.
    fn walks(&self, from: Shape, to: Shape) -> Vec<Walk> {
        let [rows, columns] = self.positions(to.size);
        let Steps { taps, step_in, step_out, origin } = &self.steps;
        let pitch = from.pitch();
        let pairs = to.blocks.div_ceil(PAIR).max(1);
        let products = PAIR * self.weights_of_block() * rows * columns;
        let bands = match rayon::current_num_threads() {
            1 => 1,
            threads => (TASKS * threads).div_ceil(pairs).min(products / SMALLEST).min(rows).max(1),
        };
        let height = rows.div_ceil(bands).max(1);
        let band = |first: usize| {
            let offset = |&[row, column]: &[isize; 2]| {
                let row = row + (first * step_in[0]) as isize;
                (from.origin() as isize + row * pitch as isize + column) as usize
            };
            let row = origin[0] + first * step_out[0];
            // The first band has the halo before it, and the last one the halo behind.
            let [cut, cut_signs] = match first {
                0 => [0, 0],
                _ => [(to.halo[0] + row) * to.pitch(), row * to.size[1]],
            };
            Walk {
                rows: height.min(rows - first),
                columns,
                read: [step_in[0] * pitch, step_in[1]],
                write: [step_out[0] * to.pitch(), step_out[1]],
                note: [step_out[0] * to.size[1], step_out[1]],
                taps: taps.iter().map(offset).collect(),
                cut,
                start: to.row(row) + origin[1] - cut,
                cut_signs,
                first_sign: row * to.size[1] + origin[1] - cut_signs,
                plane: from.plane(),
            }
            .flat()
        };
        (0..rows).step_by(height).map(band).collect()
    }
}

/// Tasks for each thread at least, where there are several: one that wakes up late has others do its
/// part.
const TASKS: usize = 2;

/// Products of vectors that a thread does in one go at least: some ten microseconds.
const SMALLEST: usize = 100_000;
