//! The arithmetic of minimal filters: [`Minimal`], [`weights`].

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use pulp::Simd;

use crate::resnet::filter::Filter;

/// A filter along one axis: `M` outputs from `A` products, each output the sum of three neighbours with weights.
///
/// ```text
/// y = Aᵀ ((G w) ⊙ (Bᵀ x))
/// ```
pub(super) trait Minimal<const A: usize, const M: usize> {
    /// `G w`
    fn weights(w: [f64; 3]) -> [f64; A];
    /// `Bᵀ x`
    fn spread<S: Simd>(simd: S, x: [S::f32s; A]) -> [S::f32s; A];
    /// `Aᵀ m`
    fn gather<S: Simd>(simd: S, m: [S::f32s; A]) -> [S::f32s; M];
}

/// F(2, 3): polynomials are multiplied at 0, 1, −1 and ∞.
pub(super) struct Two;

impl Minimal<4, 2> for Two {
    fn weights([a, b, c]: [f64; 3]) -> [f64; 4] {
        [a, (a + b + c) / 2.0, (a - b + c) / 2.0, c]
    }

    #[inline(always)]
    fn spread<S: Simd>(simd: S, x: [S::f32s; 4]) -> [S::f32s; 4] {
        [
            simd.sub_f32s(x[0], x[2]),
            simd.add_f32s(x[1], x[2]),
            simd.sub_f32s(x[2], x[1]),
            simd.sub_f32s(x[3], x[1]),
        ]
    }

    #[inline(always)]
    fn gather<S: Simd>(simd: S, m: [S::f32s; 4]) -> [S::f32s; 2] {
        let (sum, difference) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
        [simd.add_f32s(m[0], sum), simd.add_f32s(difference, m[3])]
    }
}

/// F(4, 3): polynomials are multiplied at 0, ±√½, ±√2 and ∞.
///
/// With the usual points, 0, ±1, ±2 and ∞, rounding is twice as large.
pub(super) struct Four;

impl Minimal<6, 4> for Four {
    fn weights([a, b, c]: [f64; 3]) -> [f64; 6] {
        let at = |x: f64| a + x * (b + x * c);
        [
            a,
            at(FRAC_1_SQRT_2) / -1.5,
            at(-FRAC_1_SQRT_2) / -1.5,
            at(SQRT_2) / 6.0,
            at(-SQRT_2) / 6.0,
            c,
        ]
    }

    #[inline(always)]
    fn spread<S: Simd>(simd: S, x: [S::f32s; 6]) -> [S::f32s; 6] {
        let fma = |factor: f64, a, b| simd.mul_add_f32s(simd.splat_f32s(factor as f32), a, b);
        let (even, odd) = (fma(-2.0, x[2], x[4]), fma(-2.0, x[1], x[3]));
        let (even_2, odd_2) = (fma(-0.5, x[2], x[4]), fma(-0.5, x[1], x[3]));
        [
            simd.add_f32s(x[0], fma(-2.5, x[2], x[4])),
            fma(FRAC_1_SQRT_2, odd, even),
            fma(-FRAC_1_SQRT_2, odd, even),
            fma(SQRT_2, odd_2, even_2),
            fma(-SQRT_2, odd_2, even_2),
            simd.add_f32s(x[1], fma(-2.5, x[3], x[5])),
        ]
    }

    #[inline(always)]
    fn gather<S: Simd>(simd: S, m: [S::f32s; 6]) -> [S::f32s; 4] {
        let times = |factor: f64, a| simd.mul_f32s(simd.splat_f32s(factor as f32), a);
        let fma = |factor: f64, a, b| simd.mul_add_f32s(simd.splat_f32s(factor as f32), a, b);
        let (even, odd) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
        let (even_2, odd_2) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
        [
            simd.add_f32s(m[0], simd.add_f32s(even, even_2)),
            fma(FRAC_1_SQRT_2, odd, times(SQRT_2, odd_2)),
            fma(0.5, even, times(2.0, even_2)),
            fma(FRAC_1_SQRT_2 / 2.0, odd, fma(2.0 * SQRT_2, odd_2, m[5])),
        ]
    }
}

/// The weight at each point, `G w Gᵀ`, of a kernel's weights in rows.
pub(super) fn weights(filter: Filter, kernel: [f64; 9], put: impl FnMut(usize, f64)) {
    match filter {
        Filter::Two => points::<Two, 4, 2>(kernel, put),
        Filter::Four => points::<Four, 6, 4>(kernel, put),
    }
}

fn points<F: Minimal<A, M>, const A: usize, const M: usize>(
    kernel: [f64; 9],
    mut put: impl FnMut(usize, f64),
) {
    let (rows, _) = kernel.as_chunks();
    let rows: [[f64; A]; 3] = std::array::from_fn(|row| F::weights(rows[row]));
    for column in 0..A {
        let points = F::weights(rows.map(|row| row[column]));
        points.iter().enumerate().for_each(|(row, value)| put(row * A + column, *value));
    }
}
