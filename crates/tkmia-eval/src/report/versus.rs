//! The minimum-norm form beside the best of the others, sample by sample.

use std::collections::HashMap;

use comfy_table::{CellAlignment, Table as Grid, presets};
use tkmia_attacks::Variant;

use super::cell::fixed;
use super::markdown::{name_headings, names};
use super::{Report, ReportTable, Row};
use crate::Record;

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

/// Gives each row of the minimum-norm form its rival: of its setting's other rows the one with the highest
/// success rate, of these the one with the lowest mean norm.
pub(super) fn find_rivals(rows: &mut [Row], records: &[&[&Record]]) {
    let is_ours = |row: &Row| row.run.variant == Variant::MinNorm;
    let success = |row: &Row| row.success.value.unwrap_or(0.0);
    let norm = |row: &Row| row.aper_input.value.unwrap_or(f64::INFINITY);
    for at in (0..rows.len()).filter(|&at| is_ours(&rows[at])).collect::<Vec<_>>() {
        let others = (0..rows.len())
            .filter(|&other| rows[other].setting == rows[at].setting && !is_ours(&rows[other]));
        let best = others.max_by(|&a, &b| {
            let (a, b) = (&rows[a], &rows[b]);
            success(a).total_cmp(&success(b)).then(norm(b).total_cmp(&norm(a)))
        });
        rows[at].rival = best.map(|best| Rival::new(best, records[at], records[best]));
    }
}

impl Rival {
    fn new(row: usize, own: &[&Record], theirs: &[&Record]) -> Self {
        let sample = |record: &Record| (record.id.clone(), record.specified.clone());
        let successes = theirs.iter().filter(|record| record.success);
        let theirs: HashMap<_, f64> =
            successes.map(|record| (sample(record), record.norm_input)).collect();
        let own = own.iter().filter(|record| record.success);
        let pairs: Vec<(f64, f64)> = own
            .filter_map(|record| Some((record.norm_input, *theirs.get(&sample(record))?)))
            .collect();
        let sum = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>();
        let (own, theirs) = (sum(|pair| pair.0), sum(|pair| pair.1));
        Self { row, both: pairs.len(), norm_ratio: (theirs > 0.0).then(|| own / theirs) }
    }
}

impl ReportTable {
    /// The rows with a rival beside it as Markdown; nothing where there are none.
    pub(super) fn versus(&self) -> Option<String> {
        let mut grid = Grid::new();
        grid.load_style(presets::ASCII_MARKDOWN);
        let scheme = self.table.scheme;
        for row in &self.rows {
            let Some(Rival { row: rival, both, norm_ratio }) = &row.rival else { continue };
            let rival = &self.rows[*rival];
            let mut headings = name_headings(scheme).map(|name| name.replace('|', "\\|")).to_vec();
            let fields = ["ours", "the best other", "both succeed", "norm ratio"];
            headings.extend(fields.map(str::to_owned));
            let mut texts = names(scheme, row).to_vec();
            texts.extend([row.label.clone(), rival.label.clone(), both.to_string()]);
            texts.push(norm_ratio.map_or("–".to_owned(), |ratio| fixed(ratio, 3)));
            let [_, p, map, ndcg, _] = row.changes;
            let [_, rival_p, rival_map, rival_ndcg, _] = rival.changes;
            let cells = [
                ("success", row.success, rival.success, 3),
                ("ΔP@k", p, rival_p, 3),
                ("ΔmAP@k", map, rival_map, 3),
                ("ΔNDCG@k", ndcg, rival_ndcg, 3),
                ("kept in 8 bits", row.kept_rounded, rival.kept_rounded, 3),
                ("passes", row.passes, rival.passes, 0),
            ];
            for (heading, own, other, digits) in cells {
                let text = |cell: super::Cell| match cell.value {
                    Some(value) => fixed(value, digits),
                    None => "–".to_owned(),
                };
                headings.push(heading.to_owned());
                texts.push(format!("{} / {}", text(own), text(other)));
            }
            grid.set_header(headings);
            grid.add_row(texts);
        }
        if grid.is_empty() {
            return None;
        }
        for column in grid.column_iter_mut().skip(4) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        Some(format!(
            "{grid}\n\nOf the other rows of a setting the best is the one with the highest success rate, of these the one with the lowest mean norm. \
             The norm ratio is that of mean norms over the samples with the same S on which both succeeded; the other columns are ours / the other's. \
             Passes are forward and backward ones together.\n"
        ))
    }
}

impl Report {
    /// The norm ratio of each attack that has rivals, averaged over all settings of all tables.
    pub(super) fn mean_norm_ratios(&self) -> Vec<String> {
        let mut ratios: Vec<(&str, Vec<f64>)> = Vec::new();
        for row in self.tables.iter().flat_map(|table| &table.rows) {
            let Some(ratio) = row.rival.as_ref().and_then(|rival| rival.norm_ratio) else {
                continue;
            };
            match ratios.iter_mut().find(|(label, _)| *label == row.label) {
                Some((_, ratios)) => ratios.push(ratio),
                None => ratios.push((&row.label, vec![ratio])),
            }
        }
        let line = |(label, ratios): (&str, Vec<f64>)| {
            let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
            format!("{label}: {mean:.3} over {} settings", ratios.len())
        };
        ratios.into_iter().map(line).collect()
    }
}
