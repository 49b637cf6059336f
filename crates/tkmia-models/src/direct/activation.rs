//! Functions of each element by itself, with their slopes: [`apply`].

use burn::backend::DispatchTensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::node::{self, Floats};

/// Values that a thread is given at once.
const PART: usize = 1 << 15;

/// A function of each element, and its slope. What it calls must be inlined where vector instructions are enabled.
pub(crate) trait Function: Copy + Send + Sync + 'static {
    fn value(self, x: f32) -> f32;
    fn slope(self, x: f32) -> f32;
}

/// `f` of each element.
pub(crate) fn apply<F: Function>(f: F, x: DispatchTensor) -> DispatchTensor {
    node::apply([x], |[x]| {
        let x = node::contiguous(x);
        let values = node::values(&x);
        let mut y = vec![0.0; values.len()];
        let parts = y.par_chunks_mut(PART).zip(values.par_chunks(PART));
        parts.for_each(|(y, x)| Arch::new().dispatch(Values { f, x, y }));
        let y = node::tensor(y, &node::shape(&x));
        let back = move |mut gradient: Floats, _: [bool; 1]| {
            let parts = gradient.storage_mut::<f32>().par_chunks_mut(PART);
            let parts = parts.zip(node::values(&x).par_chunks(PART));
            parts.for_each(|(gradient, x)| Arch::new().dispatch(Slopes { f, x, gradient }));
            [Some(gradient)]
        };
        (y, Box::new(back))
    })
}

/// `y = f(x)`
struct Values<'a, F> {
    f: F,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl<F: Function> WithSimd for Values<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (y, x) in self.y.iter_mut().zip(self.x) {
            *y = self.f.value(*x);
        }
    }
}

/// The gradient times `f'(x)`.
struct Slopes<'a, F> {
    f: F,
    x: &'a [f32],
    gradient: &'a mut [f32],
}

impl<F: Function> WithSimd for Slopes<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (gradient, x) in self.gradient.iter_mut().zip(self.x) {
            *gradient *= self.f.slope(*x);
        }
    }
}

macro_rules! function {
    ($(#[$doc:meta])* $name:ident $(($($field:ident),+))?, $x:ident, $value:expr, $slope:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct $name $(($(pub function!(@float $field)),+))?;

        impl Function for $name {
            #[inline(always)]
            fn value(self, $x: f32) -> f32 {
                $(let Self($($field),+) = self;)?
                $value
            }

            #[inline(always)]
            fn slope(self, $x: f32) -> f32 {
                $(let Self($($field),+) = self;)?
                $slope
            }
        }
    };
    (@float $field:ident) => { f32 };
}

function!(
    /// `max(x, 0)`, without a slope at 0.
    Relu, x, if x < 0.0 { 0.0 } else { x }, f32::from(x > 0.0)
);
function!(
    /// `min(max(x, low), high)`, with a slope at the bounds.
    Clip(low, high), x, clip(x, low, high), within(x, low, high)
);
function!(
    /// `x Φ(x)`
    Gelu, x, x * normal(x)[0], {
        let [below, density] = normal(x);
        x * density + below
    }
);
function!(
    /// `min(max(α x + β, 0), 1)`
    HardSigmoid(alpha, beta), x,
    clip(alpha * x + beta, 0.0, 1.0), alpha * within(alpha * x + beta, 0.0, 1.0)
);
function!(
    /// `x · min(max(x / 6 + 1/2, 0), 1)`
    HardSwish, x, x * clip(x / 6.0 + 0.5, 0.0, 1.0), {
        let gate = x / 6.0 + 0.5;
        clip(gate, 0.0, 1.0) + x / 6.0 * within(gate, 0.0, 1.0)
    }
);
function!(
    /// `1 / (1 + e⁻ˣ)`
    Sigmoid, x, sigmoid(x), sigmoid(x) * (1.0 - sigmoid(x))
);
function!(
    /// `x / (1 + e⁻ˣ)`
    Swish, x, x * sigmoid(x), sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x)))
);

/// Not a number stays what it is.
#[inline(always)]
fn clip(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// 1 within the bounds, 0 elsewhere.
#[inline(always)]
fn within(x: f32, low: f32, high: f32) -> f32 {
    f32::from(x >= low && x <= high)
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `eˣ`, to 2 units in the last place; 0 where that would be less than the smallest normal number.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // 1.5 · 2²³: what is added to it is rounded to a whole number, which its last bits are.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, of which the first has zeros for its last bits.
    const LN_2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];
    let bounded = clip(x, -87.3, 88.0);
    let rounded = bounded.mul_add(std::f32::consts::LOG2_E, ROUND);
    let whole = rounded - ROUND;
    let rest = whole.mul_add(-LN_2[1], whole.mul_add(-LN_2[0], bounded));
    // e^rest by its series: the next term is below 2⁻²⁷ for |rest| ≤ ln 2 / 2.
    let terms = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let series = terms.iter().fold(1.0 / 5040.0, |sum: f32, term| sum.mul_add(rest, *term));
    let power = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    if x < -87.3 { 0.0 } else { series * power }
}

