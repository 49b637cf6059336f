//! Whether an attack succeeded, by scores.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tkmia_attacks::{SampleState, Stop, eligible};
use tkmia_core::{Goal, device};
use tkmia_metrics::Ranking;

use crate::arrays::{Axis, array, labels, read, scores};
use crate::error::refused;

/// Whether an attack succeeded on each row, by the scores before and after it: an array [n] of bools.
///
/// A row must take part: it has at least k + |S| relevant labels, and a specified one in the clean top-k, or as many as delta
/// says. stop is the criterion, "excluded" by default: at least delta specified labels, or all that were in the top-k, have left it.
/// A row with a score that isn't finite is no success.
#[pyfunction]
#[pyo3(signature = (clean_scores, scores, labels, specified, k, stop = "excluded", delta = None))]
#[expect(clippy::too_many_arguments, reason = "in Python they have names")]
pub fn judge<'py>(
    py: Python<'py>,
    clean_scores: &Bound<'py, PyAny>,
    scores: &Bound<'py, PyAny>,
    labels: &Bound<'py, PyAny>,
    specified: &Bound<'py, PyAny>,
    k: usize,
    stop: &str,
    delta: Option<usize>,
) -> PyResult<Bound<'py, PyAny>> {
    let stop: Stop = stop.parse().map_err(refused)?;
    if stop.needs_target() {
        return Err(PyValueError::new_err(format!("`stop`: {stop} needs a target")));
    }
    let wanted = stop.wanted().unwrap_or(&*stop);
    let (now, shape @ [rows, classes]) = self::scores::<f32>(scores)?;
    let (clean, _) = read::<f32, 2>(clean_scores, "clean_scores", shape.map(Axis::Is))?;
    let goal = goal(labels, specified, shape, k, delta)?;
    let success = |row: usize| {
        let part = |scores: &[f32]| scores[row * classes..][..classes].to_vec();
        let (clean_scores, scores) = (part(&clean), part(&now));
        let (Ok(clean), Ok(now)) = (Ranking::new(&clean_scores), Ranking::new(&scores)) else {
            return false;
        };
        let (relevant, specified) = (goal.relevant().row(row), goal.specified().row(row));
        let state = SampleState {
            clean: &clean,
            clean_scores: &clean_scores,
            now: &now,
            scores: &scores,
            relevant,
            specified,
            target: None,
            k,
            delta,
        };
        eligible(&clean, relevant, specified, k, delta).is_ok() && wanted.is_met(&state)
    };
    Ok(array(py, (0..rows).map(success).collect(), [rows]))
}

/// What is wanted of each row.
pub fn goal(
    relevant: &Bound<'_, PyAny>,
    specified: &Bound<'_, PyAny>,
    shape: [usize; 2],
    k: usize,
    delta: Option<usize>,
) -> PyResult<Goal> {
    let (relevant, specified) =
        (labels(relevant, "labels", shape)?, labels(specified, "specified", shape)?);
    let goal = device("cpu").and_then(|cpu| Goal::new(relevant, specified, k, &cpu));
    let goal = goal.and_then(|goal| match delta {
        Some(delta) => goal.with_delta(delta),
        None => Ok(goal),
    });
    goal.map_err(refused)
}
