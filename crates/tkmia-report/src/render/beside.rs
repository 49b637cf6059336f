//! Means over all settings of an experiment: [`Report::mean_norm_ratios`], and [`beside`] for several experiments.

use std::collections::BTreeMap;

use super::markdown::{escaped, grid, number};
use crate::by_image::ByImage;
use crate::{Cell, Column, Form, Report, Row, columns};

/// Reports of the same attacks on several victims as one Markdown table: each attack's means over its settings, victim
/// by victim, and what is known of each victim.
pub fn beside(reports: &[Report]) -> String {
    let columns: Vec<&Column> =
        columns().iter().filter(|column| column.is_of(Form::Versus)).collect();
    let mut headings = ["attack", "victim", "settings", "norm ratio"].map(str::to_owned).to_vec();
    headings.extend(columns.iter().map(|column| column.heading(Form::Versus)));
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for (number_of, report) in (1..).zip(reports) {
        for (name, rows) in report.attacks() {
            let mut texts = vec![escaped(&name), number_of.to_string(), rows.len().to_string()];
            texts.push(escaped(&norm_ratio(&rows).text(3, false)));
            texts.extend(columns.iter().map(|column| {
                let values = rows.iter().filter_map(|row| row.value(column.name));
                number(tkmia_metrics::mean(values), column.digits(Form::Versus))
            }));
            lines.push((name, texts));
        }
    }
    let mut names: Vec<String> = lines.iter().map(|(name, _)| name.clone()).collect();
    let mut seen = Vec::new();
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(name.clone());
            true
        }
    });
    lines.sort_by_key(|(name, _)| names.iter().position(|other| other == name));
    let rows = lines.into_iter().map(|(_, texts)| texts).collect();
    let victims = (1..).zip(reports).map(|(number, report)| {
        format!("\n{number}. {}\n", report.preamble(escaped).join("\n   "))
    });
    format!(
        "{}\nMeans over settings. The norm ratio is to the best other attack with the same view, norm and criterion, with its paired interval.\nVictims:\n{}",
        grid(headings, rows, 2),
        victims.collect::<String>()
    )
}

impl Report {
    /// The rows of each attack, over all settings of all tables. Attacks that differ in anything, their criterion for one,
    /// are not put together.
    fn attacks(&self) -> Vec<(String, Vec<&Row>)> {
        let mut attacks: Vec<Vec<&Row>> = Vec::new();
        for row in self.tables.iter().flat_map(|table| &table.rows).filter(|row| row.n > 0) {
            match attacks.iter_mut().find(|rows| rows[0].run == row.run) {
                Some(rows) => rows.push(row),
                None => attacks.push(vec![row]),
            }
        }
        let name = |rows: &Vec<&Row>| {
            let alike = attacks.iter().filter(|other| other[0].label == rows[0].label).count();
            if alike > 1 { rows[0].run.to_string() } else { rows[0].label.clone() }
        };
        let names: Vec<String> = attacks.iter().map(name).collect();
        names.into_iter().zip(attacks).collect()
    }

    /// The norm ratio of each attack that has rivals, averaged over its settings.
    pub(super) fn mean_norm_ratios(&self) -> Vec<String> {
        let attacks = self.attacks().into_iter();
        let line = |(name, rows): (String, Vec<&Row>)| {
            let ratio = norm_ratio(&rows);
            ratio.value?;
            let settings = rows.iter().filter(|row| compared(row)).count();
            Some(format!("{name}: {} over {settings} settings", ratio.text(3, false)))
        };
        attacks.filter_map(line).collect()
    }
}

fn compared(row: &Row) -> bool {
    row.rival.as_ref().is_some_and(|rival| rival.both > 0)
}

/// The mean of the settings' norm ratios: each setting counts the same.
fn norm_ratio(rows: &[&Row]) -> Cell {
    let mut images: BTreeMap<&str, [f64; 2]> = BTreeMap::new();
    for rival in rows.iter().filter(|row| compared(row)).filter_map(|row| row.rival.as_ref()) {
        let whole: f64 = rival.norms.iter().map(|(_, [_, norm])| norm).sum();
        for (id, norms) in &rival.norms {
            let sums = images.entry(id).or_default();
            sums.iter_mut().zip(norms).for_each(|(sum, norm)| *sum += norm / whole);
        }
    }
    Cell::of_pairs(&ByImage(images.into_values().collect()))
}
