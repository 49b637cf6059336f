//! Adversarial attacks on top-k multi-label classifiers.
//!
//! - [`Settings`]: an attack by method and variant; `init` checks them and gives the runnable attack
//! - [`GradientAttack`]: an objective × a space × an [`Optimiser`] × a criterion × a [`Budget`];
//!   [`KFool`] and [`MlDp`]: those with a geometry instead of an objective; [`Universal`]: one perturbation
//!   for all images
//! - [`Criterion`]: when an image is done, and what counts as success
//! - [`judge()`]: success, norms and scores from the returned images, never from the loop
//! - [`global_selection`], [`random_selection`], [`eligible`]: which labels are specified, which samples
//!   take part; [`Targets`]: what targeted attacks aim at
//! - [`Indicator`]: signs that an attack failed for reasons of its own
//!
//! Attacks see a model only as a [`Classifier`](tkmia_core::Classifier), and never print, read the
//! clock or touch files.

mod attack;
mod ball;
mod budget;
mod criterion;
mod draw;
mod drive;
mod eligibility;
mod error;
mod geometry;
mod gradient;
mod host;
mod indicator;
mod jacobian;
mod judge;
mod kfool;
mod min_norm;
mod ml_dp;
mod names;
mod observer;
mod optimiser;
mod qp;
mod settings;
mod space;
mod targets;
mod universal;

pub use attack::{Attack, AttackBatch, BatchResult, Outcome};
pub use ball::{Ball, Norm};
pub use budget::{Budget, Passes};
pub use criterion::{
    AllRelevantOut, And, CRITERION_NAMES, Criterion, Imperceptible, Measure, MeasureBudget,
    MeasurePreserving, Not, Or, OrderedTopK, PrecisionPreserved, SpecifiedOut, Standing,
    TargetReached, TargetSet, UnknownCriterion, criterion,
};
pub use eligibility::{Reason, eligible, eligible_by_labels, global_selection, random_selection};
pub use error::AttackError;
pub use gradient::{GradientAttack, ScoreKind};
pub use indicator::Indicator;
pub use judge::{Verdict, judge};
pub use kfool::KFool;
pub use min_norm::{MinNorm, Solver};
pub use ml_dp::MlDp;
pub use names::{Lambda, Method, OptimiserKind, UnknownName, Variant};
pub use observer::{Observer, Step};
pub use optimiser::{At, AutoPgd, MiFgsm, Optimiser, Pgd, Sgd, Steps};
pub use settings::Settings;
pub use space::Space;
pub use targets::{TargetChoice, Targets};
pub use universal::Universal;
