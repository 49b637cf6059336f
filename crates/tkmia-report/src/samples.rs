//! [`Samples`]: the records of one attack on one setting, measured.

use tkmia_attacks::{AttackSettings, View};
use tkmia_metrics::{
    Measure, Measures, MetricsError, Ranking, Sample, change, mean_measures, norm_quantile,
};

use crate::Record;
use crate::optimality::BestKnown;

/// The records of one attack on one setting, and what cells are computed from them.
#[derive(Debug)]
pub(crate) struct Samples<'a> {
    pub run: &'a AttackSettings,
    pub records: &'a [&'a Record],
    pub best_known: &'a BestKnown<'a>,
    /// Δ of each sample, clean minus perturbed.
    pub changes: Vec<Measures>,
    /// Δ of the means over samples.
    pub mean_changes: Option<Measures>,
}

impl<'a> Samples<'a> {
    /// # Errors
    /// Scores and labels that can't be measured.
    pub fn new(
        run: &'a AttackSettings,
        k: usize,
        records: &'a [&'a Record],
        best_known: &'a BestKnown<'a>,
    ) -> Result<Self, MetricsError> {
        let flags = |labels: fn(&Record) -> &[usize]| -> Vec<Vec<bool>> {
            records.iter().map(|record| flags(labels(record), record.scores.len())).collect()
        };
        let (relevant, specified) = (flags(|r| &r.relevant), flags(|r| &r.specified));
        let change_of = |(at, record): (usize, &&Record)| {
            let measures = |scores: &[f32]| {
                let (ranking, specified) = (&Ranking::new(scores)?, Some(&specified[at][..]));
                Measures::of(&Sample { ranking, relevant: &relevant[at], specified, k })
            };
            Ok(measures(&record.clean_scores)? - measures(&record.scores)?)
        };
        let changes = records.iter().enumerate().map(change_of).collect::<Result<_, _>>()?;
        let means = |scores: fn(&Record) -> &[f32]| {
            let scores: Vec<&[f32]> = records.iter().map(|record| scores(record)).collect();
            mean_measures(&scores, &relevant, Some(&specified), k)
        };
        let mean_changes = match (means(|r| &r.clean_scores)?, means(|r| &r.scores)?) {
            (Some(clean), Some(perturbed)) => Some(change(&clean, &perturbed)?),
            _ => None,
        };
        Ok(Self { run, records, best_known, changes, mean_changes })
    }

    /// Δ of a measure, of each sample that has it.
    pub fn changes_of(&self, measure: &Measure) -> Vec<f64> {
        self.changes.iter().filter_map(|changes| changes.get(measure.name)).collect()
    }

    /// A number of each sample.
    pub fn all(&self, number: fn(&Record) -> f64) -> Vec<f64> {
        self.records.iter().map(|record| number(record)).collect()
    }

    /// A number of each success.
    pub fn successes(&self, number: fn(&Record) -> f64) -> Vec<f64> {
        let successes = self.records.iter().filter(|record| record.success);
        successes.map(|record| number(record)).collect()
    }

    /// Whether each success is one after rounding to 8-bit pixels, too.
    pub fn kept_rounded(&self) -> Vec<f64> {
        self.successes(|record| f64::from(record.success_rounded))
    }

    /// A quantile of the norms in model-input units, over all samples.
    pub fn norm_quantile(&self, quantile: f64) -> Result<Option<f64>, MetricsError> {
        norm_quantile(&self.all(|record| record.norm_input), quantile)
    }

    /// The norms of successes in tanh space, as the paper has them: of the published forms alone.
    pub fn tanh_norms(&self) -> Vec<f64> {
        match self.run.view() {
            View::Tanh => self.successes(|record| record.norm),
            View::Image => Vec::new(),
        }
    }
}

/// Labels as flags, `[classes]`; longer than that, which no measure takes, if a label is beyond.
fn flags(labels: &[usize], classes: usize) -> Vec<bool> {
    let length = labels.iter().fold(classes, |length, label| length.max(label + 1));
    (0..length).map(|label| labels.contains(&label)).collect()
}
