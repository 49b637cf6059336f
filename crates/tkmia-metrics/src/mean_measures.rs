//! [`MeanMeasures`]: measures averaged over samples, of a batch or one after another.

use serde::{Deserialize, Serialize};

use crate::measure::Formula;
use crate::rows::{check_length, rank_row};
use crate::{BestSamples, MEASURES, Measures, MetricsError, Sample};

/// The measures of a batch at one `k`, averaged over the samples that have a relevant label.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanMeasures {
    /// The means. That of `ap` is the instance-wise mAP@k of the paper's tables.
    #[serde(flatten)]
    pub means: Measures,
    /// Number of samples given, the skipped ones included.
    pub n: usize,
    /// Number of samples without a relevant label: they take part in none of the means.
    pub skipped: usize,
}

impl MeanMeasures {
    /// The mean of the measure of this name; `None` if it has none, or there is no such measure.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.means.get(name)
    }
}

/// Measures a batch of samples at one `k` and averages over them.
///
/// A sample without a relevant label is left out of every mean and counted in `skipped`. `None`
/// when that leaves no sample. Measures that need specified labels are left out where none are
/// given.
///
/// # Shapes
/// - scores: `[rows, classes]`
/// - relevant: `[rows, classes]`
/// - specified: `[rows, classes]`
///
/// # Errors
/// [`MetricsError::LengthMismatch`] if the rows of scores and labels don't match,
/// [`MetricsError::TopKOutOfRange`], and [`MetricsError::Row`] around what is wrong with a row,
/// skipped rows included.
///
/// # Example
///
/// Two samples, a hit at the first place and one at the second; a third has no relevant label.
///
/// ```
/// use tkmia_metrics::mean_measures;
///
/// let scores = [[0.9_f32, 0.5, 0.1], [0.5, 0.9, 0.1], [0.3, 0.2, 0.1]];
/// let relevant = [[true, false, false], [true, false, false], [false, false, false]];
/// let means = mean_measures(&scores, &relevant, None, 2)?.expect("two have a relevant label");
/// assert_eq!((means.n, means.skipped), (3, 1));
/// assert_eq!(means.get("p"), Some(0.5));
/// assert_eq!(means.get("ap"), Some((1.0 + 0.5) / 2.0));
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
pub fn mean_measures<T, S, R>(
    scores: &[S],
    relevant: &[R],
    specified: Option<&[R]>,
    k: usize,
) -> Result<Option<MeanMeasures>, MetricsError>
where
    T: Copy + Into<f64>,
    S: AsRef<[T]>,
    R: AsRef<[bool]>,
{
    check_length("rows of labels", scores.len(), relevant.len())?;
    if let Some(specified) = specified {
        check_length("rows of specified labels", scores.len(), specified.len())?;
    }
    let mut means = RunningMeans::new(k);
    for (row, (scores, relevant)) in scores.iter().zip(relevant).enumerate() {
        let specified = specified.map(|specified| specified[row].as_ref());
        let added = means.add(scores.as_ref(), relevant.as_ref(), specified);
        added.map_err(|fault| match fault {
            MetricsError::TopKOutOfRange { .. } => fault,
            of_row => of_row.in_row(row),
        })?;
    }
    Ok(means.get())
}

/// [`mean_measures`] of samples that come one after another, in memory that doesn't grow with their number.
///
/// # Example
///
/// ```
/// use tkmia_metrics::RunningMeans;
///
/// let mut means = RunningMeans::new(2);
/// means.add(&[0.9_f32, 0.5, 0.1], &[true, false, false], None)?;
/// let second = means.add(&[0.5_f32, 0.9, 0.1], &[true, false, false], None)?;
/// assert_eq!(second.get("ap"), Some(0.5));
/// assert_eq!(means.get().and_then(|means| means.get("ap")), Some((1.0 + 0.5) / 2.0));
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct RunningMeans {
    k: usize,
    classes: Option<usize>,
    /// The sum of each measure, and of how many values.
    sums: [(f64, f64); MEASURES.len()],
    best: BestSamples,
    n: usize,
    skipped: usize,
}

