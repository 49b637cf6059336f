//! Attacks that descend an objective: [`Descent`], their settings, and [`GradientAttack`].

mod ball;
mod bisection;
mod display;
mod drive;
mod gradient_attack;
mod optimiser;
mod settings;
mod space;
mod subset;

pub use ball::{Ball, Norm};
pub use gradient_attack::{GradientAttack, ScoreKind};
pub use optimiser::{Adamw, At, AutoPgd, Ddn, Fmn, MiFgsm, Pgd, Sgd, StepRule, Stepping};
pub use settings::{
    AdamwSteps, Descent, Lambda, MiFgsmSteps, Optimiser, OptimiserName, PenalisedSgd, PgdSteps,
    Shrinking,
};
pub use space::Space;

pub(crate) use bisection::Bisection;
pub(crate) use drive::{ForwardPass, Mover, Rules, Stride, Survivors, choose, drive, pick};
