//! [`Record`]: what is kept of one attacked sample.

use serde::{Deserialize, Serialize};
use tkmia_attacks::{AttackSettings, Indicator, Outcome, Passes};

use crate::setting::Setting;

/// One attack on one sample: everything that tables, curves and captions are made of.
///
/// A line of a JSON-lines file. Scores are logits; every norm names its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The setting: data set, type of specified labels and `k`.
    pub setting: Setting,
    /// The attack with its hyper-parameters, in words.
    pub method: String,
    /// The attack's identity, [`AttackSettings::key`]: by this, not by its words, records are found again.
    pub key: String,
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
    /// Signs that the attack failed for reasons of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indicators: Vec<Indicator>,
    /// The sample's share of the wall-clock time of its batch on one worker, in seconds.
    pub seconds: f64,
}

/// An attack as records have it.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    /// As [`Record::method`].
    pub method: String,
    /// As [`Record::key`].
    pub key: String,
}

impl From<&AttackSettings> for Named {
    fn from(attack: &AttackSettings) -> Self {
        Self { method: attack.to_string(), key: attack.key() }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::setting::Selection;

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
            key: "1:an attack".to_owned(),
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
            indicators: Vec::new(),
            seconds: 0.5,
        }
    }
}
