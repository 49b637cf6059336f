//! [`ReportTable`]: rows in the paper's columns and order.

use tkmia_attacks::Norm;
use tkmia_experiment::{Scheme, Table};

use crate::{Cell, Column, Form, Row, columns};

/// A table in the paper's columns and order of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportTable {
    /// What it is of.
    pub table: Table,
    /// A row for each setting and attack.
    pub rows: Vec<Row>,
}

impl ReportTable {
    /// The name of its files, after the paper's table if it is one's.
    pub fn name(&self, number: usize) -> String {
        match self.table.paper[..] {
            [paper] => format!("table-{paper:02}"),
            _ => format!("table-{}", (b'a' + (number % 26) as u8) as char),
        }
    }

    /// Its heading, with the iterations that its attacks really have at most.
    pub fn heading(&self) -> String {
        let scheme = match self.table.scheme {
            Scheme::Global => "globally",
            Scheme::Random => "randomly",
        };
        let caps = || self.rows.iter().map(Row::most_iterations);
        let mut heading = format!("{scheme} selected S");
        if let (Some(least), Some(most)) = (caps().min(), caps().max()) {
            let least = if least < most { format!("{least} to ") } else { String::new() };
            heading += &format!(", at most {least}{most} iterations");
        }
        if let Some(delta) = self.table.delta {
            heading += &format!(", δ = {delta}");
        }
        let numbers: Vec<String> = self.table.paper.iter().map(u32::to_string).collect();
        match numbers.is_empty() {
            true => heading,
            false => format!("{heading}, beside the paper's table {}", numbers.join(", ")),
        }
    }

    /// The columns that it has there.
    pub(crate) fn columns(&self, form: Form) -> Vec<&'static Column> {
        let rows: Vec<&Row> = self.rows.iter().collect();
        columns().iter().filter(|column| column.is_shown(form, &rows)).collect()
    }

    /// The cells of one of its rows in these columns.
    pub(crate) fn cells<'a>(&self, row: &'a Row, form: Form) -> Vec<(&'static Column, &'a Cell)> {
        let rows: Vec<&Row> = self.rows.iter().collect();
        row.cells().filter(|(column, _)| column.is_shown(form, &rows)).collect()
    }

    /// The attacks of the table, each once.
    pub(crate) fn runs(&self) -> Vec<String> {
        unique(self.rows.iter().map(|row| row.run.to_string()))
    }

    /// The rows of each name, over all settings; those alone that keep this norm small, if one is given.
    pub(crate) fn by_label(&self, norm: Option<Norm>) -> Vec<(String, Vec<&Row>)> {
        let rows =
            || self.rows.iter().filter(move |row| norm.is_none_or(|it| row.run.norm() == it));
        let of_label = |label: &str| rows().filter(|row| row.label == label).collect();
        let labels = unique(rows().map(|row| row.label.clone()));
        labels.into_iter().map(|label| (label.clone(), of_label(&label))).collect()
    }

    /// The norms that its attacks keep small.
    pub(crate) fn norms(&self) -> Vec<Norm> {
        [Norm::L2, Norm::Linf]
            .into_iter()
            .filter(|&norm| self.rows.iter().any(|row| row.run.norm() == norm))
            .collect()
    }
}

/// Each text once, in the order of their first appearance.
fn unique(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for text in texts {
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}
