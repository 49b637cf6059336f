//! [`Summary`]: the measures of the paper's tables, a pure function of records.

use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use tkmia_metrics::{
    Change, MeanMeasures, MetricsError, aper, mean_excluded, mean_measures, mean_norm,
    norm_quantile, success_rate,
};

use crate::{EvalError, Record, write_whole};

/// One row of a results table: one method on one setting.
///
/// A Δ is clean minus perturbed, over all samples, failed attacks included: a drop is positive. The
/// fields' names are the CSV's columns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The data set.
    pub dataset: String,
    /// The type of the specified labels.
    pub types: String,
    /// Size of the predicted set.
    pub k: usize,
    /// The attack.
    pub method: String,
    /// Number of samples.
    pub n: usize,
    /// ΔTkAcc, in the form that the published code computes and the paper's tables show.
    pub delta_tkacc_released: f64,
    /// ΔTkAcc of Eq. 7.
    pub delta_tkacc: f64,
    /// ΔP@k.
    pub delta_p: f64,
    /// ΔmAP@k, the mean of AP@k over samples, as in the paper's tables.
    pub delta_map: f64,
    /// ΔmAP@k by category, Eq. 10.
    pub delta_map_category: f64,
    /// ΔNDCG@k.
    pub delta_ndcg: f64,
    /// Δl, Eq. 12: specified labels that left the top-k, on average.
    pub delta_l: f64,
    /// APer (Eq. 13): mean L2 norm over successful samples, in the attack's own space and unit.
    pub aper_own: Option<f64>,
    /// The same of `x* − x̃` in model-input units.
    pub aper_input: Option<f64>,
    /// The same of `x* − x̃` in 8-bit pixel units.
    pub aper_pixels: Option<f64>,
    /// Mean `‖x* − x̃‖₂` over all samples, in model-input units.
    pub norm_input_mean: f64,
    /// Lower quartile of the same.
    pub norm_input_q25: f64,
    /// Median of the same.
    pub norm_input_median: f64,
    /// Upper quartile of the same.
    pub norm_input_q75: f64,
    /// Mean `‖x* − x̃‖_∞` over all samples, in model-input units.
    pub linf_input_mean: f64,
    /// Share of samples whose returned image meets the criterion.
    pub success_rate: f64,
    /// Share of successes that are still successes after rounding to 8-bit pixels.
    pub success_kept_rounded: Option<f64>,
    /// Mean number of iterations.
    pub iterations: f64,
    /// Mean number of forward passes.
    pub forward: f64,
    /// Mean number of backward passes.
    pub backward: f64,
    /// Mean time of one sample on one worker, in seconds.
    pub seconds: f64,
}

impl Summary {
    /// A row for each setting and method, in the order in which they first appear.
    ///
    /// # Errors
    /// [`MetricsError`] if a record's scores and labels can't be measured.
    pub fn of(records: &[Record]) -> Result<Vec<Self>, EvalError> {
        let mut groups: Vec<Vec<&Record>> = Vec::new();
        for record in records {
            let key = |record: &Record| (record.setting.clone(), record.method.clone());
            match groups.iter_mut().find(|group| key(group[0]) == key(record)) {
                Some(group) => group.push(record),
                None => groups.push(vec![record]),
            }
        }
        Ok(groups.iter().map(|group| Self::row(group)).collect::<Result<_, _>>()?)
    }

