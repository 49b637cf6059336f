//! [`Cell`]: a mean of a table, with its interval and what the paper prints there.

use tkmia_metrics::mean;

use crate::by_image::ByImage;

/// A mean over samples.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cell {
    /// The mean, if there is a sample.
    pub value: Option<f64>,
    /// Its 95 % interval over images, where there is one.
    pub interval: Option<[f64; 2]>,
    /// The standard deviation of the means over the draws of the specified labels, of several.
    pub spread: Option<f64>,
    /// What the paper prints there.
    pub printed: Option<f64>,
}

impl Cell {
    /// A ratio or a mean with its interval.
    pub(crate) fn of_pairs(pairs: &ByImage) -> Self {
        Self { value: pairs.ratio(), interval: pairs.interval(), ..Self::default() }
    }

    /// `0.170 [0.101, 0.239] ± 0.012 (0.1698)`: mean, interval, spread over draws, and what the paper prints, marked by
    /// `†` where that is suspect; `–` without a sample.
    pub(crate) fn text(&self, digits: usize, suspect: bool) -> String {
        let mut text = match self.value {
            None => "–".to_owned(),
            Some(value) => fixed(value, digits),
        };
        if let Some(certainty) = self.certainty(digits) {
            text += &format!(" {certainty}");
        }
        if let Some(printed) = self.printed {
            text += &format!(" ({printed:.4}{})", if suspect { "†" } else { "" });
        }
        text
    }

    /// `[0.101, 0.239] ± 0.012`, as far as there are such.
    pub(crate) fn certainty(&self, digits: usize) -> Option<String> {
        let interval = self
            .interval
            .map(|[low, high]| format!("[{}, {}]", fixed(low, digits), fixed(high, digits)));
        let spread = self.spread.map(|spread| format!("± {}", fixed(spread, digits)));
        let texts: Vec<String> = interval.into_iter().chain(spread).collect();
        (!texts.is_empty()).then(|| texts.join(" "))
    }
}

/// The standard deviation of several values.
pub(crate) fn deviation(values: &[f64]) -> Option<f64> {
    let middle = mean(values.iter().copied()).filter(|_| values.len() > 1)?;
    let square: f64 = values.iter().map(|value| (value - middle).powi(2)).sum();
    Some((square / (values.len() - 1) as f64).sqrt())
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
        let text = |cell: Cell| cell.text(2, true);
        let (value, interval) = (Some(0.5), Some([0.25, 0.75]));
        assert_eq!(text(Cell::default()), "–");
        assert_eq!(text(Cell { printed: Some(0.1698), ..Cell::default() }), "– (0.1698†)");
        let cell = Cell { value, interval, ..Cell::default() };
        assert_eq!(text(Cell { printed: Some(0.25), ..cell }), "0.50 [0.25, 0.75] (0.2500†)");
        let spread = deviation(&[0.5, 0.7]);
        assert_eq!(text(Cell { spread, ..cell }), "0.50 [0.25, 0.75] ± 0.14");
        assert_eq!(deviation(&[0.5]), None);
        assert_eq!(fixed(-0.0004, 3), "0.000");
        assert_eq!(fixed(-0.04, 3), "-0.040");
    }
}
