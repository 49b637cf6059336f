//! [`Descent`]: the settings of attacks that descend an objective.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tkmia_core::objective::Margins;

use super::gradient_attack::cost_of_step;
use super::{
    Adamw, AutoPgd, Ball, Ddn, Fmn, GradientAttack, MiFgsm, Pgd, ScoreKind, Sgd, Space, StepRule,
};
use crate::error::check;
use crate::{AttackError, AttackName, Limits, Stop, TargetChoice, Variant};

/// An attack that descends an objective by its gradient: Algorithm 1 of Sun et al. 2023 by default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Descent {
    /// What is descended; an attack of [`Family::Descent`](crate::Family::Descent).
    pub name: AttackName,
    /// Corrected, released or literal.
    pub variant: Variant,
    /// How it steps.
    pub optimiser: Optimiser,
    /// How the auxiliary variables λ are set; by default as the variant has it.
    pub lambda: Option<Lambda>,
    /// What a targeted attack makes the top-k, by default [`TargetChoice::Best`]; none for others.
    pub target: Option<TargetChoice>,
}

/// How an attack steps along its gradient, and how far it may go.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "optimiser", rename_all = "kebab-case")]
pub enum Optimiser {
    /// With a penalty on the norm, of any size: the authors' form of all attacks.
    Sgd(PenalisedSgd),
    /// Projected gradient descent, [`Pgd`].
    Pgd(PgdSteps),
    /// [`MiFgsm`].
    MiFgsm(MiFgsmSteps),
    /// [`AutoPgd`].
    AutoPgd(Ball),
    /// [`Ddn`].
    Ddn(Shrinking),
    /// [`Fmn`].
    Fmn(Shrinking),
    /// [`Adamw`].
    Adamw(AdamwSteps),
}

impl Default for Optimiser {
    fn default() -> Self {
        Self::Sgd(PenalisedSgd::default())
    }
}

named! {
    /// An [`Optimiser`] by its name.
    #[derive(Default)]
    pub enum OptimiserName {
        /// With a penalty on the norm, of any size
        #[default]
        Sgd,
        /// Within a ball
        Pgd,
        /// Within a ball, with momentum
        MiFgsm,
        /// Within a ball, with steps that adapt
        AutoPgd,
        /// Rescaled at each step, to less after a success and to more after a failure
        Ddn,
        /// Within a ball of its own, smaller after a success and larger after a failure
        Fmn,
        /// Along the loss and the squared norm, of which the loss weighs less after a success
        Adamw,
    }
}

impl OptimiserName {
    /// Whether it stays within a ball of a radius.
    pub fn is_in_a_ball(self) -> bool {
        match self {
            Self::Pgd | Self::MiFgsm | Self::AutoPgd => true,
            Self::Sgd | Self::Ddn | Self::Fmn | Self::Adamw => false,
        }
    }
}

/// Gradient descent with momentum and a penalty `α/2 ‖ε‖²` on the norm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct PenalisedSgd {
    /// Learning rate η of sgd; in the paper one of 1e-3, 5e-4, 1e-4, 5e-5
    pub lr: f64,
    /// Weight α of the perturbation's norm with sgd; in the paper one of 1e-3, 5e-4, 1e-4, 5e-5
    pub alpha: f64,
    /// Momentum μ of sgd (0.9 in the paper), mi-fgsm (1 in its authors' form) and universal attacks
    pub momentum: f64,
    /// Forward passes that bisect the scale of sgd's first success [default: none]
    pub bisections: Option<usize>,
}

impl Default for PenalisedSgd {
    fn default() -> Self {
        Self { lr: 1e-3, alpha: 1e-4, momentum: MOMENTUM, bisections: None }
    }
}

pub(super) const MOMENTUM: f64 = 0.9;

fn momentum() -> f64 {
    MOMENTUM
}

