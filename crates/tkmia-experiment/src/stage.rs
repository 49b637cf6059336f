//! [`Stage`]: a plan under way in its folder, from manifests to the last record.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use tkmia_data::Dataset;
use tkmia_file::sha256;

use crate::changes::refuse_changes;
use crate::cohort::{Cohort, Member};
use crate::drawing::draw;
use crate::error::ExperimentError;
use crate::event::Event;
use crate::fingerprint::image_file;
use crate::folder::{self, IMAGES, RECORDS, lock};
use crate::journal::Journal;
use crate::manifest::{Manifest, ManifestEntry, Origin, slug};
use crate::pictures::PicturePaths;
use crate::plan::{Inputs, Job, Plan};
use crate::record::Record;
use crate::shard::Shard;
use crate::tuning::Trial;
use crate::twins::Twins;
use crate::universal::Fit;
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
    /// The victim on the images that universal perturbations are fitted to, and those of each setting.
    fit_victim: Victim<'a>,
    fit_cohorts: Vec<Cohort>,
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
}

impl<'a> Stage<'a> {
    /// Begins a stage in a folder, or finds the one that was begun there.
    ///
    /// Manifests are written first and the plan last: a folder with a plan is complete but for records.
    pub fn prepare(
        folder: &Path,
        request: &Request<'_>,
        victim: Victim<'a>,
        fit_victim: Victim<'a>,
        workers: Workers<'_>,
        progress: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<Self, ExperimentError> {
        let lock = lock(folder)?;
        let (plan, manifests, fits) = match Plan::read(folder) {
            Ok(plan) => resume(folder, plan, request)?,
            Err(ExperimentError::NotAnExperiment { .. }) => {
                let (origins, fits) = (request.inputs.origins(), request.inputs.fit_origins());
                let (manifests, fits) = match request.from {
                    Some(from) => taken(from, &origins, &fits)?,
                    None => {
                        let order: Vec<usize> = (0..victim.dataset.len()).collect();
                        let of_all = |_: &Origin| HashSet::new();
                        let manifests = draw(origins, &victim, &order, of_all, workers, progress)?;
                        let reported = Reported { victim, manifests: &manifests };
                        let fits = reported.others(fits, &fit_victim, workers, progress)?;
                        (manifests, fits)
                    }
                };
                (begin(folder, request, &manifests, &fits)?, manifests, fits)
            }
            Err(other) => return Err(other),
        };
        let cohorts = |manifests: &[Manifest], victim: &Victim<'_>| {
            let found = manifests.iter().map(|manifest| manifest.cohort(victim.dataset));
            found.collect::<Result<Vec<_>, _>>()
        };
        let (folder, fit_cohorts) = (folder.to_owned(), cohorts(&fits, &fit_victim)?);
        let cohorts = cohorts(&manifests, &victim)?;
        Ok(Self { folder, plan, victim, manifests, cohorts, fit_victim, fit_cohorts, _lock: lock })
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
        let expected = self.plan.expected(&self.manifests);
        let (mut journal, recorded) = Journal::open(&self.folder.join(RECORDS), expected)?;
        let twins = Twins::among(jobs);
        let chunks = self.chunks(recorded, workers);
        let of = self.plan.records();
        let Some(contenders) = self.contenders(&chunks, workers, progress)? else {
            return Ok(Tally { records: recorded, of });
        };
        if inputs.pictures > 0 {
            folder::make(&self.folder.join(IMAGES))?;
        }
        progress(Event::Attacking { plan: &self.plan, recorded });

        let attack = |chunks: &[Chunk]| {
            let Chunk { job, positions } = &chunks[0];
            let (cohort, contender) = (&self.cohorts[jobs[*job].manifest], &contenders[job]);
            let is_pictured = |position: usize| position < inputs.pictures;
            let finished = |samples| progress(Event::Attacked { job: *job, samples });
            // No record holds the images.
            let ended = |&at: &usize| twins.ended(*job, at).filter(|_| !is_pictured(at));
            let ended: Vec<Option<Record>> = positions.iter().map(ended).collect();
            let open = positions.iter().zip(&ended).filter(|(_, ended)| ended.is_none());
            let open: Vec<usize> = open.map(|(&at, _)| at).collect();
            finished(positions.len() - open.len());
            let members: Vec<&Member> = open.iter().map(|&at| &cohort.members[at]).collect();
            let (setting, pictured) = (&cohort.setting, |row: usize| is_pictured(open[row]));
            let attacked =
                self.victim.attack(setting, &members, contender, pictured, workers, finished)?;
            let mut attacked = attacked.into_iter();
            let sample = |ended: Option<Record>| match ended {
                Some(record) => Some(Sample { record, images: None }),
                None => attacked.next(),
            };
            Ok(ended.into_iter().map_while(sample).collect::<Vec<_>>())
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
                twins.keep(chunk.job, position, &sample.record);
                if let Some(images) = &sample.images {
                    let paths = PicturePaths::new(jobs[chunk.job].manifest, chunk.job, position);
                    paths.write(&self.folder, images, inputs.input.side, classifier.bounds())?;
                }
            }
            journal.append(samples[..whole].iter().map(|sample| &sample.record))?;
            total += whole;
            Ok(())
        })?;
        Ok(Tally { records: total, of })
    }

    /// The attacks that there is something left to do for; none if the work was stopped before a
    /// perturbation was fitted.
    fn contenders(
        &self,
        chunks: &[Chunk],
        workers: Workers<'_>,
        progress: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<Option<BTreeMap<usize, Contender>>, ExperimentError> {
        let (jobs, classifier) = (&self.plan.jobs, self.victim.attacked());
        let mut contenders = BTreeMap::new();
        let mut to_fit = Vec::new();
        for job in chunks.iter().map(|chunk| chunk.job) {
            let run = &jobs[job].run;
            if contenders.contains_key(&job) || to_fit.contains(&job) {
                continue;
            }
            let contender = Contender::new(run, classifier, self.plan.inputs.seed)?;
            match (contender.attack.universal(), Fit::read(&self.folder, job, run, classifier)?) {
                (None, _) => drop(contenders.insert(job, contender)),
                (Some(_), Some(fit)) => drop(contenders.insert(job, contender.fitted(fit))),
                (Some(_), None) => to_fit.push(job),
            }
        }
        if to_fit.is_empty() {
            return Ok(Some(contenders));
        }
        progress(Event::Fitting(to_fit.len()));
        let (one_by_one, mut fitted) = (Workers { batch_size: 1, ..workers }, 0);
        let fit = |jobs: &[usize]| Ok((jobs[0], self.fit(jobs[0], workers)?));
        one_by_one.run(&to_fit, fit, |(job, fit)| {
            let Some(fit) = fit else { return Ok(()) };
            let run = &jobs[job].run;
            fit.write(&self.folder, job, run, classifier)?;
            let contender = Contender::new(run, classifier, self.plan.inputs.seed)?;
            contenders.insert(job, contender.fitted(fit));
            fitted += 1;
            progress(Event::Fitted);
            Ok(())
        })?;
        Ok((fitted == to_fit.len()).then_some(contenders))
    }

    /// Fits the perturbation of a job; nothing if the work was stopped.
    fn fit(&self, job: usize, workers: Workers<'_>) -> Result<Option<Fit>, ExperimentError> {
        let Job { manifest, run, .. } = &self.plan.jobs[job];
        let entry = &self.plan.manifests[*manifest];
        let place = self.plan.fits.iter().position(|fit| fit.is_of(&entry.setting, entry.view));
        let cohort = &self.fit_cohorts[place.expect("every universal attack has images to fit to")];
        if cohort.members.is_empty() {
            return Err(ExperimentError::NothingToFit { setting: cohort.setting.to_string() });
        }
        let contender = Contender::new(run, self.victim.attacked(), self.plan.inputs.seed)?;
        self.fit_victim.fit(&cohort.setting, &cohort.members, &contender, workers)
    }

    /// How many attacks of a chunk have ended before the first that was cut short.
    fn beginning(&self, chunk: &Chunk, samples: &[Sample]) -> usize {
        let listed = &self.manifests[self.plan.jobs[chunk.job].manifest].samples;
        let ended = |(at, sample): &(&usize, &Sample)| {
            (&listed[**at].id, &listed[**at].specified)
                == (&sample.record.id, &sample.record.specified)
        };
        chunk.positions.iter().zip(samples).take_while(ended).count()
    }

    /// What isn't recorded yet, cut into batches.
    fn chunks(&self, recorded: usize, workers: Workers<'_>) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        let mut to_skip = recorded;
        for (job, Job { manifest, .. }) in self.plan.jobs.iter().enumerate() {
            let positions = self.plan.positions(*manifest);
            let skipped = to_skip.min(positions.len());
            to_skip -= skipped;
            let batches = workers.cut(&positions[skipped..]);
            chunks.extend(batches.map(|batch| Chunk { job, positions: batch.to_vec() }));
        }
        chunks
    }
}

