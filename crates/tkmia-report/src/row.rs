//! [`Row`]: one attack on one setting.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use tkmia_attacks::{AttackSettings, Indicator, Norm, Passes};
use tkmia_experiment::{Printed, Scheme, Selection, Setting};
use tkmia_metrics::MetricsError;

use crate::by_image::Images;
use crate::by_norm::{Successes, smallest_first};
use crate::samples::Samples;
use crate::{Cell, Column, Rank, Rival, columns};

/// One attack on one setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The setting.
    pub setting: Setting,
    /// The attack.
    pub run: AttackSettings,
    /// What the row is called, as in the paper: `TkMIA`.
    pub label: String,
    /// Images that there are records of.
    pub n: usize,
    /// Draws of the specified labels of each; 1 under the global scheme.
    pub draws: usize,
    /// Records that there are, and that there are to be.
    pub records: [usize; 2],
    /// Samples that means are over: an image counts once for each draw.
    pub samples: usize,
    /// Passes of an attack on a sample at most, judging aside.
    pub caps: Passes,
    /// What the paper prints for it.
    pub printed: Option<&'static Printed>,
    /// One for each of the [`columns`].
    cells: Vec<Cell>,
    /// For each number of iterations that a success took: the share of samples that had succeeded by then.
    pub successes_by_iteration: Vec<(usize, f64)>,
    /// The successes, the smallest first.
    pub successes: Vec<Successes>,
    /// Signs that the attack failed for reasons of its own: on how many samples, and on how many of its failures.
    pub indicators: BTreeMap<Indicator, [usize; 2]>,
    /// For the minimum-norm form: the best other row of its setting.
    pub rival: Option<Rival>,
    /// Where it stands among the rows that it may be compared with, if there are others.
    pub rank: Option<Rank>,
    /// For each class that was to leave the top-k: how often it was in it, and how often it left.
    pub classes: Vec<ClassSuccess>,
}

/// What is known of a row without its records.
pub(crate) struct RowFacts<'a> {
    pub setting: &'a Setting,
    pub run: &'a AttackSettings,
    /// See [`Row::label`].
    pub label: String,
    /// Records that there are to be.
    pub planned: usize,
    /// See [`Row::caps`].
    pub caps: Passes,
    /// What the paper prints for it.
    pub printed: Option<&'static Printed>,
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
        of: RowFacts<'_>,
        samples: &Samples,
        images: &Images,
    ) -> Result<Self, MetricsError> {
        let RowFacts { setting, run, label, planned, caps, printed } = of;
        let cell = |column: &Column| column.cell(samples, images, run.view(), printed);
        let found = samples.measured.len();
        let drawn = images.drawn(found).count();
        Ok(Self {
            setting: setting.clone(),
            run: run.clone(),
            label,
            n: images.count(found),
            draws: images.draws(found).len(),
            records: [found, planned],
            samples: drawn,
            caps,
            printed,
            cells: columns().iter().map(cell).collect::<Result<_, _>>()?,
            successes_by_iteration: samples.successes_by_iteration(drawn),
            successes: smallest_first(samples, images, run.norm()),
            indicators: samples.indicators.clone(),
            rival: None,
            rank: None,
            classes: samples.classes(),
        })
    }

    /// Samples on which it didn't succeed.
    pub(crate) fn failures(&self) -> usize {
        self.samples - self.successes.iter().map(|successes| successes.count).sum::<usize>()
    }

    /// Iterations that it really has at most: there is a forward pass in each.
    pub(crate) fn most_iterations(&self) -> usize {
        self.run.limits.max_iterations.min(self.caps.forward)
    }

    /// The mean norm of its successes, as the attack measures it.
    pub(crate) fn mean_norm(&self) -> Option<f64> {
        self.value(match self.run.norm() {
            Norm::L2 => "aper_input",
            Norm::Linf => "aper_linf",
        })
    }

    /// Less than another row that it may be compared with if it stands before it: by a higher success rate, of equal
    /// ones by a lower mean norm.
    pub(crate) fn standing(&self, other: &Self) -> Ordering {
        let success = |row: &Self| row.value("success").unwrap_or(0.0);
        let norm = |row: &Self| row.mean_norm().unwrap_or(f64::INFINITY);
        success(other).total_cmp(&success(self)).then(norm(self).total_cmp(&norm(other)))
    }

    /// Each column with its cell.
    pub fn cells(&self) -> impl Iterator<Item = (&'static Column, &Cell)> {
        columns().iter().zip(&self.cells)
    }

    /// Gives the column of this name its value.
    pub(crate) fn set(&mut self, column: &str, value: Option<f64>) {
        let place = columns().iter().position(|found| found.name == column);
        self.cells[place.expect("there is such a column")].value = value;
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

    /// The number of images, or of records that there are and are to be; beside the paper's.
    pub(crate) fn count(&self) -> String {
        let text = match self.records {
            [found, planned] if found < planned => format!("{found} of {planned}"),
            _ => self.n.to_string(),
        };
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
