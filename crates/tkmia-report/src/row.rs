//! [`Row`]: one attack on one setting.

use std::collections::BTreeMap;

use tkmia_attacks::AttackSettings;
use tkmia_experiment::{Printed, Scheme, Selection, Setting};
use tkmia_metrics::{MetricsError, Ranking};

use crate::by_norm::{Success, smallest_first};
use crate::samples::Samples;
use crate::{Cell, Column, Record, Rival, columns};

/// One attack on one setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The setting.
    pub setting: Setting,
    /// The attack.
    pub run: AttackSettings,
    /// What the row is called, as in the paper: `TkMIA`.
    pub label: String,
    /// Samples that there are records of.
    pub n: usize,
    /// Samples that there are to be.
    pub planned: usize,
    /// What the paper prints for it.
    pub printed: Option<&'static Printed>,
    /// One for each of the [`columns`].
    cells: Vec<Cell>,
    /// For each number of iterations that a success took: the share of samples that had succeeded by then.
    pub successes_by_iteration: Vec<(usize, f64)>,
    /// The successes, the smallest first.
    pub successes: Vec<Success>,
    /// For the minimum-norm form: the best other row of its setting.
    pub rival: Option<Rival>,
    /// For each class that was to leave the top-k: how often it was in it, and how often it left.
    pub classes: Vec<ClassSuccess>,
}

/// How often an attack pushed a class out of the top-k.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassSuccess {
    /// The label index.
    pub class: usize,
    /// Samples in whose clean top-k it was, as a specified label.
    pub samples: usize,
    /// Those of them in whose perturbed top-k it isn't.
    pub left: usize,
}

impl Row {
    pub(crate) fn new(
        setting: &Setting,
        label: String,
        planned: usize,
        printed: Option<&'static Printed>,
        samples: &Samples<'_>,
    ) -> Result<Self, MetricsError> {
        let cells = columns().iter().map(|column| column.cell(samples, printed));
        Ok(Self {
            setting: setting.clone(),
            run: samples.run.clone(),
            label,
            n: samples.records.len(),
            planned,
            printed,
            cells: cells.collect::<Result<_, _>>()?,
            successes_by_iteration: by_iteration(samples.records),
            successes: smallest_first(samples),
            rival: None,
            classes: class_successes(samples.records, setting.k)?,
        })
    }

    /// Each column with its cell.
    pub fn cells(&self) -> impl Iterator<Item = (&'static Column, &Cell)> {
        columns().iter().zip(&self.cells)
    }

    /// The cell of the column of this [name](Column::name).
    pub fn cell(&self, column: &str) -> Option<&Cell> {
        self.cells().find(|(found, _)| found.name == column).map(|(_, cell)| cell)
    }

    /// The number in it.
    pub fn value(&self, column: &str) -> Option<f64> {
        self.cell(column).and_then(|cell| cell.value)
    }

    /// Why what the paper prints can't be right, where that is known.
    pub(crate) fn suspect(&self) -> Option<&'static str> {
        self.printed.and_then(Printed::suspect)
    }

    /// What its setting is named by, in the order of [`name_headings`].
    pub(crate) fn names(&self) -> [String; 2] {
        let k = self.setting.k.to_string();
        match &self.setting.selection {
            Selection::Global(types) => [types.clone(), k],
            Selection::Random(specified) => [k, specified.to_string()],
        }
    }

    /// The number of samples, beside the paper's.
    pub(crate) fn samples(&self) -> String {
        let mut text = self.n.to_string();
        if self.n < self.planned {
            text += &format!(" of {}", self.planned);
        }
        match self.printed.and_then(Printed::samples) {
            Some(printed) => format!("{text} ({printed})"),
            None => text,
        }
    }
}

/// What settings are named by, in the paper's order.
pub(crate) fn name_headings(scheme: Scheme) -> [&'static str; 2] {
    match scheme {
        Scheme::Global => ["Type", "k"],
        Scheme::Random => ["k", "|S|"],
    }
}

fn by_iteration(records: &[&Record]) -> Vec<(usize, f64)> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for record in records.iter().filter(|record| record.success) {
        *counts.entry(record.iterations).or_default() += 1;
    }
    let mut sum = 0;
    let step = |(iterations, count)| {
        sum += count;
        (iterations, sum as f64 / records.len() as f64)
    };
    counts.into_iter().map(step).collect()
}

fn class_successes(records: &[&Record], k: usize) -> Result<Vec<ClassSuccess>, MetricsError> {
    let mut counts: BTreeMap<usize, [usize; 2]> = BTreeMap::new();
    for record in records {
        let (clean, now) = (Ranking::new(&record.clean_scores)?, Ranking::new(&record.scores)?);
        let (before, after) = (clean.top(k)?, now.top(k)?);
        for label in record.specified.iter().filter(|label| before.contains(label)) {
            let [samples, left] = counts.entry(*label).or_default();
            *samples += 1;
            *left += usize::from(!after.contains(label));
        }
    }
    let counts = counts.into_iter();
    Ok(counts.map(|(class, [samples, left])| ClassSuccess { class, samples, left }).collect())
}
