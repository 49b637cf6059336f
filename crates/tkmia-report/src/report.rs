//! [`Report`]: what an experiment found.

use std::collections::BTreeMap;
use std::path::Path;

use tkmia_attacks::{AttackSettings, JUDGING_PASSES};
use tkmia_experiment::{ExperimentError, Inputs, Job, Missed, Plan, Shard, Trial, passes_at_most};

use crate::by_image::Images;
use crate::comparison::Found;
use crate::label::label;
use crate::optimality::optimality;
use crate::rank::rank;
use crate::rival::{Versus, rivals};
use crate::row::RowFacts;
use crate::samples::Samples;
use crate::{Record, ReportError, ReportTable, Rival, Row};

/// What an experiment found: a pure function of its plan and its records.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The heading.
    pub title: String,
    /// Victim, data and tuning data among others.
    pub inputs: Inputs,
    /// Records that there are, and that there are to be.
    pub records: [usize; 2],
    /// Which part of the samples they are of, if not all.
    pub shard: Option<Shard>,
    /// The tables, in the experiment's order.
    pub tables: Vec<ReportTable>,
    /// How hyper-parameters were chosen.
    pub trials: Vec<Trial>,
    /// Images that could not be attacked.
    pub missed: Missed,
}

/// Takes the records of a plan one after another, with the positions of their jobs.
pub(crate) type Take<'a> = &'a mut dyn FnMut(usize, Record) -> Result<(), ReportError>;

impl Report {
    /// The report of a folder's records. They are read twice where attacks stand beside rivals, and once otherwise; of a record a
    /// few numbers are kept while its attack is read, and one until the end.
    ///
    /// # Errors
    /// [`ReportError::Experiment`] if there are records that aren't the plan's, or can't be read; [`ReportError::Metrics`] if
    /// a record's scores and labels can't be measured.
    pub fn read(plan: &Plan, folder: &Path) -> Result<Self, ReportError> {
        Self::new(plan, |take| plan.each_record(folder, take))
    }

    /// The report of records that come in the plan's order each time.
    pub(crate) fn new(
        plan: &Plan,
        records: impl Fn(Take<'_>) -> Result<(), ReportError>,
    ) -> Result<Self, ReportError> {
        let mut reading = Reading::new(plan);
        records(&mut |job, record| reading.add(job, record))?;
        let Reading { images, rows, found, missed, count, .. } = reading.finish()?;
        let images_of = |job: usize| &images[plan.jobs[job].manifest];

        let mut rows = in_tables(plan, rows);
        let jobs = in_tables(plan, (0..plan.jobs.len()).collect());
        let mut pairs = Vec::new();
        for (table, (rows, jobs)) in rows.iter_mut().zip(&jobs).enumerate() {
            for (row, &job) in rows.iter_mut().zip(jobs) {
                row.set("local_optimality", optimality(&found[job], &found, images_of(job)));
            }
            let found: Vec<_> = jobs.iter().map(|&job| (&found[job], images_of(job))).collect();
            rank(rows, &found);
            pairs.extend(rivals(rows, &found).into_iter().map(|pair| (table, pair)));
        }

        let paired = pairs.iter().flat_map(|(table, pair)| pair.map(|row| jobs[*table][row]));
        let mut values: BTreeMap<usize, Versus> =
            paired.map(|job| (job, Versus::default())).collect();
        if !values.is_empty() {
            records(&mut |job, record| match values.get_mut(&job) {
                Some(values) => Ok(values.add(&record, plan.jobs[job].run.view())?),
                None => Ok(()),
            })?;
        }
        for (table, pair) in pairs {
            let jobs = pair.map(|row| jobs[table][row]);
            let (found, values) = (jobs.map(|job| &found[job]), jobs.map(|job| &values[&job]));
            let rival = Rival::new(pair[1], found, values, images_of(jobs[0]));
            rows[table][pair[0]].rival = Some(rival);
        }

        let tables = plan.inputs.tables.iter().cloned().zip(rows);
        Ok(Self {
            title: plan.title.clone(),
            inputs: plan.inputs.clone(),
            records: [count, plan.records()],
            shard: plan.shard,
            tables: tables.map(|(table, rows)| ReportTable { table, rows }).collect(),
            trials: plan.trials.clone(),
            missed,
        })
    }
}

/// One of each job, in the order of jobs, as those of each table.
fn in_tables<T>(plan: &Plan, of_jobs: Vec<T>) -> Vec<Vec<T>> {
    let mut tables: Vec<Vec<T>> = plan.inputs.tables.iter().map(|_| Vec::new()).collect();
    for (job, it) in plan.jobs.iter().zip(of_jobs) {
        tables[job.table].push(it);
    }
    tables
}

/// A reading of records, job by job.
struct Reading<'a> {
    plan: &'a Plan,
    /// Of each manifest.
    images: Vec<Images>,
    /// Of each job that was read.
    rows: Vec<Row>,
    /// The same, for comparisons.
    found: Vec<Found<'a>>,
    /// Of the job that is read.
    samples: Samples,
    missed: Missed,
    /// Records that there were.
    count: usize,
}

impl<'a> Reading<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            images: plan.manifests.iter().map(|_| Images::default()).collect(),
            rows: Vec::new(),
            found: Vec::new(),
            samples: Samples::default(),
            missed: plan.missed(),
            count: 0,
        }
    }

    fn add(&mut self, job: usize, record: Record) -> Result<(), ReportError> {
        while self.rows.len() < job {
            self.close()?;
        }
        self.missed.add(&record);
        self.count += 1;
        let known = self.images[self.plan.jobs[job].manifest].samples();
        Ok(self.samples.add(record, known)?)
    }

    /// Ends the job that is read.
    fn close(&mut self) -> Result<(), ReportError> {
        let (plan, at) = (self.plan, self.rows.len());
        let Job { table, manifest, run } = &plan.jobs[at];
        let mut samples = std::mem::take(&mut self.samples);
        let images = &mut self.images[*manifest];
        images.extend(samples.take_fresh());

        let setting = &plan.manifests[*manifest].setting;
        let runs = plan.jobs.iter().filter(|job| job.table == *table).map(|job| &job.run);
        let runs: Vec<&AttackSettings> = runs.collect();
        let (mut caps, _) = passes_at_most(run, setting.k, plan.inputs.data.classes.len())
            .map_err(ExperimentError::from)?;
        // As records count them.
        caps.forward -= JUDGING_PASSES;
        let facts = RowFacts {
            setting,
            run,
            label: label(run, &runs),
            planned: plan.samples_of(at),
            caps,
            printed: plan.inputs.tables[*table].printed(setting, run.name()),
        };
        self.rows.push(Row::new(facts, &samples, images)?);
        self.found.push(Found::new(*manifest, run, &samples.measured));
        Ok(())
    }

    fn finish(mut self) -> Result<Self, ReportError> {
        while self.rows.len() < self.plan.jobs.len() {
            self.close()?;
        }
        Ok(self)
    }
}
