//! Convolutions of 3×3 with stride 1 by minimal filters: [`Winograd`].

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::maps::{Arena, Halo, LANES, Lanes, Maps, Shape};
use super::minimal::{self, Four, Minimal, Two};
use super::stencil::biases;
use super::task::{Block, Finish, PAIR, Relu, Task, Walk, at_once, height};
use crate::resnet::filter::Filter;

/// Weighted sums over all input channels and 3×3 neighbours of a pixel.
///
/// The output is cut in tiles. What a tile reads is spread to the points of a [filter](Minimal); at each point sums are
/// taken over the input channels, as a 1×1 convolution does, and the tile's outputs are gathered from them. Whatever the
/// machine, all this has one order.
pub(super) struct Winograd {
    filter: Filter,
    /// Blocks of input channels.
    inputs: usize,
    /// Row and column where the first output begins to read.
    first: [isize; 2],
    /// `[outputs, points, inputs, LANES]`: the weights of an output block for one input channel.
    weights: Vec<Lanes>,
    /// `[outputs]`
    bias: Vec<Lanes>,
}

impl Winograd {
    /// Of `[output, input, tap]` weights, with taps in rows from the first or from the last, and one bias for each output.
    pub fn new(
        filter: Filter,
        [outputs, inputs]: [usize; 2],
        taps: &[[isize; 2]],
        bias: &[f32],
        weight: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let [begin, .., end] = taps else { unreachable!("nine taps") };
        let weight = |output, input, tap| match begin < end {
            true => f64::from(weight(output, input, tap)),
            false => f64::from(weight(output, input, 8 - tap)),
        };
        let (blocks, points) = (inputs.div_ceil(LANES), filter.points());
        let mut weights = vec![Lanes::ZERO; outputs.div_ceil(LANES) * points * blocks * LANES];
        weights.par_chunks_mut(points * blocks * LANES).enumerate().for_each(|(block, weights)| {
            for input in 0..inputs {
                for output in block * LANES..outputs.min((block + 1) * LANES) {
                    let kernel = std::array::from_fn(|tap| weight(output, input, tap));
                    minimal::weights(filter, kernel, |point, value| {
                        let at = point * blocks * LANES + input;
                        weights[at].0[output % LANES] = value as f32;
                    });
                }
            }
        });
        let first = *begin.min(end);
        Self { filter, inputs: blocks, first, weights, bias: biases(outputs, bias) }
    }

    /// Blocks of output channels.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// The halo that the input must have.
    pub fn halo(&self, input: [usize; 2], output: [usize; 2]) -> Halo {
        let [down, across] = self.filter.tiles(output);
        let along = |axis: usize, tiles: usize| {
            let end = self.first[axis] + (tiles * self.filter.outputs() + 2) as isize;
            let (before, after) = (-self.first[axis], end - input[axis] as isize);
            [before.max(0) as usize, after.max(0) as usize]
        };
        let ([top, bottom], [left, right]) = (along(0, down), along(1, across));
        [top, left, bottom, right]
    }

    /// Computes all sums.
    pub fn run(
        &self,
        arch: Arch,
        arena: &mut Arena,
        input: &Maps,
        output: &mut Maps,
        finish: Finish<'_>,
    ) {
        let (from, to, filter) = (input.shape, output.shape, self.filter);
        debug_assert!(from.blocks == self.inputs && to.blocks == self.outputs());
        let (points, each) = (filter.points(), self.inputs * LANES);
        let [rows, columns] = filter.tiles(to.size);
        let pairs = to.blocks.div_ceil(PAIR);
        let of_row = PAIR * points * each * columns;
        let height = height(rows, pairs, of_row * rows).min(TILES.div_ceil(columns));
        let bands: Vec<Range<usize>> =
            (0..rows).step_by(height).map(|row| row..rows.min(row + height)).collect();
        // A block of a band's points, `[points, tiles]`.
        let room = height * columns;
        let plane = points * room;
        let [spread, sums] = &mut arena.scratch;
        let [spread, sums] =
            [(spread, self.inputs), (sums, pairs * PAIR)].map(|(values, blocks)| {
                let room = bands.len() * blocks * plane;
                values.resize(values.len().max(room), Lanes::ZERO);
                &mut values[..room]
            });

        let corner = from.origin() as isize + self.first[0] * from.pitch() as isize + self.first[1];
        spread
            .par_chunks_mut(plane)
            .enumerate()
            .with_min_len(at_once(points * room * LANES))
            .for_each(|(at, points)| {
                let (band, block) = (at / self.inputs, at % self.inputs);
                let first = corner as usize + block * from.plane();
                arch.dispatch(Spread {
                    filter,
                    input: &input.values,
                    first,
                    pitch: from.pitch(),
                    rows: bands[band].clone(),
                    columns,
                    points,
                });
            });

        let walk = |tiles: usize, point: usize| Walk {
            rows: 1,
            columns: tiles,
            read: [0, 1],
            write: [0, 1],
            note: [0, 0],
            taps: vec![point * room],
            start: point * room,
            first_sign: 0,
            plane,
        };
        let walks: Vec<Vec<Walk>> = bands
            .iter()
            .map(|band| (0..points).map(|point| walk(band.len() * columns, point)).collect())
            .collect();
        let cuts: Vec<usize> = bands.iter().map(|band| band.start * filter.outputs()).collect();
        Block::pairs(output, finish.relu, &cuts)
            .into_par_iter()
            .zip(sums.par_chunks_mut(PAIR * plane))
            .enumerate()
            .with_min_len(at_once(of_row * height))
            .for_each(|(at, (blocks, sums))| {
                let (pair, band) = (at / bands.len(), at % bands.len());
                let first = pair * PAIR;
                let input = &spread[band * self.inputs * plane..][..self.inputs * plane];
                for (point, walk) in walks[band].iter().enumerate() {
                    let sums = sums.chunks_mut(plane).take(blocks.len());
                    arch.dispatch(Task {
                        walk,
                        input,
                        weights: &self.weights[(first * points + point) * each..],
                        bias: &[Lanes::ZERO; PAIR],
                        each: points * each,
                        add: false,
                        blocks: sums.map(|output| Block { output, relu: Relu::None }).collect(),
                    });
                }
                let sums = sums.chunks(plane).zip(&self.bias[first..]);
                for (block, (sums, bias)) in blocks.into_iter().zip(sums) {
                    let (rows, add) = (bands[band].clone(), finish.add);
                    arch.dispatch(Gather {
                        filter,
                        sums,
                        bias,
                        shape: to,
                        rows,
                        columns,
                        add,
                        block,
                    });
                }
            });
    }
}

