//! Experiments with attacks on top-k multi-label classifiers: what is run, on which samples, and its records.
//!
//! - [`Experiment`]: victim, data, settings and methods, from a file or from values; [`ready_experiment`]
//!   gives those of the paper's tables and figures
//! - [`Campaign`] runs it, by [`Shard`]s where it is large, and tells its [`Event`]s; [`merge`] puts shards
//!   together
//! - [`Victims`]: the folder of an experiment on several victims
//! - [`Plan`]: what a folder of records is of; [`Record`]: what is kept of each sample
//! - [`Victim`]: the classifier on its images; [`Workers`]: how the work is cut into batches and over threads
//! - [`Printed`]: what the paper's tables show
//! - [`cost`]: how many passes the paper's tables take; [`pass_time`]: how long one takes here;
//!   [`eligible_count`]: how many samples a setting can have, by labels alone;
//!   [`ways`]: how else the classifier may want to see images
//!
//! This crate, the reports and the command line alone read the clock and write files; the maths is elsewhere.

mod campaign;
mod changes;
mod cohort;
mod cost;
mod drawing;
mod eligible_count;
mod error;
mod event;
mod fingerprint;
mod folder;
mod journal;
mod manifest;
mod merge;
mod missed;
mod outline;
mod paper;
mod part;
mod pass_time;
mod perturbation;
mod pictures;
mod plan;
mod record;
mod setting;
mod shard;
mod spec;
mod stage;
#[cfg(test)]
mod toy;
mod tuning;
mod twins;
mod universal;
mod victim;
mod victims;
mod ways;
mod workers;

pub use campaign::{Campaign, Reached, Until};
pub use cost::{Cost, Usage, cost};
pub use eligible_count::eligible_count;
pub use error::{ExperimentError, in_one_line, read_failed, write_failed};
pub use event::Event;
pub use fingerprint::list_sha256;
pub use folder::lock;
pub use manifest::{Input, ManifestEntry};
pub use merge::merge;
pub use missed::Missed;
pub use outline::Outline;
pub use paper::Printed;
pub use part::{Part, held_out};
pub use pass_time::{PassTime, pass_time};
pub use perturbation::{read_perturbation, write_perturbation};
pub use pictures::PicturePaths;
pub use plan::{DataFacts, FORMAT, FitImages, Inputs, Job, Plan, TuningFacts, VictimFacts};
pub use record::Record;
pub use setting::{Scheme, Selection, Setting};
pub use shard::{NotAShard, Shard};
pub use spec::{
    Budget, DataSpec, Exhibit, Experiment, FitSpec, MethodSpec, SpecError, TABLES, Table,
    TableSpec, TuningSpec, Values, VictimSpec, passes_at_most, ready_experiment, ready_file,
};
pub use tuning::Trial;
pub use universal::{Controlled, FitFacts};
pub use victim::Victim;
pub use victims::Victims;
pub use ways::{Evidence, Way, likely, ways};
pub use workers::Workers;
