//! mAP@k over categories: for each category the samples are ranked, not for each sample the labels.

use alloc::vec::Vec;

use crate::average_precision::average_precision;
use crate::ranking::size;
use crate::rows::rank_rows;
use crate::{MetricsError, mean};

/// Category-wise mean average precision at `k`.
///
/// Sun et al. 2023, Eq. 10: for each category the samples are ranked by that category's score (ties
/// go to the sample that comes first), [AP@k](crate::average_precision_at_k) is taken over them with
/// `N_k = min(k, number of positive samples)`, and these are averaged over the categories that have
/// a positive sample. In `[0, 1]`. A list of fewer than `k` samples is used whole. The paper's
/// tables hold the instance-wise mAP@k instead, the mean of
/// [AP@k](crate::average_precision_at_k) over samples.
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
    let mut best = BestSamples::new(k);
    let mut found = false;
    for (row, ranking) in rank_rows(scores, relevant)?.enumerate() {
        ranking?.top(k)?;
        let relevant = relevant[row].as_ref();
        if size(relevant) > 0 {
            best.add(scores[row].as_ref(), relevant);
            found = true;
        }
    }
    Ok(found.then(|| best.category_map()).flatten())
}

/// For each category the samples that rank first in it, all that a list cut off at `k` needs of any number of samples.
#[derive(Debug, Clone)]
pub struct BestSamples {
    k: usize,
    categories: Vec<Category>,
}

/// What is known of a category.
#[derive(Debug, Clone, Default)]
struct Category {
    /// Scores, and whether the sample is positive: `k` at most, the highest score first.
    list: Vec<(f64, bool)>,
    /// How many samples are positive.
    positive: usize,
}

impl BestSamples {
    pub(crate) fn new(k: usize) -> Self {
        Self { k, categories: Vec::new() }
    }

    /// Adds a sample of finite scores, with its flags: both `[classes]`.
    pub(crate) fn add<T: Copy + Into<f64>>(&mut self, scores: &[T], relevant: &[bool]) {
        self.categories.resize_with(scores.len(), Category::default);
        let labels = scores.iter().zip(relevant);
        for (category, (&score, &positive)) in self.categories.iter_mut().zip(labels) {
            let score = score.into();
            category.positive += usize::from(positive);
            // Behind those that came before it with the same score.
            let place = category.list.partition_point(|&(other, _)| other >= score);
            if place < self.k {
                category.list.truncate(self.k - 1);
                category.list.insert(place, (score, positive));
            }
        }
    }

    /// Their [`category_map_at_k`].
    pub(crate) fn category_map(&self) -> Option<f64> {
        let precision = |category: &Category| {
            let hits = category.list.iter().map(|&(_, positive)| positive);
            average_precision(hits, self.k.min(category.positive))
        };
        mean(self.categories.iter().filter_map(precision))
    }
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
