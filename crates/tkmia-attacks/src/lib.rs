//! Adversarial attacks on top-k multi-label classifiers.
//!
//! - [`AttackSettings`]: an attack with all its knobs; `init` checks them and returns the runnable [`Attack`]
//! - [`AttackBatch`]: images and what is wanted of each; [`Attack::run`] returns a [`BatchResult`]
//! - [`BatchResult::judge`]: success, norms and scores from the returned images, never from the loop
//! - [`Criterion`]: when an image is done, and what counts as success; [`Stop`] reads one from text
//! - [`Descent`], [`Geometric`], [`MinNorm`], [`Universal`], [`Square`], [`Auto`]: the families of attacks and their settings
//! - [`GradientAttack`]: an objective × a space × a [`StepRule`] × a criterion × limits, each exchangeable alone
//! - [`global_selection`], [`random_selection`], [`eligible`]: which labels are specified, which samples
//!   take part; [`Targets`]: what targeted attacks aim at
//! - [`UniversalAttack::fit`] gives a [`UniversalPerturbation`], which is applied to any image
//! - [`Indicator`]: signs that an attack failed for reasons of its own; [`ActiveTest`]: whether it finds an adversarial
//!   example that is surely there
//!
//! Attacks see a model only as a [`Classifier`](tkmia_core::Classifier), and never print, read the
//! clock or touch files.

#[macro_use]
mod named;

mod active_test;
mod attack;
mod auto;
mod batch;
mod catalogue;
mod criterion;
mod descent;
mod draw;
mod eligibility;
mod error;
mod geometry;
mod indicator;
mod judge;
mod knobs;
mod limits;
mod min_norm;
mod observer;
mod readback;
mod result;
mod settings;
mod square;
mod targets;
mod universal;
mod view;

pub use active_test::{ActiveTest, Check, Found, Planted, Unplanted};
pub use attack::{Attack, Run};
pub use auto::{Auto, AutoAttack};
pub use batch::AttackBatch;
pub use catalogue::{AttackName, Family, Repeats, Steps, Variant};
pub use criterion::*;
pub use descent::{
    Adamw, AdamwSteps, At, AutoPgd, Ball, Ddn, Descent, Fmn, GradientAttack, Lambda, MiFgsm,
    MiFgsmSteps, Norm, Optimiser, OptimiserName, PenalisedSgd, Pgd, PgdSteps, ScoreKind, Sgd,
    Shrinking, Space, StepRule, Stepping,
};
pub use eligibility::{Reason, eligible, eligible_by_labels, global_selection, random_selection};
pub use error::AttackError;
pub use geometry::{Geometric, GeometricAttack};
pub use indicator::Indicator;
pub use judge::{JUDGING_PASSES, Verdict};
pub use knobs::all_knobs;
pub use limits::{Limits, Passes};
pub use min_norm::{MinNorm, MinNormAttack, Pair, Solver, Tight};
pub use observer::{Observer, Step};
pub use result::{BatchResult, Outcome, Perturbed};
pub use settings::{AttackSettings, Knobs, Method};
pub use square::{Square, SquareAttack};
pub use targets::{TargetChoice, Targets};
pub use universal::{Applied, Controls, Fitted, Universal, UniversalAttack, UniversalPerturbation};
pub use view::View;
