//! Reports as text, and the sentences that all forms of it share.

mod across;
mod asides;
mod beside;
mod csv;
mod html;
mod latex;
mod markdown;
mod summary;

use tkmia_attacks::{Norm, Variant};
use tkmia_experiment::{Inputs, Trial};

pub use beside::beside;

use crate::row::name_headings;
use crate::{Report, ReportTable};

/// Headings of lists.
const CHOSEN: &str =
    "Chosen on the tuning samples, by the highest success rate and then the lowest mean norm:";
const RATIOS: &str =
    "Mean norm ratio to the best other attack with the same view, norm and criterion";

impl Report {
    /// What is to be known before any number; `text` escapes what others wrote.
    fn preamble(&self, text: fn(&str) -> String) -> Vec<String> {
        let Inputs { victim, data, tuning, .. } = &self.inputs;
        let trained_on = match victim.trained_on.as_deref() {
            Some("other") => "trained on none of the data's images".to_owned(),
            Some(split) => format!("trained on `{split}` of the data"),
            None => "what it was trained on is not stated".to_owned(),
        };
        let role = match victim.held_out {
            true => "held out: nothing about the attacks was chosen on it",
            false => "not held out: attacks may have been developed on it",
        };
        let mut lines = vec![
            format!("Victim: {}; {}; {role}.", text(&victim.description), text(&trained_on)),
            format!("Data: {}.", text(&data.to_string())),
        ];
        if let Some(surrogate) = &victim.surrogate {
            lines.insert(1, format!("Attacked in its place: {}.", text(surrogate)));
        }
        if let Some(tuning) = tuning {
            lines.push(format!(
                "Hyper-parameters were chosen on other images: {}; at most {} samples of each setting.",
                text(&tuning.data.to_string()),
                tuning.samples
            ));
        }
        let [found, planned] = self.records;
        if let Some(shard) = self.shard {
            lines.push(format!("Shard {shard}: a part of the samples only."));
        }
        if found < planned {
            lines.push(format!("Unfinished: {found} of {planned} records are there."));
        }
        for (kind, images) in [
            ("Images with a score that is not finite", &self.missed.lost),
            ("Images that can't be decoded", &self.missed.undecodable),
        ] {
            if !images.is_empty() {
                let ids: Vec<String> = images.iter().map(|id| text(id)).collect();
                lines.push(format!("{kind}, of which nothing is known: {}.", ids.join(", ")));
            }
        }
        lines
    }

    /// The points that were chosen for a table, one a line.
    fn chosen(&self, table: usize) -> Vec<String> {
        let of_table = self.trials.iter().filter(|trial| trial.table == table && trial.chosen);
        let line = |trial: &Trial| {
            let Trial { run, success_rate, n, mean_norm, .. } = trial;
            let kind = if run.norm() == Norm::L2 { "norm" } else { "L∞ norm" };
            let norm =
                mean_norm.map_or("no success".to_owned(), |norm| format!("mean {kind} {norm:.3}"));
            format!("{run}: success {success_rate:.3} on {n} samples, {norm}")
        };
        of_table.map(line).collect()
    }
}

impl ReportTable {
    /// What its numbers mean, in sentences; `text` escapes what others wrote.
    fn legend(&self, text: fn(&str) -> String) -> Vec<String> {
        let mut lines = vec![
            "Δ is clean minus perturbed, over all samples.".to_owned(),
            "[ ] is a 95 % interval over images: Wilson's of a share, of a mean by the studentised bootstrap; there is none of one image, or where all values are the same."
                .to_owned(),
            "APer is the mean L2 norm of successful perturbations, in the unit that its column names."
                .to_owned(),
        ];
        let draws = self.rows.iter().map(|row| row.draws).max().unwrap_or(1);
        if draws > 1 {
            lines.push(format!(
                "S is drawn {draws} times for each of the n images; ± is the standard deviation of the means over the draws."
            ));
        }
        if self.rows.iter().any(|row| row.run.variant() == Variant::MinNorm) {
            lines.push(
                "Local optimality is AttackBench's: 1 where no attack of this experiment with the same view, norm and criterion found a smaller norm on any sample, 0 where none is within the largest of the best."
                    .to_owned(),
            );
        }
        if self.rows.iter().any(|row| row.run.name().is_universal()) {
            lines.push(
                "Universal perturbations v are fitted to other images: success there is a column of its own, and says nothing of the samples. A success rate that −v, or v with its pixels shuffled, has too is one of size, not of aim."
                    .to_owned(),
            );
        }
        if self.rows.iter().any(|row| row.printed.is_some()) {
            lines.push(
                "( ) is what the paper prints, for its victim and its data; its APer is in tanh space."
                    .to_owned(),
            );
        }
        lines.extend(self.warnings().iter().map(|warning| text(warning)));
        for row in &self.rows {
            let Some(why) = row.suspect() else { continue };
            let [one, other] = name_headings(self.table.scheme);
            let [first, second] = row.names().map(|name| text(&name));
            let label = text(&row.label);
            lines.push(format!(
                "† {label} at {one} = {first}, {other} = {second}: suspect as printed, {why}."
            ));
        }
        lines
    }
}

/// A text with its first letter as a capital.
fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
