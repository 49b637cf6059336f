//! The kernel of all sums of products: [`Tiles`].

use pulp::{Simd, WithSimd};

/// Rows of a panel.
pub const ROWS: usize = 12;
/// Columns of a strip.
pub const COLUMNS: usize = 32;
/// Products that are summed in registers, before the sum is added to those before: a strip's part of that depth stays
/// in the nearest cache, and rounding grows with the number of parts and not of products.
const DEPTH: usize = 64;

/// `[panels, depth, ROWS]`: the rows of a matrix for [`Tiles::panels`], with zeros behind the last.
pub fn panels(rows: usize, depth: usize, value: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    let mut panels = vec![0.0; rows.div_ceil(ROWS) * depth * ROWS];
    for row in 0..rows {
        let first = row / ROWS * depth * ROWS + row % ROWS;
        for k in 0..depth {
            panels[first + k * ROWS] = value(row, k);
        }
    }
    panels
}

/// A few columns of a product of matrices, `sums[row, column] = Σ_k panels[row, k] strip[k, column]`.
///
/// Products are added by fused multiply-adds in their order, [`DEPTH`] at a time.
pub struct Tiles<'a> {
    /// `[panels, depth, ROWS]`
    pub panels: &'a [f32],
    pub rows: usize,
    /// `[depth, COLUMNS]`
    pub strip: &'a [f32],
    /// Columns that are wanted, from the first on.
    pub columns: usize,
    /// `[panels, ROWS, COLUMNS]`, where anything may be before.
    pub sums: &'a mut [f32],
}

impl WithSimd for Tiles<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many sums at once as there are registers for.
        match S::F32_LANES {
            16 => self.compute::<S, 12>(simd),
            4 | 8 => self.compute::<S, 6>(simd),
            _ => self.compute::<S, 2>(simd),
        }
    }
}

impl Tiles<'_> {
    #[inline(always)]
    fn compute<S: Simd, const M: usize>(self, simd: S) {
        let Self { panels, rows, strip, columns, sums } = self;
        let depth = strip.len() / COLUMNS;
        if depth == 0 {
            sums.fill(0.0);
            return;
        }
        for from in (0..depth).step_by(DEPTH) {
            let part = from..(from + DEPTH).min(depth);
            let strip = &strip[part.start * COLUMNS..part.end * COLUMNS];
            let parts = panels.chunks_exact(depth * ROWS);
            for (at, (panel, sums)) in parts.zip(sums.chunks_exact_mut(ROWS * COLUMNS)).enumerate()
            {
                let panel = &panel[part.start * ROWS..part.end * ROWS];
                let rows = rows.saturating_sub(at * ROWS).min(ROWS);
                let mut part = Part { panel, strip, sums, first: from == 0 };
                for column in (0..columns).step_by(2 * S::F32_LANES) {
                    match columns - column > S::F32_LANES {
                        true => part.column::<S, M, 2>(simd, rows, column),
                        false => part.column::<S, M, 1>(simd, rows, column),
                    }
                }
            }
        }
    }
}

/// A panel's and a strip's part of the depth.
struct Part<'a> {
    panel: &'a [f32],
    strip: &'a [f32],
    sums: &'a mut [f32],
    first: bool,
}

impl Part<'_> {
    /// The sums of `V` vectors of columns.
    #[inline(always)]
    fn column<S: Simd, const M: usize, const V: usize>(
        &mut self,
        simd: S,
        rows: usize,
        column: usize,
    ) {
        let mut row = 0;
        while row < rows {
            row += match rows - row {
                left if left >= M => self.tile::<S, M, V>(simd, row, column),
                4.. if M > 4 => self.tile::<S, 4, V>(simd, row, column),
                2.. if M > 2 => self.tile::<S, 2, V>(simd, row, column),
                _ => self.tile::<S, 1, V>(simd, row, column),
            };
        }
    }

    /// Sums of `M` rows in registers; gives `M`.
    #[expect(clippy::needless_range_loop, reason = "with iterators sums leave the registers")]
    #[inline(always)]
    fn tile<S: Simd, const M: usize, const V: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
    ) -> usize {
        let mut sums = [[simd.splat_f32s(0.0); V]; M];
        let (panel, _) = self.panel.as_chunks::<ROWS>();
        let (strip, _) = self.strip.as_chunks::<COLUMNS>();
        for (factors, values) in panel.iter().zip(strip) {
            let factors: &[f32; M] = factors[row..].first_chunk().expect("rows of a panel");
            let (values, _) = S::as_simd_f32s(&values[column..]);
            let values: [S::f32s; V] = std::array::from_fn(|v| values[v]);
            for m in 0..M {
                let factor = simd.splat_f32s(factors[m]);
                for v in 0..V {
                    sums[m][v] = simd.mul_add_f32s(factor, values[v], sums[m][v]);
                }
            }
        }
        for m in 0..M {
            let (before, _) = S::as_mut_simd_f32s(
                &mut self.sums[(row + m) * COLUMNS + column..][..V * S::F32_LANES],
            );
            for v in 0..V {
                before[v] = match self.first {
                    true => sums[m][v],
                    false => simd.add_f32s(before[v], sums[m][v]),
                };
            }
        }
        M
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulp::Arch;

    use super::*;

    fn wave(at: usize) -> f32 {
        (at as f32 * 0.61).sin()
    }

    fn product(arch: Arch, rows: usize, depth: usize, columns: usize) -> Vec<f32> {
        let panels = panels(rows, depth, |row, k| wave(row * depth + k));
        let strip: Vec<f32> = (0..depth * COLUMNS).map(|at| wave(7 * at)).collect();
        let mut sums = vec![f32::NAN; rows.div_ceil(ROWS) * ROWS * COLUMNS];
        arch.dispatch(Tiles { panels: &panels, rows, strip: &strip, columns, sums: &mut sums });
        let row = |row: usize| sums[row * COLUMNS..][..columns].to_vec();
        (0..rows).flat_map(row).collect()
    }

    proptest! {
        #[test]
        fn tiles_are_a_product_of_matrices(
            rows in 1..40_usize, depth in 0..300_usize, columns in 1..=COLUMNS,
        ) {
            let found = product(Arch::new(), rows, depth, columns);
            for (at, found) in found.iter().enumerate() {
                let (row, column) = (at / columns, at % columns);
                let term = |k: usize| {
                    f64::from(wave(row * depth + k)) * f64::from(wave(7 * (k * COLUMNS + column)))
                };
                let expected: f64 = (0..depth).map(term).sum();
                prop_assert!((f64::from(*found) - expected).abs() < 1e-5 * (depth as f64).sqrt().max(1.0));
            }
            prop_assert_eq!(product(Arch::Scalar, rows, depth, columns), found);
        }
    }
}
