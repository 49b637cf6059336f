//! Reports as Markdown.

use comfy_table::{CellAlignment, Table as Grid, presets};
use tkmia_attacks::Variant;

use super::cell::fixed;
use super::{Report, ReportTable, Row};
use crate::experiment::Scheme;
use crate::tuning::Trial;
use crate::{Printed, Selection};

/// The columns that a row is named by, in the paper's order, and their headings.
pub(super) fn names(scheme: Scheme, row: &Row) -> [String; 2] {
    let k = row.setting.k.to_string();
    match (&row.setting.selection, scheme) {
        (Selection::Global(types), _) => [types.clone(), k],
        (Selection::Random(specified), _) => [k, specified.to_string()],
    }
}

pub(super) fn name_headings(scheme: Scheme) -> [&'static str; 2] {
    match scheme {
        Scheme::Global => ["Type", "k"],
        Scheme::Random => ["k", "|S|"],
    }
}

/// Headings and texts of a row's figures.
pub(super) fn figures(table: &ReportTable, row: &Row) -> Vec<(&'static str, String)> {
    let suspect = row.printed.and_then(Printed::suspect).is_some();
    let headings = ["ΔTkAcc", "ΔP@k", "ΔmAP@k", "ΔNDCG@k", "Δl"];
    let mut figures: Vec<(&'static str, String)> = headings
        .into_iter()
        .zip(&row.changes)
        .map(|(heading, cell)| (heading, cell.text(3, suspect)))
        .collect();
    if table.shows_tanh() {
        figures.push(("APer (tanh space)", row.aper_tanh.text(3, suspect)));
    }
    figures.extend([
        ("APer (input)", row.aper_input.text(3, false)),
        ("APer (8-bit)", row.aper_pixels.text(1, false)),
        ("success", row.success.text(3, false)),
        ("kept in 8 bits", row.kept_rounded.text(3, false)),
        ("iterations", row.iterations.text(1, false)),
    ]);
    if table.compares_norms() {
        let text = row.optimality.map_or("–".to_owned(), |value| fixed(value, 3));
        figures.push(("local optimality", text));
    }
    figures
}

/// The number of samples, beside the paper's.
pub(super) fn samples(row: &Row) -> String {
    let mut text = row.n.to_string();
    if row.n < row.planned {
        text += &format!(" of {}", row.planned);
    }
    match row.printed.and_then(Printed::samples) {
        Some(printed) => format!("{text} ({printed})"),
        None => text,
    }
}

/// What the numbers of a table mean, in sentences.
pub(super) fn legend(table: &ReportTable) -> Vec<String> {
    let mut lines = vec![
        "Δ is clean minus perturbed, over all samples; [ ] is a 95 % bootstrap interval over samples."
            .to_owned(),
        "APer is the mean L2 norm of successful perturbations, in the unit that its column names.".to_owned(),
    ];
    if table.compares_norms() {
        lines.push(
            "Local optimality is AttackBench's: 1 where no attack of this experiment found a smaller norm on any sample, 0 where none is within the largest of the best."
                .to_owned(),
        );
    }
    if table.rows.iter().any(|row| row.printed.is_some()) {
        lines.push(
            "( ) is what the paper prints, for its victim and its data; its APer is in tanh space."
                .to_owned(),
        );
    }
    for (row, why) in table.suspects() {
        let names = names(table.table.scheme, row);
        let [one, other] = name_headings(table.table.scheme);
        lines.push(format!(
            "† {} at {one} = {}, {other} = {}: suspect as printed, {why}.",
            row.label, names[0], names[1]
        ));
    }
    lines
}

impl ReportTable {
    /// The table as Markdown, with its legend.
    pub fn markdown(&self) -> String {
        let mut grid = Grid::new();
        grid.load_style(presets::ASCII_MARKDOWN);
        let scheme = self.table.scheme;
        for row in &self.rows {
            let figures = figures(self, row);
            let mut headings = name_headings(scheme).map(str::to_owned).to_vec();
            headings.extend(["Method".to_owned(), "n".to_owned()]);
            headings.extend(figures.iter().map(|(heading, _)| (*heading).to_owned()));
            let mut texts = names(scheme, row).to_vec();
            texts.extend([row.label.clone(), samples(row)]);
            texts.extend(figures.into_iter().map(|(_, text)| text));
            // A bar would end the cell.
            let escape = |text: String| text.replace('|', "\\|");
            grid.set_header(headings.into_iter().map(escape));
            grid.add_row(texts.into_iter().map(escape));
        }
        for column in grid.column_iter_mut().skip(3) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        format!("{grid}\n\n{}\n", legend(self).join("\n"))
    }
}

/// The points that were chosen, one a line.
pub(super) fn chosen(trials: &[Trial], table: usize) -> Vec<String> {
    let of_table = trials.iter().filter(|trial| trial.table == table && trial.chosen);
    let line = |trial: &Trial| {
        let norm =
            trial.aper_input.map_or("no success".to_owned(), |norm| format!("mean norm {norm:.3}"));
        format!("{}: success {:.3} on {} samples, {norm}", trial.run, trial.success_rate, trial.n)
    };
    of_table.map(line).collect()
}

impl Report {
    /// What is to be known before any number.
    pub(super) fn preamble(&self) -> Vec<String> {
        let (name, images) = &self.data;
        let mut lines =
            vec![format!("Victim: {}.", self.victim), format!("Data: {name}, {images} images.")];
        let [found, planned] = self.records;
        if let Some(shard) = self.shard {
            lines.push(format!("Shard {shard}: a part of the samples only."));
        }
        if found < planned {
            lines.push(format!("Unfinished: {found} of {planned} records are there."));
        }
        lines
    }

    /// The whole report as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n{}\n", self.title, self.preamble().join("\n"));
        for (number, table) in self.tables.iter().enumerate() {
            text += &format!("\n## {}\n\n{}", capitalised(&table.heading()), table.markdown());
            let runs = table.runs();
            if let Some(versus) = table.versus() {
                text +=
                    &format!("\nThe minimum-norm form beside the best other attack:\n\n{versus}");
            }
            text += "\nHyper-parameters:\n\n";
            for run in runs {
                text += &format!("- {run}\n");
            }
            let chosen = chosen(&self.trials, number);
            if !chosen.is_empty() {
                text += "\nChosen on the tuning samples, by the highest success rate and then the lowest mean norm:\n\n";
                for line in chosen {
                    text += &format!("- {line}\n");
                }
            }
        }
        let ratios = self.mean_norm_ratios();
        if !ratios.is_empty() {
            text += "\n## Mean norm ratio to the best other attack\n\n";
            for line in ratios {
                text += &format!("- {line}\n");
            }
        }
        text
    }
}

impl ReportTable {
    /// Whether the smallest norm is what an attack of the table is after.
    pub(super) fn compares_norms(&self) -> bool {
        self.rows.iter().any(|row| row.run.variant == Variant::MinNorm)
    }

    /// The attacks of the table, each once.
    pub(super) fn runs(&self) -> Vec<String> {
        let mut runs: Vec<String> = Vec::new();
        for row in &self.rows {
            let name = row.run.to_string();
            if !runs.contains(&name) {
                runs.push(name);
            }
        }
        runs
    }
}

pub(super) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
