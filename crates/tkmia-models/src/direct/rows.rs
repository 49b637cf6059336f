//! What is computed over the last axis, row by row: [`softmax`] and [`Norm`].

use std::sync::Arc;

use burn::backend::DispatchTensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::activation::exp;
use super::node::{self, Floats};

/// Sums that are taken next to each other, in one order on every machine.
const LANES: usize = 16;
/// Values that a thread is given at once at least.
const SMALLEST: usize = 1 << 14;

/// `Σ term(a, b)`
#[inline(always)]
fn sum(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0.0; LANES];
    let ((a, last_a), (b, last_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += term(a[lane], b[lane]);
        }
    }
    for (lane, (a, b)) in last_a.iter().zip(last_b).enumerate() {
        sums[lane] += term(*a, *b);
    }
    sums.iter().sum()
}

/// What is computed of a row of `x` and one of `z`. What it calls must be inlined where vector instructions are enabled.
trait Row: Sync {
    fn compute(&self, y: &mut [f32], x: &[f32], z: &[f32]);
}

/// All rows of that width, on all threads.
fn each_row(row: &impl Row, width: usize, x: &Floats, z: &Floats) -> Floats {
    let (values, others) = (node::values(x), node::values(z));
    let mut y = vec![0.0; values.len()];
    let part = SMALLEST.div_ceil(width) * width;
    let parts = y.par_chunks_mut(part).zip(values.par_chunks(part)).zip(others.par_chunks(part));
    parts.for_each(|((y, x), z)| Arch::new().dispatch(Rows { row, width, y, x, z }));
    node::tensor(y, &node::shape(x))
}

struct Rows<'a, R> {
    row: &'a R,
    width: usize,
    y: &'a mut [f32],
    x: &'a [f32],
    z: &'a [f32],
}

impl<R: Row> WithSimd for Rows<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { row, width, y, x, z } = self;
        let rows = y.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(z.chunks_exact(width));
        for ((y, x), z) in rows {
            row.compute(y, x, z);
        }
    }
}

/// `eˣ / Σ eˣ` along the last axis.
pub(crate) fn softmax(x: DispatchTensor) -> DispatchTensor {
    node::apply([x], |[x]| {
        let x = node::contiguous(x);
        let width = node::shape(&x).last().copied().unwrap_or(1);
        let y = each_row(&Softmax, width, &x, &x);
        let kept = y.clone();
        let back = move |gradient: Floats, _: [bool; 1]| {
            [Some(each_row(&SoftmaxBack, width, &gradient, &kept))]
        };
        (y, Box::new(back))
    })
}

struct Softmax;

impl Row for Softmax {
    #[inline(always)]
    fn compute(&self, y: &mut [f32], x: &[f32], _: &[f32]) {
        let mut most = [f32::NEG_INFINITY; LANES];
        let (lanes, last) = x.as_chunks::<LANES>();
        for x in lanes {
            for lane in 0..LANES {
                most[lane] = if x[lane] > most[lane] { x[lane] } else { most[lane] };
            }
        }
        let most = most.iter().chain(last).fold(f32::NEG_INFINITY, |a, b| a.max(*b));
        for (y, x) in y.iter_mut().zip(x) {
            *y = exp(x - most);
        }
        let scale = 1.0 / sum(y, y, |y, _| y);
        y.iter_mut().for_each(|y| *y *= scale);
    }
}

/// `y (g − Σ g y)` of a gradient and the softmax.
struct SoftmaxBack;

impl Row for SoftmaxBack {
    #[inline(always)]
    fn compute(&self, to: &mut [f32], gradient: &[f32], y: &[f32]) {
        let mean = sum(gradient, y, |gradient, y| gradient * y);
        for ((to, gradient), y) in to.iter_mut().zip(gradient).zip(y) {
            *to = y * (gradient - mean);
        }
    }
}

/// `γ (x − mean) / √(variance + ε) + β` of each row.
pub(crate) struct Norm {
    pub gamma: Vec<f32>,
    /// None, or as many as there are of γ.
    pub beta: Vec<f32>,
    pub epsilon: f32,
}

