//! What is computed for each element by itself.

use burn::backend::ops::{ActivationOps, BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn::backend::{Dispatch, DispatchTensor};
use burn::tensor::BoolDType;

use super::{Inputs, Operation, Row, choice, one};
use crate::format::onnx::node::Node;
use crate::graph::constant;
use crate::graph::value::{Fault, Kind, Value};

pub const OPERATORS: &[Row] = &[
    ("Abs", |_, _| number(Dispatch::float_abs, Dispatch::int_abs)),
    ("Acos", |_, _| float(Dispatch::float_acos)),
    ("Acosh", |_, _| float(Dispatch::float_acosh)),
    ("Add", |_, _| binary(Value::add)),
    ("And", |_, _| logical(Dispatch::bool_and)),
    ("Asin", |_, _| float(Dispatch::float_asin)),
    ("Asinh", |_, _| float(Dispatch::float_asinh)),
    ("Atan", |_, _| float(Dispatch::float_atan)),
    ("Atanh", |_, _| float(Dispatch::float_atanh)),
    ("Cast", cast),
    ("CastLike", |_, _| one(|mut inputs| Ok(inputs.take(0)?.cast(inputs.take(1)?.kind())))),
    ("Ceil", |_, _| float(Dispatch::float_ceil)),
    ("Celu", celu),
    ("Clip", clip),
    ("Cos", |_, _| float(Dispatch::float_cos)),
    ("Cosh", |_, _| float(Dispatch::float_cosh)),
    ("Div", |_, _| binary(Value::div)),
    ("Dropout", dropout),
    ("Elu", elu),
    ("Equal", |_, _| compare([Dispatch::float_equal, Dispatch::int_equal])),
    ("Erf", |_, _| float(Dispatch::float_erf)),
    ("Exp", |_, _| float(Dispatch::float_exp)),
    ("Floor", |_, _| float(Dispatch::float_floor)),
    ("Gelu", gelu),
    ("Greater", |_, _| compare([Dispatch::float_greater, Dispatch::int_greater])),
    ("GreaterOrEqual", |_, _| {
        compare([Dispatch::float_greater_equal, Dispatch::int_greater_equal])
    }),
    ("HardSigmoid", hard_sigmoid),
    ("HardSwish", |_, _| one(|mut inputs| hard_swish(inputs.take(0)?))),
    ("Identity", |_, _| one(|mut inputs| inputs.take(0))),
    ("IsInf", is_inf),
    ("IsNaN", |_, _| flag(Dispatch::float_is_nan)),
    ("LeakyRelu", leaky_relu),
    ("Less", |_, _| compare([Dispatch::float_lower, Dispatch::int_lower])),
    ("LessOrEqual", |_, _| compare([Dispatch::float_lower_equal, Dispatch::int_lower_equal])),
    ("Log", |_, _| float(Dispatch::float_log)),
    ("Max", |_, _| many(maximum)),
    ("Mean", mean),
    ("Min", |_, _| many(minimum)),
    ("Mish", |_, _| one(|mut inputs| mish(inputs.take(0)?))),
    ("Mod", remainder),
    ("Mul", |_, _| binary(Value::mul)),
    ("Neg", |_, _| number(Dispatch::float_neg, Dispatch::int_neg)),
    ("Not", not),
    ("Or", |_, _| logical(Dispatch::bool_or)),
    ("PRelu", |_, _| binary(prelu)),
    ("Pow", |_, _| binary(power)),
    ("Reciprocal", |_, _| float(Dispatch::float_recip)),
    ("Relu", |_, _| number(Dispatch::relu, |t| Dispatch::int_clamp_min(t, 0_i64.into()))),
    ("Round", |_, _| float(Dispatch::float_round)),
    ("Selu", selu),
    ("Shrink", shrink),
    ("Sigmoid", |_, _| float(Dispatch::sigmoid)),
    ("Sign", |_, _| number(Dispatch::float_sign, Dispatch::int_sign)),
    ("Sin", |_, _| float(Dispatch::float_sin)),
    ("Sinh", |_, _| float(Dispatch::float_sinh)),
    ("Softplus", |_, _| float(softplus)),
    ("Softsign", |_, _| one(|mut inputs| softsign(inputs.take(0)?))),
    ("Sqrt", |_, _| float(Dispatch::float_sqrt)),
    ("Sub", |_, _| binary(Value::sub)),
    ("Sum", |_, _| many(Value::add)),
    ("Swish", swish),
    ("Tan", |_, _| float(Dispatch::float_tan)),
    ("Tanh", |_, _| float(Dispatch::float_tanh)),
    ("ThresholdedRelu", thresholded_relu),
    ("Where", |_, _| {
        one(|mut inputs| Value::choose(inputs.take(0)?, inputs.take(1)?, inputs.take(2)?))
    }),
    ("Xor", |_, _| logical(Dispatch::bool_xor)),
];

type Unary = fn(DispatchTensor) -> DispatchTensor;
type Binary = fn(Value, Value) -> Result<Value, Fault>;
type Comparison = fn(DispatchTensor, DispatchTensor, BoolDType) -> DispatchTensor;

fn float(f: Unary) -> Result<Operation, Fault> {
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        x.expect_kind(Kind::Float)?;
        Ok(x.map(f))
    })
}

