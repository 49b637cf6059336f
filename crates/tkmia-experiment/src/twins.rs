//! [`Twins`]: attacks that end alike, so that one of them need not be made.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tkmia_attacks::Outcome;

use crate::plan::Job;
use crate::record::{Named, Record};

/// Attacks of a plan that [step alike](tkmia_attacks::AttackSettings::steps_like) on the same samples, and differ in
/// how many iterations they may take. Where one ended before either limit, so does the other, in the same place.
#[derive(Debug)]
pub(crate) struct Twins {
    /// Of each job the nearest one before it, and how many iterations both may take; and its own name.
    first: Vec<Option<(usize, usize, Named)>>,
    /// By job and position.
    records: Mutex<HashMap<(usize, usize), Record>>,
}

impl Twins {
    pub fn among(jobs: &[Job]) -> Self {
        let first = jobs.iter().enumerate().map(|(at, job)| {
            let is_twin =
                |other: &&Job| job.manifest == other.manifest && job.run.steps_like(&other.run);
            let first = jobs[..at].iter().rposition(|other| is_twin(&other))?;
            let both = [job, &jobs[first]].map(|job| job.run.limits.max_iterations);
            Some((first, both[0].min(both[1]), Named::from(&job.run)))
        });
        Self { first: first.collect(), records: Mutex::default() }
    }

    /// Takes note of how an attack ended, where it has a twin that is still to come.
    pub fn keep(&self, job: usize, position: usize, record: &Record) {
        if self.first.iter().flatten().any(|(first, ..)| *first == job) {
            let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            records.insert((job, position), record.clone());
        }
    }

    /// How an attack ends, where that is known by now. Passes and times are those that its twin took.
    pub fn ended(&self, job: usize, position: usize) -> Option<Record> {
        let (first, iterations, Named { method, key }) = self.first[job].clone()?;
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let record = records.get(&(first, position))?;
        let is_early = record.iterations < iterations
            || record.iterations == iterations && record.outcome == Outcome::Succeeded;
        is_early.then(|| Record { method, key, ..record.clone() })
    }
}
