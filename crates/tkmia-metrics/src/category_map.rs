//! mAP@k over categories: for each category the samples are ranked, not for each sample the labels.

use crate::rows::rank_rows;
use crate::{MetricsError, Ranking, average_precision_at_k, mean};
use alloc::vec::Vec;

/// Category-wise mean average precision at `k`.
///
/// Sun et al. 2023, Eq. 10: for each category the samples are ranked by that category's score (ties
/// go to the sample that comes first), [AP@k](average_precision_at_k) is taken over them with
/// `N_k = min(k, number of positive samples)`, and these are averaged over the categories that have
/// a positive sample. In `[0, 1]`. A list of fewer than `k` samples is used whole. The paper's
/// tables hold the instance-wise mAP@k instead, the mean of
/// [AP@k](average_precision_at_k) over samples.
///
/// Samples without a relevant label take part in no list, as in all means of this crate. They would be
/// negatives in every list, and can only lower the value: on data with such samples it is above the one
/// that counts them, which other tools give. [`mean_measures`](crate::mean_measures) says how many were
/// left out. `None` when no sample has a relevant label.
///
/// # Shapes
/// - scores: `[rows, classes]`
/// - relevant: `[rows, classes]`
///
/// # Errors
/// [`MetricsError::TopKOutOfRange`] if `k` is 0 or above the number of labels (the same range as
/// for the other measures), [`MetricsError::LengthMismatch`] if rows and labels don't match, and
/// [`MetricsError::Row`] around what is wrong with a row.
///
/// # Example
///
/// Category 0 ranks the samples 0, 1, 2 and category 1 ranks them 2, 1, 0. At `k = 1` the first is
/// right about sample 0 and the second is wrong about sample 2.
///
/// ```
/// use tkmia_metrics::category_map_at_k;
///
/// let scores = [[0.9_f32, 0.1], [0.5, 0.2], [0.1, 0.3]];
/// let relevant = [[true, false], [false, true], [true, false]];
/// assert_eq!(category_map_at_k(&scores, &relevant, 1)?, Some(0.5));
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
pub fn category_map_at_k<T, S, R>(
    scores: &[S],
    relevant: &[R],
    k: usize,
) -> Result<Option<f64>, MetricsError>
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

    let rows = scores.iter().map(AsRef::as_ref).zip(relevant.iter().map(AsRef::as_ref));
    let kept: Vec<(&[T], &[bool])> = rows.filter(|(_, flags)| flags.contains(&true)).collect();

    // From here on nothing can fail: `rank_rows` saw every score.
    let mut found = Vec::new();
    for category in 0..first.classes() {
        let column: Vec<T> = kept.iter().map(|(scores, _)| scores[category]).collect();
        let positive: Vec<bool> = kept.iter().map(|(_, flags)| flags[category]).collect();
        if positive.contains(&true) {
            let samples = Ranking::new(&column)?;
            found.extend(average_precision_at_k(&samples, &positive, k.min(kept.len()))?);
        }
    }
    Ok(mean(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tied_samples_rank_in_the_order_given() -> Result<(), MetricsError> {
        let relevant = [[false, true], [true, false]];
        // Both categories put sample 0 first: wrong for category 0, right for category 1.
        assert_eq!(category_map_at_k(&[[0.5_f32; 2]; 2], &relevant, 1)?, Some(0.5));
        Ok(())
    }

    #[test]
    fn a_sample_without_a_relevant_label_takes_no_place() -> Result<(), MetricsError> {
        let (scores, relevant) = ([[0.9_f32, 0.8], [0.5, 0.1]], [[false, false], [true, false]]);
        // In the list of category 0 it would come before the positive sample, whose AP@2 were 1/2.
        assert_eq!(category_map_at_k(&scores, &relevant, 2)?, Some(1.0));
        assert_eq!(category_map_at_k(&scores[..1], &relevant[..1], 2)?, None);
        let means = crate::mean_measures(&scores, &relevant, None, 2)?.expect("one is left");
        assert_eq!((means.get("map_category"), means.skipped), (Some(1.0), 1));
        Ok(())
    }

    #[test]
    fn fewer_samples_than_k_are_used_whole() -> Result<(), MetricsError> {
        let map = category_map_at_k(&[[0.1_f32, 0.2, 0.3]], &[[true, false, false]], 3)?;
        assert_eq!(map, Some(1.0));
        Ok(())
    }
}
