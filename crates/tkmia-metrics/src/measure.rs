//! [`MEASURES`]: the one table of measures, and what a row of it says.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::ops::RangeInclusive;

use crate::{
    BestSamples, MetricsError, Ranking, average_precision_at_k, ndcg_at_k, precision_at_k,
    specified_in_top_k, top_k_accuracy, top_k_accuracy_released,
};

/// All measures, in the order in which they are printed. A new one is its function and a row here.
pub static MEASURES: [Measure; 7] = [
    Measure {
        name: "tkacc",
        symbol: "TkAcc",
        form: "(Eq. 7)",
        latex: r"\mathrm{T}_k\mathrm{Acc}",
        source: "Sun et al. 2023, Eq. 7",
        needs: &[],
        unit: Unit::ZeroOrOne,
        better: Better::Lower,
        column: "d_tkacc_eq7",
        formula: Formula::PerSample(|s| top_k_accuracy(s.ranking, s.relevant, s.k).map(Some)),
    },
    Measure {
        name: "tkacc_released",
        symbol: "TkAcc",
        form: "(as published)",
        latex: r"\mathrm{T}_k\mathrm{Acc}",
        source: "Sun et al. 2023, published code and tables",
        needs: &[],
        unit: Unit::ZeroOrOne,
        better: Better::Lower,
        column: "d_tkacc",
        formula: Formula::PerSample(|s| {
            top_k_accuracy_released(s.ranking, s.relevant, s.k).map(Some)
        }),
    },
    Measure {
        name: "p",
        symbol: "P@k",
        form: "",
        latex: r"\mathrm{P}@k",
        source: "Sun et al. 2023, Eq. 8",
        needs: &[],
        unit: Unit::Share,
        better: Better::Lower,
        column: "d_p_at_k",
        formula: Formula::PerSample(|s| precision_at_k(s.ranking, s.relevant, s.k).map(Some)),
    },
    Measure {
        name: "ap",
        symbol: "mAP@k",
        form: "by instance",
        latex: r"\mathrm{mAP}@k",
        source: "Sun et al. 2023, Eq. 9 and tables",
        needs: &[Need::RelevantLabel],
        unit: Unit::Share,
        better: Better::Lower,
        column: "d_map_at_k",
        formula: Formula::PerSample(|s| average_precision_at_k(s.ranking, s.relevant, s.k)),
    },
    Measure {
        name: "map_category",
        symbol: "mAP@k",
        form: "by category",
        latex: r"\mathrm{mAP}@k",
        source: "Sun et al. 2023, Eq. 10",
        needs: &[Need::RelevantLabel],
        unit: Unit::Share,
        better: Better::Lower,
        column: "d_map_category",
        formula: Formula::OverSamples(BestSamples::category_map),
    },
    Measure {
        name: "ndcg",
        symbol: "NDCG@k",
        form: "",
        latex: r"\mathrm{NDCG}@k",
        source: "Sun et al. 2023, Eq. 11",
        needs: &[Need::RelevantLabel],
        unit: Unit::Share,
        better: Better::Lower,
        column: "d_ndcg_at_k",
        formula: Formula::PerSample(|s| ndcg_at_k(s.ranking, s.relevant, s.k)),
    },
    Measure {
        name: "specified_in_top_k",
        symbol: "l",
        form: "",
        latex: "l",
        source: "Sun et al. 2023, Eq. 12",
        needs: &[Need::SpecifiedLabels],
        unit: Unit::Labels,
        better: Better::Higher,
        column: "delta_l",
        formula: Formula::PerSample(|s| {
            s.specified.map(|specified| specified_in_top_k(s.ranking, specified, s.k)).transpose()
        }),
    },
];

/// One measure of top-k predictions: what it is called, what it means, and its function.
///
/// Two measures are equal when their names are.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// Its name in JSON and in code.
    pub name: &'static str,
    /// The symbol of its mean over samples, as in `mAP@k`.
    pub symbol: &'static str,
    /// What tells it from another measure of the same symbol; empty where there is none.
    pub form: &'static str,
    /// The symbol in LaTeX's mathematics.
    pub latex: &'static str,
    /// The paper, and the place of the formula in it.
    pub source: &'static str,
    /// What a sample must have; without, it has no value.
    pub needs: &'static [Need],
    /// The unit of the value of one sample.
    pub unit: Unit,
    /// Which Δ, clean minus perturbed, is the better one for an attack that hides labels unnoticed.
    pub better: Better,
    /// The column of its Δ in reports.
    pub column: &'static str,
    /// How it is computed, and averaged.
    pub formula: Formula,
}

