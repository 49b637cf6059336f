//! [`Stage`]: a plan under way in its folder, from manifests to the last record.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::changes::refuse_changes;
use crate::cohort::{Cohort, Member};
use crate::drawing::draw;
use crate::error::ExperimentError;
use crate::event::Event;
use crate::folder::{self, IMAGES, RECORDS, lock};
use crate::journal::Journal;
use crate::manifest::{Manifest, Origin, slug};
use crate::pictures::PicturePaths;
use crate::plan::{Inputs, Job, Plan};
use crate::shard::Shard;
use crate::tuning::Trial;
use crate::victim::{Contender, Sample, Victim};
use crate::workers::Workers;

/// A plan under way in its [folder](crate::folder).
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    folder: PathBuf,
    plan: Plan,
    victim: Victim<'a>,
    manifests: Vec<Manifest>,
    cohorts: Vec<Cohort>,
    _lock: File,
}

/// What a stage is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// What reports are headed with.
    pub title: &'a str,
    /// What records depend on.
    pub inputs: &'a Inputs,
    /// Which part of the samples.
    pub shard: Option<Shard>,
    /// A folder with the manifests to take, rather than draw them.
    pub from: Option<&'a Path>,
    /// How hyper-parameters were chosen; where there are none every point of a grid is run.
    pub trials: &'a [Trial],
}

/// How many records a stage has, and is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub records: usize,
    pub of: usize,
}

/// Consecutive samples of one attack.
struct Chunk {
    job: usize,
    positions: Vec<usize>,
    /// How many of them are recorded already, and are there for the others' sake.
    recorded: usize,
}

