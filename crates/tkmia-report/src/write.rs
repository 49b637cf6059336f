//! [`write_report`]: the report of an experiment's folder, as files.

use std::fs;
use std::path::Path;

use tkmia_attacks::Norm;
use tkmia_experiment::{ExperimentError, Plan, write_failed};
use tkmia_file::write_whole;

use crate::pictures::{pictures_of, png};
use crate::{Report, ReportError};

/// Draws the report of an experiment's folder from its records, into `report/` there.
///
/// Tables as Markdown, CSV and LaTeX, the norm against the change of mAP@k as SVG, curves as CSV, figures
/// as PNG, and all of it as one page, `index.html`, with the images of `pictured` samples at most in it.
///
/// # Errors
/// [`ReportError::Experiment`] if the folder is no experiment's, has records that aren't the plan's, or holds a file
/// that can't be read or written; [`ReportError::Metrics`] for a record that can't be measured,
/// [`ReportError::Image`] for a picture that can't be decoded.
pub fn write_report(folder: &Path, pictured: usize) -> Result<Report, ReportError> {
    let plan = Plan::read(folder)?;
    let report = Report::read(&plan, folder)?;
    let write = writer(folder)?;
    for (number, table) in report.tables.iter().enumerate() {
        let name = table.name(number);
        write(&format!("{name}.md"), table.markdown().as_bytes())?;
        write(&format!("{name}.csv"), table.csv().as_bytes())?;
        write(&format!("{name}.tex"), table.latex().as_bytes())?;
        for (norm, chart) in table.trade_offs() {
            let kind = if norm == Norm::L2 { "" } else { "-linf" };
            write(&format!("{name}-trade-off{kind}.svg"), chart.svg_file().as_bytes())?;
        }
    }
    write("report.md", report.markdown().as_bytes())?;
    write("iterations.csv", report.iterations_csv().as_bytes())?;
    write("norms.csv", report.norms_csv().as_bytes())?;
    write("classes.csv", report.classes_csv().as_bytes())?;
    let pictures = pictures_of(folder, &plan)?;
    for picture in &pictures {
        write(&picture.file_name(), &png(&picture.draw(&report.inputs.data.classes)?)?)?;
    }
    write("index.html", report.html(&pictures, pictured)?.as_bytes())?;
    Ok(report)
}

/// What writes the files of a folder's report.
pub(crate) fn writer(
    folder: &Path,
) -> Result<impl Fn(&str, &[u8]) -> Result<(), ExperimentError>, ExperimentError> {
    let output = folder.join("report");
    fs::create_dir_all(&output).map_err(write_failed(&output))?;
    Ok(move |name: &str, bytes: &[u8]| {
        let path = output.join(name);
        write_whole(&path, bytes).map_err(write_failed(&path))
    })
}
