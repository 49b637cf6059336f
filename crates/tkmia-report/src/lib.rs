//! What experiments with attacks on top-k multi-label classifiers found, as tables, curves and pictures.
//!
//! [`write_report`] draws the report of an experiment's folder; [`Report`] is what it shows.
//!
//! - [`Report`], [`ReportTable`], [`Row`], [`Cell`]: means over records with their intervals, beside what the
//!   paper prints; a [`Rival`] is the best other attack on the same samples
//! - [`columns`]: what a row has cells of. Every [`Form`] of results walks this one table, and the measures'
//!   part of it is [`MEASURES`](tkmia_metrics::MEASURES)
//! - [`Report::markdown`], [`ReportTable::latex`], [`ReportTable::csv`]; [`Report::summary`] is small; [`beside`] is of
//!   several victims
//! - [`Across`]: an experiment on several victims, side by side; [`write_across`] draws it
//! - `write_parquet`, behind the feature `parquet`: the records as columns
//! - [`AtNorm`]: an attack held to a norm
//! - [`draw`]: attacked samples side by side; [`pictures`]: those of an experiment's folder

mod across;
mod by_image;
mod by_norm;
mod cell;
mod charts;
#[cfg(feature = "parquet")]
mod columnar;
mod columns;
mod comparison;
mod error;
mod label;
mod optimality;
mod pictures;
mod rank;
mod render;
mod report;
mod rival;
mod row;
mod samples;
mod sign_test;
mod table;
mod write;

pub use across::{Across, write_across};
pub use by_norm::{AtNorm, Successes, changes_by_norm};
pub use cell::Cell;
#[cfg(feature = "parquet")]
pub use columnar::write_parquet;
pub use columns::{Column, Form, Unit, columns};
pub use error::ReportError;
pub use pictures::{Picture, Pictured, draw, pictures, png};
pub use rank::Rank;
pub use render::beside;
pub use report::Report;
pub use rival::Rival;
pub use row::{ClassSuccess, Row};
pub use sign_test::SignTest;
pub use table::ReportTable;
pub use write::write_report;

use tkmia_experiment::Record;
#[cfg(test)]
use tkmia_experiment::{Selection, Setting};

#[cfg(test)]
mod tests;
#[cfg(test)]
#[path = "../../tkmia-experiment/src/toy.rs"]
mod toy;
