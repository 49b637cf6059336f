//! [`Geometric`]: the settings of attacks that step by rows of the Jacobian.

use super::GeometricAttack;
use crate::{AttackError, AttackName, Family, Limits, Space, Steps, Stop, Variant};

/// An attack whose steps follow from the geometry of the scores: it has no knobs but its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometric {
    /// An attack of [`Family::Geometric`](crate::Family::Geometric); kFool by default.
    pub name: AttackName,
    /// Corrected or, for kFool, released.
    pub variant: Variant,
}

impl Default for Geometric {
    fn default() -> Self {
        Self { name: AttackName::KFool, variant: Variant::default() }
    }
}

impl Geometric {
    /// The runnable attack.
    pub(crate) fn init(&self, limits: Limits, stop: &Stop) -> Result<GeometricAttack, AttackError> {
        let Family::Geometric(steps) = self.name.family() else {
            return Err(AttackError::OtherFamily { name: self.name.into() });
        };
        let space = match (steps, self.variant) {
            (Steps::MlDp | Steps::Jma, _) => Space::Project,
            (Steps::KFool, Variant::Released) => Space::TanhOfImage,
            (Steps::KFool, Variant::Corrected | Variant::Literal | Variant::MinNorm) => Space::Clip,
        };
        Ok(GeometricAttack { steps, space, stop: stop.clone(), limits })
    }
}
