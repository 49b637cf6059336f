//! [`Printed`]: what the paper's tables show, to be shown beside what is measured.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::LazyLock;

use serde::Deserialize;
use tkmia_attacks::AttackName;

use crate::setting::{Scheme, Selection, Setting};

/// A row of one of the paper's tables of results, as printed.
///
/// Differences are clean minus perturbed. APer is in the units of the published code's tanh space.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Printed {
    /// Number of the table.
    pub table: u32,
    /// `VOC`, `COCO` or `NUS`.
    pub dataset: String,
    /// How labels are specified.
    pub scheme: Scheme,
    /// Iterations at most.
    pub max_iterations: usize,
    /// How many specified labels must leave the top-k, under the random scheme.
    pub delta: Option<usize>,
    /// The type of the specified labels, under the global scheme.
    #[serde(rename = "type")]
    pub types: Option<String>,
    /// Size of the predicted set.
    pub k: usize,
    /// `|S|`, under the random scheme.
    pub specified: Option<usize>,
    /// The attack.
    pub method: AttackName,
    /// What is printed, by the names of the report's columns.
    #[serde(skip)]
    pub values: BTreeMap<String, f64>,
}

static RESULTS: LazyLock<Vec<Printed>> =
    LazyLock::new(|| results(include_str!("../data/paper-results.csv")).expect(EMBEDDED));

/// A row of the paper's tables of sample counts.
#[derive(Debug, Clone, Deserialize)]
struct Samples {
    dataset: String,
    scheme: Scheme,
    #[serde(rename = "type")]
    types: Option<String>,
    k: usize,
    specified: f64,
    n: usize,
}

static SAMPLES: LazyLock<Vec<Samples>> =
    LazyLock::new(|| rows(include_str!("../data/paper-samples.csv")));

const EMBEDDED: &str = "the embedded tables are read by a test";

fn rows<T: for<'de> Deserialize<'de>>(text: &str) -> Vec<T> {
    let rows = csv::Reader::from_reader(text.as_bytes()).into_deserialize();
    rows.collect::<Result<_, _>>().expect(EMBEDDED)
}

/// Rows of results: what is printed follows the method.
fn results(text: &str) -> Result<Vec<Printed>, Box<dyn Error>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names = reader.headers()?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        let mut row: Printed = record.deserialize(Some(&names))?;
        for (name, value) in
            names.iter().zip(&record).skip_while(|(name, _)| *name != "method").skip(1)
        {
            row.values.insert(name.to_owned(), value.parse()?);
        }
        rows.push(row);
    }
    Ok(rows)
}

/// All rows of one of the paper's tables, in its order.
pub(crate) fn table(number: u32) -> Vec<&'static Printed> {
    RESULTS.iter().filter(|row| row.table == number).collect()
}

/// What the tables of these numbers print for a setting, a number of iterations and an attack.
pub(crate) fn printed(
    numbers: &[u32],
    max_iterations: usize,
    setting: &Setting,
    method: AttackName,
) -> Option<&'static Printed> {
    let selected = |row: &Printed| match &setting.selection {
        Selection::Global(types) => {
            row.types.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(types))
        }
        &Selection::Random(specified) => row.specified == Some(specified),
    };
    RESULTS.iter().find(|row| {
        numbers.contains(&row.table)
            && (row.max_iterations, row.method) == (max_iterations, method)
            && (row.k, row.delta) == (setting.k, setting.delta)
            && selected(row)
    })
}

impl Printed {
    /// Whether the paper's tables of results have a column of this name.
    pub fn has_column(name: &str) -> bool {
        RESULTS[0].values.contains_key(name)
    }

    /// How many samples the paper says that the row is of.
    pub fn samples(&self) -> Option<usize> {
        let fits = |row: &&Samples| {
            (&row.dataset, row.scheme, row.k) == (&self.dataset, self.scheme, self.k)
                && row.types == self.types
                && self.specified.is_none_or(|specified| row.specified == specified as f64)
        };
        SAMPLES.iter().find(fits).map(|row| row.n)
    }

    /// Why the row can't be right as printed, where that is known.
    pub fn suspect(&self) -> Option<&'static str> {
        match (self.table, self.method, self.k) {
            (16, AttackName::TkmlApU, 3) => {
                Some("its six numbers are rotated by two: Δl and APer come first")
            }
            (19, AttackName::Tkmia, 10) => Some("its numbers look like another setting's"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_paper_is_read() {
        assert_eq!(RESULTS.len(), 304);
        assert_eq!(SAMPLES.len(), 52);
        let first = &RESULTS[0].values;
        assert_eq!((first.len(), first["d_tkacc"], first["aper_tanh"]), (6, 0.64, 1.9235));
        let mut suspect: Vec<_> = RESULTS.iter().filter(|row| row.suspect().is_some()).collect();
        suspect.dedup_by_key(|row| row.table);
        assert_eq!(suspect.iter().map(|row| row.table).collect::<Vec<_>>(), [16, 19]);
    }

    #[test]
    fn a_row_knows_how_many_samples_it_is_of() {
        let row =
            table(15).into_iter().find(|row| row.types.as_deref() == Some("Animals")).unwrap();
        assert_eq!((row.k, row.samples()), (1, Some(213)));
        let row = table(20).into_iter().find(|row| (row.k, row.specified) == (5, Some(5))).unwrap();
        assert_eq!(row.samples(), Some(206));
        // Tables 16 and 17 have |S| = 2 at k = 3, the table of sample counts has |S| = 3.
        let unknown: Vec<_> = RESULTS.iter().filter(|row| row.samples().is_none()).collect();
        assert_eq!(unknown.len(), 8);
        assert!(unknown.iter().all(|row| (row.dataset.as_str(), row.k) == ("VOC", 3)));
    }
}
