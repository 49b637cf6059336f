//! `tkmia report`.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tkmia_report::write_report;

/// Make an experiment's report again from its records
///
/// Tables in Markdown, CSV and LaTeX beside the paper's values, curves as CSV, figures as PNG, and all in one
/// page, index.html. Neither victim nor data are needed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The folder of the experiment, finished or not
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// Settings with images in the page at most
    #[arg(long, default_value_t = 6)]
    pictured: usize,
    /// Print the tables as Markdown, too
    #[arg(long)]
    print: bool,
}

const EXAMPLES: &str = "Examples:
  tkmia report out/mini-voc
  tkmia report out/mini-voc --print | less -S";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let report = write_report(&arguments.output, arguments.pictured)?;
    let page = arguments.output.join("report/index.html");
    crate::print(&match arguments.print {
        true => report.markdown(),
        false => format!("report  {}\n", page.display()),
    })?;
    Ok(ExitCode::SUCCESS)
}
