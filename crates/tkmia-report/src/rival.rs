//! [`Rival`]: the best other attack beside the minimum-norm form, sample by sample.

use std::sync::Arc;

use tkmia_attacks::{Variant, View};
use tkmia_metrics::MetricsError;

use crate::by_image::Images;
use crate::comparison::Found;
use crate::samples::Measured;
use crate::{Cell, Column, Form, Record, Row, columns};

/// A row's rival, and what they have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Rival {
    /// Its place among the table's rows.
    pub row: usize,
    /// Samples with the same specified labels on which both succeeded.
    pub both: usize,
    /// Mean norm over these, as a share of the rival's, with its paired interval.
    pub norm_ratio: Cell,
    /// For each column beside it, by its name: the mean of this row less the rival's, over the samples that both are
    /// on, with its paired interval.
    pub differences: Vec<(&'static str, Cell)>,
    /// For each image on whose samples both succeeded: the sum of the norms, and of the rival's.
    pub(crate) norms: Vec<(Arc<str>, [f64; 2])>,
}

/// For each row of the minimum-norm form its rival, by their places: of the other rows that it may be compared with the one
/// with the highest success rate, of these the one with the lowest mean norm.
pub(crate) fn rivals(rows: &[Row], found: &[(&Found<'_>, &Images)]) -> Vec<[usize; 2]> {
    let is_ours = |at: &usize| rows[*at].run.variant() == Variant::MinNorm;
    let rival = |own: usize| {
        let others = (0..rows.len()).filter(|other| !is_ours(other));
        let rivals = others.filter(|&other| found[own].0.is_like(found[other].0));
        let best = rivals.max_by(|&a, &b| rows[b].standing(&rows[a]))?;
        Some([own, best])
    };
    (0..rows.len()).filter(is_ours).filter_map(rival).collect()
}

/// The numbers of the columns in which rivals stand side by side, sample by sample; NaN for one that has none.
#[derive(Debug, Default)]
pub(crate) struct Versus(Vec<f64>);

impl Versus {
    fn columns() -> impl Iterator<Item = &'static Column> {
        columns().iter().filter(|column| column.is_of(Form::Versus))
    }

    /// Adds the record of the next sample.
    ///
    /// # Errors
    /// Scores and labels that can't be measured.
    pub fn add(&mut self, record: &Record, view: View) -> Result<(), MetricsError> {
        let measured = Measured::new(record)?;
        self.0.extend(Self::columns().map(|it| it.value_of(&measured, view).unwrap_or(f64::NAN)));
        Ok(())
    }
}

impl Rival {
    /// The rival at this place, beside its row.
    pub(crate) fn new(
        row: usize,
        [own, other]: [&Found<'_>; 2],
        values: [&Versus; 2],
        images: &Images,
    ) -> Self {
        let drawn = || images.drawn(own.samples()).filter(|&sample| sample < other.samples());
        let both = || drawn().filter_map(|at| Some((at, [own.norm(at)?, other.norm(at)?])));
        let norms = images.sum(both());
        let width = Versus::columns().count();
        let difference = |(place, column): (usize, &'static Column)| {
            let pairs = drawn().filter_map(|sample| {
                let [one, two] = values.map(|Versus(values)| values[sample * width + place]);
                (!(one.is_nan() || two.is_nan())).then_some((sample, [one - two, 1.0]))
            });
            (column.name, Cell::of_pairs(&images.sum(pairs)))
        };
        Self {
            row,
            both: both().count(),
            norm_ratio: Cell::of_pairs(&norms),
            differences: Versus::columns().enumerate().map(difference).collect(),
            norms: images.named(&norms),
        }
    }
}
