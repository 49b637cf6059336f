//! `tkmia cost`.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tkmia_data::DatasetKind;
use tkmia_experiment::{Cost, TABLES, Usage, cost};

/// Say how many passes the paper's tables take, and how long that is
///
/// Counts the settings, grids and samples of `tkmia reproduce`; neither victim nor data are needed. Without
/// `--like` it prints the most that they can take: every attack goes on to its last iteration.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Numbers of the tables; all by default
    #[arg(long, value_name = "N", num_args = 1..)]
    table: Vec<u32>,
    /// Take what attacks really use from the records of this experiment
    #[arg(long, value_name = "DIR")]
    like: Option<PathBuf>,
    /// Seconds that a forward and a backward pass of one image take, on all workers of a machine together:
    /// ResNet-50 at 300 pixels
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    voc: Option<f64>,
    /// The same of ResNet-101 at 448 pixels
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    coco: Option<f64>,
    /// The same of ResNet-101 at 224 pixels
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    nus: Option<f64>,
    /// Print a JSON list
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  tkmia cost --table 15 16 17
  tkmia cost --like out/mini-voc --voc 0.27 --coco 1.1 --nus 0.3";

fn seconds(text: &str) -> Result<f64, String> {
    let found = text.parse::<f64>().ok().filter(|&seconds| seconds > 0.0 && seconds.is_finite());
    found.ok_or_else(|| "expected a number of seconds above 0".to_owned())
}

impl Arguments {
    /// Seconds of a table, where the time of its victim's passes is known.
    ///
    /// Each backward pass has a forward one; those that are left are counted as if they had.
    fn seconds(&self, cost: &Cost) -> Option<f64> {
        let pass = match cost.kind {
            DatasetKind::Voc2012 => self.voc,
            DatasetKind::Coco2014 => self.coco,
            DatasetKind::NusWide => self.nus,
            _ => None,
        };
        pass.map(|pass| pass * cost.forward)
    }
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let usage = match &arguments.like {
        Some(folder) => Usage::of(folder)?,
        None => Usage::default(),
    };
    let tables = if arguments.table.is_empty() { &TABLES[..] } else { &arguments.table };
    let costs = tables.iter().map(|&table| cost(table, &usage)).collect::<Result<Vec<_>, _>>()?;
    crate::print(&match arguments.json {
        true => serde_json::to_string(&costs)? + "\n",
        false => table(arguments, &costs),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn table(arguments: &Arguments, costs: &[Cost]) -> String {
    let line = |name: &str, samples: usize, passes: [f64; 2], seconds: Option<f64>| {
        let hours = seconds.map_or("–".to_owned(), |seconds| format!("{:.1}", seconds / 3600.0));
        let [forward, backward] = passes;
        format!("{name:>5} {samples:>8} {forward:>12.0} {backward:>12.0} {hours:>10}\n")
    };
    let mut text = format!(
        "{:>5} {:>8} {:>12} {:>12} {:>10}\n",
        "table", "samples", "forward", "backward", "hours"
    );
    for cost in costs {
        let passes = [cost.forward, cost.backward];
        text += &line(&cost.table.to_string(), cost.samples, passes, arguments.seconds(cost));
    }
    let sum = |of: fn(&Cost) -> f64| costs.iter().map(of).sum::<f64>();
    let passes = [sum(|cost| cost.forward), sum(|cost| cost.backward)];
    let samples = costs.iter().map(|cost| cost.samples).sum();
    let seconds = costs.iter().map(|cost| arguments.seconds(cost)).sum();
    text + &line("all", samples, passes, seconds)
}