/// One function for floats and one for integers.
fn number(float: Unary, int: Unary) -> Result<Operation, Fault> {
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        match x.kind() {
            Kind::Float => Ok(x.map(float)),
            Kind::Int => Ok(x.map(int)),
            Kind::Bool => Err("expected numbers, found booleans".into()),
        }
    })
}

fn binary(f: Binary) -> Result<Operation, Fault> {
    one(move |mut inputs| f(inputs.take(0)?, inputs.take(1)?))
}

/// `f` of the first two, of that and the third, and so on.
fn many(f: Binary) -> Result<Operation, Fault> {
    one(move |mut inputs| {
        let first = inputs.take(0)?;
        inputs.0.into_iter().flatten().try_fold(first, f)
    })
}

fn logical(f: fn(DispatchTensor, DispatchTensor) -> DispatchTensor) -> Result<Operation, Fault> {
    one(move |mut inputs| {
        let (a, b) = (inputs.take(0)?, inputs.take(1)?);
        a.expect_kind(Kind::Bool)?;
        b.expect_kind(Kind::Bool)?;
        let shape = crate::graph::value::broadcast(&[&a.shape(), &b.shape()])?;
        a.expand(&shape)?.with(b.expand(&shape)?, f)
    })
}

/// `¬x`
fn not(_: &Node, _: i64) -> Result<Operation, Fault> {
    one(|mut inputs| {
        let x = inputs.take(0)?;
        x.expect_kind(Kind::Bool)?;
        Ok(x.map(Dispatch::bool_not))
    })
}

fn flag(f: fn(DispatchTensor, BoolDType) -> DispatchTensor) -> Result<Operation, Fault> {
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        x.expect_kind(Kind::Float)?;
        let flags = x.bool_type();
        Ok(x.map(|t| f(t, flags)))
    })
}

/// Booleans are compared as 0 and 1.
fn compare([float, int]: [Comparison; 2]) -> Result<Operation, Fault> {
    one(move |mut inputs| compared(inputs.take(0)?, inputs.take(1)?, float, int))
}

fn compared(a: Value, b: Value, float: Comparison, int: Comparison) -> Result<Value, Fault> {
    b.expect_kind(a.kind())?;
    if a.kind() == Kind::Bool {
        return compared(a.cast(Kind::Int), b.cast(Kind::Int), float, int);
    }
    let f = if a.kind() == Kind::Float { float } else { int };
    let shape = crate::graph::value::broadcast(&[&a.shape(), &b.shape()])?;
    let (a, b) = (a.expand(&shape)?, b.expand(&shape)?);
    let flags = a.bool_type();
    a.with(b, |a, b| f(a, b, flags))
}

