//! Images of another size: [`weights`] says by which pixels each new one is made.

use super::{Operation, Row, choice, one};
use crate::format::onnx::node::Node;
use crate::graph::value::{Fault, Value, axis, elements, host};

pub const OPERATORS: &[Row] = &[("Resize", resize), ("Upsample", resize)];

/// Where a new pixel lies among the old ones.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Coordinates {
    HalfPixel,
    HalfPixelSymmetric,
    PyTorchHalfPixel,
    AlignCorners,
    Asymmetric,
    TfHalfPixelForNn,
    TfCropAndResize,
}

const COORDINATES: [(&str, Coordinates); 7] = [
    ("half_pixel", Coordinates::HalfPixel),
    ("half_pixel_symmetric", Coordinates::HalfPixelSymmetric),
    ("pytorch_half_pixel", Coordinates::PyTorchHalfPixel),
    ("align_corners", Coordinates::AlignCorners),
    ("asymmetric", Coordinates::Asymmetric),
    ("tf_half_pixel_for_nn", Coordinates::TfHalfPixelForNn),
    ("tf_crop_and_resize", Coordinates::TfCropAndResize),
];

/// By which of the old pixels nearby a new one is made.
#[derive(Debug, Clone, Copy)]
enum Kernel {
    Nearest(fn(f64) -> f64),
    Linear,
    /// Keys's, with this slope at 1.
    Cubic(f64),
}

impl Kernel {
    /// As many pixels to either side have a weight.
    fn reach(self) -> f64 {
        if matches!(self, Self::Cubic(_)) { 2.0 } else { 1.0 }
    }

    /// The weight at a distance.
    ///
    /// Keys, "Cubic convolution interpolation for digital image processing", 1981, Eq. (4).
    fn weight(self, distance: f64) -> f64 {
        let x = distance.abs();
        match self {
            Self::Cubic(a) if x <= 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
            Self::Cubic(a) if x < 2.0 => ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a,
            Self::Cubic(_) => 0.0,
            _ => (1.0 - x).max(0.0),
        }
    }
}

/// How an axis is resized.
#[derive(Debug, Clone, Copy)]
struct Axis {
    from: usize,
    to: usize,
    scale: f64,
    /// The part that is kept, of `tf_crop_and_resize`.
    region: [f64; 2],
}

/// What a node's attributes say.
#[derive(Debug, Clone, Copy)]
struct Method {
    kernel: Kernel,
    coordinates: Coordinates,
    antialias: bool,
    exclude_outside: bool,
    extrapolation: f32,
}

impl Method {
    fn read(node: &Node, opset: i64) -> Result<Self, Fault> {
        // `Upsample`, and `Resize` when it was new, had neither.
        let old = opset < 11;
        let default = if old { "asymmetric" } else { "half_pixel" };
        let name = node.text("coordinate_transformation_mode", default);
        let found = COORDINATES.iter().find(|(known, _)| *known == name);
        let (_, coordinates) = found.ok_or_else(|| {
            let known = COORDINATES.map(|(known, _)| known);
            format!("expected coordinate_transformation_mode of {known:?}, found {name:?}")
        })?;
        let rounding = node.text("nearest_mode", if old { "floor" } else { "round_prefer_floor" });
        let round: fn(f64) -> f64 = match rounding {
            "round_prefer_floor" => |x| (x - 0.5).ceil(),
            "round_prefer_ceil" => |x| (x + 0.5).floor(),
            "floor" => f64::floor,
            "ceil" => f64::ceil,
            _ => return Err(format!("expected a known nearest_mode, found {rounding:?}")),
        };
        let slope = f64::from(node.float("cubic_coeff_a", -0.75));
        let kernel =
            match choice(node, "mode", "nearest", &["nearest", "linear", "bilinear", "cubic"])? {
                "nearest" => Kernel::Nearest(round),
                "cubic" => Kernel::Cubic(slope),
                _ => Kernel::Linear,
            };
        Ok(Self {
            kernel,
            coordinates: *coordinates,
            antialias: node.int("antialias", 0) != 0,
            exclude_outside: node.int("exclude_outside", 0) != 0,
            extrapolation: node.float("extrapolation_value", 0.0),
        })
    }

