//! How a tagger sees an image: [`Tagger`].

use std::fmt;
use std::str::FromStr;

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Bounds, CoreError};

/// How a tagger sees an image, and which of its outputs are scores: what its file doesn't say, or says differently.
///
/// One table for whoever says it: the options of loading, `tagger.toml` beside the model's file, `[victim]` of an experiment,
/// and the flags of the command line, whose help the fields' first lines are. What isn't given is left to others.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tagger {
    /// Range of the images, as in 0..255 [default: -1..1 for ResNets, 0..1 for other networks]
    #[schemars(with = "Option<String>")]
    pub range: Option<Bounds>,
    /// Mean of red, green and blue that the images are normalised by, in their range; with std
    pub mean: Option<[f32; 3]>,
    /// Standard deviation of red, green and blue; with mean
    pub std: Option<[f32; 3]>,
    /// Order of the channels that the network takes [default: rgb]
    pub channels: Option<Channels>,
    /// Axes of the network's input [default: as its file declares them]
    pub layout: Option<Layout>,
    /// Side of the square that photographs become [default: as the network's file fixes it]
    pub input_size: Option<u32>,
    /// How photographs become a square [default: short-side for VOC 2012, square for others]
    pub resize: Option<Fit>,
    /// Length that photographs are scaled to, before the middle is cut out of them [default: input-size]
    pub resize_to: Option<u32>,
    /// Filter by which photographs are scaled [default: bilinear]
    pub filter: Option<Filter>,
    /// Name of the scores among several outputs of an ONNX file
    pub scores_output: Option<String>,
    /// Take a sigmoid at the end of an ONNX file for part of the scores, which are logits otherwise
    pub keep_sigmoid: Option<bool>,
    /// Names of the labels, in label order
    pub labels: Option<Vec<String>>,
}

/// Orders of an image's channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// Red, green, blue
    Rgb,
    /// Blue, green, red, as OpenCV has them
    Bgr,
}

/// Orders of the axes of a batch of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Images, channels, height, width
    Nchw,
    /// Images, height, width, channels
    Nhwc,
}

/// How a photograph becomes a square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// The short side is scaled, and the middle cut out
    ShortSide,
    /// Both sides are scaled, whatever this does to proportions
    Square,
}

/// Filters by which photographs are scaled, antialiased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// A triangle
    #[default]
    Bilinear,
    /// Keys' cubic with a = −0.5
    Bicubic,
    /// A windowed sinc of three lobes
    Lanczos,
}

/// The largest side of an image that a network takes, in pixels: a file can say anything.
pub const LARGEST_SIDE: u32 = 1 << 13;

/// What is one statement: who says one of them says all.
const TOGETHER: [&[&str]; 2] = [&["range", "mean", "std"], &["input-size", "resize-to"]];

impl Tagger {
    /// This one, what it doesn't say taken from one that counts less; and what was taken.
    ///
    /// Range, mean and deviation go together, and so do the two sizes: who says one of them says all.
    ///
    /// # Example
    ///
    /// ```
    /// use tkmia_core::{Channels, Tagger};
    ///
    /// let flags = Tagger { range: Some("0..255".parse()?), ..Tagger::default() };
    /// let file = Tagger { mean: Some([0.5; 3]), std: Some([0.5; 3]), channels: Some(Channels::Bgr), ..Tagger::default() };
    /// let (whole, taken) = flags.over(file);
    /// assert_eq!(whole.to_string(), "channels bgr, range 0..255");
    /// assert_eq!(taken.to_string(), "channels bgr");
    /// # Ok::<(), tkmia_core::CoreError>(())
    /// ```
    pub fn over(self, below: Self) -> (Self, Self) {
        let (mut own, mut taken) = (self.said(), below.said());
        let of = |fields: Map<String, Value>| {
            serde_json::from_value(fields.into()).expect("it is read as it was written")
        };
        let is_said = |name: &str| own.contains_key(name);
        let is_settled = |name: &str| {
            let together = TOGETHER.iter().find(|group| group.contains(&name));
            together.map_or(is_said(name), |group| group.iter().any(|name| is_said(name)))
        };
        taken.retain(|name, _| !is_settled(name));
        own.extend(taken.clone());
        (of(own), of(taken))
    }

