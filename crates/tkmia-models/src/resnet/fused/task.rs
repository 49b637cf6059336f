//! The kernel of all convolutions: [`Task`], the sums of a stencil for a few channels and rows.

use pulp::{Simd, WithSimd};

use super::maps::{LANES, Lanes, Maps};

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
    /// The first position in the band's part of the output and of the signs.
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
    /// From the weights of one output block to those of the next.
    pub each: usize,
    pub add: bool,
    pub blocks: Vec<Block<'a>>,
}

/// What becomes of the sums.
pub(super) struct Finish<'a> {
    /// Whether they are added to what is in the output.
    pub add: bool,
    pub relu: Relu<'a>,
}

/// A band of a block of output channels.
pub(super) struct Block<'a> {
    pub output: &'a mut [Lanes],
    pub relu: Relu<'a>,
}

impl<'a> Block<'a> {
    /// Cuts maps and their signs in pairs of blocks, and these in bands that begin at those rows:
    /// `[pairs, bands, PAIR]`.
    pub fn pairs(output: &'a mut Maps, mut relu: Relu<'a>, rows: &[usize]) -> Vec<Vec<Self>> {
        let to = output.shape;
        let mut pairs: Vec<Vec<Self>> = Vec::new();
        pairs.resize_with(to.blocks.div_ceil(PAIR) * rows.len(), || Vec::with_capacity(PAIR));
        for (block, mut values) in output.values.chunks_mut(to.plane()).enumerate() {
            let (mut signs, behind) = relu.split_at(to.area());
            relu = behind;
            for (band, row) in rows.iter().enumerate().rev() {
                let [cut, cut_signs] = to.cut(*row);
                let (before, output) = values.split_at_mut(cut);
                let (earlier, relu) = signs.split_at(cut_signs);
                (values, signs) = (before, earlier);
                pairs[block / PAIR * rows.len() + band].push(Self { output, relu });
            }
        }
        pairs
    }

    /// Puts sums into the output, and notes or applies their signs.
    #[inline(always)]
    pub fn put<S: Simd>(
        &mut self,
        simd: S,
        [at, sign]: [usize; 2],
        sums: &[f32; LANES],
        add: bool,
    ) {
        let (output, _) = S::as_mut_simd_f32s(&mut self.output[at].0);
        let (sums, _) = S::as_simd_f32s(sums);
        let zero = simd.splat_f32s(0.0);
        let mut positives = zero;
        for (v, output) in output.iter_mut().enumerate() {
            let sum = if add { simd.add_f32s(sums[v], *output) } else { sums[v] };
            *output = match &self.relu {
                Relu::None => sum,
                Relu::Record(_) => {
                    let positive = simd.greater_than_f32s(sum, zero);
                    let bits = simd.select_f32s(positive, S::as_simd_f32s(&POWERS).0[v], zero);
                    positives = simd.add_f32s(positives, bits);
                    // What isn't a number is kept.
                    simd.select_f32s(simd.less_than_f32s(sum, zero), zero, sum)
                }
                Relu::Apply(signs) => {
                    let bits = S::as_simd_u32s(&BITS).0[v];
                    let kept = simd.and_u32s(simd.splat_u32s(signs[sign].into()), bits);
                    simd.select_f32s(simd.equal_u32s(kept, bits), sum, zero)
                }
            };
        }
        if let Relu::Record(signs) = &mut self.relu {
            signs[sign] = simd.reduce_sum_f32s(positives) as u16;
        }
    }
}

/// The bit of each lane, and the same as a number: sums of these are exact.
const BITS: [u32; LANES] =
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768];
const POWERS: [f32; LANES] =
    [1., 2., 4., 8., 16., 32., 64., 128., 256., 512., 1024., 2048., 4096., 8192., 16_384., 32_768.];

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
            (8, _) => self.each::<S, 2>(simd),
            (4, _) => self.each::<S, 4>(simd),
            _ => self.each::<S, LANES>(simd),
        }
    }
}

