//! The kernel of all convolutions: [`Task`], the sums of a stencil for a few channels and rows.

use pulp::{Simd, WithSimd};

use super::maps::{LANES, Lanes};

/// Blocks of output channels that are computed together.
pub(super) const PAIR: usize = 2;

/// How a stencil goes over a band of rows of maps of certain shapes.
pub(super) struct Walk {
    pub rows: usize,
    pub columns: usize,
    /// From row to row and from column to column in the input, the output and the signs.
    pub read: [usize; 2],
    pub write: [usize; 2],
    pub note: [usize; 2],
    /// Where each tap of the first position is.
    pub taps: Vec<usize>,
    /// Where the band begins in a block of the output and of the signs.
    pub cut: usize,
    pub cut_signs: usize,
    /// The first position, from there.
    pub start: usize,
    pub first_sign: usize,
    /// From one block of the input to the next.
    pub plane: usize,
}

impl Walk {
    /// All rows as one, where they follow each other without a gap.
    pub fn flat(self) -> Self {
        let joined = [self.read, self.write, self.note]
            .iter()
            .all(|[row, column]| *row == self.columns * column);
        match joined {
            true => Self { rows: 1, columns: self.rows * self.columns, ..self },
            false => self,
        }
    }
}

/// A band of one or two blocks of output channels.
pub(super) struct Task<'a> {
    pub walk: &'a Walk,
    pub input: &'a [Lanes],
    pub weights: &'a [Lanes],
    pub bias: &'a [Lanes],
    /// Weights of an output block.
    pub each: usize,
    pub add: bool,
    pub blocks: Vec<Block<'a>>,
}

impl Task<'_> {
    /// Products of vectors.
    pub fn products(&self) -> usize {
        self.blocks.len() * self.each * self.walk.rows * self.walk.columns
    }
}

pub(super) struct Block<'a> {
    pub output: &'a mut [Lanes],
    pub relu: Relu<'a>,
}

/// The signs of outputs, `[blocks, height · width]`, one bit for each channel of a block.
pub(super) enum Relu<'a> {
    /// There is none.
    None,
    /// Forward: negative values become 0; the positive ones are noted.
    Record(&'a mut [u16]),
    /// Backward: what wasn't positive becomes 0.
    Apply(&'a [u16]),
}

impl Relu<'_> {
    pub fn split_at(self, at: usize) -> (Self, Self) {
        match self {
            Relu::None => (Relu::None, Relu::None),
            Relu::Record(bits) => {
                let (before, behind) = bits.split_at_mut(at);
                (Relu::Record(before), Relu::Record(behind))
            }
            Relu::Apply(bits) => {
                let (before, behind) = bits.split_at(at);
                (Relu::Apply(before), Relu::Apply(behind))
            }
        }
    }
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let blocks = self.blocks.len();
        // As many sums at once as there are registers for.
        match (S::F32_LANES, blocks) {
            (16, PAIR) => self.rows::<S, 1, PAIR>(simd, 0),
            (16, _) => self.rows::<S, 1, 1>(simd, 0),
            (8, _) => (0..blocks).for_each(|block| self.rows::<S, 2, 1>(simd, block)),
            (4, _) => (0..blocks).for_each(|block| self.rows::<S, 4, 1>(simd, block)),
            _ => (0..blocks).for_each(|block| self.rows::<S, LANES, 1>(simd, block)),
        }
    }
}

