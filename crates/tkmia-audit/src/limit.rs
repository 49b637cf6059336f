//! [`Limit`]: below what an audit counts as failed.

use std::fmt;
use std::str::FromStr;

use crate::Findings;

/// A figure of the audit that may not be lower than some number: `median-norm=0.5`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    figure: Figure,
    least: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    Norm,
    Rms,
}

impl Figure {
    const NAMES: [(&str, Self); 2] = [("median-norm", Self::Norm), ("median-rms", Self::Rms)];
}

impl Limit {
    /// What was found, if that is below the limit. A tagger that resisted on most images is below none.
    pub fn undercut(&self, findings: &Findings) -> Option<f64> {
        let found = match self.figure {
            Figure::Norm => findings.overall.median_norm,
            Figure::Rms => findings.overall.median_rms,
        };
        found.filter(|found| *found < self.least)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Figure::NAMES.iter().find(|(_, figure)| *figure == self.figure);
        write!(f, "{}={}", named.map_or("", |(name, _)| name), self.least)
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names: Vec<&str> = Figure::NAMES.iter().map(|(name, _)| *name).collect();
        let wrong = || format!("expected {}=NUMBER, found `{text}`", names.join(" or "));
        let (name, least) = text.split_once('=').ok_or_else(wrong)?;
        let figure = Figure::NAMES.iter().find(|(known, _)| *known == name).ok_or_else(wrong)?.1;
        let least: f64 = least.parse().map_err(|_| wrong())?;
        if !(least.is_finite() && least >= 0.0) {
            return Err(wrong());
        }
        Ok(Self { figure, least })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_as_it_is_written() {
        for text in ["median-norm=0.5", "median-rms=2"] {
            assert_eq!(text.parse::<Limit>().map(|limit| limit.to_string()).as_deref(), Ok(text));
        }
        for text in ["median-norm", "median-norm=", "mean=1", "median-rms=-1", "median-rms=NaN"] {
            let error = text.parse::<Limit>().unwrap_err();
            assert!(error.contains("median-norm or median-rms=NUMBER"), "{error}");
        }
    }
}
