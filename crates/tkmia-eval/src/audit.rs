//! [`Audit`]: one attack on a victim over several settings, from images to a folder of results.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;
use tkmia_data::type_classes;
use tkmia_metrics::{MeanMeasures, mean_measures};

use crate::illustration::{MAGNIFICATION, png};
use crate::{
    Attacked, Cohort, Contender, EvalError, Record, RecordFile, Selection, Setting, Summary,
    Victim, Workers, illustrate, markdown, write_csv, write_whole,
};

/// An attack on every combination of types of labels and `k`, under the global scheme.
#[derive(Debug, Clone, Copy)]
pub struct Audit<'a> {
    /// The classifier and its images.
    pub victim: Victim<'a>,
    /// The attack and its criterion.
    pub method: Contender<'a>,
    /// The types of labels to push out, as [`type_classes`](tkmia_data::type_classes) knows them.
    pub types: &'a [String],
    /// The sizes of the predicted set.
    pub ks: &'a [usize],
    /// Samples in a setting at most, in the dataset's order; 1000 in the paper.
    pub samples: usize,
    /// How the work is cut up, and whether it is to stop.
    pub workers: Workers<'a>,
    /// The folder of the results; made if it isn't there.
    pub output: &'a Path,
}

/// How far an audit is.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// So many images are about to be scored without an attack.
    Scoring(usize),
    /// So many samples are about to be attacked, over all settings.
    Attacking(usize),
    /// Now this setting.
    Setting(&'a Setting),
    /// So many more images or samples are done.
    Done(usize),
}

/// The victim without an attack.
#[derive(Debug, Clone)]
pub struct Clean {
    scores: Vec<Vec<f32>>,
    /// Its measures at each `k`, over all images.
    pub measures: Vec<CleanMeasures>,
}

/// The victim's measures on unattacked images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CleanMeasures {
    /// Size of the predicted set.
    pub k: usize,
    /// The measures.
    #[serde(flatten)]
    pub measures: MeanMeasures,
}

/// What came of an audit.
#[derive(Debug, Clone)]
pub struct Findings {
    /// A record for each attacked sample, setting by setting.
    pub records: Vec<Record>,
    /// How many samples each setting has: more than records if the audit was stopped.
    pub planned: Vec<(Setting, usize)>,
    /// The first success of each setting, with its images.
    pub successes: Vec<Attacked>,
}

impl Findings {
    /// Samples of all settings together.
    pub fn samples_planned(&self) -> usize {
        self.planned.iter().map(|(_, samples)| samples).sum()
    }
}

