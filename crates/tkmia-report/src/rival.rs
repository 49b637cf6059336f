//! [`Rival`]: the best other attack beside the minimum-norm form, sample by sample.

use tkmia_attacks::Variant;

use crate::by_image::ByImage;
use crate::comparison::comparison;
use crate::samples::Samples;
use crate::{Cell, Column, Form, Row, columns};

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
    pub(crate) norms: ByImage,
}

/// Gives each row of the minimum-norm form its rival: of the other rows that it may be [compared](comparison)
/// with the one with the highest success rate, of these the one with the lowest mean norm.
pub(crate) fn find_rivals(rows: &mut [Row], samples: &[Samples<'_>]) {
    let is_ours = |row: &Row| row.run.variant() == Variant::MinNorm;
    for at in (0..rows.len()).filter(|&at| is_ours(&rows[at])).collect::<Vec<_>>() {
        let rivals = (0..rows.len()).filter(|&other| !is_ours(&rows[other])).filter_map(|other| {
            let places = comparison(samples[at].found, samples[other].found)?;
            Some((other, places))
        });
        let best = rivals.max_by(|(a, _), (b, _)| rows[*b].standing(&rows[*a]));
        rows[at].rival =
            best.map(|(row, places)| Rival::new(row, &places, &samples[at], &samples[row]));
    }
}

impl Rival {
    fn new(row: usize, places: &[Option<usize>], own: &Samples<'_>, other: &Samples<'_>) -> Self {
        let paired = |one: &dyn Fn(usize) -> Option<f64>, two: &dyn Fn(usize) -> Option<f64>| {
            let pairs = places.iter().enumerate().filter_map(|(at, place)| {
                Some((own.found.records[at].id.as_str(), [one(at)?, two((*place)?)?]))
            });
            pairs.collect::<Vec<_>>()
        };
        let both = paired(&|at| own.found.norm_at(at), &|at| other.found.norm_at(at));
        let norms: ByImage = both.iter().copied().collect();
        let difference = |column: &Column| {
            let pairs = paired(&|at| column.value_at(own, at), &|at| column.value_at(other, at));
            let differences = pairs.into_iter().map(|(id, [one, two])| (id, [one - two, 1.0]));
            Cell::of_pairs(&differences.collect())
        };
        let versus = columns().iter().filter(|column| column.is_of(Form::Versus));
        let differences = versus.map(|column| (column.name, difference(column))).collect();
        Self { row, both: both.len(), norm_ratio: Cell::of_pairs(&norms), differences, norms }
    }
}