pub fn greater(a: Value, b: Value) -> Result<Value, Fault> {
    compared(a, b, Dispatch::float_greater, Dispatch::int_greater)
}

pub fn maximum(a: Value, b: Value) -> Result<Value, Fault> {
    Value::choose(greater(a.clone(), b.clone())?, a, b)
}

pub fn minimum(a: Value, b: Value) -> Result<Value, Fault> {
    Value::choose(greater(a.clone(), b.clone())?, b, a)
}

/// `(x₁ + … + xₙ) / n`
fn mean(_: &Node, _: i64) -> Result<Operation, Fault> {
    one(|mut inputs| {
        let count = inputs.0.iter().flatten().count() as f64;
        let first = inputs.take(0)?;
        Ok(inputs.0.into_iter().flatten().try_fold(first, Value::add)?.scale(1.0 / count))
    })
}

/// To another type; floats of any width are computed with 32 bits.
fn cast(node: &Node, _: i64) -> Result<Operation, Fault> {
    let to = node.int("to", 0);
    let kind = constant::kind(to)
        .ok_or_else(|| format!("expected a type of numbers, found onnx data type {to}"))?;
    one(move |mut inputs| Ok(inputs.take(0)?.cast(kind)))
}

/// Nothing is dropped at inference; the mask that training asks for is all true.
fn dropout(_: &Node, _: i64) -> Result<Operation, Fault> {
    Ok(Box::new(|mut inputs: Inputs| {
        let x = inputs.take(0)?;
        if let Some(training) = inputs.optional(2)
            && training.to_bools()?.contains(&true)
        {
            return Err("expected inference, found training_mode true".into());
        }
        let mask = Value::bools(vec![true], &[], &x.device())?.expand(&x.shape())?;
        Ok(vec![x, mask])
    }))
}

/// `min(max(x, low), high)`
fn clip(node: &Node, _: i64) -> Result<Operation, Fault> {
    // Attributes before opset 11.
    let attribute = |name| node.attribute(name).map(|attribute| attribute.f);
    let bounds = [attribute("min"), attribute("max")];
    one(move |mut inputs| {
        let mut x = inputs.take(0)?;
        if x.kind() == Kind::Int {
            for (at, f) in [(1, maximum as Binary), (2, minimum)] {
                x = match inputs.optional(at) {
                    Some(bound) => f(x, bound)?,
                    None => x,
                };
            }
            return Ok(x);
        }
        x.expect_kind(Kind::Float)?;
        let mut bound = |at: usize| match inputs.optional(at) {
            Some(value) if value.len() == 1 => Ok(value.to_floats()?.first().copied()),
            Some(value) => {
                Err(format!("expected one number as a bound, found {:?}", value.shape()))
            }
            None => Ok(bounds[at - 1]),
        };
        Ok(match (bound(1)?, bound(2)?) {
            (Some(low), Some(high)) if low <= high => {
                x.map(|t| Dispatch::float_clamp(t, low.into(), high.into()))
            }
            // Of a low bound above the high one the high one is left.
            (low, high) => {
                let x = match low {
                    Some(low) => x.map(|t| Dispatch::float_clamp_min(t, low.into())),
                    None => x,
                };
                match high {
                    Some(high) => x.map(|t| Dispatch::float_clamp_max(t, high.into())),
                    None => x,
                }
            }
        })
    })
}

/// `x ^ y`
fn power(x: Value, y: Value) -> Result<Value, Fault> {
    if x.kind() == Kind::Int {
        return x.with(y.cast(Kind::Int), Dispatch::int_powi);
    }
    let y = y.cast(Kind::Float);
    if y.len() == 1 && y.rank() <= x.rank() {
        let exponent = y.to_floats()?[0];
        return match exponent {
            1.0 => Ok(x),
            2.0 => x.clone().mul(x),
            0.5 => Ok(x.map(Dispatch::float_sqrt)),
            _ => Ok(x.map(|t| Dispatch::float_powf_scalar(t, exponent.into()))),
        };
    }
    x.with(y, Dispatch::float_powf)
}