    fn row(records: &[&Record]) -> Result<Self, MetricsError> {
        let first = records[0];
        let setting = first.setting.clone();
        let clean = means(records, setting.k, |record| &record.clean_scores)?;
        let perturbed = means(records, setting.k, |record| &record.scores)?;
        let change = Change::between(&clean, &perturbed)?;

        let succeeded = column(records, |record| record.success);
        let norm_input = column(records, |record| record.norm_input);
        let successes = records.iter().filter(|record| record.success);
        let kept_rounded: Vec<bool> = successes.map(|record| record.success_rounded).collect();
        let aper = |norm: fn(&Record) -> f64| aper(&column(records, norm), &succeeded);
        let quantile =
            |quantile| Ok::<_, MetricsError>(norm_quantile(&norm_input, quantile)?.expect(SOME));
        let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
        Ok(Self {
            dataset: setting.dataset,
            types: setting.selection.to_string(),
            k: setting.k,
            method: first.method.clone(),
            n: records.len(),
            delta_tkacc_released: change.tkacc_released,
            delta_tkacc: change.tkacc,
            delta_p: change.p,
            delta_map: change.ap,
            delta_map_category: change.map_category,
            delta_ndcg: change.ndcg,
            delta_l: mean_excluded(&column(records, |record| record.excluded)).expect(SOME),
            aper_own: aper(|record| record.norm)?,
            aper_input: aper(|record| record.norm_input)?,
            aper_pixels: aper(|record| record.norm_pixels)?,
            norm_input_mean: mean_norm(&norm_input)?.expect(SOME),
            norm_input_q25: quantile(0.25)?,
            norm_input_median: quantile(0.5)?,
            norm_input_q75: quantile(0.75)?,
            linf_input_mean: mean(column(records, |record| record.linf_input)),
            success_rate: success_rate(&succeeded).expect(SOME),
            success_kept_rounded: success_rate(&kept_rounded),
            iterations: mean(column(records, |record| record.iterations as f64)),
            forward: mean(column(records, |record| record.passes.forward as f64)),
            backward: mean(column(records, |record| record.passes.backward as f64)),
            seconds: mean(column(records, |record| record.seconds)),
        })
    }
}

const SOME: &str = "a group has at least one record, and each of them a specified label";

fn column<T>(records: &[&Record], value: impl Fn(&Record) -> T) -> Vec<T> {
    records.iter().map(|record| value(record)).collect()
}

fn means(
    records: &[&Record],
    k: usize,
    scores: impl Fn(&Record) -> &Vec<f32>,
) -> Result<MeanMeasures, MetricsError> {
    let scores: Vec<&[f32]> = records.iter().map(|record| scores(record).as_slice()).collect();
    Ok(mean_measures(&scores, &column(records, relevant_flags), k)?.expect(SOME))
}

/// `Y_p` of a record, `[classes]`; longer than that, which no measure takes, if it names labels beyond.
pub(crate) fn relevant_flags(record: &Record) -> Vec<bool> {
    let mut flags = vec![false; record.scores.len()];
    for &label in &record.relevant {
        if label >= flags.len() {
            flags.resize(label + 1, false);
        }
        flags[label] = true;
    }
    flags
}

/// The table for people: the paper's columns, Markdown, every norm with its unit.
///
/// What is the same in all rows is left out: the data set, the method, and APer in the attack's own
/// space where that is the model's input. For the released variants it is the tanh space of the
/// paper's tables.
pub fn markdown(rows: &[Summary]) -> String {
    let same = |key: fn(&Summary) -> &String| rows.iter().all(|row| key(row) == key(&rows[0]));
    let one_dataset = same(|row| &row.dataset);
    let one_method = same(|row| &row.method);
    let own_is_input = rows.iter().all(|row| row.aper_own == row.aper_input);
    let number = |digits: usize| move |value: f64| format!("{value:.digits$}");
    let measure = number(3);
    let aper = |aper: Option<f64>, digits| aper.map_or("–".to_owned(), number(digits));

    let cells = |row: &Summary| {
        let Summary { dataset, types, k, .. } = row;
        let mut cells = vec![match one_dataset {
            true => ("setting", format!("{types}, k = {k}")),
            false => ("setting", format!("{dataset}: {types}, k = {k}")),
        }];
        if !one_method {
            cells.push(("method", row.method.clone()));
        }
        cells.extend([
            ("n", row.n.to_string()),
            ("ΔTkAcc", measure(row.delta_tkacc_released)),
            ("ΔP@k", measure(row.delta_p)),
            ("ΔmAP@k", measure(row.delta_map)),
            ("ΔNDCG@k", measure(row.delta_ndcg)),
            ("Δl", measure(row.delta_l)),
            ("APer (input)", aper(row.aper_input, 3)),
            ("APer (8-bit)", aper(row.aper_pixels, 1)),
        ]);
        if !own_is_input {
            cells.push(("APer (own space)", aper(row.aper_own, 3)));
        }
        cells.extend([
            ("success", measure(row.success_rate)),
            ("kept in 8 bits", row.success_kept_rounded.map_or("–".to_owned(), measure)),
            ("iterations", number(1)(row.iterations)),
            ("s/image", measure(row.seconds)),
        ]);
        cells
    };

    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    for row in rows {
        let (names, values): (Vec<_>, Vec<_>) = cells(row).into_iter().unzip();
        table.set_header(names).add_row(values);
    }
    for column in table.column_iter_mut().skip(if one_method { 1 } else { 2 }) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\n")
}

