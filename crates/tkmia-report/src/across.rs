//! [`Across`]: an experiment on several victims, side by side.

use std::path::Path;

use tkmia_experiment::{ExperimentError, Victims};

use crate::write::writer;
use crate::{Report, ReportError, write_report};

/// What an experiment on several victims found, side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Across {
    /// The heading.
    pub title: String,
    /// The reports of those that were attacked, under their names.
    pub victims: Vec<(String, Report)>,
    /// The names of those that weren't yet.
    pub missing: Vec<String>,
}

/// Draws the report of each of an experiment's victims, as [`write_report`] does, and side by side those of all into `report/` in
/// the folder of them all: a page, Markdown and CSV.
///
/// # Errors
/// As [`write_report`]; a victim without an experiment is [missing](Across::missing).
pub fn write_across(
    folder: &Path,
    victims: &Victims,
    pictured: usize,
) -> Result<Across, ReportError> {
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for (name, folder) in victims.names.iter().zip(victims.folders(folder)) {
        match write_report(&folder, pictured) {
            Ok(report) => found.push((name.clone(), report)),
            Err(ReportError::Experiment(ExperimentError::NotAnExperiment { .. })) => {
                missing.push(name.clone());
            }
            Err(other) => return Err(other),
        }
    }
    let across = Across { title: victims.title.clone(), victims: found, missing };
    let write = writer(folder)?;
    write("report.md", across.markdown().as_bytes())?;
    write("victims.csv", across.csv().as_bytes())?;
    write("index.html", across.html().as_bytes())?;
    Ok(across)
}
