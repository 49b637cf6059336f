//! Reports as text, and the sentences that all forms of it share.

mod csv;
mod html;
mod latex;
mod markdown;
mod summary;

use tkmia_attacks::Variant;
use tkmia_experiment::Trial;

use crate::row::name_headings;
use crate::{Report, ReportTable};

impl Report {
    /// What is to be known before any number; `text` escapes what others wrote.
    fn preamble(&self, text: fn(&str) -> String) -> Vec<String> {
        let (name, images) = &self.data;
        let mut lines = vec![
            format!("Victim: {}.", text(&self.victim)),
            format!("Data: {}, {images} images.", text(name)),
        ];
        let [found, planned] = self.records;
        if let Some(shard) = self.shard {
            lines.push(format!("Shard {shard}: a part of the samples only."));
        }
        if found < planned {
            lines.push(format!("Unfinished: {found} of {planned} records are there."));
        }
        lines
    }

    /// The points that were chosen for a table, one a line.
    fn chosen(&self, table: usize) -> Vec<String> {
        let of_table = self.trials.iter().filter(|trial| trial.table == table && trial.chosen);
        let line = |trial: &Trial| {
            let Trial { run, success_rate, n, aper_input, .. } = trial;
            let norm =
                aper_input.map_or("no success".to_owned(), |norm| format!("mean norm {norm:.3}"));
            format!("{run}: success {success_rate:.3} on {n} samples, {norm}")
        };
        of_table.map(line).collect()
    }
}

impl ReportTable {
    /// What its numbers mean, in sentences; `text` escapes what others wrote.
    fn legend(&self, text: fn(&str) -> String) -> Vec<String> {
        let mut lines = vec![
            "Δ is clean minus perturbed, over all samples; [ ] is a 95 % bootstrap interval over samples."
                .to_owned(),
            "APer is the mean L2 norm of successful perturbations, in the unit that its column names."
                .to_owned(),
        ];
        if self.rows.iter().any(|row| row.run.variant() == Variant::MinNorm) {
            lines.push(
                "Local optimality is AttackBench's: 1 where no attack of this experiment found a smaller norm on any sample, 0 where none is within the largest of the best."
                    .to_owned(),
            );
        }
        if self.rows.iter().any(|row| row.printed.is_some()) {
            lines.push(
                "( ) is what the paper prints, for its victim and its data; its APer is in tanh space."
                    .to_owned(),
            );
        }
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