/// Writes the rows as CSV, whole or not at all.
///
/// # Errors
/// [`EvalError::Write`] or [`EvalError::Encode`].
pub fn write_csv(rows: &[Summary], path: &Path) -> Result<(), EvalError> {
    let encode = |error: &dyn std::fmt::Display| EvalError::Encode {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let mut csv = csv::Writer::from_writer(Vec::new());
    for row in rows {
        csv.serialize(row).map_err(|error| encode(&error))?;
    }
    let bytes = csv.into_inner().map_err(|error| encode(&error))?;
    write_whole(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::toy as record;

    #[test]
    fn a_row_is_made_of_its_records() -> Result<(), EvalError> {
        let records =
            [record("a", 1, true, 1.0), record("a", 2, true, 3.0), record("a", 0, false, 8.0)];
        let rows = Summary::of(&records)?;
        assert_eq!(rows.len(), 1);
        let row = &rows[0];
        assert_eq!((row.n, row.iterations, row.seconds), (3, 4.0, 0.5));
        // P@1 is 1 before, and 1, 0, 1 after.
        assert!((row.delta_p - 1.0 / 3.0).abs() < 1e-12);
        assert!((row.delta_l - 2.0 / 3.0).abs() < 1e-12);
        assert!((row.success_rate - 2.0 / 3.0).abs() < 1e-12);
        // Over successes 2, over all 4.
        assert_eq!((row.aper_input, row.norm_input_mean), (Some(2.0), 4.0));
        assert_eq!((row.aper_pixels, row.norm_input_median), (Some(255.0), 3.0));
        Ok(())
    }

    #[test]
    fn settings_keep_their_order_and_no_success_has_no_aper() -> Result<(), EvalError> {
        let records =
            [record("b", 0, false, 1.0), record("a", 1, true, 1.0), record("b", 0, false, 1.0)];
        let rows = Summary::of(&records)?;
        assert_eq!(
            rows.iter().map(|row| (row.types.as_str(), row.n)).collect::<Vec<_>>(),
            [("b", 2), ("a", 1)]
        );
        assert_eq!(rows[0].aper_own, None);
        let table = markdown(&rows);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[0].contains("| setting ") && !lines[0].contains("own space"), "{table}");
        assert!(lines[2].contains("| b, k = 1 |") && lines[2].contains(" – |"), "{table}");
        Ok(())
    }

    #[test]
    fn labels_that_do_not_fit_the_scores_are_an_error() {
        let mut bad = record("a", 1, true, 1.0);
        bad.relevant = vec![7];
        assert!(matches!(Summary::of(&[bad]), Err(EvalError::Metrics(_))));
    }

    #[test]
    fn no_records_give_an_empty_table() -> Result<(), EvalError> {
        assert_eq!(Summary::of(&[])?, []);
        assert_eq!(markdown(&[]).trim(), "");
        Ok(())
    }
}
