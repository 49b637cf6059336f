//! Measures of scores against labels.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tkmia_core::LabelSet;
use tkmia_metrics::{MEASURES, MeanMeasures, Measures, MetricsError, Ranking, Sample};

use crate::arrays::{array, labels, scores};
use crate::error::refused;

/// Each measure of each row, by its name: an array [n] of floats, with NaN where a row has none.
///
/// tkacc and tkacc_released (TkAcc as in Eq. 7 of Sun et al. 2023, and as their code has it), p (precision@k), ap (AP@k),
/// ndcg (NDCG@k); with specified labels, specified_in_top_k. Ties go to the lower label index.
#[pyfunction]
#[pyo3(signature = (scores, labels, k, specified = None))]
pub fn measures<'py>(
    py: Python<'py>,
    scores: &Bound<'py, PyAny>,
    labels: &Bound<'py, PyAny>,
    k: usize,
    specified: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let rows = Rows::read(scores, labels, specified)?;
    let each: Vec<Measures> = rows.measures(k).map_err(refused)?;
    let table = PyDict::new(py);
    for measure in &MEASURES {
        let column: Vec<Option<f64>> = each.iter().map(|row| row.get(measure.name)).collect();
        if column.iter().any(Option::is_some) {
            let column = column.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect();
            table.set_item(measure.name, array(py, column, [each.len()]))?;
        }
    }
    Ok(table)
}

/// The measures averaged over the rows that have a relevant label, with the number of rows as n, and as skipped that of the
/// rows without one; also map_category, mAP over categories.
#[pyfunction]
#[pyo3(signature = (scores, labels, k, specified = None))]
pub fn mean_measures<'py>(
    py: Python<'py>,
    scores: &Bound<'py, PyAny>,
    labels: &Bound<'py, PyAny>,
    k: usize,
    specified: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let means = Rows::read(scores, labels, specified)?.means(k)?;
    let table = dict(py, &means.means)?;
    table.set_item("n", means.n)?;
    table.set_item("skipped", means.skipped)?;
    Ok(table)
}

/// What an attack takes from each mean measure, clean minus attacked: a drop is positive. That of specified_in_top_k is Δl, the
/// specified labels that left the top-k, per image.
#[pyfunction]
#[pyo3(signature = (clean_scores, scores, labels, k, specified = None))]
pub fn change<'py>(
    py: Python<'py>,
    clean_scores: &Bound<'py, PyAny>,
    scores: &Bound<'py, PyAny>,
    labels: &Bound<'py, PyAny>,
    k: usize,
    specified: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let means = |scores| Rows::read(scores, labels, specified)?.means(k);
    let (clean, attacked) = (means(clean_scores)?, means(scores)?);
    dict(py, &tkmia_metrics::change(&clean, &attacked).map_err(refused)?)
}

fn dict<'py>(py: Python<'py>, measures: &Measures) -> PyResult<Bound<'py, PyDict>> {
    let table = PyDict::new(py);
    measures.iter().try_for_each(|(measure, value)| table.set_item(measure.name, value))?;
    Ok(table)
}

/// Scores and labels, row by row.
struct Rows {
    scores: Vec<Vec<f64>>,
    labels: LabelSet,
    specified: Option<LabelSet>,
}

impl Rows {
    fn read(
        all: &Bound<'_, PyAny>,
        relevant: &Bound<'_, PyAny>,
        specified: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let (scores, shape) = scores::<f64>(all)?;
        let specified = specified.map(|specified| labels(specified, "specified", shape));
        Ok(Self {
            scores: scores.chunks_exact(shape[1]).map(<[f64]>::to_vec).collect(),
            labels: labels(relevant, "labels", shape)?,
            specified: specified.transpose()?,
        })
    }

    fn measures(&self, k: usize) -> Result<Vec<Measures>, MetricsError> {
        let measures = |(row, scores): (usize, &Vec<f64>)| {
            let specified = self.specified.as_ref().map(|specified| specified.row(row));
            let relevant = self.labels.row(row);
            Ranking::new(scores)
                .and_then(|ranking| {
                    Measures::of(&Sample { ranking: &ranking, relevant, specified, k })
                })
                .map_err(|fault| MetricsError::Row { row, fault: Box::new(fault) })
        };
        self.scores.iter().enumerate().map(measures).collect()
    }

    fn means(&self, k: usize) -> PyResult<MeanMeasures> {
        fn rows(set: &LabelSet) -> Vec<&[bool]> {
            (0..set.rows()).map(|row| set.row(row)).collect()
        }
        let specified = self.specified.as_ref().map(rows);
        let means = tkmia_metrics::mean_measures(
            &self.scores,
            &rows(&self.labels),
            specified.as_deref(),
            k,
        );
        let nothing = "`labels`: expected a row with a relevant label, found none";
        means.map_err(refused)?.ok_or_else(|| PyValueError::new_err(nothing))
    }
}
