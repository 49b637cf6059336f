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
            continue;
        }
        let report = meanwhile("drawing the report", || write_report(output, arguments.pictured))?;
        crate::print(&told(arguments.print, output, || report.markdown()))?;
        reports.push(report);
    }
    if reports.len() > 1 {
        crate::print(&format!("\n{}", beside(&reports)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A report, or where it lies.
fn told(print: bool, output: &Path, markdown: impl Fn() -> String) -> String {
    match print {
        true => markdown(),
        false => format!("report  {}\n", output.join("report/index.html").display()),
    }
}
