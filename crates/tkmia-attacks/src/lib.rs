//! Adversarial attacks on top-k multi-label classifiers.
//!
//! - [`Tkmia`]: the settings of TkMIA; `init` checks them and gives the runnable attack
//! - [`GradientAttack`]: the loop, an objective × a space × an optimiser × a criterion
//! - [`Criterion`]: when an image is done, and what counts as success
//! - [`judge()`]: success, norms and scores from the returned images, never from the loop
//! - [`global_selection`], [`eligible`]: which labels are specified, which samples take part
//!
//! Attacks see a model only as a [`Classifier`](tkmia_core::Classifier), and never print, read the
//! clock or touch files.

mod attack;
mod criterion;
mod eligibility;
mod error;
mod gradient;
mod host;
mod judge;
mod observer;
mod sgd;
mod space;
mod tkmia;

pub use attack::{Attack, AttackBatch, BatchResult, Outcome};
pub use criterion::{Criterion, Excluded, Imperceptible, MeasurePreserving, Standing};
pub use eligibility::{Reason, eligible, eligible_by_labels, global_selection};
pub use error::AttackError;
pub use gradient::GradientAttack;
pub use judge::{Verdict, judge};
pub use observer::{Observer, Step};
pub use sgd::Sgd;
pub use space::Space;
pub use tkmia::{Tkmia, UnknownVariant, Variant};
