//! `tkmia run`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use clap::Args;
use tkmia_experiment::{Experiment, Plan, Victims};
use tkmia_file::read_text;
use tkmia_report::write_across;

use crate::error::CliError;
use crate::experiment::{Options, begin};
use crate::progress::{STOP, meanwhile};

/// Run an experiment from its file, or continue one
///
/// Records go to OUT/records.jsonl batch by batch. If it is stopped at any moment, the same command continues from
/// there. Ends with the report in OUT/report. Of several victims each has a folder of its name in OUT, and
/// OUT/report has them side by side.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Victim, data, settings, methods; paths in it are relative to its folder, `output` to where the command runs
    #[arg(value_name = "EXPERIMENT.toml")]
    experiment: PathBuf,
    /// Of several victims the one of this name alone
    #[arg(long, value_name = "NAME", conflicts_with_all = ["model", "command"])]
    victim: Option<String>,
    #[command(flatten)]
    options: Options,
}

const EXAMPLES: &str = "Examples:
  tkmia run experiments/mini-voc.toml --dry-run
  tkmia run experiments/mini-voc.toml
  tkmia run experiments/field.toml --victim hardened
  tkmia run experiments/table-15.toml --model resnet50_voc.onnx --root VOCdevkit --shard 3/16 --output part-03";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let Arguments { experiment: path, victim, options } = arguments;
    let text = read_text(path).map_err(|source| CliError::Read { path: path.clone(), source })?;
    let failed = |source| CliError::Experiment { path: path.clone(), source: Box::new(source) };
    let mut experiments = Experiment::parse_each(&text).map_err(failed)?;
    let names = experiments.iter().filter_map(|experiment| experiment.victim.name.clone());
    let names: Vec<String> = names.collect();
    if let Some(found) = victim.clone().filter(|name| !names.contains(name)) {
        return Err(CliError::Victim { names, found }.into());
    }
    for experiment in &mut experiments {
        experiment.anchor(path.parent().unwrap_or(Path::new("")));
    }
    if experiments.len() == 1 || options.source().is_some() {
        return options.run(&mut experiments[0]);
    }
    let all = Victims { title: experiments[0].title.clone(), names };
    experiments.retain(|it| victim.is_none() || it.victim.name == *victim);
    if experiments.len() > 1 && options.is_of_one() {
        let place = "--shard, --from and --until are about the folder of one victim";
        return Err(CliError::OptionMissing { option: "--victim", place }.into());
    }
    run_each(experiments, &all, options)
}

/// Runs an experiment on some of its victims, one after the other; the first that is stopped is the last.
fn run_each(
    experiments: Vec<Experiment>,
    all: &Victims,
    options: &Options,
) -> Result<ExitCode, Box<dyn Error>> {
    let output = options.output(&experiments[0])?;
    begin(&experiments[0])?;
    if Plan::read(&output).is_ok() {
        return Err(CliError::OneVictim { path: output }.into());
    }
    // Not after hours with the others.
    for path in experiments.iter().filter_map(|experiment| experiment.victim.model.as_ref()) {
        fs::metadata(path).map_err(|source| CliError::Read { path: path.clone(), source })?;
    }
    if !options.dry_run {
        all.write(&output)?;
    }
    let mut status = ExitCode::SUCCESS;
    for mut experiment in experiments {
        let name = experiment.victim.name.clone().unwrap_or_default();
        crate::print(&format!("{name}\n"))?;
        experiment.title = format!("{}: {name}", all.title);
        let ended = options.run_into(&output.join(&name), &mut experiment)?;
        if ended != ExitCode::SUCCESS {
            status = ended;
        }
        if STOP.load(Ordering::Relaxed) {
            return Ok(status);
        }
    }
    if !options.dry_run && !options.is_of_one() {
        meanwhile("drawing reports", || write_across(&output, all, options.pictured))?;
        crate::print(&format!("report  {}\n", output.join("report/index.html").display()))?;
    }
    Ok(status)
}