/// The samples that are attacked.
struct Reported<'a> {
    victim: Victim<'a>,
    manifests: &'a [Manifest],
}

impl Reported<'_> {
    /// Draws the images that universal perturbations are fitted to: in an order by the seed, and none that is
    /// a reported sample of its setting.
    fn others(
        &self,
        origins: Vec<Origin>,
        victim: &Victim<'_>,
        workers: Workers<'_>,
        progress: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<Vec<Manifest>, ExperimentError> {
        let Some(Origin { seed, .. }) = origins.first() else { return Ok(Vec::new()) };
        let (dataset, seed) = (victim.dataset, *seed);
        let mut order: Vec<usize> = (0..dataset.len()).collect();
        order.sort_by_cached_key(|&index| sha256(format!("{seed} {}", dataset.id(index))));
        let files = |indices: &mut dyn Iterator<Item = usize>, dataset: &dyn Dataset| {
            indices.map(|index| image_file(dataset, index)).collect::<Vec<PathBuf>>()
        };
        let all = files(&mut (0..dataset.len()), dataset);
        let mut reported = Vec::new();
        for manifest in self.manifests {
            let members = manifest.cohort(self.victim.dataset)?.members;
            let mut indices = members.iter().map(|member| member.index);
            let files = files(&mut indices, self.victim.dataset);
            reported.push((&manifest.origin.setting, files.into_iter().collect::<HashSet<_>>()));
        }
        let excluded = |origin: &Origin| -> HashSet<usize> {
            let of_setting = reported.iter().filter(|(setting, _)| **setting == origin.setting);
            let sets: Vec<&HashSet<PathBuf>> = of_setting.map(|(_, files)| files).collect();
            let is_reported = |index: &usize| sets.iter().any(|files| files.contains(&all[*index]));
            (0..all.len()).filter(is_reported).collect()
        };
        draw(origins, victim, &order, excluded, workers, progress)
    }
}