impl Audit<'_> {
    /// Checks what is asked for, makes the output folder, and scores every image without an attack.
    ///
    /// # Errors
    /// A `k` that isn't in `1..c`, a type that the dataset hasn't, a setting that is asked for twice, no
    /// samples, a folder that can't be made, the first image that can't be read, and
    /// [`EvalError::Interrupted`] if the audit was stopped before every image had its scores.
    pub fn clean(&self, progress: &(dyn Fn(Progress<'_>) + Sync)) -> Result<Clean, EvalError> {
        let dataset = self.victim.dataset;
        let classes = dataset.classes().len();
        for &k in self.ks {
            if k == 0 || k >= classes {
                return Err(tkmia_core::CoreError::TopKOutOfRange { k, classes }.into());
            }
        }
        let mut settings = Vec::new();
        for types in self.types {
            let labels = type_classes(dataset, types)?;
            for &k in self.ks {
                if settings.contains(&(labels.clone(), k)) {
                    return Err(EvalError::Twice { types: types.clone(), k });
                }
                settings.push((labels.clone(), k));
            }
        }
        if self.samples == 0 {
            return Err(EvalError::Zero { what: "samples" });
        }
        fs::create_dir_all(self.output)
            .map_err(|source| EvalError::Write { path: self.output.to_owned(), source })?;

        progress(Progress::Scoring(dataset.len()));
        let done = |images| progress(Progress::Done(images));
        let scores = self.victim.clean_scores(self.method.attack, self.workers, done)?;
        if scores.len() < dataset.len() {
            return Err(EvalError::Interrupted { done: scores.len(), of: dataset.len() });
        }
        let relevant: Vec<&[bool]> =
            (0..scores.len()).map(|row| dataset.labels().row(row)).collect();
        let mut measures = Vec::new();
        for &k in self.ks {
            let means = mean_measures(&scores, &relevant, k)?;
            measures.extend(means.map(|measures| CleanMeasures { k, measures }));
        }
        Ok(Clean { scores, measures })
    }

    /// Attacks the samples of every setting. Each record is in `records.jsonl.partial` as soon as it is
    /// known; the file gets its name when the last one is in it.
    ///
    /// # Errors
    /// The first sample that can't be attacked, a file that can't be written.
    pub fn run(
        &self,
        clean: &Clean,
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Result<Findings, EvalError> {
        let dataset = self.victim.dataset;
        let mut cohorts = Vec::new();
        for types in self.types {
            for &k in self.ks {
                let setting = Setting {
                    dataset: dataset.name().to_owned(),
                    selection: Selection::Global(types.trim().to_owned()),
                    k,
                    delta: None,
                };
                // The global scheme draws nothing that a seed would matter to.
                cohorts.push(Cohort::new(dataset, setting, &clean.scores, self.samples, 0)?);
            }
        }
        let sizes = cohorts.iter().map(|cohort| (cohort.setting.clone(), cohort.members.len()));
        let planned: Vec<_> = sizes.collect();
        let mut file = RecordFile::create(self.output.join("records.jsonl"))?;

        let mut findings = Findings { records: Vec::new(), planned, successes: Vec::new() };
        progress(Progress::Attacking(findings.samples_planned()));
        let done = |samples| progress(Progress::Done(samples));
        for cohort in &cohorts {
            progress(Progress::Setting(&cohort.setting));
            let mut success = None;
            cohort.run(&self.victim, &self.method, self.workers, done, |attacked| {
                file.append(&attacked.record)?;
                findings.records.push(attacked.record.clone());
                if success.is_none() && attacked.record.success {
                    success = Some(attacked);
                }
                Ok(())
            })?;
            findings.successes.extend(success);
        }
        file.finish()?;
        Ok(findings)
    }

    /// Writes `table.md`, `table.csv` and, where there is a success, `figure.png` into the folder; a
    /// figure of an earlier run doesn't stay.
    /// Gives the table.
    ///
    /// The figure shows `pictured` successes at most, spread evenly over the settings, and their
    /// perturbations a hundred times as strong, as in the paper.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn report(&self, findings: &Findings, pictured: usize) -> Result<String, EvalError> {
        let rows = Summary::of(&findings.records)?;
        let table = markdown(&rows);
        write_whole(&self.output.join("table.md"), table.as_bytes())?;
        write_csv(&rows, &self.output.join("table.csv"))?;

        let every = findings.successes.len().div_ceil(pictured.max(1)).max(1);
        let samples: Vec<Attacked> =
            findings.successes.iter().step_by(every).take(pictured).cloned().collect();
        let path = self.output.join("figure.png");
        if samples.is_empty() {
            return match fs::remove_file(&path) {
                Err(source) if source.kind() != ErrorKind::NotFound => {
                    Err(EvalError::Write { path, source })
                }
                _ => Ok(table),
            };
        }
        let Victim { classifier, dataset, transform } = self.victim;
        let side = transform.resize.side() as usize;
        let heading = format!("{} on {}", self.method.name, dataset.name());
        let figure = illustrate(
            &samples,
            dataset.classes(),
            [side, side],
            classifier.bounds(),
            &heading,
            MAGNIFICATION,
        )?;
        write_whole(&path, &png(&figure, &path)?)?;
        Ok(table)
    }
}
