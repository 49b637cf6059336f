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
    crate::print(&text(&comparison))?;
    Ok(ExitCode::SUCCESS)
}

/// What has changed, in a sentence and a table, and label by label.
pub fn text(comparison: &Comparison) -> String {
    let Comparison { overall, labels } = comparison;
    let mut text = format!("{}\n{:32} {:>10} {:>10}\n", overall.sentence(), "", "before", "after");
    let [before, after] = &overall.risks;
    for (limit, (a, b)) in Visibility::ALL.iter().zip(before.within.iter().zip(&after.within)) {
        let name = format!("hidden within {} grey levels", limit.rms);
        text += &format!("{name:32} {:>9.1}% {:>9.1}%\n", 100.0 * a.share, 100.0 * b.share);
    }
    text += &format!(
        "\nmedian change, grey levels       {:>10} {:>10}  after / before     of\n",
        "before", "after"
    );
    let all = [("all labels".to_owned(), overall.clone())];
    for (name, gain) in all.iter().chain(labels) {
        let median =
            |at: usize| gain.risks[at].median_rms.map_or("-".to_owned(), |rms| format!("{rms:.3}"));
        let ratio = match (gain.median_ratio, gain.median_ratio_interval) {
            (Some(ratio), Some([low, high])) => format!("{ratio:.2} [{low:.2}, {high:.2}]"),
            (Some(ratio), None) => format!("{ratio:.2}"),
            _ => "-".to_owned(),
        };
        text +=
            &format!("{name:32} {:>10} {:>10}  {ratio:18} {}\n", median(0), median(1), gain.pairs);
    }
    text
}
