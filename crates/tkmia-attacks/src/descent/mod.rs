//! Attacks that descend an objective: [`Descent`], their settings, and [`GradientAttack`].

mod ball;
mod display;
mod drive;
mod gradient_attack;
mod optimiser;
mod settings;
mod space;

pub use ball::{Ball, Norm};
pub use gradient_attack::{GradientAttack, ScoreKind};
pub use optimiser::{At, AutoPgd, MiFgsm, Pgd, Sgd, StepRule, Stepping};
pub use settings::{
    Descent, Lambda, MiFgsmSteps, Optimiser, OptimiserName, PenalisedSgd, PgdSteps,
};
pub use space::Space;

pub(crate) use drive::{ForwardPass, Mover, Rules, Stride, Survivors, drive, pick};
