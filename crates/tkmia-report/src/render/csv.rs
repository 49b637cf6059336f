//! Reports as CSV.

use csv::Writer;
use strum::IntoEnumIterator;
use tkmia_attacks::{Indicator, View};
use tkmia_experiment::{Printed, Scheme, Selection};

use crate::by_norm::changes_by_norm;
use crate::{Form, Report, ReportTable, Row};

/// A CSV of rows of texts, all of one length.
pub(super) fn written(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    const IN_MEMORY: &str = "rows of one length are written to memory";
    let mut csv = Writer::from_writer(Vec::new());
    rows.into_iter().for_each(|row| csv.write_record(&row).expect(IN_MEMORY));
    String::from_utf8(csv.into_inner().expect(IN_MEMORY)).expect("texts are UTF-8")
}

/// A number, or nothing.
pub(super) fn number(value: Option<f64>) -> String {
    // A sum with 0 has no sign where it is 0.
    value.map_or(String::new(), |value| (value + 0.0).to_string())
}

/// Name and text of each column.
fn columns(table: &ReportTable, row: &Row) -> Vec<(String, String)> {
    let scheme = match table.table.scheme {
        Scheme::Global => "global",
        Scheme::Random => "random",
    };
    let (types, specified) = match &row.setting.selection {
        Selection::Global(types) => (types.clone(), String::new()),
        Selection::Random(specified) => (String::new(), specified.to_string()),
    };
    let view = match row.run.view() {
        View::Image => "image",
        View::Tanh => "tanh",
    };
    let optional = |value: Option<usize>| value.map_or(String::new(), |value| value.to_string());
    let is_suspect = row.printed.map_or(String::new(), |row| row.suspect().is_some().to_string());
    let mut columns: Vec<(String, String)> = [
        ("dataset", row.setting.dataset.clone()),
        ("scheme", scheme.to_owned()),
        ("max_iterations", row.most_iterations().to_string()),
        ("delta", optional(row.setting.delta)),
        ("type", types),
        ("k", row.setting.k.to_string()),
        ("specified", specified),
        ("method", row.run.name().to_string()),
        ("variant", row.run.variant().to_string()),
        ("run", row.run.to_string()),
        ("n", row.n.to_string()),
        ("n_planned", row.records[1].to_string()),
        ("n_printed", optional(row.printed.and_then(Printed::samples))),
        ("printed_is_suspect", is_suspect),
        ("n_records", row.records[0].to_string()),
        ("draws", row.draws.to_string()),
        ("view", view.to_owned()),
        ("norm", row.run.norm().to_string()),
        ("stop", row.run.stop.to_string()),
        ("forward_at_most", row.caps.forward.to_string()),
        ("backward_at_most", row.caps.backward.to_string()),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .to_vec();
    columns.extend(Indicator::iter().map(|indicator| {
        let count = row.indicators.get(&indicator).map_or(0, |[all, _]| *all);
        (indicator.to_string().replace('-', "_"), count.to_string())
    }));
    let mut cells = table.cells(row, Form::Csv);
    // Numbers without an interval come first.
    cells.sort_by_key(|(column, _)| column.has_interval());
    for (column, cell) in cells {
        let name = column.name;
        columns.push((name.to_owned(), number(cell.value)));
        if column.has_interval() {
            let [low, high] = cell.interval.map_or([None, None], |bounds| bounds.map(Some));
            columns.push((format!("{name}_low"), number(low)));
            columns.push((format!("{name}_high"), number(high)));
            columns.push((format!("{name}_draws_sd"), number(cell.spread)));
        }
        if column.is_printed() {
            columns.push((format!("{name}_printed"), number(cell.printed)));
        }
    }
    columns
}

impl ReportTable {
    /// The table as CSV: each mean, the bounds of its interval, and what the paper prints.
    pub fn csv(&self) -> String {
        let mut rows: Vec<Vec<String>> = Vec::new();
        for row in &self.rows {
            let (names, texts) = columns(self, row).into_iter().unzip();
            if rows.is_empty() {
                rows.push(names);
            }
            rows.push(texts);
        }
        written(rows)
    }
}

impl Report {
    /// The share of samples that had succeeded after so many iterations, for each number that a success took.
    pub fn iterations_csv(&self) -> String {
        self.of_each_row(&["n", "iterations", "success_rate"], |row| {
            let steps = row.successes_by_iteration.iter();
            let texts = |(iterations, share): &(usize, f64)| {
                vec![row.samples.to_string(), iterations.to_string(), share.to_string()]
            };
            steps.map(texts).collect()
        })
    }

    /// What each attack does when it is held to a norm, for each norm of a success.
    pub fn norms_csv(&self) -> String {
        let mut names = vec!["n", "norm", "norm_input", "success_rate"];
        names.extend(changes_by_norm().map(|column| column.name));
        self.of_each_row(&names, |row| {
            let points = row.by_norm().into_iter().map(|point| {
                let numbers = [point.norm, point.success].into_iter().chain(point.changes);
                let numbers = numbers.map(|value| number(Some(value)));
                let head = [row.samples.to_string(), row.run.norm().to_string()];
                head.into_iter().chain(numbers).collect()
            });
            points.collect()
        })
    }

    /// How often each class that was to leave the top-k left it.
    pub fn classes_csv(&self) -> String {
        self.of_each_row(&["class", "samples", "left"], |row| {
            let texts = |found: &crate::ClassSuccess| {
                let class = self.inputs.data.classes[found.class].clone();
                vec![class, found.samples.to_string(), found.left.to_string()]
            };
            row.classes.iter().map(texts).collect()
        })
    }

    /// Lines of each row of each table, after what the row is of.
    fn of_each_row(&self, names: &[&str], lines: impl Fn(&Row) -> Vec<Vec<String>>) -> String {
        let head = [&["table", "setting", "run"], names].concat();
        let mut rows = vec![head.iter().map(|&name| name.to_owned()).collect()];
        for (number, table) in self.tables.iter().enumerate() {
            for row in &table.rows {
                let of = [table.name(number), row.setting.to_string(), row.run.to_string()];
                rows.extend(lines(row).into_iter().map(|line| [&of[..], &line].concat()));
            }
        }
        written(rows)
    }
}