impl Norm {
    pub fn apply(self: &Arc<Self>, x: DispatchTensor) -> DispatchTensor {
        node::apply([x], |[x]| {
            let (x, width) = (node::contiguous(x), self.gamma.len());
            let y = each_row(&**self, width, &x, &x);
            let way = NormBack(self.clone());
            let back =
                move |gradient: Floats, _: [bool; 1]| [Some(each_row(&way, width, &gradient, &x))];
            (y, Box::new(back))
        })
    }

    /// The mean of a row, and one over its deviation.
    #[inline(always)]
    fn moments(&self, x: &[f32]) -> [f32; 2] {
        let count = x.len() as f32;
        let mean = sum(x, x, |x, _| x) / count;
        let variance = sum(x, x, |x, _| (x - mean) * (x - mean)) / count;
        [mean, 1.0 / (variance + self.epsilon).sqrt()]
    }
}

impl Row for Norm {
    #[inline(always)]
    fn compute(&self, y: &mut [f32], x: &[f32], _: &[f32]) {
        let [mean, scale] = self.moments(x);
        for ((y, x), gamma) in y.iter_mut().zip(x).zip(&self.gamma) {
            *y = (x - mean) * scale * gamma;
        }
        y.iter_mut().zip(&self.beta).for_each(|(y, beta)| *y += beta);
    }
}

/// `scale (γg − mean(γg) − x̂ mean(γg x̂))` of a gradient and the row, with `x̂` that row without mean and deviation.
struct NormBack(Arc<Norm>);

impl Row for NormBack {
    #[inline(always)]
    fn compute(&self, to: &mut [f32], gradient: &[f32], x: &[f32]) {
        let count = x.len() as f32;
        let [mean, scale] = self.0.moments(x);
        for ((to, gradient), gamma) in to.iter_mut().zip(gradient).zip(&self.0.gamma) {
            *to = gradient * gamma;
        }
        let level = sum(to, to, |to, _| to) / count;
        let slope = sum(to, x, |to, x| to * (x - mean)) * scale * scale / count;
        for (to, x) in to.iter_mut().zip(x) {
            *to = scale * (*to - level - (x - mean) * slope);
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::activation::softmax as burns;
    use burn::tensor::{Device, Tensor, TensorData};
    use proptest::prelude::*;

    use super::super::convolution::tests::{apart, pass, wave};
    use super::*;

    proptest! {
        #[test]
        fn a_softmax_is_burns(rows in 1..40_usize, width in 1..90_usize, scale in 0.1..30.0_f32) {
            let values: Vec<f32> = wave(rows * width, 3).iter().map(|x| x * scale).collect();
            let x = Tensor::<2>::from_data(TensorData::new(values, [rows, width]), &Device::flex());
            let found = pass(x.clone(), |x| Tensor::from_dispatch(softmax(x.into_dispatch())));
            let expected = pass(x, |x| burns(x, 1));
            prop_assert!(apart(&found[0], &expected[0]) < 1e-6);
            prop_assert!(apart(&found[1], &expected[1]) < 1e-6);
        }

        #[test]
        fn a_norm_is_what_it_is_composed_of(
            rows in 1..40_usize, width in 2..90_usize, shifted in any::<bool>(),
        ) {
            let device = Device::flex();
            let x = TensorData::new(wave(rows * width, 3), [rows, width]);
            let x = Tensor::<2>::from_data(x, &device) + 2.0;
            let gamma = wave(width, 7);
            let beta = if shifted { wave(width, 5) } else { Vec::new() };
            let row = |values: &[f32]| Tensor::<1>::from_data(values, &device).unsqueeze();
            let expected = pass(x.clone(), |x| {
                let centred = x.clone() - x.mean_dim(1);
                let variance = centred.clone().powi_scalar(2).mean_dim(1);
                let y = centred / (variance + 1e-3).sqrt() * row(&gamma);
                if shifted { y + row(&beta) } else { y }
            });
            let norm = Arc::new(Norm { gamma: gamma.clone(), beta: beta.clone(), epsilon: 1e-3 });
            let found = pass(x, |x| Tensor::from_dispatch(norm.apply(x.into_dispatch())));
            prop_assert!(apart(&found[0], &expected[0]) < 1e-5);
            prop_assert!(apart(&found[1], &expected[1]) < 1e-4);
        }
    }
}
