//! What is to be run, as one TOML file says it: [`Experiment`].

mod error;
mod experiment;
mod method;
mod ready;
mod table;
mod values;
mod victim;
mod victims;

pub use error::SpecError;
pub use experiment::{Budget, DataSpec, Experiment, FitSpec, TuningSpec};
pub use method::{MethodSpec, passes_at_most};
pub use ready::{Exhibit, TABLES, ready_experiment, ready_file};
pub use table::{Table, TableSpec};
pub use values::Values;
pub use victim::VictimSpec;
