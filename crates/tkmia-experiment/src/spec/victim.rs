//! [`VictimSpec`]: the classifier, and how images become its input.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tkmia_core::Classifier;
use tkmia_data::{DatasetKind, Resize, Transform};

use super::error::SpecError;

/// `[victim]`: the classifier and how images become its input.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VictimSpec {
    /// Its file.
    pub model: Option<PathBuf>,
    /// The split of `[data]` that it was trained on, or `other` if on none of its images: hyper-parameters are not chosen
    /// on its training images.
    pub trained_on: Option<String>,
    /// Whether nothing about the attacks was chosen on it, which the report says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held_out: bool,
    /// Height and width of its input; needed only where the file leaves it open.
    pub input_size: Option<u32>,
    /// How an image becomes a square; by default as the paper has it for the data set.
    pub resize: Option<ResizeKind>,
}

/// How an image becomes a square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeKind {
    /// Its short side is scaled, then the middle is cut out.
    ShortSide,
    /// Both sides are scaled.
    Square,
}

impl VictimSpec {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// From a file's pixels to the classifier's input: its size, and the paper's resize for the kind of
    /// data unless another is given.
    ///
    /// # Errors
    /// [`SpecError::InputSize`] if the classifier doesn't take squares, or not of the given size, or
    /// takes any and none is given.
    pub fn transform(
        &self,
        kind: DatasetKind,
        classifier: &dyn Classifier,
    ) -> Result<Transform, SpecError> {
        let given = self.input_size;
        let refused = |takes| Err(SpecError::InputSize { takes, given });
        let side = match (classifier.input_size(), given) {
            (Some([height, width]), _)
                if height != width || given.is_some_and(|given| given as usize != height) =>
            {
                return refused(format!("{height}×{width}"));
            }
            (Some([side, _]), _) => side as u32,
            (None, Some(side)) if side > 0 => side,
            (None, _) => return refused("any size".to_owned()),
        };
        let resize = match (self.resize, kind) {
            (Some(ResizeKind::ShortSide), _) | (None, DatasetKind::Voc2012) => {
                Resize::ShortSide(side)
            }
            (Some(ResizeKind::Square), _) | (None, _) => Resize::Square(side),
        };
        Ok(Transform { resize, bounds: classifier.bounds() })
    }
}

impl From<Resize> for ResizeKind {
    fn from(resize: Resize) -> Self {
        match resize {
            Resize::ShortSide(_) => Self::ShortSide,
            Resize::Square(_) => Self::Square,
        }
    }
}
