//! [`Report`]: what an experiment found.

use std::collections::{BTreeSet, HashMap};

use tkmia_attacks::{AttackSettings, JUDGING_PASSES};
use tkmia_experiment::{ExperimentError, Inputs, Plan, Setting, Shard, Trial, passes_at_most};

use crate::comparison::Found;
use crate::label::label;
use crate::rank::rank;
use crate::rival::find_rivals;
use crate::samples::{Drawn, Samples};
use crate::{Record, ReportError, ReportTable, Row};

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
    /// Images for which the victim gave a score that isn't finite, by id.
    pub lost: BTreeSet<String>,
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
        let settings = plan.jobs.iter().map(|job| &plan.manifests[job.manifest].setting);
        let settings: Vec<&Setting> = settings.collect();
        let drawn = settings.iter().zip(&plan.jobs).map(|(setting, job)| {
            let key = job.run.key();
            Drawn::new(groups.get(&(*setting, key.as_str())).map_or(&[], Vec::as_slice))
        });
        let drawn: Vec<Drawn<'_>> = drawn.collect();
        let found = settings.iter().zip(&plan.jobs).zip(&drawn);
        let found =
            found.map(|((setting, job), drawn)| Found::new(setting, &job.run, &drawn.records));
        let found: Vec<Found<'_>> = found.collect();
        let mut tables: Vec<ReportTable> = Vec::new();
        for (number, table) in plan.inputs.tables.iter().enumerate() {
            let jobs: Vec<usize> =
                (0..plan.jobs.len()).filter(|&job| plan.jobs[job].table == number).collect();
            let runs: Vec<&AttackSettings> = jobs.iter().map(|&job| &plan.jobs[job].run).collect();
            let samples =
                jobs.iter().map(|&job| Samples::new(found[job], &drawn[job].draws, &found));
            let samples = samples.collect::<Result<Vec<_>, _>>()?;
            let rows = jobs.iter().zip(&samples).map(|(&job, samples)| {
                let (setting, run) = (settings[job], &plan.jobs[job].run);
                let records = [drawn[job].recorded, plan.samples_of(job)];
                let printed = table.printed(setting, run.name());
                let (mut caps, _) = passes_at_most(run, setting.k, plan.inputs.data.classes.len())
                    .map_err(ExperimentError::from)?;
                // As records count them.
                caps.forward -= JUDGING_PASSES;
                Row::new(label(run, &runs), records, caps, printed, samples)
                    .map_err(ReportError::from)
            });
            let mut rows = rows.collect::<Result<Vec<_>, ReportError>>()?;
            find_rivals(&mut rows, &samples);
            rank(&mut rows, &samples);
            tables.push(ReportTable { table: table.clone(), rows });
        }
        Ok(Self {
            title: plan.title.clone(),
            inputs: plan.inputs.clone(),
            records: [records.len(), plan.records()],
            shard: plan.shard,
            tables,
            trials: plan.trials.clone(),
            lost: plan.lost(records),
        })
    }
}
