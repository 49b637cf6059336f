//! `tkmia report`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use tkmia_experiment::Victims;
use tkmia_report::{beside, write_across, write_report};

use crate::progress::meanwhile;

/// Make an experiment's report again from its records
///
/// Tables in Markdown, CSV and LaTeX beside the paper's values, curves as CSV, figures as PNG, and all in one
/// page, index.html. Neither victim nor data are needed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The folder of the experiment, finished or not; of several folders, on other victims, the means are printed side by side
    #[arg(value_name = "OUT", required = true)]
    outputs: Vec<PathBuf>,
    /// Settings with images in the page at most
    #[arg(long, default_value_t = 6)]
    pictured: usize,
    /// Write the records as columns, too, into report/records.parquet
    #[cfg(feature = "parquet")]
    #[arg(long)]
    parquet: bool,
    /// Print the tables as Markdown, too
    #[arg(long)]
    print: bool,
}

const EXAMPLES: &str = "Examples:
  tkmia report out/mini-voc
  tkmia report out/mini-voc --print | less -S
  tkmia report out/min-norm out/min-norm-held-out";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let mut reports = Vec::new();
    for output in &arguments.outputs {
        if let Some(victims) = Victims::read(output)? {
            let across = meanwhile("drawing reports", || {
                write_across(output, &victims, arguments.pictured)
            })?;
            crate::print(&told(arguments.print, output, || across.markdown()))?;
            #[cfg(feature = "parquet")]
            for folder in victims.folders(output) {
                arguments.write_columns(&folder)?;
            }
            continue;
        }
        let report = meanwhile("drawing the report", || write_report(output, arguments.pictured))?;
        crate::print(&told(arguments.print, output, || report.markdown()))?;
        #[cfg(feature = "parquet")]
        arguments.write_columns(output)?;
        reports.push(report);
    }
    if reports.len() > 1 {
        crate::print(&format!("\n{}", beside(&reports)))?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(feature = "parquet")]
impl Arguments {
    /// Writes the records of a folder as columns, if they are asked for and there are some.
    fn write_columns(&self, folder: &Path) -> Result<(), Box<dyn Error>> {
        if self.parquet && folder.join("report").is_dir() {
            let path = meanwhile("writing columns", || tkmia_report::write_parquet(folder))?;
            crate::print(&format!("records  {}\n", path.display()))?;
        }
        Ok(())
    }
}

/// A report, or where it lies.
fn told(print: bool, output: &Path, markdown: impl Fn() -> String) -> String {
    match print {
        true => markdown(),
        false => format!("report  {}\n", output.join("report/index.html").display()),
    }
}
