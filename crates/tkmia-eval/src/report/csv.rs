//! Reports as CSV.

use std::path::PathBuf;

use csv::Writer;

use super::{AtNorm, Cell, Report, ReportTable, Row};
use crate::experiment::Scheme;
use crate::{EvalError, Printed, Selection};

/// A CSV of rows of texts.
fn written(rows: impl IntoIterator<Item = Vec<String>>) -> Result<String, EvalError> {
    let encode = |reason: String| EvalError::Encode { path: PathBuf::from("report"), reason };
    let mut csv = Writer::from_writer(Vec::new());
    for row in rows {
        csv.write_record(&row).map_err(|error| encode(error.to_string()))?;
    }
    let bytes = csv.into_inner().map_err(|error| encode(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| encode(error.to_string()))
}

fn number(value: Option<f64>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

/// Name and figures of each column.
fn columns(table: &ReportTable, row: &Row) -> Vec<(String, String)> {
    let scheme = match table.table.scheme {
        Scheme::Global => "global",
        Scheme::Random => "random",
    };
    let (types, specified) = match &row.setting.selection {
        Selection::Global(types) => (types.clone(), String::new()),
        Selection::Random(specified) => (String::new(), specified.to_string()),
    };
    let optional = |value: Option<usize>| value.map_or(String::new(), |value| value.to_string());
    let mut columns: Vec<(String, String)> = [
        ("dataset", row.setting.dataset.clone()),
        ("scheme", scheme.to_owned()),
        ("max_iterations", table.table.max_iterations.to_string()),
        ("delta", optional(row.setting.delta)),
        ("type", types),
        ("k", row.setting.k.to_string()),
        ("specified", specified),
        ("method", row.run.method.name().to_owned()),
        ("variant", row.run.variant.name().to_owned()),
        ("run", row.run.to_string()),
        ("n", row.n.to_string()),
        ("n_planned", row.planned.to_string()),
        ("n_printed", optional(row.printed.and_then(Printed::samples))),
        (
            "printed_is_suspect",
            row.printed.map_or(String::new(), |row| row.suspect().is_some().to_string()),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    let [tkacc, p, map, ndcg, l] = row.changes;
    let cells: [(&str, Cell, bool); 12] = [
        ("d_tkacc", tkacc, true),
        ("d_p_at_k", p, true),
        ("d_map_at_k", map, true),
        ("d_ndcg_at_k", ndcg, true),
        ("delta_l", l, true),
        ("aper_tanh", row.aper_tanh, true),
        ("aper_input", row.aper_input, false),
        ("aper_pixels", row.aper_pixels, false),
        ("success", row.success, false),
        ("kept_rounded", row.kept_rounded, false),
        ("iterations", row.iterations, false),
        ("passes", row.passes, false),
    ];
    columns.push(("local_optimality".to_owned(), number(row.optimality)));
    for (name, cell, printed) in cells {
        let [low, high] = cell.interval.map_or([None, None], |bounds| bounds.map(Some));
        columns.push((name.to_owned(), number(cell.value)));
        columns.push((format!("{name}_low"), number(low)));
        columns.push((format!("{name}_high"), number(high)));
        if printed {
            columns.push((format!("{name}_printed"), number(cell.printed)));
        }
    }
    columns
}

impl ReportTable {
    /// The table as CSV: each mean, the bounds of its interval, and what the paper prints.
    ///
    /// # Errors
    /// [`EvalError::Encode`].
    pub fn csv(&self) -> Result<String, EvalError> {
        let mut rows: Vec<Vec<String>> = Vec::new();
        for row in &self.rows {
            let (names, values): (Vec<_>, Vec<_>) = columns(self, row).into_iter().unzip();
            if rows.is_empty() {
                rows.push(names);
            }
            rows.push(values);
        }
        written(rows)
    }
}

impl Report {
    /// The share of samples that had succeeded after so many iterations, for each number that a success took.
    ///
    /// # Errors
    /// [`EvalError::Encode`].
    pub fn iterations_csv(&self) -> Result<String, EvalError> {
        let mut rows = vec![texts(["table", "setting", "run", "n", "iterations", "success_rate"])];
        self.each_row(|name, row| {
            for (iterations, share) in &row.successes_by_iteration {
                let (n, iterations) = (row.n.to_string(), iterations.to_string());
                rows.push(texts([
                    name,
                    &row.setting.to_string(),
                    &row.run.to_string(),
                    &n,
                    &iterations,
                    &share.to_string(),
                ]));
            }
        });
        written(rows)
    }

    /// What each attack does when it is held to a norm, for each norm of a success.
    ///
    /// # Errors
    /// [`EvalError::Encode`].
    pub fn norms_csv(&self) -> Result<String, EvalError> {
        let mut rows = vec![texts([
            "table",
            "setting",
            "run",
            "n",
            "norm_input",
            "success_rate",
            "d_p_at_k",
            "d_map_at_k",
            "d_ndcg_at_k",
        ])];
        self.each_row(|name, row| {
            for AtNorm { norm, success, changes: [p, map, ndcg] } in row.by_norm() {
                let [norm, success, p, map, ndcg] =
                    [norm, success, p, map, ndcg].map(|value| value.to_string());
                let (setting, run) = (row.setting.to_string(), row.run.to_string());
                let n = row.n.to_string();
                rows.push(texts([name, &setting, &run, &n, &norm, &success, &p, &map, &ndcg]));
            }
        });
        written(rows)
    }

    /// How often each class that was to leave the top-k left it.
    ///
    /// # Errors
    /// [`EvalError::Encode`].
    pub fn classes_csv(&self) -> Result<String, EvalError> {
        let mut rows = vec![texts(["table", "setting", "run", "class", "samples", "left"])];
        self.each_row(|name, row| {
            for found in &row.classes {
                rows.push(texts([
                    name,
                    &row.setting.to_string(),
                    &row.run.to_string(),
                    &self.classes[found.class],
                    &found.samples.to_string(),
                    &found.left.to_string(),
                ]));
            }
        });
        written(rows)
    }

    fn each_row(&self, mut take: impl FnMut(&str, &Row)) {
        for (number, table) in self.tables.iter().enumerate() {
            let name = table.name(number);
            table.rows.iter().for_each(|row| take(&name, row));
        }
    }
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}
