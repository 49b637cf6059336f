//! [`Manifest`]: which samples a setting attacks and what is specified of each, as a file.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tkmia_data::Dataset;

use crate::experiment::View;
use crate::{Cohort, EvalError, Member, Setting};

/// The samples of a setting, with everything that they follow from.
///
/// Any method, machine or year that takes it attacks the same thing. Eligibility and, under the random
/// scheme, `S` depend on the clean scores; and the published form of an attack shows the classifier
/// `tanh(x)` even without a perturbation. A setting therefore has a manifest for each [`View`] that is
/// used, `Image` and `Tanh`, and methods are compared within one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// What the samples follow from.
    #[serde(flatten)]
    pub origin: Origin,
    /// The samples, in the data set's order.
    pub samples: Vec<Listed>,
}

/// What the samples of a setting follow from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// Data set, selection, k and δ.
    pub setting: Setting,
    /// What the classifier sees without a perturbation.
    pub view: View,
    /// Of the random scheme.
    pub seed: u64,
    /// Samples at most.
    pub limit: usize,
    /// [`file_sha256`](crate::file_sha256) of the model.
    pub victim_sha256: String,
    /// [`list_sha256`](crate::list_sha256) of the data.
    pub data_sha256: String,
    /// How images come to the classifier's input.
    pub input: Input,
}

/// How images come to a classifier's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// `short-side` or `square`.
    pub resize: crate::experiment::ResizeKind,
    /// Height and width.
    pub side: u32,
    /// The value of a black pixel.
    pub low: f32,
    /// The value of a white pixel.
    pub high: f32,
}

/// A sample in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The data set's own name for it.
    pub id: String,
    /// `Y_p`, label indices ascending.
    pub relevant: Vec<usize>,
    /// `S`, label indices ascending.
    pub specified: Vec<usize>,
}

impl Manifest {
    /// The manifest of a cohort.
    pub(crate) fn of(cohort: &Cohort, origin: Origin, dataset: &dyn Dataset) -> Self {
        let listed = |member: &Member| Listed {
            id: dataset.id(member.index).to_owned(),
            relevant: dataset.labels().indices(member.index),
            specified: member.specified.clone(),
        };
        Self { origin, samples: cohort.members.iter().map(listed).collect() }
    }

    /// The cohort, found again by the samples' ids.
    pub(crate) fn cohort(&self, dataset: &dyn Dataset) -> Result<Cohort, EvalError> {
        let ids = (0..dataset.len()).map(|index| (dataset.id(index), index));
        let indices: HashMap<&str, usize> = ids.collect();
        let member = |listed: &Listed| {
            let index = indices.get(listed.id.as_str()).copied();
            let index = index
                .filter(|&index| dataset.labels().indices(index) == listed.relevant)
                .ok_or_else(|| EvalError::Unlisted {
                dataset: dataset.name().to_owned(),
                id: listed.id.clone(),
            })?;
            Ok(Member { index, specified: listed.specified.clone() })
        };
        let members = self.samples.iter().map(member).collect::<Result<_, EvalError>>()?;
        Ok(Cohort { setting: self.origin.setting.clone(), members })
    }
}
