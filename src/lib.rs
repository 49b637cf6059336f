#![doc = include_str!("../README.md")]

mod error;
pub mod prelude;

pub use error::Error;

pub use tkmia_attacks as attacks;
pub use tkmia_audit as audit;
pub use tkmia_certify as certify;
pub use tkmia_core as core;
pub use tkmia_data as data;
pub use tkmia_experiment as experiment;
pub use tkmia_figure as figure;
pub use tkmia_metrics as metrics;
pub use tkmia_models as models;
pub use tkmia_monitor as monitor;
pub use tkmia_report as report;
pub use tkmia_train as train;

/// The version of Burn whose tensors and devices this library speaks.
pub use tkmia_core::burn;
/// The version of `image` whose pictures this library speaks.
pub use tkmia_data::image;