    /// Refuses what can't be.
    ///
    /// # Errors
    /// [`CoreError::Tagger`].
    pub fn check(&self) -> Result<(), CoreError> {
        let wrong = |field, expected: &str, found: String| {
            Err(CoreError::Tagger { field, expected: expected.to_owned(), found })
        };
        let shown = |values: &Option<[f32; 3]>| values.map_or("none".into(), |v| format!("{v:?}"));
        let finite = |values: &[f32; 3]| values.iter().all(|value| value.is_finite());
        match (&self.mean, &self.std) {
            (Some(_), None) => return wrong("std", "three numbers beside `mean`", "none".into()),
            (None, Some(_)) => return wrong("mean", "three numbers beside `std`", "none".into()),
            (Some(mean), _) if !finite(mean) => {
                return wrong("mean", "three numbers", shown(&self.mean));
            }
            (_, Some(std)) if !(finite(std) && std.iter().all(|&value| value > 0.0)) => {
                return wrong("std", "three numbers above 0", shown(&self.std));
            }
            _ => {}
        }
        let sizes = [("input-size", self.input_size), ("resize-to", self.resize_to)];
        for (field, size) in sizes {
            if let Some(size) = size
                && !(1..=LARGEST_SIDE).contains(&size)
            {
                return wrong(field, &format!("a number in 1..={LARGEST_SIDE}"), size.to_string());
            }
        }
        Ok(())
    }

    /// Images of its range as the network itself takes them: `(x − mean) / std`, channels in its order.
    ///
    /// # Shapes
    /// - images, output: `[batch, 3, height, width]`
    pub fn seen(&self, images: Tensor<4>) -> Tensor<4> {
        let images = match self.mean.zip(self.std) {
            Some((mean, std)) => (images.clone() - line(mean, &images)) / line(std, &images),
            None => images,
        };
        self.ordered(images)
    }

    /// The images that it [sees](Self::seen) as these.
    ///
    /// # Shapes
    /// As [`seen`](Self::seen).
    pub fn unseen(&self, images: Tensor<4>) -> Tensor<4> {
        let images = self.ordered(images);
        match self.mean.zip(self.std) {
            Some((mean, std)) => images.clone() * line(std, &images) + line(mean, &images),
            None => images,
        }
    }

    fn ordered(&self, images: Tensor<4>) -> Tensor<4> {
        match self.channels {
            Some(Channels::Bgr) => images.flip([1]),
            Some(Channels::Rgb) | None => images,
        }
    }

    /// The fields that are given, by their names in files.
    fn said(&self) -> Map<String, Value> {
        let Ok(Value::Object(mut fields)) = serde_json::to_value(self) else {
            unreachable!("a struct of plain values is an object")
        };
        fields.retain(|_, value| !value.is_null());
        fields
    }
}

/// A number for each channel, beside images.
fn line(values: [f32; 3], images: &Tensor<4>) -> Tensor<4> {
    Tensor::<1>::from_floats(values, &images.device()).reshape([1, 3, 1, 1])
}

/// What is said: `channels bgr, range 0..255`.
impl fmt::Display for Tagger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.said().into_iter().map(|(name, value)| match value {
            Value::String(text) => format!("{name} {text}"),
            Value::Array(names) if name == "labels" => format!("{} label names", names.len()),
            // Numbers are of 32 bits.
            Value::Array(values) => {
                let number =
                    |value: &Value| (value.as_f64().unwrap_or_default() as f32).to_string();
                format!("{name} {}", values.iter().map(number).collect::<Vec<_>>().join(","))
            }
            value => format!("{name} {value}"),
        });
        write!(f, "{}", said.collect::<Vec<_>>().join(", "))
    }
}

/// `0..255`.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.low, self.high)
    }
}

impl FromStr for Bounds {
    type Err = CoreError;