impl RunningMeans {
    /// Of no sample yet, at this `k`.
    pub fn new(k: usize) -> Self {
        let sums = [(0.0, 0.0); MEASURES.len()];
        Self { k, classes: None, sums, best: BestSamples::new(k), n: 0, skipped: 0 }
    }

    /// Adds a sample, and gives its own measures. Without a relevant label it takes part in no mean.
    ///
    /// # Shapes
    /// - scores, relevant, specified: `[classes]`
    ///
    /// # Errors
    /// [`MetricsError::LengthMismatch`] if the scores aren't as many as the first sample's, or the labels aren't as many as
    /// they; [`MetricsError::NonFiniteScore`], and [`MetricsError::TopKOutOfRange`].
    pub fn add<T: Copy + Into<f64>>(
        &mut self,
        scores: &[T],
        relevant: &[bool],
        specified: Option<&[bool]>,
    ) -> Result<Measures, MetricsError> {
        let ranking = rank_row(self.classes.unwrap_or(scores.len()), scores, relevant)?;
        if let Some(specified) = specified {
            check_length("label flags", scores.len(), specified.len())?;
        }
        let measures = Measures::of(&Sample { ranking: &ranking, relevant, specified, k: self.k })?;
        self.classes = Some(scores.len());
        self.n += 1;
        if !relevant.contains(&true) {
            self.skipped += 1;
            return Ok(measures);
        }
        self.best.add(scores, relevant);
        for ((sum, count), measure) in self.sums.iter_mut().zip(&MEASURES) {
            if let Some(value) = measures.get(measure.name) {
                (*sum, *count) = (*sum + value, *count + 1.0);
            }
        }
        Ok(measures)
    }

    /// The means by now; `None` if no sample has a relevant label.
    pub fn get(&self) -> Option<MeanMeasures> {
        let mean = |at: usize| match (MEASURES[at].formula, self.sums[at]) {
            (Formula::OverSamples(value), _) => value(&self.best),
            (Formula::PerSample(_), (sum, count)) => (count > 0.0).then(|| sum / count),
        };
        let Self { n, skipped, .. } = *self;
        (n > skipped).then(|| MeanMeasures { means: Measures::from_fn(mean), n, skipped })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_without_a_relevant_label_has_no_means() -> Result<(), MetricsError> {
        assert_eq!(mean_measures(&[[0.1_f32, 0.2]], &[[false; 2]], None, 1)?, None);
        assert_eq!(mean_measures::<f32, [f32; 2], [bool; 2]>(&[], &[], None, 1)?, None);
        Ok(())
    }

    #[test]
    fn k_is_checked_even_where_every_sample_is_skipped() {
        let error = mean_measures(&[[0.1_f32, 0.2]], &[[false; 2]], None, 3).unwrap_err();
        assert_eq!(error, MetricsError::TopKOutOfRange { k: 3, classes: 2 });
    }

    #[test]
    fn a_skipped_row_is_checked_like_any_other() {
        let scores = [[0.1, 0.2], [f64::NAN, 0.2]];
        let error = mean_measures(&scores, &[[true; 2], [false; 2]], None, 1).unwrap_err();
        assert!(matches!(error, MetricsError::Row { row: 1, .. }), "{error}");
    }

    #[test]
    fn where_nothing_is_hit_no_mean_has_a_sign() {
        let means = mean_measures(&[[0.9, 0.1]; 2], &[[false, true]; 2], None, 1).unwrap().unwrap();
        let json = serde_json::to_string(&means).unwrap();
        assert!(json.contains(r#""ndcg":0.0"#) && !json.contains("-0"), "{json}");
        assert!(json.ends_with(r#","n":2,"skipped":0}"#), "{json}");
    }

    #[test]
    fn specified_flags_are_checked_like_any_others() {
        let (scores, relevant) = ([[0.1, 0.2]; 2], [vec![true; 2], vec![true; 2]]);
        let measured =
            |specified: &[Vec<bool>]| mean_measures(&scores, &relevant, Some(specified), 1);
        assert!(matches!(measured(&[vec![true; 2]]), Err(MetricsError::LengthMismatch { .. })));
        let error = measured(&[vec![true; 2], vec![true; 3]]).unwrap_err();
        assert!(matches!(error, MetricsError::Row { row: 1, .. }), "{error}");
    }
}