/// Spreads what the tiles of a band read in a block to the points.
struct Spread<'a> {
    filter: Filter,
    input: &'a [Lanes],
    /// Where the first tile of the map begins to read.
    first: usize,
    /// From one row of the input to the next.
    pitch: usize,
    /// Tiles down and across.
    rows: Range<usize>,
    columns: usize,
    /// `[points, tiles]`
    points: &'a mut [Lanes],
}

impl WithSimd for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.filter {
            Filter::Two => self.tiles::<S, Two, 4, 2>(simd),
            Filter::Four => self.tiles::<S, Four, 6, 4>(simd),
        }
    }
}

impl Spread<'_> {
    #[inline(always)]
    fn tiles<S: Simd, F: Minimal<A, M>, const A: usize, const M: usize>(self, simd: S) {
        let room = self.points.len() / (A * A);
        for row in self.rows.clone() {
            for column in 0..self.columns {
                let tile = (row - self.rows.start) * self.columns + column;
                let first = self.first + row * M * self.pitch + column * M;
                for v in 0..LANES / S::F32_LANES {
                    let columns: [[S::f32s; A]; A] = std::array::from_fn(|c| {
                        let at = |r: usize| first + r * self.pitch + c;
                        F::spread(simd, std::array::from_fn(|r| vector::<S>(&self.input[at(r)], v)))
                    });
                    for r in 0..A {
                        let points = F::spread(simd, columns.map(|column| column[r]));
                        for (c, point) in points.into_iter().enumerate() {
                            let lanes = &mut self.points[(r * A + c) * room + tile].0;
                            S::as_mut_simd_f32s(lanes).0[v] = point;
                        }
                    }
                }
            }
        }
    }
}

/// Gathers the outputs of the tiles of a band of a block from the sums at the points.
struct Gather<'a> {
    filter: Filter,
    /// `[points, tiles]`
    sums: &'a [Lanes],
    bias: &'a Lanes,
    /// The output's.
    shape: Shape,
    /// Tiles down and across.
    rows: Range<usize>,
    columns: usize,
    add: bool,
    block: Block<'a>,
}

impl WithSimd for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.filter {
            Filter::Two => self.tiles::<S, Two, 4, 2>(simd),
            Filter::Four => self.tiles::<S, Four, 6, 4>(simd),
        }
    }
}

impl Gather<'_> {
    #[inline(always)]
    fn tiles<S: Simd, F: Minimal<A, M>, const A: usize, const M: usize>(mut self, simd: S) {
        let to = self.shape;
        let room = self.sums.len() / (A * A);
        let [cut, cut_signs] = to.cut(self.rows.start * M);
        for row in self.rows.clone() {
            for column in 0..self.columns {
                let tile = (row - self.rows.start) * self.columns + column;
                let mut outputs = [[Lanes::ZERO; M]; M];
                for v in 0..LANES / S::F32_LANES {
                    let columns: [[S::f32s; M]; A] = std::array::from_fn(|c| {
                        let at = |r: usize| (r * A + c) * room + tile;
                        F::gather(simd, std::array::from_fn(|r| vector::<S>(&self.sums[at(r)], v)))
                    });
                    for r in 0..M {
                        let values = F::gather(simd, columns.map(|column| column[r]));
                        for c in 0..M {
                            let (output, _) = S::as_mut_simd_f32s(&mut outputs[r][c].0);
                            output[v] = simd.add_f32s(values[c], vector::<S>(self.bias, v));
                        }
                    }
                }
                let [row, column] = [row * M, column * M];
                for (row, outputs) in (row..to.size[0]).zip(outputs) {
                    for (column, sums) in (column..to.size[1]).zip(outputs) {
                        let at = to.row(row) + column - cut;
                        let sign = row * to.size[1] + column - cut_signs;
                        self.block.put(simd, [at, sign], &sums.0, self.add);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn vector<S: Simd>(lanes: &Lanes, v: usize) -> S::f32s {
    S::as_simd_f32s(&lanes.0).0[v]
}

/// Tiles of a band at most, about: what a pair of blocks takes of them stays in a core's cache.
const TILES: usize = 64;