/// Steps of one length.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct PgdSteps {
    /// Where it stays.
    #[serde(flatten)]
    pub ball: Ball,
    /// Length of a step of pgd, mi-fgsm and universal attacks, of the first one of ddn and fmn, and of each value's with adamw
    /// [default: 2.5 and 1 times radius / steps, one less than passes, a tenth of the radius, and 1 and 0.0022 times the width
    /// of the image box]
    pub step: Option<f64>,
}

/// Steps of one length, with momentum.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct MiFgsmSteps {
    /// How long, and where it stays.
    #[serde(flatten)]
    pub steps: PgdSteps,
    /// Momentum μ of sgd (0.9 in the paper), mi-fgsm (1 in its authors' form) and universal attacks
    #[serde(default = "momentum")]
    pub momentum: f64,
}

/// Steps to the smallest norm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct Shrinking {
    /// By what share the norm of ddn and fmn shrinks after a success and grows after a failure, γ
    pub gamma: f64,
    /// Length of a step of pgd, mi-fgsm and universal attacks, of the first one of ddn and fmn, and of each value's with adamw
    /// [default: 2.5 and 1 times radius / steps, one less than passes, a tenth of the radius, and 1 and 0.0022 times the width
    /// of the image box]
    pub step: Option<f64>,
}

impl Default for Shrinking {
    fn default() -> Self {
        Self { gamma: 0.05, step: None }
    }
}

/// Adaptive steps to a small norm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct AdamwSteps {
    /// Weight c of the loss beside the squared norm with adamw, at first
    pub weight: f64,
    /// Length of a step of pgd, mi-fgsm and universal attacks, of the first one of ddn and fmn, and of each value's with adamw
    /// [default: 2.5 and 1 times radius / steps, one less than passes, a tenth of the radius, and 1 and 0.0022 times the width
    /// of the image box]
    pub step: Option<f64>,
}

impl Default for AdamwSteps {
    fn default() -> Self {
        Self { weight: 10.0, step: None }
    }
}

named! {
    /// How an objective's auxiliary variables λ are set.
    pub enum Lambda {
        /// At their minimisers, in closed form (Lemma 4.1)
        Exact,
        /// By the same gradient descent as the perturbation, from 0 (Algorithm 1)
        Gradient,
    }
}

impl Optimiser {
    /// Its name.
    pub fn name(&self) -> OptimiserName {
        match self {
            Self::Sgd(_) => OptimiserName::Sgd,
            Self::Pgd(_) => OptimiserName::Pgd,
            Self::MiFgsm(_) => OptimiserName::MiFgsm,
            Self::AutoPgd(_) => OptimiserName::AutoPgd,
            Self::Ddn(_) => OptimiserName::Ddn,
            Self::Fmn(_) => OptimiserName::Fmn,
            Self::Adamw(_) => OptimiserName::Adamw,
        }
    }

    /// The runnable rule, for so many steps.
    fn rule(&self, steps: usize, weight_decay: f64) -> Result<Box<dyn StepRule>, AttackError> {
        let of_radius = |share: f64, ball: Ball| share * ball.radius / steps.max(1) as f64;
        Ok(match *self {
            Self::Sgd(sgd) => Box::new(sgd.rule(weight_decay)?),
            Self::Pgd(PgdSteps { ball, step }) => {
                let step = checked(step.unwrap_or(of_radius(2.5, ball)))?;
                Box::new(Pgd { ball: ball.checked()?, step })
            }
            Self::MiFgsm(own) => Box::new(own.rule(of_radius(1.0, own.steps.ball))?),
            Self::AutoPgd(ball) => Box::new(AutoPgd { ball: ball.checked()?, steps }),
            Self::Ddn(own) => {
                let Shrinking { gamma, step } = own.checked()?;
                Box::new(Ddn { gamma, step, steps })
            }
            Self::Fmn(own) => {
                let Shrinking { gamma, step } = own.checked()?;
                Box::new(Fmn { gamma, step, steps })
            }
            Self::Adamw(AdamwSteps { weight, step }) => {
                check("weight", "a number above 0", weight, weight > 0.0 && weight.is_finite())?;
                Box::new(Adamw { weight, step: step.map(checked).transpose()? })
            }
        })
    }
}

