//! [`MeanMeasures`]: the measures of a batch, averaged over its samples.

use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::measure::Formula;
use crate::rows::{check_length, rank_rows};
use crate::{Batch, Measures, MetricsError, Sample, mean};

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
    let rankings = rank_rows(scores, relevant)?;
    let Some(first) = rankings.first() else {
        return Ok(None);
    };
    first.top(k)?;
    if let Some(specified) = specified {
        check_length("rows of specified labels", scores.len(), specified.len())?;
        for (row, flags) in specified.iter().enumerate() {
            check_length("label flags", first.classes(), flags.as_ref().len())
                .map_err(|fault| fault.in_row(row))?;
        }
    }

    let (mut samples, mut kept_scores) = (Vec::new(), Vec::new());
    for (row, ranking) in rankings.iter().enumerate() {
        let relevant = relevant[row].as_ref();
        if relevant.contains(&true) {
            let specified = specified.map(|specified| specified[row].as_ref());
            samples.push(Sample { ranking, relevant, specified, k });
            kept_scores.push(scores[row].as_ref().iter().map(|&score| score.into()).collect());
        }
    }
    if samples.is_empty() {
        return Ok(None);
    }
    let batch = Batch { scores: &kept_scores, samples: &samples, k };
    let means = Measures::each(|measure| match measure.formula {
        Formula::OverSamples(value) => value(&batch),
        Formula::PerSample(value) => {
            let values: Result<Vec<_>, _> = samples.iter().map(value).collect();
            Ok(mean(values?.into_iter().flatten()))
        }
    })?;
    Ok(Some(MeanMeasures { means, n: scores.len(), skipped: scores.len() - samples.len() }))
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
