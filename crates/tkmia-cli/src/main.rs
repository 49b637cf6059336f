//! The `tkmia` command: attacks, experiments, measures and models from the shell.

mod answer;
mod apply;
mod attack;
mod audit;
mod certify;
mod check_attack;
mod compare;
mod completions;
mod computing;
mod cost;
mod devices;
#[cfg(test)]
mod documented;
mod doubt;
mod error;
mod experiment;
mod harden;
mod input;
mod inspect;
mod knobs;
mod man;
mod merge;
mod metrics;
mod monitor;
mod network;
mod output;
mod photographs;
mod progress;
mod report;
mod reproduce;
mod results;
mod run;
mod scores;
mod subject;
mod surrogate;
mod tagged;
mod train;
mod universal;

use std::error::Error;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use clap::{Parser, Subcommand};
use tkmia_experiment::in_one_line;
use tkmia_file::check_memory_limit;

/// Adversarial robustness of top-k multi-label image classifiers
#[derive(Debug, Parser)]
#[command(name = "tkmia", version, long_version = version(), max_term_width = 100, after_help = STATUS)]
struct Cli {
    /// Say nothing but results and errors: no progress, no notes
    #[arg(short, long, global = true)]
    quiet: bool,

    #[command(subcommand)]
    command: Command,
}

const STATUS: &str = "Exit status:
  0    done
  1    an error, an image that could not be attacked, or an attack that check-attack finds too weak
  2    arguments that can't be read
  3    an audit that is below a --fail-under
  130  ended by Ctrl-C or SIGTERM: what was finished is kept";

/// With the devices that are built in.
fn version() -> String {
    format!("{}\ndevices: {}", env!("CARGO_PKG_VERSION"), tkmia_core::AVAILABLE_DEVICES.join(", "))
}

#[derive(Debug, Subcommand)]
enum Command {
    Audit(Box<audit::Arguments>),
    Compare(compare::Arguments),
    Certify(Box<certify::Arguments>),
    Attack(Box<attack::Arguments>),
    CheckAttack(Box<check_attack::Arguments>),
    Apply(apply::Arguments),
    Run(run::Arguments),
    Reproduce(reproduce::Arguments),
    Cost(cost::Arguments),
    Merge(merge::Arguments),
    Report(report::Arguments),
    Monitor(Box<monitor::Arguments>),
    Metrics(metrics::Arguments),
    Scores(scores::Arguments),
    Answer(answer::Arguments),
    Inspect(inspect::Arguments),
    Train(Box<train::Arguments>),
    Harden(Box<harden::Arguments>),
    Devices(devices::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

fn main() -> ExitCode {
    let Cli { quiet, command } = Cli::parse();
    progress::QUIET.store(quiet, Ordering::Relaxed);
    run(command).unwrap_or_else(|error| {
        // Where even this can't be written the status says it.
        let _ = writeln!(io::stderr(), "error: {}", in_one_line(error.as_ref()));
        match progress::STOP.load(Ordering::Relaxed) {
            true => ExitCode::from(progress::INTERRUPTED),
            false => ExitCode::FAILURE,
        }
    })
}

fn run(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    check_memory_limit()?;
    match command {
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Certify(arguments) => certify::run(&arguments),
        Command::Attack(arguments) => attack::run(&arguments),
        Command::CheckAttack(arguments) => check_attack::run(&arguments),
        Command::Apply(arguments) => apply::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Reproduce(arguments) => reproduce::run(&arguments),
        Command::Cost(arguments) => cost::run(&arguments),
        Command::Merge(arguments) => merge::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Monitor(arguments) => monitor::run(&arguments),
        Command::Metrics(arguments) => metrics::run(&arguments),
        Command::Scores(arguments) => scores::run(&arguments),
        Command::Answer(arguments) => answer::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Train(arguments) => train::run(&arguments),
        Command::Harden(arguments) => harden::run(&arguments),
        Command::Devices(arguments) => devices::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    }
}

/// Writes to the standard output, which `print!` would panic on where it is closed or full.
///
/// A reader who has closed the pipe, as `head` does, has seen enough: that is no error.
fn print(text: &str) -> Result<(), Box<dyn Error>> {
    let mut stdout = io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != ErrorKind::BrokenPipe => {
            Err(format!("standard output: {source}").into())
        }
        _ => Ok(()),
    }
}