/// What a sample must have to be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// At least one relevant label.
    RelevantLabel,
    /// The flags of its specified labels.
    SpecifiedLabels,
}

/// What the value of one sample can be. It decides the kind of interval that suits a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 0 or 1: the mean is a share of samples.
    ZeroOrOne,
    /// A number in `[0, 1]`.
    Share,
    /// A number of labels, `0..=k`.
    Labels,
}

/// Whether a small or a large Δ is the better one for the attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The measure is watched, and should not change.
    Lower,
    /// The change is the aim.
    Higher,
}

/// The function of a measure, by how the measure is averaged.
#[derive(Debug, Clone, Copy)]
pub enum Formula {
    /// It is computed for each sample, and averaged over those that have a value.
    PerSample(fn(&Sample<'_>) -> Result<Option<f64>, MetricsError>),
    /// It is computed from what ranks first among all samples that have a relevant label; one sample alone has no value.
    OverSamples(fn(&BestSamples) -> Option<f64>),
}

/// One sample, to be measured at one `k`.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// The labels in the order of their scores.
    pub ranking: &'a Ranking,
    /// The relevant labels, `[classes]`, in label order.
    pub relevant: &'a [bool],
    /// The specified labels, `[classes]`, if there are any to speak of.
    pub specified: Option<&'a [bool]>,
    /// Size of the predicted set.
    pub k: usize,
}

impl Measure {
    /// The measure of this [`name`](Self::name).
    ///
    /// # Example
    ///
    /// ```
    /// use tkmia_metrics::{Measure, Ranking, Sample};
    ///
    /// let precision = Measure::named("p").expect("the table has it");
    /// let ranking = Ranking::new(&[0.9_f32, 0.8, 0.7])?;
    /// let sample =
    ///     Sample { ranking: &ranking, relevant: &[true, false, true], specified: None, k: 2 };
    /// assert_eq!(precision.of(&sample)?, Some(0.5));
    /// assert_eq!(precision.title(sample.k), "P@2");
    /// # Ok::<(), tkmia_metrics::MetricsError>(())
    /// ```
    pub fn named(name: &str) -> Option<&'static Self> {
        MEASURES.iter().find(|measure| measure.name == name)
    }

    /// Its value of one sample; `None` if the sample lacks what it [needs](Self::needs), and always
    /// if it is [over samples](Formula::OverSamples).
    ///
    /// # Errors
    /// [`MetricsError::TopKOutOfRange`] and [`MetricsError::LengthMismatch`].
    pub fn of(&self, sample: &Sample<'_>) -> Result<Option<f64>, MetricsError> {
        match self.formula {
            Formula::PerSample(value) => value(sample),
            Formula::OverSamples(_) => Ok(None),
        }
    }

    /// Symbol and form with `k` in its place: `mAP@3 by instance`.
    pub fn title(&self, k: usize) -> String {
        self.to_string().replace("@k", &format!("@{k}"))
    }
}

impl Unit {
    /// The least and the largest value at `k`.
    pub fn range(self, k: usize) -> RangeInclusive<f64> {
        match self {
            Self::ZeroOrOne | Self::Share => 0.0..=1.0,
            Self::Labels => 0.0..=k as f64,
        }
    }
}

impl PartialEq for Measure {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Measure {}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(format!("{} {}", self.symbol, self.form).trim_end())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_rows_share_a_name_a_title_or_a_column() {
        let different =
            |texts: Vec<String>| texts.iter().collect::<HashSet<_>>().len() == texts.len();
        assert!(different(MEASURES.iter().map(|measure| measure.name.to_owned()).collect()));
        assert!(different(MEASURES.iter().map(Measure::to_string).collect()));
        let columns = MEASURES.iter().map(|measure| measure.column);
        assert!(different(columns.map(str::to_owned).collect()));
    }
}
