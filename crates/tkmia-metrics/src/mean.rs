//! [`mean`]: the one way in which numbers are averaged.

/// Arithmetic mean; `None` without a value.
///
/// # Example
///
/// ```
/// use tkmia_metrics::mean;
///
/// assert_eq!(mean([1.0, 2.0, 0.0, 1.0]), Some(1.0));
/// assert_eq!(mean([]), None);
/// ```
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    // From 0.0: what `Iterator::sum` starts from is −0.0, which a mean of −0.0 would show.
    let add = |(sum, count), value| (sum + value, count + 1.0);
    let (sum, count) = values.into_iter().fold((0.0, 0.0), add);
    (count > 0.0).then(|| sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_of_nothing_but_zeros_has_no_sign() {
        assert_eq!(mean([-0.0, -0.0]).map(f64::to_bits), Some(0.0_f64.to_bits()));
    }
}
