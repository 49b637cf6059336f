//! [`Rival`]: the best other attack beside the minimum-norm form, sample by sample.

use std::collections::HashMap;

use tkmia_attacks::Variant;

use crate::comparison::{Sample, comparable, norm};
use crate::{Record, Row};

/// A row's rival, and what they have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Rival {
    /// Its place among the table's rows.
    pub row: usize,
    /// Samples with the same specified labels on which both succeeded.
    pub both: usize,
    /// Mean norm over these, as a share of the rival's.
    pub norm_ratio: Option<f64>,
}

/// Gives each row of the minimum-norm form its rival: of the other rows that it may be compared with the
/// one with the highest success rate, of these the one with the lowest mean norm.
pub(crate) fn find_rivals(rows: &mut [Row], records: &[&[&Record]]) {
    let is_ours = |row: &Row| row.run.variant() == Variant::MinNorm;
    let success = |row: &Row| row.value("success").unwrap_or(0.0);
    let norm = |row: &Row| row.value("aper_input").unwrap_or(f64::INFINITY);
    for at in (0..rows.len()).filter(|&at| is_ours(&rows[at])).collect::<Vec<_>>() {
        let others = (0..rows.len())
            .filter(|&other| comparable(&rows[other], &rows[at]) && !is_ours(&rows[other]));
        let best = others.max_by(|&a, &b| {
            let (a, b) = (&rows[a], &rows[b]);
            success(a).total_cmp(&success(b)).then(norm(b).total_cmp(&norm(a)))
        });
        rows[at].rival = best.map(|best| Rival::new(best, records[at], records[best]));
    }
}

impl Rival {
    fn new(row: usize, own: &[&Record], theirs: &[&Record]) -> Self {
        let theirs: HashMap<Sample<'_>, f64> = successes(theirs).collect();
        let pairs: Vec<(f64, f64)> = successes(own)
            .filter_map(|(sample, norm)| Some((norm, *theirs.get(&sample)?)))
            .collect();
        let sum = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>();
        let (own, theirs) = (sum(|pair| pair.0), sum(|pair| pair.1));
        Self { row, both: pairs.len(), norm_ratio: (theirs > 0.0).then(|| own / theirs) }
    }
}

fn successes<'a>(records: &'a [&Record]) -> impl Iterator<Item = (Sample<'a>, f64)> {
    let successes = records.iter().filter(|record| record.success);
    successes.map(|record| (Sample::from(*record), norm(record)))
}
