//! `tkmia reproduce`.

use std::error::Error;
use std::process::ExitCode;

use clap::Args;
use tkmia_experiment::{Exhibit, ready_experiment, ready_file};

use crate::experiment::Options;

/// Run one of the paper's tables, 1-4 and 13-23, or figures, 2-7
///
/// The settings are the table's, the methods are in the form of the published code with the paper's grids,
/// and the report shows the printed values beside what is measured. A figure is of the first samples of one k.
/// `experiments/` has the same as files.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    exhibit: Choice,
    /// Print the experiment's file instead of running it
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Choice {
    /// Number of the table
    #[arg(long)]
    table: Option<u32>,
    /// Number of the figure
    #[arg(long)]
    figure: Option<u32>,
}

impl Choice {
    fn exhibit(&self) -> Exhibit {
        let table = self.table.map(Exhibit::Table);
        table.or(self.figure.map(Exhibit::Figure)).expect("the parser asks for one of them")
    }
}

const EXAMPLES: &str = "Examples:
  tkmia reproduce --table 15 --model resnet50_voc.onnx --root VOCdevkit --dry-run
  tkmia reproduce --table 15 --model resnet50_voc.onnx --root VOCdevkit
  tkmia reproduce --figure 4 --model resnet50_voc.onnx --root VOCdevkit
  tkmia reproduce --table 3 --print > my-table-03.toml";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let exhibit = arguments.exhibit.exhibit();
    if arguments.print {
        crate::print(&ready_file(exhibit)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    arguments.options.run(&mut ready_experiment(exhibit)?)
}
