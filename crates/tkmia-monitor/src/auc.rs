//! [`auc`]: how well one image alone tells an attack; [`auc_interval`]: and how sure that is.

use alloc::vec::Vec;

use tkmia_metrics::mean_interval;

/// The area under the ROC curve of "a smaller value is an attacked image": the probability that an attacked image's value is
/// below a clean one's, ties by half (Hanley & McNeil 1982). Below ½ attacked images have the larger values.
///
/// `None` where either is empty.
///
/// # Example
///
/// ```
/// use tkmia_monitor::auc;
///
/// assert_eq!(auc(&[3.0, 2.0], &[1.0, 2.0]), Some(0.875));
/// ```
pub fn auc(clean: &[f64], attacked: &[f64]) -> Option<f64> {
    if clean.is_empty() || attacked.is_empty() {
        return None;
    }
    let mut clean = clean.to_vec();
    clean.sort_by(f64::total_cmp);
    let above = attacked.iter().map(|value| 1.0 - rank(&clean, *value));
    Some(above.sum::<f64>() / attacked.len() as f64)
}

/// The 95 % interval of [`auc`] over images, of each of which both values are there.
///
/// It is the mean of what each image adds, `P(attacked below x) + P(y below clean) − AUC` for the values `x` and `y` of its clean and
/// attacked form (DeLong, DeLong & Clarke-Pearson 1988), and has a mean's [interval](mean_interval). `None` where the lists differ
/// in length, or all images add the same.
///
/// # Example
///
/// ```
/// use tkmia_monitor::auc_interval;
///
/// let clean = [3.0, 2.0, 5.0, 4.0, 1.5, 2.5];
/// let [low, high] = auc_interval(&clean, &[1.0, 2.0, 3.0, 1.0, 2.0, 0.5]).unwrap();
/// assert!(0.5 < low && low < 0.87 && 0.87 < high);
/// ```
pub fn auc_interval(clean: &[f64], attacked: &[f64]) -> Option<[f64; 2]> {
    let area = auc(clean, attacked).filter(|_| clean.len() == attacked.len())?;
    let sorted = [clean, attacked].map(|values| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    });
    let adds = clean.iter().zip(attacked).map(|(&clean, &attacked)| {
        rank(&sorted[1], clean) + 1.0 - rank(&sorted[0], attacked) - area
    });
    let ends = mean_interval(&adds.collect::<Vec<f64>>(), 0)?;
    Some(ends.map(|end| end.clamp(0.0, 1.0)))
}

/// The share of sorted numbers that are below this one, those that equal it by half.
pub(crate) fn rank(sorted: &[f64], value: f64) -> f64 {
    let below = sorted.partition_point(|other| *other < value);
    let equal = sorted[below..].partition_point(|other| *other == value);
    (below as f64 + equal as f64 / 2.0) / sorted.len() as f64
}
