//! `tkmia completions`.

use std::error::Error;
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

/// Print a script that completes tkmia's arguments in a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The shell
    shell: Shell,
}

const EXAMPLES: &str = "Examples:
  tkmia completions bash > ~/.local/share/bash-completion/completions/tkmia
  tkmia completions fish > ~/.config/fish/completions/tkmia.fish";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let mut script = Vec::new();
    generate(arguments.shell, &mut crate::Cli::command(), "tkmia", &mut script);
    crate::print(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}
