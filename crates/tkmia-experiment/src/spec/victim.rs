//! [`VictimSpec`]: the classifier, and how it sees images.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tkmia_core::{Tagger, described};
use tkmia_data::Defence;

/// `[victim]`: the classifier, and how it sees images.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VictimSpec {
    /// What it is called: its folder among those of several victims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its file.
    pub model: Option<PathBuf>,
    /// In place of a file, a program that scores images, with its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// The split of `[data]` that it was trained on, or `other` if on none of its images: hyper-parameters are not chosen
    /// on its training images.
    pub trained_on: Option<String>,
    /// Whether nothing about the attacks was chosen on it, which the report says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held_out: bool,
    /// What takes details out of its images first: an input transformation as a defence, which attacks see through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub squeeze: Option<Defence>,
    /// Files of networks that are attacked in its place, the mean of their scores; it judges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub surrogate: Vec<PathBuf>,
    /// The probability with which their images are scaled and moved at random in each pass: input diversity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversity: Option<f64>,
    /// What its file, and those beside it, don't say or say differently.
    #[serde(flatten)]
    pub tagger: Tagger,
}

impl VictimSpec {
    /// The names of its fields.
    pub(super) fn fields() -> Vec<String> {
        let own = [
            "name",
            "model",
            "command",
            "trained-on",
            "held-out",
            "squeeze",
            "surrogate",
            "diversity",
        ];
        let tagger = described::<Tagger>().into_iter().map(|field| field.name);
        own.map(str::to_owned).into_iter().chain(tagger).map(|name| format!("`{name}`")).collect()
    }

    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Of what is said of a model, what is as true of another one: how photographs become a square, and what is attacked in its place.
    #[must_use]
    pub fn of_another_model(self) -> Self {
        let Tagger { input_size, resize, resize_to, filter, .. } = self.tagger;
        let tagger = Tagger { input_size, resize, resize_to, filter, ..Tagger::default() };
        let Self { surrogate, diversity, .. } = self;
        Self { tagger, surrogate, diversity, ..Self::default() }
    }
}
