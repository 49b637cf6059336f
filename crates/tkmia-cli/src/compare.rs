//! `tkmia compare`.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tkmia_audit::{Comparison, Visibility};

/// Compare two audits of the same images: whether labels have become harder to hide
///
/// By the labels that both audits tried to hide of the same images at the same k.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folder of the first audit
    before: PathBuf,
    /// Folder of the second one
    after: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let comparison = Comparison::new(&arguments.before, &arguments.after)?;
    if arguments.json {
        crate::print(&format!("{:#}\n", serde_json::to_value(&comparison)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text =
        format!("{}\n{:32} {:>10} {:>10}\n", comparison.sentence(), "", "before", "after");
    let [before, after] = &comparison.risks;
    for (limit, (a, b)) in Visibility::ALL.iter().zip(before.within.iter().zip(&after.within)) {
        let name = format!("hidden within {} grey levels", limit.rms);
        text += &format!("{name:32} {:>9.1}% {:>9.1}%\n", 100.0 * a.share, 100.0 * b.share);
    }
    let median = |rms: Option<f64>| rms.map_or_else(|| "-".to_owned(), |rms| format!("{rms:.3}"));
    text += &format!(
        "{:32} {:>10} {:>10}\n{:32} {}\n",
        "median change, grey levels",
        median(before.median_rms),
        median(after.median_rms),
        "labels compared",
        comparison.pairs
    );
    crate::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
