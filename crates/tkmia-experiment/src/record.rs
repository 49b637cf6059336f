//! [`Record`]: what is kept of one attacked sample.

use serde::{Deserialize, Serialize};
use tkmia_attacks::{AttackSettings, Indicator, Norm, Outcome, Passes};

use crate::setting::Setting;
use crate::universal::Controlled;

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
    /// Which of the random scheme's draws gave this `S`, from 0; none under the global scheme.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub draws: Vec<usize>,
    /// Signs that the attack failed for reasons of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indicators: Vec<Indicator>,
    /// For a universal perturbation: its fit, and its controls on the sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub universal: Option<Controlled>,
    /// The sample's share of the wall-clock time of its batch on one worker, in seconds.
    pub seconds: f64,
}

impl Record {
    /// `‖x* − x̃‖_∞` in 8-bit pixel units.
    pub fn linf_pixels(&self) -> f64 {
        // The two L2 norms differ by what one unit is.
        if self.norm_input == 0.0 {
            0.0
        } else {
            self.linf_input * self.norm_pixels / self.norm_input
        }
    }

    /// Whether the classifier gave a score that isn't finite under the attack, so that nothing is known of the image.
    pub fn is_lost(&self) -> bool {
        matches!(self.outcome, Outcome::NonFiniteScore { .. })
    }

    /// Whether scores and labels are those of so many labels, and its draws among so many.
    pub(crate) fn is_within(&self, classes: usize, draws: usize) -> bool {
        let below = |list: &[usize], end: usize| list.iter().all(|&at| at < end);
        [&self.clean_scores, &self.scores].iter().all(|scores| scores.len() == classes)
            && [&self.relevant, &self.specified].iter().all(|labels| below(labels, classes))
            && below(&self.draws, draws)
    }

    /// The size of `x* − x̃` in model-input units.
    pub fn size(&self, norm: Norm) -> f64 {
        match norm {
            Norm::L2 => self.norm_input,
            Norm::Linf => self.linf_input,
        }
    }

    /// Whether the draw of this number gave its `S`; under the global scheme the first is the only one.
    pub fn is_of_draw(&self, draw: usize) -> bool {
        self.draws.contains(&draw) || self.draws.is_empty() && draw == 0
    }
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
