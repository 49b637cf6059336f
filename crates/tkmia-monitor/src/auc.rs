//! [`auc`]: how well one image alone tells an attack.

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

/// The share of sorted numbers that are below this one, those that equal it by half.
pub(crate) fn rank(sorted: &[f64], value: f64) -> f64 {
    let below = sorted.partition_point(|other| *other < value);
    let equal = sorted[below..].partition_point(|other| *other == value);
    (below as f64 + equal as f64 / 2.0) / sorted.len() as f64
}