/// `Φ(x)` and `φ(x)`, the distribution and the density of the normal distribution.
#[inline(always)]
fn normal(x: f32) -> [f32; 2] {
    // Φ(−z) / e^(−z²/2) by powers of t = 1 / (1 + 0.3 z), fitted to a relative error of 1.5e-7 for z ≥ 0.
    const TAIL: [f32; 8] = [
        0.119_629_286,
        0.120_754_115,
        0.099_912_375,
        0.128_565_67,
        -0.053_691_972,
        0.206_363_25,
        -0.157_209_11,
        0.035_676_304,
    ];
    let z = x.abs();
    let t = 1.0 / z.mul_add(0.3, 1.0);
    let bell = exp(-0.5 * x * x);
    let tail = bell * t * TAIL.iter().rev().fold(0.0, |sum: f32, term| sum.mul_add(t, *term));
    let below = if x > 0.0 { 1.0 - tail } else { tail };
    // 1 / √(2π)
    [below, bell * 0.398_942_3]
}

#[cfg(test)]
mod tests {
    use burn::tensor::activation::{gelu, hard_sigmoid, hard_swish, relu, sigmoid, silu};
    use burn::tensor::{Device, Tensor};
    use proptest::prelude::*;

    use super::*;

    type OfTensor = fn(Tensor<1>) -> Tensor<1>;

    fn ours<F: Function>(f: F, x: Tensor<1>) -> Tensor<1> {
        Tensor::from_dispatch(apply(f, x.into_dispatch()))
    }

    /// Each with Burn's.
    const KNOWN: [[OfTensor; 2]; 7] = [
        [|x| ours(Relu, x), relu],
        [|x| ours(Clip(-0.5, 2.0), x), |x| x.clamp(-0.5, 2.0)],
        [|x| ours(Gelu, x), gelu],
        [|x| ours(HardSigmoid(0.2, 0.4), x), |x| hard_sigmoid(x, 0.2, 0.4)],
        [|x| ours(HardSwish, x), hard_swish],
        [|x| ours(Sigmoid, x), sigmoid],
        [|x| ours(Swish, x), silu],
    ];

    fn pass(x: &[f32], f: impl Fn(Tensor<1>) -> Tensor<1>) -> [Vec<f32>; 2] {
        let x = Tensor::<1>::from_data(x, &Device::flex()).autodiff().require_grad();
        let y = f(x.clone());
        let gradient = x.grad(&y.clone().sum().backward()).unwrap();
        [y.inner().try_to_vec_as().unwrap(), gradient.try_to_vec_as().unwrap()]
    }

    /// Where a slope jumps: there rounding decides which of the two it is.
    const KINKS: [f32; 6] = [-3.0, -2.0, -0.5, 0.0, 2.0, 3.0];

    fn smooth() -> impl Strategy<Value = f32> {
        let apart = |x: &f32| KINKS.iter().all(|kink| (x - kink).abs() > 1e-5);
        (-12.0..12.0_f32).prop_filter("at a kink", apart)
    }

    proptest! {
        #[test]
        fn activations_and_their_slopes_are_burns(x in proptest::collection::vec(smooth(), 1..70)) {
            for [ours, burns] in KNOWN {
                let (found, expected) = (pass(&x, ours), pass(&x, burns));
                for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
                    prop_assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0));
                }
            }
        }

        #[test]
        fn the_exponential_function_is_known_to_its_last_bits(x in -87.0..88.0_f32) {
            let expected = f64::from(x).exp();
            prop_assert!((f64::from(exp(x)) - expected).abs() < 2.5e-7 * expected);
        }

        #[test]
        fn the_normal_distribution_is_known_in_its_tail(x in -12.0..0.0_f32) {
            let next = normal(x + 1e-3)[0] - normal(x - 1e-3)[0];
            let density = 2e-3 * (-0.5 * f64::from(x).powi(2)).exp() / std::f64::consts::TAU.sqrt();
            prop_assert!((f64::from(next) - density).abs() < 1e-2 * density + 2e-7);
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so_and_infinite_values_have_limits() {
        for [ours, _] in KNOWN {
            assert!(pass(&[f32::NAN], ours)[0][0].is_nan());
        }
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(super::sigmoid(200.0), 1.0);
        assert!(super::sigmoid(-200.0) < 1e-37);
    }
}
