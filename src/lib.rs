#![doc = include_str!("../README.md")]

pub use tkmia_attacks as attacks;
pub use tkmia_core as core;
pub use tkmia_data as data;
pub use tkmia_eval as eval;
pub use tkmia_metrics as metrics;
pub use tkmia_models as models;
pub use tkmia_train as train;