    /// The place of a new pixel among the old ones.
    fn place(&self, axis: &Axis, at: usize) -> f64 {
        let Axis { from, to, scale, region: [start, end] } = *axis;
        let (x, old, new) = (at as f64, from as f64, to as f64);
        let half_pixel = (x + 0.5) / scale - 0.5;
        match self.coordinates {
            Coordinates::HalfPixel => half_pixel,
            Coordinates::HalfPixelSymmetric => old / 2.0 * (1.0 - new / (scale * old)) + half_pixel,
            Coordinates::PyTorchHalfPixel if to > 1 => half_pixel,
            Coordinates::AlignCorners if to > 1 => x * (old - 1.0) / (new - 1.0),
            Coordinates::PyTorchHalfPixel | Coordinates::AlignCorners => 0.0,
            Coordinates::Asymmetric => x / scale,
            Coordinates::TfHalfPixelForNn => (x + 0.5) / scale,
            Coordinates::TfCropAndResize if to > 1 => {
                (start + x * (end - start) / (new - 1.0)) * (old - 1.0)
            }
            Coordinates::TfCropAndResize => 0.5 * (start + end) * (old - 1.0),
        }
    }

    /// Whether a new pixel lies outside the old ones, so that it has the value of extrapolation.
    fn is_outside(&self, axis: &Axis, at: usize) -> bool {
        let place = self.place(axis, at);
        self.coordinates == Coordinates::TfCropAndResize
            && !(0.0..=axis.from as f64 - 1.0).contains(&place)
    }

    fn nearest(&self, round: fn(f64) -> f64, axis: &Axis) -> Vec<i64> {
        let last = axis.from as f64 - 1.0;
        (0..axis.to).map(|at| round(self.place(axis, at)).clamp(0.0, last) as i64).collect()
    }

    /// For each new pixel the weight of each old one, `[to, from]`.
    fn weights(&self, axis: &Axis) -> Vec<f32> {
        let mut weights = vec![0.0; axis.to * axis.from];
        // A kernel that is as wide as the steps between the new pixels lets none out.
        let shrink = if self.antialias { axis.scale.min(1.0) } else { 1.0 };
        let reach = self.kernel.reach() / shrink;
        for (at, row) in weights.chunks_mut(axis.from).enumerate() {
            let place = self.place(axis, at);
            let taps = (place - reach).floor() as i64..=(place + reach).ceil() as i64;
            let within = 0..axis.from as i64;
            let taps = taps.filter(|tap| !self.exclude_outside || within.contains(tap));
            let weighted = taps.map(|tap| (tap, self.kernel.weight((tap as f64 - place) * shrink)));
            let weighted: Vec<(i64, f64)> = weighted.collect();
            let sum: f64 = weighted.iter().map(|(_, weight)| weight).sum();
            for (tap, weight) in weighted {
                row[tap.clamp(0, axis.from as i64 - 1) as usize] += (weight / sum) as f32;
            }
        }
        weights
    }

    /// An image resized along one axis.
    fn along(&self, x: Value, at: usize, axis: &Axis) -> Result<Value, Fault> {
        let mut shape = x.shape();
        let (before, behind) = (shape[..at].iter().product(), shape[at + 1..].iter().product());
        shape[at] = axis.to;
        elements(&shape)?;
        let device = host(&x.device());
        if let Kernel::Nearest(round) = self.kernel {
            return x.select(at, Value::list(self.nearest(round, axis), &device));
        }
        elements(&[axis.to, axis.from])?;
        let weights = Value::floats(self.weights(axis), &[axis.to, axis.from], &device)?.beside(&x);
        let rows = match behind {
            1 => {
                super::matmul::product(x.reshape(&[before, axis.from])?, weights.permute(&[1, 0])?)?
            }
            _ => super::matmul::product(weights, x.reshape(&[before, axis.from, behind])?)?,
        };
        rows.reshape(&shape)
    }
}