impl Task<'_> {
    /// Computes one block after the other. (A closure is not sure to be inlined.)
    #[inline(always)]
    fn each<S: Simd, const V: usize>(&mut self, simd: S) {
        for block in 0..self.blocks.len() {
            self.rows::<S, V, 1>(simd, block);
        }
    }

    /// Computes `N` blocks, each of `V` vectors.
    #[inline(always)]
    fn rows<S: Simd, const V: usize, const N: usize>(&mut self, simd: S, block: usize) {
        let Walk { rows, columns, write, note, start, first_sign, .. } = *self.walk;
        // Widths of ResNets are multiples of 7 at 224 pixels, and powers of two at others.
        let sevens = V == 1 && columns % 7 == 0;
        let mut sums = [[Lanes::ZERO; N]; 8];
        for row in 0..rows {
            let mut column = 0;
            while column < columns {
                let at = [row, column];
                let count = match columns - column {
                    7.. if sevens => self.tile::<S, V, 7, N>(simd, block, at, &mut sums),
                    8.. if V == 1 => self.tile::<S, V, 8, N>(simd, block, at, &mut sums),
                    // Two halves keep more sums under way than six and what is left.
                    7 | 8 if V == 2 => self.tile::<S, V, 4, N>(simd, block, at, &mut sums),
                    6.. if V == 2 || V == 4 => self.tile::<S, V, 6, N>(simd, block, at, &mut sums),
                    4.. if V <= 4 => self.tile::<S, V, 4, N>(simd, block, at, &mut sums),
                    3 if V == 2 => self.tile::<S, V, 3, N>(simd, block, at, &mut sums),
                    2.. if V <= 4 => self.tile::<S, V, 2, N>(simd, block, at, &mut sums),
                    _ => self.tile::<S, V, 1, N>(simd, block, at, &mut sums),
                };
                for (m, sums) in sums[..count].iter().enumerate() {
                    let place = |first: usize, [down, across]: [usize; 2]| {
                        first + row * down + (column + m) * across
                    };
                    let places = [place(start, write), place(first_sign, note)];
                    for (block, sums) in self.blocks[block..].iter_mut().zip(sums) {
                        block.put(simd, places, &sums.0, self.add);
                    }
                }
                column += count;
            }
        }
    }

    /// Computes `M` neighbouring sums in registers, and gives `M`.
    #[expect(clippy::manual_memcpy, reason = "sums that are borrowed leave the registers")]
    #[inline(always)]
    fn tile<S: Simd, const V: usize, const M: usize, const N: usize>(
        &self,
        simd: S,
        block: usize,
        [row, column]: [usize; 2],
        to: &mut [[Lanes; N]; 8],
    ) -> usize {
        let walk = self.walk;
        let bias: [[S::f32s; V]; N] =
            std::array::from_fn(|n| vectors::<S, V>(&self.bias[block + n]));
        let mut sums = [bias; M];
        let weights: [&[Lanes]; N] =
            std::array::from_fn(|n| &self.weights[(block + n) * self.each..]);

        let mut next = 0;
        for input in self.input.chunks_exact(walk.plane) {
            for tap in &walk.taps {
                let first = tap + row * walk.read[0] + column * walk.read[1];
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

        for m in 0..M {
            for n in 0..N {
                let (output, _) = S::as_mut_simd_f32s(&mut to[m][n].0);
                for v in 0..V {
                    output[v] = sums[m][n][v];
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

/// How many rows a band has, if a pair of output blocks takes so many products: there is work for all threads.
pub(super) fn height(rows: usize, pairs: usize, products: usize) -> usize {
    let bands = match rayon::current_num_threads() {
        1 => 1,
        threads => (TASKS * threads).div_ceil(pairs.max(1)).min(products / SMALLEST).max(1),
    };
    rows.div_ceil(bands).max(1)
}

/// How many pieces of so many products a thread does in one go at least.
pub(super) fn at_once(products: usize) -> usize {
    SMALLEST.div_ceil(products.max(1))
}

/// Tasks for each thread at least, where there are several: one that wakes up late has others do its
/// part.
const TASKS: usize = 2;

/// Products of vectors that a thread does in one go at least: some ten microseconds.
const SMALLEST: usize = 100_000;
