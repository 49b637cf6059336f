//! [`Record`]: what is kept of one attacked sample.

use serde::{Deserialize, Serialize};
use tkmia_attacks::{Outcome, Passes};

/// One attack on one sample: everything that tables, curves and captions are made of.
///
/// A line of a JSON-lines file. Scores are logits; every norm names its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The setting: data set, type of specified labels and `k`.
    pub setting: Setting,
    /// The attack, as in `tkmia (corrected)`.
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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Setting {
    /// The name of the data set.
    pub dataset: String,
    /// The type of the specified labels, such as `Animals`.
    pub types: String,
    /// Size of the predicted set.
    pub k: usize,
}
