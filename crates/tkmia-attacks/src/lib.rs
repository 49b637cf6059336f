//! Adversarial attacks on top-k multi-label classifiers.
//!
//! - [`Settings`]: an attack by method and variant; `init` checks them and gives the runnable attack
//! - [`GradientAttack`]: an objective × a space × an optimiser × a criterion; [`KFool`]: the one with a
//!   geometry instead of an objective
//! - [`Criterion`]: when an image is done, and what counts as success
//! - [`judge()`]: success, norms and scores from the returned images, never from the loop
//! - [`global_selection`], [`eligible`]: which labels are specified, which samples take part
//!
//! Attacks see a model only as a [`Classifier`](tkmia_core::Classifier), and never print, read the
//! clock or touch files.

mod attack;
mod criterion;
mod drive;
mod eligibility;
mod error;
mod gradient;
mod host;
mod jacobian;
mod judge;
mod kfool;
mod min_norm;
mod observer;
mod qp;
mod settings;
mod sgd;
mod space;

pub use attack::{Attack, AttackBatch, BatchResult, Outcome, Passes};
pub use criterion::{
    AllRelevantOut, And, CRITERION_NAMES, Criterion, Imperceptible, Measure, MeasureBudget,
    MeasurePreserving, Not, Or, OrderedTopK, PrecisionPreserved, SpecifiedOut, Standing, TargetSet,
    UnknownCriterion, criterion,
};
pub use eligibility::{Reason, eligible, eligible_by_labels, global_selection};
pub use error::AttackError;
pub use gradient::{GradientAttack, Lambda, ScoreKind};
pub use judge::{Verdict, judge};
pub use kfool::KFool;
pub use min_norm::{MinNorm, Solver};
pub use observer::{Observer, Step};
pub use settings::{Method, Settings, UnknownName, Variant};
pub use sgd::Sgd;
pub use space::Space;