/// The same if it can be the length of a step.
fn checked(step: f64) -> Result<f64, AttackError> {
    check("step", "a number above 0", step, step > 0.0 && step.is_finite())?;
    Ok(step)
}

impl Shrinking {
    /// The same if they can be taken.
    fn checked(self) -> Result<Self, AttackError> {
        let gamma = self.gamma;
        check("gamma", "in (0, 1)", gamma, gamma > 0.0 && gamma < 1.0)?;
        Ok(Self { step: self.step.map(checked).transpose()?, gamma })
    }
}

impl MiFgsmSteps {
    /// The runnable rule, with this step where none is given.
    pub(crate) fn rule(&self, default: f64) -> Result<MiFgsm, AttackError> {
        let Self { steps: PgdSteps { ball, step }, momentum } = *self;
        check("momentum", "in [0, 1]", momentum, (0.0..=1.0).contains(&momentum))?;
        Ok(MiFgsm { ball: ball.checked()?, step: checked(step.unwrap_or(default))?, momentum })
    }
}

impl PenalisedSgd {
    fn rule(&self, weight_decay: f64) -> Result<Sgd, AttackError> {
        let Self { lr, alpha, momentum, .. } = *self;
        check("learning rate", "a number above 0", lr, lr > 0.0 && lr.is_finite())?;
        check("alpha", "a number of at least 0", alpha, alpha >= 0.0 && alpha.is_finite())?;
        check("momentum", "in [0, 1)", momentum, (0.0..1.0).contains(&momentum))?;
        Ok(Sgd { learning_rate: lr, momentum, weight_decay })
    }
}

impl Descent {
    /// What it aims at, if it is targeted.
    pub fn aims_at(&self) -> Option<TargetChoice> {
        self.name.is_targeted().then(|| self.target.unwrap_or_default())
    }

    /// The runnable attack.
    pub(crate) fn init(&self, limits: Limits, stop: &Stop) -> Result<GradientAttack, AttackError> {
        let (released, literal) =
            (self.variant == Variant::Released, self.variant == Variant::Literal);
        let margins = if released { Margins::Signed } else { Margins::Hinged };
        let by_name = self.optimiser.name();
        let objective = self.name.objective(margins).ok_or_else(|| AttackError::OwnSteps {
            method: self.name.into(),
            optimiser: by_name.into(),
        })?;
        let sgd = match self.optimiser {
            Optimiser::Sgd(sgd) => Some(sgd),
            // The published code has no such steps, and its variable no box to be projected to.
            _ if released => {
                let expected = "corrected or literal".to_owned();
                let (what, variant) = (by_name.into(), self.variant.into());
                return Err(AttackError::NoVariant { what, variant, expected });
            }
            _ => None,
        };
        let by_gradient = match self.lambda {
            None => literal,
            Some(lambda) => lambda == Lambda::Gradient,
        };
        let alpha = sgd.map_or(0.0, |sgd| sgd.alpha);
        let steps = limits.steps(cost_of_step(&*objective));
        Ok(GradientAttack {
            objective,
            subset: self.name == AttackName::Class,
            scores: if literal { ScoreKind::Sigmoid } else { ScoreKind::Logits },
            lambda: by_gradient.then(|| sgd.unwrap_or_default().rule(0.0)).transpose()?,
            norm_penalty: if released { 0.0 } else { alpha },
            space: match (released, sgd) {
                (true, _) => Space::TanhOfImage,
                (false, Some(_)) => Space::Clip,
                (false, None) => Space::Project,
            },
            bisections: sgd.and_then(|sgd| sgd.bisections).unwrap_or_default(),
            rule: self.optimiser.rule(steps, if released { alpha } else { 0.0 })?,
            stop: stop.clone(),
            limits,
        })
    }
}
