//! [`Universal`]: the settings of universal attacks.

use tkmia_core::objective::{Margins, TkmlApU};

use super::{Inner, UniversalAttack};
use crate::{
    AttackError, AttackName, Descent, Geometric, GradientAttack, Limits, MiFgsmSteps, Optimiser,
    PenalisedSgd, Repeats, Stop, Variant,
};

/// An attack that finds one perturbation for all images, or one for each label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Universal {
    /// Whose steps are averaged.
    pub repeats: Repeats,
    /// Corrected or released.
    pub variant: Variant,
    /// How the perturbation moves, and where it stays; a step is a tenth of the radius by default.
    pub steps: MiFgsmSteps,
}

/// The default step, as a share of the radius.
const STEP: f64 = 0.1;

impl Universal {
    /// Its name.
    pub fn name(&self) -> AttackName {
        match self.repeats {
            Repeats::TkmlApU => AttackName::TkmlApUv,
            Repeats::KFool => AttackName::KUap,
            Repeats::Cmlu => AttackName::Cmlu,
        }
    }

    /// The runnable attack.
    pub(crate) fn init(&self, limits: Limits, stop: &Stop) -> Result<UniversalAttack, AttackError> {
        let variant = self.variant;
        let inner = match self.repeats {
            // A step is the gradient, of the signed margin in both variants: an image that succeeds with nothing to
            // spare has one too.
            Repeats::TkmlApU => Inner::Descent({
                let optimiser = Optimiser::Sgd(PenalisedSgd {
                    lr: 1.0,
                    alpha: 0.0,
                    momentum: 0.0,
                    bisections: None,
                });
                let name = AttackName::TkmlApU;
                let descent = Descent { name, variant, optimiser, ..Descent::default() };
                let objective = Box::new(TkmlApU { margins: Margins::Signed });
                GradientAttack { objective, ..descent.init(limits, stop)? }
            }),
            Repeats::KFool => {
                Inner::Geometric(Geometric { name: AttackName::KFool, variant }.init(limits, stop)?)
            }
            Repeats::Cmlu => Inner::Compositional,
        };
        let rule = self.steps.rule(STEP * self.steps.steps.ball.radius)?;
        Ok(UniversalAttack { inner, rule, stop: stop.clone(), limits })
    }
}
