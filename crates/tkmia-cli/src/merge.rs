//! `tkmia merge`.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::slice;

use clap::Args;
use tkmia_experiment::{Plan, merge};
use tkmia_report::write_report;

use crate::output::refuse_overwriting;
use crate::progress::meanwhile;

/// Put the shards of an experiment together
///
/// Checks that all shards are there, each once and complete, and that they belong to one experiment with the same
/// manifests. The records are then those of a run in one piece, line for line. Ends with the report in OUT/report.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The folders of all shards, in any order
    #[arg(required = true, value_name = "DIR")]
    shards: Vec<PathBuf>,
    /// The folder of the whole
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Samples with images in the report's page at most
    #[arg(long, default_value_t = 6)]
    pictured: usize,
}

const EXAMPLES: &str = "Examples:
  tkmia merge part-* --output whole";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let output = &arguments.output;
    refuse_overwriting(slice::from_ref(output), &arguments.shards)?;
    let records = meanwhile("merging", || merge(&arguments.shards, output))?;
    let mut text = format!("{records} records in {}\n", output.display());
    // A tuning alone has nothing to report.
    if Plan::read(output).is_ok() {
        meanwhile("drawing the report", || write_report(output, arguments.pictured))?;
        text += &format!("report  {}\n", output.join("report/index.html").display());
    }
    crate::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
