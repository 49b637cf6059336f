//! [`Samples`]: the records of one attack on one setting, measured.

use std::ops::Range;

use tkmia_metrics::{Measures, MetricsError, Ranking, Sample, mean_measures, norm_quantile};

use crate::Record;
use crate::comparison::Found;
use crate::optimality::optimality;

/// Records, once for each draw of the specified labels that they are of: the first draw's first.
#[derive(Debug)]
pub(crate) struct Drawn<'a> {
    pub records: Vec<&'a Record>,
    /// Where each draw's are.
    pub draws: Vec<Range<usize>>,
    /// How many records there are, each counted once.
    pub recorded: usize,
}

impl<'a> Drawn<'a> {
    pub fn new(found: &[&'a Record]) -> Self {
        let count = found.iter().flat_map(|record| &record.draws).max().map_or(1, |last| last + 1);
        let (mut records, mut draws) = (Vec::new(), Vec::new());
        for draw in 0..count {
            let start = records.len();
            records.extend(found.iter().filter(|record| record.is_of_draw(draw)));
            draws.push(start..records.len());
        }
        Self { records, draws, recorded: found.len() }
    }
}

/// The records of one attack on one setting, and what cells are computed from them.
#[derive(Debug)]
pub(crate) struct Samples<'a> {
    pub found: Found<'a>,
    pub draws: &'a [Range<usize>],
    /// Δ of each sample, clean minus perturbed.
    pub changes: Vec<Measures>,
    /// The means over the samples of each draw, clean and perturbed.
    pub means: Vec<[Measures; 2]>,
    /// See [`optimality`].
    pub optimality: Option<f64>,
}

impl<'a> Samples<'a> {
    /// # Errors
    /// Scores and labels that can't be measured.
    pub fn new(
        found: Found<'a>,
        draws: &'a [Range<usize>],
        all: &[Found<'_>],
    ) -> Result<Self, MetricsError> {
        let (records, k) = (found.records, found.setting.k);
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
        let mut means = Vec::new();
        for draw in draws {
            let measured = |scores: fn(&Record) -> &[f32]| {
                let scores: Vec<&[f32]> = records[draw.clone()].iter().map(|r| scores(r)).collect();
                mean_measures(&scores, &relevant[draw.clone()], Some(&specified[draw.clone()]), k)
            };
            let (clean, now) = (measured(|r| &r.clean_scores)?, measured(|r| &r.scores)?);
            means.extend(clean.zip(now).map(|(clean, now)| [clean.means, now.means]));
        }
        Ok(Self { found, draws, changes, means, optimality: optimality(found, all) })
    }

    /// A quantile of a number over all samples.
    pub fn quantile(
        &self,
        quantile: f64,
        number: fn(&Record) -> f64,
    ) -> Result<Option<f64>, MetricsError> {
        let numbers: Vec<f64> = self.found.records.iter().map(|record| number(record)).collect();
        norm_quantile(&numbers, quantile)
    }
}

/// Labels as flags, `[classes]`; longer than that, which no measure takes, if a label is beyond.
fn flags(labels: &[usize], classes: usize) -> Vec<bool> {
    let length = labels.iter().fold(classes, |length, label| length.max(label + 1));
    (0..length).map(|label| labels.contains(&label)).collect()
}