impl Task<'_> {
    /// Computes `N` blocks, each of `V` vectors.
    #[inline(always)]
    fn rows<S: Simd, const V: usize, const N: usize>(&mut self, simd: S, block: usize) {
        let Walk { rows, columns, .. } = *self.walk;
        // Widths of ResNets are multiples of 7 at 224 pixels, and powers of two at others.
        let sevens = V == 1 && columns % 7 == 0;
        for row in 0..rows {
            let mut column = 0;
            while column < columns {
                let at = [row, column];
                column += match columns - column {
                    7.. if sevens => self.tile::<S, V, 7, N>(simd, block, at),
                    8.. if V == 1 => self.tile::<S, V, 8, N>(simd, block, at),
                    6.. if V == 2 || V == 4 => self.tile::<S, V, 6, N>(simd, block, at),
                    4.. if V <= 4 => self.tile::<S, V, 4, N>(simd, block, at),
                    2.. if V <= 4 => self.tile::<S, V, 2, N>(simd, block, at),
                    _ => self.tile::<S, V, 1, N>(simd, block, at),
                };
            }
        }
    }

    /// Computes `M` neighbouring outputs in registers, and gives `M`.
    #[expect(clippy::needless_range_loop, reason = "with iterators sums leave the registers")]
    #[inline(always)]
    fn tile<S: Simd, const V: usize, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        block: usize,
        [row, column]: [usize; 2],
    ) -> usize {
        let walk = self.walk;
        let at = |[down, across]: [usize; 2]| row * down + column * across;
        let bias: [[S::f32s; V]; N] =
            std::array::from_fn(|n| vectors::<S, V>(&self.bias[block + n]));
        let mut sums = [bias; M];
        let weights: [&[Lanes]; N] =
            std::array::from_fn(|n| &self.weights[(block + n) * self.each..][..self.each]);

        let mut next = 0;
        for input in self.input.chunks_exact(walk.plane) {
            for tap in &walk.taps {
                let first = tap + at(walk.read);
                let pixels: [&[f32; LANES]; M] =
                    std::array::from_fn(|m| &input[first + m * walk.read[1]].0);
                let weights: [&[Lanes; LANES]; N] = std::array::from_fn(|n| {
                    weights[n][next..].first_chunk().expect("as many as were packed")
                });
                for channel in 0..LANES {
                    let weights: [[S::f32s; V]; N] =
                        std::array::from_fn(|n| vectors::<S, V>(&weights[n][channel]));
                    for m in 0..M {
                        let value = simd.splat_f32s(pixels[m][channel]);
                        for n in 0..N {
                            for v in 0..V {
                                sums[m][n][v] =
                                    simd.mul_add_f32s(value, weights[n][v], sums[m][n][v]);
                            }
                        }
                    }
                }
                next += LANES;
            }
        }

        let (write, note) = (walk.start + at(walk.write), walk.first_sign + at(walk.note));
        for (n, block) in self.blocks[block..][..N].iter_mut().enumerate() {
            for m in 0..M {
                let output = &mut block.output[write + m * walk.write[1]].0;
                let (old, _) = S::as_mut_simd_f32s(output);
                for v in 0..V {
                    let sum = sums[m][n][v];
                    old[v] = if self.add { simd.add_f32s(sum, old[v]) } else { sum };
                }
                let sign = note + m * walk.note[1];
                match &mut block.relu {
                    Relu::None => {}
                    Relu::Record(bits) => bits[sign] = relu(output),
                    Relu::Apply(bits) => mask(output, bits[sign]),
                }
            }
        }
        M
    }
}

#[inline(always)]
fn vectors<S: Simd, const V: usize>(lanes: &Lanes) -> [S::f32s; V] {
    let (vectors, _) = S::as_simd_f32s(&lanes.0);
    std::array::from_fn(|v| vectors[v])
}

/// Sets negative values to 0, not NaN, and gives a bit for each positive one.
#[inline(always)]
fn relu(values: &mut [f32; LANES]) -> u16 {
    let mut bits = 0;
    for (lane, value) in values.iter_mut().enumerate() {
        bits |= u16::from(*value > 0.0) << lane;
        *value = if *value < 0.0 { 0.0 } else { *value };
    }
    bits
}

/// Keeps the values whose bit is set.
#[inline(always)]
fn mask(values: &mut [f32; LANES], bits: u16) {
    for (lane, value) in values.iter_mut().enumerate() {
        *value = if bits & (1 << lane) != 0 { *value } else { 0.0 };
    }
}
