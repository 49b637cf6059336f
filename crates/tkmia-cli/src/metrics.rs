//! `tkmia metrics`.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tkmia_file::{Axis, Elements, Npy, Place};
use tkmia_metrics::{MEASURES, MeanMeasures, Measure, Need, mean_measures};

use crate::error::CliError;

/// Measure the top-k of scores against labels
///
/// Means over the rows that have a relevant label. Ties go to the lower label index.
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub struct Arguments {
    /// Scores, floats [n, c], `-` for the standard input; probabilities do as well as logits
    #[arg(long, value_name = "S.npy")]
    scores: PathBuf,
    /// Relevant labels, 0 or 1 of any type [n, c]
    #[arg(long, value_name = "Y.npy")]
    labels: PathBuf,
    /// Size of the predicted set
    #[arg(short, long)]
    k: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn after_help() -> String {
    let mut text = "Measures, by their names in JSON:\n".to_owned();
    let needs_specified = |measure: &&Measure| measure.needs.contains(&Need::SpecifiedLabels);
    for measure in MEASURES.iter().filter(|measure| !needs_specified(measure)) {
        text += &format!("  {:<14}  {measure}: {}\n", measure.name, measure.source);
    }
    text + "
Examples:
  tkmia metrics --scores scores.npy --labels labels.npy --k 3
  tkmia metrics --scores scores.npy --labels labels.npy --k 3 --json | jq .ndcg"
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let scores = Npy::open(&arguments.scores)?;
    let [rows, classes] =
        scores.expect_shape([Axis::Any("n"), Axis::Any("c")], "(rows, labels)")?;
    let labels = Npy::open(&arguments.labels)?;
    labels.expect_shape([Axis::Is(rows), Axis::Is(classes)], "as that of the scores")?;
    let flags = labels.read_flags()?;
    let labels: Vec<&[bool]> = flags.chunks_exact(classes).collect();
    let scores = scores.read(Elements::Floats, |score| score)?;
    let scores: Vec<&[f64]> = scores.chunks_exact(classes).collect();
    let means = mean_measures(&scores, &labels, None, arguments.k)
        .map_err(|source| CliError::Scores { place: Place::file(&arguments.scores), source })?;
    let nothing = || CliError::NothingRelevant { place: Place::file(&arguments.labels) };
    let means = means.ok_or_else(nothing)?;
    crate::print(&match arguments.json {
        true => serde_json::to_string(&means)? + "\n",
        false => table(&means, arguments.k),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn table(means: &MeanMeasures, k: usize) -> String {
    let mut text = String::new();
    for (measure, mean) in means.means.iter() {
        text += &format!("{:<22} {mean:.4}\n", measure.title(k));
    }
    let MeanMeasures { n, skipped, .. } = means;
    text + &format!(
        "{:<22} {n}, of which {skipped} without a relevant label are left out\n",
        "rows"
    )
}