/// With `fmod` 1 the sign is the dividend's, otherwise the divisor's.
fn remainder(node: &Node, _: i64) -> Result<Operation, Fault> {
    if node.int("fmod", 0) == 0 {
        return binary(|x, y| {
            x.arithmetic(y.divisor()?, Dispatch::float_remainder, Dispatch::int_remainder)
        });
    }
    binary(|x, y| {
        if x.kind() == Kind::Int {
            return x.clone().sub(x.div(y.clone())?.mul(y)?);
        }
        let quotient = x.clone().div(y.clone())?.map(Dispatch::float_trunc);
        x.sub(quotient.mul(y)?)
    })
}

/// `ln(1 + eˣ)` = `max(x, 0) + ln(1 + e^−|x|)`
fn softplus(x: DispatchTensor) -> DispatchTensor {
    Dispatch::float_neg(Dispatch::log_sigmoid(Dispatch::float_neg(x)))
}

/// `x / (1 + |x|)`
fn softsign(x: Value) -> Result<Value, Fault> {
    x.clone().div(x.map(Dispatch::float_abs).shift(1.0))
}

/// `x · tanh(softplus(x))`
fn mish(x: Value) -> Result<Value, Fault> {
    x.clone().mul(x.map(softplus).map(Dispatch::float_tanh))
}

/// `x · sigmoid(α x)`
fn swish(node: &Node, _: i64) -> Result<Operation, Fault> {
    let alpha = f64::from(node.float("alpha", 1.0));
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        x.clone().mul(x.scale(alpha).map(Dispatch::sigmoid))
    })
}

/// `max(0, min(1, α x + β))`
fn hard_sigmoid(node: &Node, _: i64) -> Result<Operation, Fault> {
    let (alpha, beta) = (f64::from(node.float("alpha", 0.2)), f64::from(node.float("beta", 0.5)));
    one(move |mut inputs| Ok(hard_sigmoid_of(inputs.take(0)?, alpha, beta)))
}

fn hard_sigmoid_of(x: Value, alpha: f64, beta: f64) -> Value {
    let line = x.scale(alpha).shift(beta);
    line.map(|t| Dispatch::float_clamp(t, 0.0.into(), 1.0.into()))
}

/// `x · max(0, min(1, x / 6 + 1/2))`
fn hard_swish(x: Value) -> Result<Value, Fault> {
    x.clone().mul(hard_sigmoid_of(x, 1.0 / 6.0, 0.5))
}

/// `x · Φ(x)`; with `approximate` tanh `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`
fn gelu(node: &Node, _: i64) -> Result<Operation, Fault> {
    if choice(node, "approximate", "none", &["none", "tanh"])? == "none" {
        return float(Dispatch::gelu);
    }
    one(|mut inputs| {
        let x = inputs.take(0)?;
        let cube = x.clone().mul(x.clone())?.mul(x.clone())?.scale(0.044715);
        let inner = x.clone().add(cube)?.scale((2.0 / std::f64::consts::PI).sqrt());
        inner.map(Dispatch::float_tanh).shift(1.0).mul(x.scale(0.5))
    })
}

/// `x` where it is positive, elsewhere `f(x)`; `f` sees 0 where it is positive, so that it stays finite.
fn bent(x: Value, f: impl Fn(Value) -> Value) -> Result<Value, Fault> {
    x.expect_kind(Kind::Float)?;
    let positive = x.clone().map(Dispatch::relu);
    let negative = x.map(|t| Dispatch::float_clamp_max(t, 0.0.into()));
    positive.add(f(negative))
}

/// `x`, and `α (eˣ − 1)` below 0
fn elu(node: &Node, _: i64) -> Result<Operation, Fault> {
    let alpha = f64::from(node.float("alpha", 1.0));
    one(move |mut inputs| bent(inputs.take(0)?, |x| expm1(x).scale(alpha)))
}

