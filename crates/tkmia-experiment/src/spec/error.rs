//! [`SpecError`]: what can be wrong with an experiment's file.

use tkmia_attacks::{AttackError, AttackName};

use super::victim::VictimSpec;

/// Why a text or a value isn't an experiment that can be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// The text isn't that of an experiment; the parser says where and why.
    #[error("{0}")]
    Toml(toml::de::Error),
    /// A field of `[victim]` isn't known.
    #[error("{}, expected one of {}", .0.to_string().trim_end(), VictimSpec::fields().join(", "))]
    VictimField(toml::de::Error),
    /// A victim of several has no name that its folder could have.
    #[error("victim {number}: `name` {fault}")]
    VictimName {
        /// Which victim, from 1.
        number: usize,
        /// What is wrong with its name.
        fault: String,
    },
    /// A field is missing, empty or of no use where it is.
    #[error("{place}: `{field}` {fault}")]
    Field {
        /// The part of the file.
        place: String,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A number is out of range.
    #[error("{place}: `{field}` must be {expected}, found {found}")]
    OutOfRange {
        /// The part of the file.
        place: String,
        /// The field.
        field: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// Knobs that make no attack.
    #[error("method `{name}`")]
    Method {
        /// The attack.
        name: AttackName,
        /// What is wrong.
        #[source]
        source: AttackError,
    },
    /// An attack that can't be started.
    #[error("`{name}`")]
    Attack {
        /// The attack with its knobs, in words.
        name: String,
        /// What is wrong.
        #[source]
        source: AttackError,
    },
    /// The same attack would be run on the same setting twice.
    #[error("`{run}` on `{setting}` is asked for twice")]
    Twice {
        /// The attack.
        run: String,
        /// The setting.
        setting: String,
    },
    /// A number of a table that the paper hasn't, or that shows no results.
    #[error("the paper has no table {found} of results: expected one of 1-4, 13-23")]
    NoTable {
        /// The number.
        found: u32,
    },
    /// A number of a figure that the paper hasn't, or that shows no attacked images.
    #[error("the paper has no figure {found} of attacked images: expected one of 2-7")]
    NoFigure {
        /// The number.
        found: u32,
    },
}

impl From<toml::de::Error> for SpecError {
    fn from(error: toml::de::Error) -> Self {
        match error.message() {
            // Where parts are put together, serde doesn't say what is known.
            message if message.starts_with("unknown field") && !message.contains("expected") => {
                Self::VictimField(error)
            }
            _ => Self::Toml(error),
        }
    }
}