impl<'a> Stage<'a> {
    /// Begins a stage in a folder, or finds the one that was begun there.
    ///
    /// Manifests are written first and the plan last: a folder with a plan is complete but for records.
    pub fn prepare(
        folder: &Path,
        request: &Request<'_>,
        victim: Victim<'a>,
        workers: Workers<'_>,
        progress: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<Self, ExperimentError> {
        let lock = lock(folder)?;
        let (plan, manifests) = match Plan::read(folder) {
            Ok(plan) => resume(folder, plan, request)?,
            Err(ExperimentError::NotAnExperiment { .. }) => {
                let origins = request.inputs.origins();
                let manifests = match request.from {
                    Some(from) => taken(from, &origins)?,
                    None => draw(origins, &victim, workers, progress)?,
                };
                (begin(folder, request, &manifests)?, manifests)
            }
            Err(other) => return Err(other),
        };
        let cohorts = manifests.iter().map(|manifest| manifest.cohort(victim.dataset));
        let cohorts = cohorts.collect::<Result<_, _>>()?;
        Ok(Self { folder: folder.to_owned(), plan, victim, manifests, cohorts, _lock: lock })
    }

    /// Attacks what isn't recorded yet, and gives the number of records that there are then: fewer than
    /// planned if the work was stopped.
    ///
    /// # Errors
    /// The first sample that can't be attacked, a file that can't be written.
    pub fn run(
        &self,
        workers: Workers<'_>,
        progress: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<Tally, ExperimentError> {
        let Plan { inputs, jobs, .. } = &self.plan;
        let classifier = self.victim.classifier;
        let started = |job: &Job| Contender::new(&job.run, classifier, inputs.seed);
        let contenders = jobs.iter().map(started).collect::<Result<Vec<_>, _>>()?;
        let expected = self.plan.expected(&self.manifests);
        let (mut journal, recorded) = Journal::open(&self.folder.join(RECORDS), expected)?;
        let chunks = self.chunks(recorded, workers);
        if inputs.pictures > 0 {
            folder::make(&self.folder.join(IMAGES))?;
        }
        progress(Event::Attacking { plan: &self.plan, recorded });

        let attack = |chunks: &[Chunk]| {
            let Chunk { job, positions, recorded } = &chunks[0];
            let cohort = &self.cohorts[jobs[*job].manifest];
            let members: Vec<&Member> = positions.iter().map(|&at| &cohort.members[at]).collect();
            let pictured = |row: usize| positions[row] < inputs.pictures;
            let finished = |samples: usize| {
                // Only a universal attack is on recorded samples, and it ends on all at once.
                let samples = samples.saturating_sub(*recorded);
                progress(Event::Attacked { job: *job, samples });
            };
            let (setting, contender) = (&cohort.setting, &contenders[*job]);
            self.victim.attack(setting, &members, contender, pictured, workers, finished)
        };
        let (mut total, mut stopped) = (recorded, false);
        let mut done = chunks.iter();
        // A chunk is a batch already.
        let one_by_one = Workers { batch_size: 1, ..workers };
        one_by_one.run(&chunks, attack, |samples| {
            let chunk = done.next().expect("there is a result of each chunk at most");
            if stopped {
                return Ok(());
            }
            let whole = self.beginning(chunk, &samples);
            stopped = whole < chunk.positions.len();
            for (&position, sample) in chunk.positions.iter().zip(&samples).take(whole) {
                if let Some(images) = &sample.images {
                    let paths = PicturePaths::new(jobs[chunk.job].manifest, chunk.job, position);
                    paths.write(&self.folder, images, inputs.input.side, classifier.bounds())?;
                }
            }
            let new = &samples[chunk.recorded.min(whole)..whole];
            journal.append(new.iter().map(|sample| &sample.record))?;
            total += new.len();
            Ok(())
        })?;
        Ok(Tally { records: total, of: self.plan.records() })
    }

    /// How many attacks of a chunk have ended before the first that was cut short.
    fn beginning(&self, chunk: &Chunk, samples: &[Sample]) -> usize {
        let listed = &self.manifests[self.plan.jobs[chunk.job].manifest].samples;
        let ended = |(at, sample): &(&usize, &Sample)| listed[**at].id == sample.record.id;
        chunk.positions.iter().zip(samples).take_while(ended).count()
    }

    /// What isn't recorded yet, cut into batches. All images of a universal attack are one.
    fn chunks(&self, recorded: usize, workers: Workers<'_>) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        let mut to_skip = recorded;
        for (job, Job { manifest, run, .. }) in self.plan.jobs.iter().enumerate() {
            let positions = self.plan.positions(*manifest);
            let skipped = to_skip.min(positions.len());
            to_skip -= skipped;
            if !run.name().is_universal() {
                let batches = workers.cut(&positions[skipped..]);
                chunks.extend(batches.map(|batch| {
                    let positions = batch.to_vec();
                    Chunk { job, positions, recorded: 0 }
                }));
            } else if skipped < positions.len() {
                chunks.push(Chunk { job, positions, recorded: skipped });
            }
        }
        chunks
    }
}

/// Begins a stage: writes the manifests, and then the plan.
fn begin(
    folder: &Path,
    request: &Request<'_>,
    manifests: &[Manifest],
) -> Result<Plan, ExperimentError> {
    let numbered = (1..).zip(manifests);
    let entries = numbered.map(|(number, manifest)| manifest.write(folder, number));
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    let plan = Plan {
        title: request.title.to_owned(),
        inputs: request.inputs.clone(),
        shard: request.shard,
        jobs: request.inputs.jobs(&entries, request.trials),
        manifests: entries,
        trials: request.trials.to_vec(),
    };
    plan.write(folder)?;
    Ok(plan)
}

/// Goes on with a stage that was begun with the same.
fn resume(
    folder: &Path,
    mut plan: Plan,
    request: &Request<'_>,
) -> Result<(Plan, Vec<Manifest>), ExperimentError> {
    refuse_changes(folder, &plan.inputs, request.inputs)?;
    refuse_changes(folder, &plan.shard, &request.shard)?;
    let jobs = request.inputs.jobs(&plan.manifests, request.trials);
    refuse_changes(folder, &plan.jobs, &jobs)?;
    let manifests = plan.read_manifests(folder)?;
    // Nothing depends on the title.
    if plan.title != request.title {
        plan.title = request.title.to_owned();
        plan.write(folder)?;
    }
    Ok((plan, manifests))
}

/// The manifests of another folder, checked to be what is asked for.
fn taken(from: &Path, origins: &[Origin]) -> Result<Vec<Manifest>, ExperimentError> {
    let plan = Plan::read(from)?;
    let find = |origin: &Origin| {
        let (setting, view) = (&origin.setting, origin.view);
        let mut entries = plan.manifests.iter();
        let entry = entries.find(|entry| entry.is_of(setting, view)).ok_or_else(|| {
            ExperimentError::NoManifest { path: from.to_owned(), setting: slug(setting, view) }
        })?;
        let manifest = entry.read(from)?;
        refuse_changes(&from.join(&entry.file), &manifest.origin, origin)?;
        Ok(manifest)
    };
    origins.iter().map(find).collect()
}
