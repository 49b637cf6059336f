//! Experiments with attacks on top-k multi-label classifiers: runs, records, tables and figures.
//!
//! - [`Experiment`]: victim, data, settings and methods from one file; [`Campaign`] runs it, by [`Shard`]s
//!   where it is large, [`merge`] puts these together, [`write_report`] shows it beside the paper's values
//! - [`Manifest`]: which samples a setting attacks, for any method, machine or year
//! - [`Audit`]: one attack on several settings, from images to a folder of results
//! - [`cost`]: how many passes the paper's tables take; [`pass_time`]: how long one takes here
//! - [`eligible_count`]: how many samples a setting can have, by labels alone
//! - [`Victim`], [`Cohort`]: which samples are attacked, and the run over them
//! - [`Workers`]: how the work is cut into batches and over threads
//! - [`Record`]: what is kept of each sample; [`RecordFile`] writes them as JSON lines
//! - [`Summary`]: the paper's measures from records; [`markdown`] and [`write_csv`] show them
//! - [`illustrate`]: pictures like the paper's Figure 4, drawn by [`figure`]
//!
//! This crate and the command line alone read the clock and write files; the maths is elsewhere.

mod audit;
mod campaign;
mod cohort;
mod cost;
mod eligible_count;
mod error;
mod experiment;
pub mod figure;
mod fingerprint;
mod illustration;
mod journal;
mod manifest;
mod merge;
mod output;
mod paper;
mod pass_time;
mod plan;
mod record;
mod report;
mod run;
mod stage;
mod summary;
mod tuning;
mod workers;

pub use audit::{Audit, Clean, CleanMeasures, Findings, Progress};
pub use campaign::{Campaign, Outline, Reached, Until};
pub use cohort::{Cohort, Member};
pub use cost::{Cost, Usage, cost};
pub use eligible_count::eligible_count;
pub use error::EvalError;
pub use experiment::{
    Budget, DataSpec, Descent, Exhibit, Expanded, Experiment, ExperimentError, InBall, MethodSpec,
    ResizeKind, Run, Scheme, TABLES, Table, TableSpec, TuningSpec, Values, VictimSpec, View,
    ready_experiment,
};
pub use fingerprint::{file_sha256, list_sha256};
pub use illustration::illustrate;
pub use journal::read_records;
pub use manifest::{Input, Listed, Manifest, Origin};
pub use merge::merge;
pub use output::{RecordFile, write_whole};
pub use paper::Printed;
pub use pass_time::{PassTime, pass_time};
pub use plan::{
    DataFacts, Inputs, Job, ManifestEntry, NotAShard, Plan, Shard, TuningFacts, VictimFacts,
};
pub use record::{Record, Selection, Setting};
pub use report::{
    AtNorm, Cell, ClassSuccess, Report, ReportTable, Rival, Row, Success, write_report,
};
pub use run::{Attacked, Contender, Victim};
pub use stage::Event;
pub use summary::{Summary, markdown, write_csv};
pub use tuning::Trial;
pub use workers::Workers;
