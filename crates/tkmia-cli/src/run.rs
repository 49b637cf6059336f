//! `tkmia run`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use tkmia_experiment::Experiment;
use tkmia_file::read_text;

use crate::error::CliError;
use crate::experiment::Options;

/// Run an experiment from its file, or continue one
///
/// Records go to OUT/records.jsonl batch by batch. If it is stopped at any moment, the same command continues from
/// there. Ends with the report in OUT/report.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Victim, data, settings, methods; paths in it are relative to its folder, `output` to where the command runs
    #[arg(value_name = "EXPERIMENT.toml")]
    experiment: PathBuf,
    #[command(flatten)]
    options: Options,
}

const EXAMPLES: &str = "Examples:
  tkmia run experiments/mini-voc.toml --dry-run
  tkmia run experiments/mini-voc.toml
  tkmia run experiments/table-15.toml --model resnet50_voc.onnx --root VOCdevkit --shard 3/16 --output part-03";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let path = &arguments.experiment;
    let text = read_text(path).map_err(|source| CliError::Read { path: path.clone(), source })?;
    let failed = |source| CliError::Experiment { path: path.clone(), source: Box::new(source) };
    let mut experiment = Experiment::parse(&text).map_err(failed)?;
    experiment.anchor(path.parent().unwrap_or(Path::new("")));
    arguments.options.run(&mut experiment)
}
