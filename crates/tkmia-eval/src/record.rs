//! [`Record`]: what is kept of one attacked sample.

use std::fmt;

use serde::{Deserialize, Serialize};
use tkmia_attacks::{Outcome, Passes};

/// One attack on one sample: everything that tables, curves and captions are made of.
///
/// A line of a JSON-lines file. Scores are logits; every norm names its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The setting: data set, type of specified labels and `k`.
    pub setting: Setting,
    /// The attack, as in `tkmia (corrected)`, in experiments with its hyper-parameters.
    pub method: String,
    /// The sample's id within the data set.
    pub id: String,
    /// `Y_p`, label indices ascending.
    pub relevant: Vec<usize>,
    /// `S`, label indices ascending.
    pub specified: Vec<usize>,
    /// Logits of the unattacked image.
    pub clean_scores: Vec<f32>,
    /// Logits of the returned image.
    pub scores: Vec<f32>,
    /// Whether the criterion holds at the returned image, evaluated afresh.
    pub success: bool,
    /// The same after rounding the image to 8-bit pixels.
    pub success_rounded: bool,
    /// How the attack itself ended.
    pub outcome: Outcome,
    /// Forward passes inside the attack's loop, for kFool steps.
    pub iterations: usize,
    /// Passes through the classifier that the result took.
    pub passes: Passes,
    /// `|S ∩ T_k(x)| − |S ∩ T_k(x*)|`, the term of Eq. 12.
    pub excluded: i64,
    /// L2 norm of the perturbation in the attack's own space and unit.
    pub norm: f64,
    /// `‖x* − x̃‖₂` in model-input units.
    pub norm_input: f64,
    /// `‖x* − x̃‖₂` in 8-bit pixel units.
    pub norm_pixels: f64,
    /// `‖x* − x̃‖_∞` in model-input units.
    pub linf_input: f64,
    /// The sample's share of the wall-clock time of its batch on one worker, in seconds.
    pub seconds: f64,
}

/// What is attacked, whatever the method.
///
/// # Example
///
/// ```
/// use tkmia_eval::{Selection, Setting};
///
/// let setting = Setting {
///     dataset: "VOC 2012".to_owned(),
///     selection: Selection::Random(2),
///     k: 3,
///     delta: Some(2),
/// };
/// assert_eq!(setting.to_string(), "random |S| = 2, k = 3, δ = 2");
/// let json = r#"{"dataset":"VOC 2012","random":2,"k":3,"delta":2}"#;
/// assert_eq!(serde_json::to_string(&setting)?, json);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Setting {
    /// The name of the data set.
    pub dataset: String,
    /// Which labels are specified.
    #[serde(flatten)]
    pub selection: Selection,
    /// Size of the predicted set.
    pub k: usize,
    /// How many specified labels must leave the top-k; all that are in it, where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<usize>,
}

/// Which labels of a sample are specified.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Selection {
    /// The global scheme (S1): those of a type of labels, such as `Animals`.
    #[serde(rename = "types")]
    Global(String),
    /// The random scheme (S2): so many, drawn from the relevant ones in the clean top-k.
    #[serde(rename = "random")]
    Random(usize),
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global(types) => write!(f, "{types}"),
            Self::Random(specified) => write!(f, "random |S| = {specified}"),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, k = {}", self.selection, self.k)?;
        self.delta.map_or(Ok(()), |delta| write!(f, ", δ = {delta}"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// c = 3, k = 1, Y_p = {0, 1}, S = {0}: label 0 leaves the first place for label `to`.
    pub fn toy(types: &str, to: usize, success: bool, norm: f64) -> Record {
        let mut scores = vec![-1.0; 3];
        scores[to] = 1.0;
        Record {
            setting: Setting {
                dataset: "toy".to_owned(),
                selection: Selection::Global(types.to_owned()),
                k: 1,
                delta: None,
            },
            method: "an attack".to_owned(),
            id: "0".to_owned(),
            relevant: vec![0, 1],
            specified: vec![0],
            clean_scores: vec![2.0, 1.0, 0.0],
            scores,
            success,
            success_rounded: success,
            outcome: if success { Outcome::Succeeded } else { Outcome::Exhausted },
            iterations: 4,
            passes: Passes { forward: 4, backward: 3 },
            excluded: i64::from(to != 0),
            norm,
            norm_input: norm,
            norm_pixels: norm * 127.5,
            linf_input: norm / 2.0,
            seconds: 0.5,
        }
    }

    #[test]
    fn a_setting_is_read_as_it_is_written() {
        let random = Selection::Random(2);
        for (selection, delta) in [(random, Some(2)), (Selection::Global("a".to_owned()), None)] {
            let setting = Setting { dataset: "toy".to_owned(), selection, k: 3, delta };
            let json = serde_json::to_string(&setting).unwrap();
            assert_eq!(serde_json::from_str::<Setting>(&json).unwrap(), setting, "{json}");
        }
    }
}
