//! The vocabulary of adversarial attacks on top-k multi-label classifiers, and their objectives.
//!
//! - [`LabelSet`] and [`Goal`]: relevant labels `Y_p`, specified labels `S`, and `k`
//! - [`Classifier`]: what an attack needs to know of its victim; [`scores_and_gradient`]: a pass both ways; [`PassMemory`]: what
//!   passes take; [`Tagger`]: how it sees an image; [`Ensemble`]: what is attacked in place of another one
//! - [`relaxation`]: the average-top-k relaxation (Ogryczak & Tamir 2003)
//! - [`objective`]: the losses, Eq. 3 and Eq. 6 of Sun et al. 2023 among them
//! - [`pixels`]: ranges, norms and the tanh change of variable
//! - [`device()`]: a compute device by its name; [`described`]: settings by the documentation of their fields
//!
//! Maths only: no files, no network, no clock. All of it runs on any Burn device; [`burn`] is the
//! version of Burn whose tensors and devices these are.
//!
//! Source of the equations: Sun, Xu, Wang, Huang, "When Measures are Unreliable: Imperceptible
//! Adversarial Perturbations toward Top-k Multi-Label Learning", ACM MM 2023.

mod classifier;
mod device;
mod ensemble;
mod error;
mod goal;
mod knob;
mod labels;
pub mod objective;
mod pass_memory;
pub mod pixels;
pub mod relaxation;
mod tagger;

pub use burn;
pub use classifier::{Classifier, scores_and_gradient};
pub use device::{AVAILABLE as AVAILABLE_DEVICES, device, devices};
pub use ensemble::Ensemble;
pub use error::CoreError;
pub use goal::Goal;
pub use knob::{Knob, KnobKind, described};
pub use labels::LabelSet;
pub use pass_memory::PassMemory;
pub use pixels::Bounds;
pub use tagger::{Channels, Filter, Fit, LARGEST_SIDE, Layout, Tagger};
