//! What a defender who sees predictions, and sometimes labels, notices of attacks: sequential tests on a stream of images.
//!
//! A [`Monitor`] is a statistic of one image, a sequential test and a threshold. It sees one image at a time, and its state
//! can be saved and restored with serde at any moment.
//!
//! - [`Statistic`]: the ranking measures, label frequencies, co-occurrence, margins, JointEnergy, feature squeezing
//! - [`Test`]: CUSUM, SPRT, Page–Hinkley, e-detector, test martingale
//! - [`FalseAlarms`]: the stated rate on clean images, which the threshold is for
//! - [`Simulation`]: which attacks a monitor notices, and how late; [`auc`] and [`auc_interval`]: how well one image
//!   alone tells them
//!
//! All tests see numbers in `[0, 1]` with a known clean mean: measures and indicators of labels as they are, other statistics by
//! their rank among clean images, which is a conformal p-value (Vovk, Gammerman & Shafer 2005, *Algorithmic Learning in a
//! Random World*).
//!
//! # Example: a live stream
//!
//! ```
//! use tkmia_monitor::{FalseAlarms, Monitor, Observation, Statistic, Test};
//!
//! // Scores of clean images: here a label is in the top-1 of three images in four.
//! let seen = |scores| Observation { scores, relevant: None, squeezed: None };
//! let (person, car) = ([2.0_f32, 1.0, 0.0], [1.0_f32, 2.0, 0.0]);
//! let clean: Vec<Observation> = (0..400)
//!     .map(|image| seen(if image % 4 == 0 { &car } else { &person }))
//!     .collect();
//! let rate = FalseAlarms::per_10_000(1.0)?;
//! let mut monitor = Monitor::calibrate(Statistic::LabelFrequency, Test::Cusum, 1, &clean, rate, 7)?;
//!
//! // The first label vanishes.
//! let mut alarm = None;
//! while alarm.is_none() {
//!     alarm = monitor.push(&seen(&car))?;
//! }
//! let alarm = alarm.unwrap();
//! assert!(alarm.image < 50, "{alarm:?}");
//! // What stands out most: that label 0 falls, or that label 1 rises.
//! assert!([(0, true), (1, false)].contains(&(alarm.component, alarm.falls)));
//!
//! // Saved, and restored by another process.
//! let saved = serde_json::to_string(&monitor)?;
//! assert_eq!(serde_json::from_str::<Monitor>(&saved)?, monitor);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crate is `no_std`; it allocates.

#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod auc;
mod calibration;
mod chart;
mod error;
mod gauge;
mod mean;
mod monitor;
mod observation;
mod page_hinkley;
mod pairs;
mod random;
mod simulation;
mod statistic;
mod test;
mod wealth;

pub use auc::{auc, auc_interval};
pub use calibration::{FalseAlarms, MIN_CLEAN};
pub use error::MonitorError;
pub use monitor::{Alarm, Monitor};
pub use observation::{Observation, Squeezed};
pub use simulation::{Counted, Noticed, Simulation};
pub use statistic::{Reading, Statistic};
pub use test::Test;
