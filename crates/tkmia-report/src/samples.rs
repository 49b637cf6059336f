//! [`Samples`]: the records of one attack on one setting, measured one after another.

use std::collections::BTreeMap;

use tkmia_attacks::{Indicator, Norm, Passes};
use tkmia_experiment::Controlled;
use tkmia_metrics::{Measures, MetricsError, Ranking, RunningMeans, Sample};

use crate::by_image::Images;
use crate::{ClassSuccess, Record};

/// The numbers of a record, and what the attack changed.
#[derive(Debug)]
pub(crate) struct Measured {
    pub success: bool,
    pub success_rounded: bool,
    pub iterations: usize,
    pub passes: Passes,
    pub norm: f64,
    pub norm_input: f64,
    pub norm_pixels: f64,
    pub linf_input: f64,
    pub linf_pixels: f64,
    pub universal: Option<Box<Controlled>>,
    pub seconds: f64,
    /// Δ, clean minus perturbed.
    pub changes: Measures,
}

impl Measured {
    /// # Errors
    /// Scores and labels that can't be measured.
    pub fn new(record: &Record) -> Result<Self, MetricsError> {
        let (k, flags) = (record.setting.k, Flags::of(record));
        let measures = |scores: &[f32]| {
            let (ranking, specified) = (&Ranking::new(scores)?, Some(&flags.specified[..]));
            Measures::of(&Sample { ranking, relevant: &flags.relevant, specified, k })
        };
        Ok(Self {
            success: record.success,
            success_rounded: record.success_rounded,
            iterations: record.iterations,
            passes: record.passes,
            norm: record.norm,
            norm_input: record.norm_input,
            norm_pixels: record.norm_pixels,
            linf_input: record.linf_input,
            linf_pixels: record.linf_pixels(),
            universal: record.universal.clone().map(Box::new),
            seconds: record.seconds,
            changes: measures(&record.clean_scores)? - measures(&record.scores)?,
        })
    }
}

impl Measured {
    /// The norm of the perturbation of a success, by which its attack is judged.
    pub fn size(&self, norm: Norm) -> Option<f64> {
        self.success.then_some(match norm {
            Norm::L2 => self.norm_input,
            Norm::Linf => self.linf_input,
        })
    }
}

/// The labels of a record as flags, `[classes]`.
struct Flags {
    relevant: Vec<bool>,
    specified: Vec<bool>,
}

impl Flags {
    fn of(record: &Record) -> Self {
        // Longer than the scores, which no measure takes, if a label is beyond.
        let flags = |labels: &[usize]| {
            let length = labels.iter().fold(record.scores.len(), |n, label| n.max(label + 1));
            (0..length).map(|label| labels.contains(&label)).collect()
        };
        Self { relevant: flags(&record.relevant), specified: flags(&record.specified) }
    }
}

/// The records of one attack on one setting, and what cells are computed from them.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    pub measured: Vec<Measured>,
    /// The means over the samples of each draw, clean and perturbed.
    means: Vec<[RunningMeans; 2]>,
    /// Of how many samples, draw by draw, an attack succeeded at a number of iterations.
    successes_at: BTreeMap<usize, usize>,
    /// See [`Row::indicators`](crate::Row::indicators).
    pub indicators: BTreeMap<Indicator, [usize; 2]>,
    classes: BTreeMap<usize, [usize; 2]>,
    /// The images of samples that weren't known, and their draws.
    fresh: Vec<(String, Vec<usize>)>,
}

impl Samples {
    /// Adds the record of the next sample of the manifest, of whose samples so many are known.
    ///
    /// # Errors
    /// Scores and labels that can't be measured.
    pub fn add(&mut self, record: Record, known: usize) -> Result<(), MetricsError> {
        let k = record.setting.k;
        let measured = Measured::new(&record)?;
        let draws = draws_of(&record);
        let Flags { relevant, specified } = Flags::of(&record);
        for &draw in &draws {
            while self.means.len() <= draw {
                self.means.push([RunningMeans::new(k), RunningMeans::new(k)]);
            }
            for (means, scores) in
                self.means[draw].iter_mut().zip([&record.clean_scores, &record.scores])
            {
                means.add(scores, &relevant, Some(&specified))?;
            }
        }
        // A sample counts once for each draw.
        if record.success {
            *self.successes_at.entry(record.iterations).or_default() += draws.len();
        }
        for indicator in &record.indicators {
            let [all, failures] = self.indicators.entry(*indicator).or_default();
            *all += draws.len();
            *failures += if record.success { 0 } else { draws.len() };
        }
        let (clean, now) = (Ranking::new(&record.clean_scores)?, Ranking::new(&record.scores)?);
        let (before, after) = (clean.top(k)?, now.top(k)?);
        for label in record.specified.iter().filter(|label| before.contains(label)) {
            let [samples, left] = self.classes.entry(*label).or_default();
            *samples += draws.len();
            *left += if after.contains(label) { 0 } else { draws.len() };
        }
        if self.measured.len() >= known {
            self.fresh.push((record.id, draws));
        }
        self.measured.push(measured);
        Ok(())
    }

    /// The images of the samples that weren't known when their records were added, with their draws.
    pub fn take_fresh(&mut self) -> Vec<(String, Vec<usize>)> {
        std::mem::take(&mut self.fresh)
    }

    /// The measured samples draw by draw, as [`Images::drawn`], with their places.
    pub fn drawn<'s>(&'s self, images: &Images) -> impl Iterator<Item = (usize, &'s Measured)> {
        images.drawn(self.measured.len()).map(|at| (at, &self.measured[at]))
    }

    /// The means over the samples of each draw that has some, clean and perturbed.
    pub fn means(&self) -> impl Iterator<Item = [Measures; 2]> {
        self.means.iter().filter_map(|[clean, now]| Some([clean.get()?.means, now.get()?.means]))
    }

    /// For each number of iterations that a success took: the share of so many samples that had succeeded by then.
    pub fn successes_by_iteration(&self, samples: usize) -> Vec<(usize, f64)> {
        let mut sum = 0;
        let step = |(&iterations, count): (&usize, &usize)| {
            sum += count;
            (iterations, sum as f64 / samples as f64)
        };
        self.successes_at.iter().map(step).collect()
    }

    /// How often each specified class was in the top-k, and left it.
    pub fn classes(&self) -> Vec<ClassSuccess> {
        let counts = self.classes.iter();
        counts.map(|(&class, &[samples, left])| ClassSuccess { class, samples, left }).collect()
    }
}

/// The draws that gave a record's specified labels, ascending; under the global scheme the first is the only one.
fn draws_of(record: &Record) -> Vec<usize> {
    let mut draws = record.draws.clone();
    draws.sort_unstable();
    draws.dedup();
    if draws.is_empty() { vec![0] } else { draws }
}
