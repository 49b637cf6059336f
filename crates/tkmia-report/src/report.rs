//! [`Report`]: what an experiment found.

use std::collections::HashMap;

use tkmia_attacks::AttackSettings;
use tkmia_experiment::{Plan, Setting, Shard, Trial};

use crate::label::label;
use crate::optimality::BestKnown;
use crate::rival::find_rivals;
use crate::samples::Samples;
use crate::{Record, ReportError, ReportTable, Row};

/// What an experiment found: a pure function of its plan and its records.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The heading.
    pub title: String,
    /// The classifier, in words.
    pub victim: String,
    /// The name of the data set and the number of its images.
    pub data: (String, usize),
    /// The label names.
    pub classes: Vec<String>,
    /// Records that there are, and that there are to be.
    pub records: [usize; 2],
    /// Which part of the samples they are of, if not all.
    pub shard: Option<Shard>,
    /// The tables, in the experiment's order.
    pub tables: Vec<ReportTable>,
    /// How hyper-parameters were chosen.
    pub trials: Vec<Trial>,
}

impl Report {
    /// The report of these records.
    ///
    /// # Errors
    /// [`ReportError::Metrics`] if a record's scores and labels can't be measured.
    pub fn new(plan: &Plan, records: &[Record]) -> Result<Self, ReportError> {
        let mut groups: HashMap<(&Setting, &str), Vec<&Record>> = HashMap::new();
        for record in records {
            groups.entry((&record.setting, &record.key)).or_default().push(record);
        }
        let best_known = BestKnown::new(records);
        let mut tables: Vec<ReportTable> = Vec::new();
        for (number, table) in plan.inputs.tables.iter().enumerate() {
            let jobs = plan.jobs.iter().filter(|job| job.table == number);
            let runs: Vec<&AttackSettings> = jobs.clone().map(|job| &job.run).collect();
            let keys: Vec<String> = runs.iter().map(|run| run.key()).collect();
            let (mut rows, mut row_records) = (Vec::new(), Vec::new());
            for (job, key) in jobs.zip(&keys) {
                let setting = &plan.manifests[job.manifest].setting;
                let records = groups.get(&(setting, key.as_str())).map_or(&[][..], Vec::as_slice);
                let samples = Samples::new(&job.run, setting.k, records, &best_known)?;
                let printed = table.printed(setting, job.run.name());
                let planned = plan.positions(job.manifest).len();
                rows.push(Row::new(setting, label(&job.run, &runs), planned, printed, &samples)?);
                row_records.push(records);
            }
            find_rivals(&mut rows, &row_records);
            tables.push(ReportTable { table: table.clone(), rows });
        }
        let inputs = &plan.inputs;
        Ok(Self {
            title: plan.title.clone(),
            victim: inputs.victim.description.clone(),
            data: (inputs.data.name.clone(), inputs.data.images),
            classes: inputs.data.classes.clone(),
            records: [records.len(), plan.records()],
            shard: plan.shard,
            tables,
            trials: plan.trials.clone(),
        })
    }
}
