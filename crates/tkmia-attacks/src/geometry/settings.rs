//! [`Geometric`]: the settings of attacks that step by rows of the Jacobian.

use super::{KFool, MlDp};
use crate::catalogue::Steps;
use crate::descent::Space;
use crate::{Attack, AttackError, AttackName, Family, Limits, Stop, Variant};

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
    pub(crate) fn init(&self, limits: Limits, stop: &Stop) -> Result<Box<dyn Attack>, AttackError> {
        let stop = stop.clone();
        let space = match self.variant {
            Variant::Released => Space::TanhOfImage,
            Variant::Corrected | Variant::Literal | Variant::MinNorm => Space::Clip,
        };
        match self.name.family() {
            Family::Geometric(Steps::KFool) => Ok(Box::new(KFool { space, stop, limits })),
            Family::Geometric(Steps::MlDp) => Ok(Box::new(MlDp { stop, limits })),
            Family::Descent | Family::Universal(_) => {
                Err(AttackError::OtherFamily { name: self.name.into() })
            }
        }
    }
}