/// Each new pixel from the old ones near its place, one axis after the other.
fn resize(node: &Node, opset: i64) -> Result<Operation, Fault> {
    let method = Method::read(node, opset)?;
    let given_axes = node.ints("axes").map(<[i64]>::to_vec);
    let own_scales = node.attribute("scales").map(|attribute| attribute.floats.clone());
    let policy = choice(
        node,
        "keep_aspect_ratio_policy",
        "stretch",
        &["stretch", "not_larger", "not_smaller"],
    )?;
    let policy = policy.to_owned();
    // `Upsample` and the first `Resize` have the scales as their second input.
    let scales_at = if opset < 11 || &*node.op == "Upsample" { 1 } else { 2 };
    one(move |mut inputs| {
        let x = inputs.take(0)?;
        let shape = x.shape();
        let list = |value: Option<Value>| -> Result<Option<Vec<f32>>, Fault> {
            Ok(value.map(|value| value.to_floats()).transpose()?.filter(|list| !list.is_empty()))
        };
        let scales = list(inputs.optional(scales_at))?.or(own_scales.clone());
        let roi = if scales_at == 2 { list(inputs.optional(1))? } else { None };
        let sizes = inputs.ints(3)?.filter(|sizes| !sizes.is_empty());
        let all = || (0..shape.len() as i64).collect();
        let over: Vec<i64> = given_axes.clone().unwrap_or_else(all);
        let over = over.iter().map(|&at| axis(at, shape.len())).collect::<Result<Vec<_>, _>>()?;
        let count = scales.as_ref().map(Vec::len).or(sizes.as_ref().map(Vec::len));
        if count != Some(over.len()) {
            return Err(format!(
                "expected scales or sizes of {} axes, found {count:?}",
                over.len()
            ));
        }
        let wanted = |at: usize| sizes.as_ref().map(|sizes| sizes[at].max(0) as f64);
        // One scale for all axes, where the aspect ratio is to be kept.
        let ratios = over
            .iter()
            .enumerate()
            .filter_map(|(at, &axis)| Some(wanted(at)? / shape[axis] as f64));
        let kept = match policy.as_str() {
            "not_larger" => ratios.reduce(f64::min),
            "not_smaller" => ratios.reduce(f64::max),
            _ => None,
        };
        let mut resized = Vec::new();
        for (at, &along) in over.iter().enumerate() {
            let from = shape[along];
            let scale = match (&scales, kept) {
                (Some(scales), _) => f64::from(scales[at]),
                (None, Some(kept)) => kept,
                (None, None) => wanted(at).unwrap_or(1.0) / from as f64,
            };
            let to = match (scales.is_some(), kept) {
                (false, None) => wanted(at).unwrap_or(1.0),
                (false, Some(kept)) => (kept * from as f64).round(),
                (true, _) => (scale * from as f64).floor(),
            };
            if !(scale > 0.0 && scale.is_finite() && (1.0..=65536.0).contains(&to)) || from == 0 {
                return Err(format!(
                    "expected an axis of 1 to 65536 elements, found {to} of {from}"
                ));
            }
            let region = match &roi {
                Some(roi) if roi.len() == 2 * over.len() => {
                    [roi[at], roi[at + over.len()]].map(f64::from)
                }
                _ => [0.0, 1.0],
            };
            resized.push((along, Axis { from, to: to as usize, scale, region }));
        }
        let mut to = shape;
        resized.iter().for_each(|(along, axis)| to[*along] = axis.to);
        elements(&to)?;
        let mut y = x;
        let mut inside: Option<Value> = None;
        for (along, axis) in &resized {
            let crops = method.coordinates == Coordinates::TfCropAndResize;
            if axis.from == axis.to && axis.scale == 1.0 && !crops {
                continue;
            }
            y = method.along(y, *along, axis)?;
            if (0..axis.to).any(|at| method.is_outside(axis, at)) {
                let flags = (0..axis.to).map(|at| f32::from(!method.is_outside(axis, at)));
                let mut line = vec![1; y.rank()];
                line[*along] = axis.to;
                let flags = Value::floats(flags.collect(), &line, &host(&y.device()))?;
                inside = Some(match inside {
                    Some(inside) => inside.mul(flags)?,
                    None => flags,
                });
            }
        }
        match inside {
            Some(inside) => {
                let outside = Value::full(method.extrapolation, &[], &y.device())?;
                Value::choose(inside.cast(crate::graph::value::Kind::Bool), y, outside)
            }
            None => Ok(y),
        }
    })
}
