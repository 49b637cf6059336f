//! `tkmia man`.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_mangen::{Man, generate_to};

/// Print tkmia's manual page, or write those of all commands to a folder
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A folder that is there, for `tkmia.1`, `tkmia-attack.1` and so on
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  tkmia man | man -l -
  tkmia man --output ~/.local/share/man/man1";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let command = crate::Cli::command();
    match &arguments.output {
        Some(folder) => generate_to(command, folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?,
        None => {
            let mut page = Vec::new();
            Man::new(command).render(&mut page)?;
            crate::print(&String::from_utf8(page)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
