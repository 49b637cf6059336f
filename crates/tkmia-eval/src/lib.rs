//! Experiments with attacks on top-k multi-label classifiers: runs, records, tables and figures.
//!
//! - [`Audit`]: an attack on several settings, from images to a folder of results
//! - [`Victim`], [`GlobalSetting`]: which samples are attacked, and the run over them
//! - [`eligible_count`]: how many samples a setting can have, by labels alone
//! - [`Workers`]: how the work is cut into batches and over threads
//! - [`Record`]: what is kept of each sample; [`RecordFile`] writes them as JSON lines
//! - [`Summary`]: the paper's measures from records; [`markdown`] and [`write_csv`] show them
//! - [`illustrate`]: pictures like the paper's Figure 4, drawn by [`figure`]
//!
//! This crate and the command line alone read the clock and write files; the maths is elsewhere.

mod audit;
mod eligible_count;
mod error;
pub mod figure;
mod illustration;
mod output;
mod record;
mod run;
mod summary;
mod workers;

pub use audit::{Audit, Clean, CleanMeasures, Findings, Progress};
pub use eligible_count::eligible_count;
pub use error::EvalError;
pub use illustration::illustrate;
pub use output::{RecordFile, write_whole};
pub use record::{Record, Setting};
pub use run::{Attacked, Contender, GlobalSetting, Victim};
pub use summary::{Summary, markdown, write_csv};
pub use workers::Workers;