/// Begins a stage: writes the manifests, and then the plan.
fn begin(
    folder: &Path,
    request: &Request<'_>,
    manifests: &[Manifest],
    fits: &[Manifest],
) -> Result<Plan, ExperimentError> {
    let write = |manifests: &[Manifest], prefix: &str| {
        let numbered = (1..).zip(manifests);
        let entries = numbered
            .map(|(number, manifest)| manifest.write(folder, &format!("{prefix}{number:02}")));
        entries.collect::<Result<Vec<_>, _>>()
    };
    let entries = write(manifests, "")?;
    let plan = Plan {
        title: request.title.to_owned(),
        inputs: request.inputs.clone(),
        shard: request.shard,
        jobs: request.inputs.jobs(&entries, request.trials),
        manifests: entries,
        fits: write(fits, "fit-")?,
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
) -> Result<(Plan, Vec<Manifest>, Vec<Manifest>), ExperimentError> {
    refuse_changes(folder, &plan.inputs, request.inputs)?;
    refuse_changes(folder, &plan.shard, &request.shard)?;
    let jobs = request.inputs.jobs(&plan.manifests, request.trials);
    refuse_changes(folder, &plan.jobs, &jobs)?;
    let manifests = plan.read_manifests(folder)?;
    let fits = plan.fits.iter().map(|entry| entry.read(folder)).collect::<Result<_, _>>()?;
    // Nothing depends on the title.
    if plan.title != request.title {
        plan.title = request.title.to_owned();
        plan.write(folder)?;
    }
    Ok((plan, manifests, fits))
}

/// The manifests of another folder, checked to be what is asked for.
fn taken(
    from: &Path,
    origins: &[Origin],
    fits: &[Origin],
) -> Result<(Vec<Manifest>, Vec<Manifest>), ExperimentError> {
    let plan = Plan::read(from)?;
    let find = |origin: &Origin, entries: &[ManifestEntry]| {
        let (setting, view) = (&origin.setting, origin.view);
        let mut entries = entries.iter();
        let entry = entries.find(|entry| entry.is_of(setting, view)).ok_or_else(|| {
            ExperimentError::NoManifest { path: from.to_owned(), setting: slug(setting, view) }
        })?;
        let manifest = entry.read(from)?;
        refuse_changes(&from.join(&entry.file), &manifest.origin, origin)?;
        Ok::<_, ExperimentError>(manifest)
    };
    let all = |origins: &[Origin], entries: &[ManifestEntry]| {
        origins.iter().map(|origin| find(origin, entries)).collect::<Result<Vec<_>, _>>()
    };
    Ok((all(origins, &plan.manifests)?, all(fits, &plan.fits)?))
}