/// `max(0, x) + min(0, α (e^(x/α) − 1))`
fn celu(node: &Node, _: i64) -> Result<Operation, Fault> {
    let alpha = f64::from(node.float("alpha", 1.0));
    one(move |mut inputs| bent(inputs.take(0)?, |x| expm1(x.scale(1.0 / alpha)).scale(alpha)))
}

/// `γ x`, and `γ (α eˣ − α)` below 0
fn selu(node: &Node, _: i64) -> Result<Operation, Fault> {
    let alpha = f64::from(node.float("alpha", 1.673_263_2));
    let gamma = f64::from(node.float("gamma", 1.050_701));
    one(move |mut inputs| Ok(bent(inputs.take(0)?, |x| expm1(x).scale(alpha))?.scale(gamma)))
}

fn expm1(x: Value) -> Value {
    x.map(Dispatch::float_exp).shift(-1.0)
}

/// `x`, and `α x` below 0
fn leaky_relu(node: &Node, _: i64) -> Result<Operation, Fault> {
    let alpha = f64::from(node.float("alpha", 0.01));
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        x.expect_kind(Kind::Float)?;
        Ok(x.map(|t| Dispatch::leaky_relu(t, alpha.into())))
    })
}

/// `x`, and `slope · x` below 0
fn prelu(x: Value, slope: Value) -> Result<Value, Fault> {
    let negative = x.clone().map(|t| Dispatch::float_clamp_max(t, 0.0.into()));
    x.map(Dispatch::relu).add(negative.mul(slope)?)
}

/// `x` where it is above α, elsewhere 0
fn thresholded_relu(node: &Node, _: i64) -> Result<Operation, Fault> {
    let alpha = f64::from(node.float("alpha", 1.0));
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        x.expect_kind(Kind::Float)?;
        let flags = x.bool_type();
        let low =
            x.clone().map(|t| Dispatch::float_lower_equal_elem(t, alpha.into(), flags)).bool()?;
        Ok(x.map(|t| Dispatch::float_mask_fill(t, low, 0.0.into())))
    })
}

/// `x + bias` below −λ, `x − bias` above λ, elsewhere 0
fn shrink(node: &Node, _: i64) -> Result<Operation, Fault> {
    let (bias, lambda) = (f64::from(node.float("bias", 0.0)), f64::from(node.float("lambd", 0.5)));
    one(move |mut inputs| {
        let x = inputs.take(0)?.cast(Kind::Float);
        let flags = x.bool_type();
        let low = x.clone().map(|t| Dispatch::float_lower_elem(t, (-lambda).into(), flags));
        let high = x.clone().map(|t| Dispatch::float_greater_elem(t, lambda.into(), flags));
        let zero = Value::full(0.0, &x.shape(), &x.device())?;
        let above = Value::choose(high, x.clone().shift(-bias), zero)?;
        Value::choose(low, x.shift(bias), above)
    })
}

/// Whether it is infinite, of the signs that are asked for.
fn is_inf(node: &Node, _: i64) -> Result<Operation, Fault> {
    let (negative, positive) =
        (node.int("detect_negative", 1) != 0, node.int("detect_positive", 1) != 0);
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        x.expect_kind(Kind::Float)?;
        let flags = x.bool_type();
        let is = |value: f64| move |t| Dispatch::float_equal_elem(t, value.into(), flags);
        let found = [(positive, f64::INFINITY), (negative, f64::NEG_INFINITY)];
        let none =
            x.clone().map(|t| Dispatch::float_lower_elem(t, f64::NEG_INFINITY.into(), flags));
        let asked = found.into_iter().filter(|(asked, _)| *asked);
        asked
            .map(|(_, value)| x.clone().map(is(value)))
            .try_fold(none, |a, b| a.with(b, Dispatch::bool_or))
    })
}