    fn from_str(text: &str) -> Result<Self, CoreError> {
        let bounds = text.split_once("..").and_then(|(low, high)| {
            Some(Self { low: low.trim().parse().ok()?, high: high.trim().parse().ok()? })
        });
        let sound = |bounds: &Self| {
            bounds.low.is_finite() && bounds.high.is_finite() && bounds.low < bounds.high
        };
        let expected = "two numbers, as in 0..255".to_owned();
        let refuse = || CoreError::Tagger { field: "range", expected, found: text.to_owned() };
        bounds.filter(sound).ok_or_else(refuse)
    }
}

impl TryFrom<String> for Bounds {
    type Error = CoreError;

    fn try_from(text: String) -> Result<Self, CoreError> {
        text.parse()
    }
}

impl From<Bounds> for String {
    fn from(bounds: Bounds) -> Self {
        bounds.to_string()
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn tagger(json: &str) -> Tagger {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_counts_less_fills_what_is_not_said_and_statements_stay_whole() {
        let file = || {
            tagger(
                r#"{"range": "0..1", "mean": [0.1, 0.2, 0.3], "std": [1, 1, 1], "input-size": 224, "resize-to": 256, "filter": "bicubic"}"#,
            )
        };
        let said = |given: &str| tagger(given).over(file()).0.to_string();
        assert_eq!(
            said("{}"),
            "filter bicubic, input-size 224, mean 0.1,0.2,0.3, range 0..1, resize-to 256, std 1,1,1"
        );
        assert_eq!(
            said(r#"{"range": "-1..1", "input-size": 64}"#),
            "filter bicubic, input-size 64, range -1..1"
        );
        let labels = tagger(r#"{"labels": ["a", "b"], "keep-sigmoid": false}"#);
        let below = tagger(r#"{"labels": ["c"], "keep-sigmoid": true}"#);
        assert_eq!(labels.clone().over(below), (labels, Tagger::default()));
    }

    #[test]
    fn what_is_not_known_or_cannot_be_is_named() {
        let unknown = serde_json::from_str::<Tagger>(r#"{"rnage": "0..1"}"#).unwrap_err();
        assert!(
            unknown.to_string().contains("`rnage`, expected one of `range`, `mean`"),
            "{unknown}"
        );
        let range = serde_json::from_str::<Tagger>(r#"{"range": "1..0"}"#).unwrap_err();
        assert!(
            range
                .to_string()
                .starts_with("`range`: expected two numbers, as in 0..255, found `1..0`")
        );
        for (json, says) in [
            (r#"{"mean": [0, 0, 0]}"#, "`std`: expected three numbers beside `mean`, found `none`"),
            (r#"{"std": [1, 1, 1]}"#, "`mean`: expected three numbers beside `std`, found `none`"),
            (r#"{"mean": [0, 0, 0], "std": [1, 0, 1]}"#, "`std`: expected three numbers above 0"),
            (r#"{"resize-to": 0}"#, "`resize-to`: expected a number in 1..=8192, found `0`"),
            (
                r#"{"input-size": 4294967295}"#,
                "`input-size`: expected a number in 1..=8192, found `4294967295`",
            ),
        ] {
            let error = tagger(json).check().unwrap_err().to_string();
            assert!(error.starts_with(says), "{error}");
        }
        let nan = Tagger { mean: Some([f32::NAN; 3]), std: Some([1.0; 3]), ..Tagger::default() };
        assert!(nan.check().unwrap_err().to_string().starts_with("`mean`: expected three numbers"));
    }

    #[test]
    fn images_are_normalised_then_turned_and_back() {
        let data = TensorData::new(vec![0.25_f32, 0.5, 0.75], [1, 3, 1, 1]);
        let images = Tensor::<4>::from_data(data, &Device::default());
        let values = |images: Tensor<4>| images.try_to_vec_as::<f32>().unwrap();
        let seen = tagger(r#"{"mean": [0.25, 0, 0], "std": [1, 0.5, 0.25], "channels": "bgr"}"#);
        assert_eq!(values(seen.seen(images.clone())), [3.0, 1.0, 0.0]);
        assert_eq!(values(seen.unseen(seen.seen(images.clone()))), [0.25, 0.5, 0.75]);
        assert_eq!(values(Tagger::default().seen(images)), [0.25, 0.5, 0.75]);
    }
}
