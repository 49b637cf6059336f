//! [`Cell`]: a mean of a table, with its interval and what the paper prints there.

use tkmia_metrics::{bootstrap_interval, mean};

/// A mean over samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The mean, if there is a sample.
    pub value: Option<f64>,
    /// Its 95 % bootstrap interval.
    pub interval: Option<[f64; 2]>,
    /// What the paper prints there.
    pub printed: Option<f64>,
}

/// Resamples behind an interval, and their seed.
const RESAMPLES: usize = 1000;
const SEED: u64 = 2023;

impl Cell {
    pub(crate) fn new(values: &[f64], printed: Option<f64>) -> Self {
        Self {
            value: mean(values.iter().copied()),
            interval: bootstrap_interval(values, RESAMPLES, SEED),
            printed,
        }
    }

    /// `0.170 [0.101, 0.239] (0.1698)`: mean, interval, and what the paper prints, marked by `†` where that
    /// is suspect; `–` without a sample.
    pub(crate) fn text(&self, digits: usize, suspect: bool) -> String {
        let mut text = match self.value {
            None => "–".to_owned(),
            Some(value) => fixed(value, digits),
        };
        if let Some([low, high]) = self.interval {
            text += &format!(" [{}, {}]", fixed(low, digits), fixed(high, digits));
        }
        if let Some(printed) = self.printed {
            text += &format!(" ({printed:.4}{})", if suspect { "†" } else { "" });
        }
        text
    }
}

/// A number with so many decimals; never `-0.000`.
pub(crate) fn fixed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| c == '0' || c == '.') => rest.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_what_it_knows() {
        let cell = |values: &[f64], printed| Cell::new(values, printed).text(2, true);
        assert_eq!(cell(&[], None), "–");
        assert_eq!(cell(&[], Some(0.1698)), "– (0.1698†)");
        assert_eq!(cell(&[0.5, 0.5], Some(0.25)), "0.50 [0.50, 0.50] (0.2500†)");
        assert_eq!(fixed(-0.0004, 3), "0.000");
        assert_eq!(fixed(-0.04, 3), "-0.040");
    }
}
