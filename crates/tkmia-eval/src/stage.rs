//! [`Stage`]: a plan under way in its folder, from manifests to the last record.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tkmia_attacks::{Attack, Criterion, Targets};
use tkmia_core::Bounds;
use tkmia_data::to_rgb;

use crate::cohort::Draw;
use crate::experiment::{Run, View};
use crate::fingerprint::sha256;
use crate::illustration::{MAGNIFICATION, png};
use crate::journal::Journal;
use crate::manifest::{Manifest, Origin};
use crate::plan::{self, Inputs, Job, ManifestEntry, Plan, Shard, refuse_changes};
use crate::tuning::Trial;
use crate::{
    Attacked, Cohort, Contender, EvalError, Member, Setting, Victim, Workers, write_whole,
};

/// A plan under way in its folder.
///
/// ```text
/// plan.json        what the records depend on, and the attacks in their order
/// manifests/       the samples of each setting
/// records.jsonl    a line for each setting, attack and sample
/// images/          of the first samples of each setting
/// lock             held while a process works here
/// ```
#[derive(Debug)]
pub struct Stage<'a> {
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

/// How far a stage is.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// So many images at most are about to be scored without an attack.
    Scoring(usize),
    /// So many more are.
    Scored(usize),
    /// Attacks are about to begin, or to go on after so many records.
    Attacking {
        /// What is done.
        plan: &'a Plan,
        /// Records that are there already.
        recorded: usize,
    },
    /// So many more samples of this attack are done.
    Attacked {
        /// Position in [`Plan::jobs`].
        job: usize,
        /// Samples.
        samples: usize,
    },
}

/// Where the images of a sample are kept, within a stage's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PicturePaths {
    /// Without a perturbation.
    pub original: PathBuf,
    /// With it.
    pub perturbed: PathBuf,
    /// The perturbation, [`MAGNIFICATION`] times, on grey.
    pub perturbation: PathBuf,
}

impl PicturePaths {
    pub fn new(manifest: usize, job: usize, position: usize) -> Self {
        let path = |name: String| Path::new("images").join(name);
        Self {
            original: path(format!("m{:02}-s{position}-original.png", manifest + 1)),
            perturbed: path(format!("a{:03}-s{position}-perturbed.png", job + 1)),
            perturbation: path(format!("a{:03}-s{position}-perturbation.png", job + 1)),
        }
    }
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
    ) -> Result<Self, EvalError> {
        let lock = lock(folder)?;
        let (plan, manifests) = match Plan::read(folder) {
            Ok(mut plan) => {
                refuse_changes(folder, &plan.inputs, request.inputs)?;
                refuse_changes(folder, &plan.shard, &request.shard)?;
                let jobs = jobs(request.inputs, &plan.manifests, request.trials);
                refuse_changes(folder, &plan.jobs, &jobs)?;
                let manifests = read_manifests(folder, &plan.manifests)?;
                // Nothing depends on the title.
                if plan.title != request.title {
                    plan.title = request.title.to_owned();
                    plan.write(folder)?;
                }
                (plan, manifests)
            }
            Err(EvalError::NotAnExperiment { .. }) => {
                let origins = origins(request.inputs);
                let manifests = match request.from {
                    Some(from) => taken(from, &origins)?,
                    None => draw(origins, request.inputs, &victim, workers, progress)?,
                };
                let plan = write_plan(folder, request, &manifests)?;
                (plan, manifests)
            }
            Err(other) => return Err(other),
        };
        let dataset = victim.dataset;
        let cohorts = manifests.iter().map(|manifest| manifest.cohort(dataset));
        let cohorts = cohorts.collect::<Result<_, _>>()?;
        Ok(Self { folder: folder.to_owned(), plan, victim, manifests, cohorts, _lock: lock })
    }

    /// What is done here.
    pub fn plan(&self) -> &Plan {
        &self.plan
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
    ) -> Result<usize, EvalError> {
        let attacks = self.attacks()?;
        let names = self.plan.names();
        let (mut journal, recorded) = Journal::open(
            &self.folder.join("records.jsonl"),
            self.plan.entries(&names, &self.manifests),
        )?;
        let chunks = self.chunks(recorded, workers);
        let images = self.folder.join("images");
        if self.plan.inputs.pictures > 0 {
            fs::create_dir_all(&images)
                .map_err(|source| EvalError::Write { path: images, source })?;
        }
        progress(Event::Attacking { plan: &self.plan, recorded });

        let attack = |chunks: &[Chunk]| {
            let Chunk { job, positions, recorded } = &chunks[0];
            let Job { manifest, .. } = self.plan.jobs[*job];
            let method = attacks[*job].contender();
            let cohort = &self.cohorts[manifest];
            let members: Vec<Member> =
                positions.iter().map(|&position| cohort.members[position].clone()).collect();
            let finished = |samples: usize| {
                // Only a universal attack is on recorded samples, and it ends on all at once.
                let samples = samples.saturating_sub(*recorded);
                progress(Event::Attacked { job: *job, samples });
            };
            let attacked =
                self.victim.attack(&cohort.setting, &members, &method, workers, finished)?;
            Ok((*job, *recorded, positions.clone(), attacked))
        };
        let (mut total, mut stopped) = (recorded, false);
        // A chunk is a batch already.
        let one_by_one = Workers { batch_size: 1, ..workers };
        one_by_one.run(&chunks, attack, |(job, recorded, positions, attacked)| {
            if stopped {
                return Ok(());
            }
            let whole = self.beginning(job, &positions, &attacked);
            stopped = whole < positions.len();
            let new = recorded.min(whole)..whole;
            for (&position, attacked) in positions.iter().zip(&attacked).take(whole) {
                if position < self.plan.inputs.pictures {
                    self.keep_images(job, position, attacked)?;
                }
            }
            let records: Vec<_> = attacked[new].iter().map(|attacked| &attacked.record).collect();
            journal.append(&records)?;
            total += records.len();
            Ok(())
        })?;
        Ok(total)
    }

    /// How many attacks of a chunk have ended before the first that was cut short.
    fn beginning(&self, job: usize, positions: &[usize], attacked: &[Attacked]) -> usize {
        let samples = &self.manifests[self.plan.jobs[job].manifest].samples;
        let ended = |(at, attacked): &(&usize, &Attacked)| samples[**at].id == attacked.record.id;
        positions.iter().zip(attacked).take_while(ended).count()
    }

    /// What isn't recorded yet, cut into batches. All images of a universal attack are one.
    fn chunks(&self, recorded: usize, workers: Workers<'_>) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        let mut to_skip = recorded;
        for (job, Job { manifest, run, .. }) in self.plan.jobs.iter().enumerate() {
            let positions = self.plan.positions(*manifest);
            let skipped = to_skip.min(positions.len());
            to_skip -= skipped;
            if run.method.is_universal() {
                if skipped < positions.len() {
                    chunks.push(Chunk { job, positions, recorded: skipped });
                }
                continue;
            }
            let batches = workers.cut(&positions[skipped..]);
            chunks.extend(batches.map(|batch| {
                let positions = batch.to_vec();
                Chunk { job, positions, recorded: 0 }
            }));
        }
        chunks
    }

    fn attacks(&self) -> Result<Vec<Runnable>, EvalError> {
        let bounds = self.victim.classifier.bounds();
        let runnable = |job: &Job| {
            let delta = self.plan.manifests[job.manifest].setting.delta;
            Runnable::new(&job.run, delta, bounds, self.plan.inputs.seed)
        };
        self.plan.jobs.iter().map(runnable).collect()
    }

    fn keep_images(
        &self,
        job: usize,
        position: usize,
        attacked: &Attacked,
    ) -> Result<(), EvalError> {
        let paths = PicturePaths::new(self.plan.jobs[job].manifest, job, position);
        let (bounds, side) = (self.victim.classifier.bounds(), self.plan.inputs.input.side);
        let half_range = (bounds.high - bounds.low) / 2.0;
        let pairs = attacked.adversarial.iter().zip(&attacked.unattacked);
        let perturbation: Vec<f32> =
            pairs.map(|(now, before)| (now - before) / half_range * MAGNIFICATION).collect();
        let save = |path: &Path, values: &[f32], bounds: Bounds| {
            let image = to_rgb(values, [side, side], bounds)?;
            write_whole(&self.folder.join(path), &png(&image, path)?)
        };
        save(&paths.original, &attacked.unattacked, bounds)?;
        save(&paths.perturbed, &attacked.adversarial, bounds)?;
        save(&paths.perturbation, &perturbation, Bounds::SYMMETRIC)
    }
}

/// An attack, started from its hyper-parameters.
struct Runnable {
    name: String,
    attack: Box<dyn Attack>,
    criterion: Arc<dyn Criterion>,
    targets: Option<Targets>,
}

impl Runnable {
    /// `seed` is that of random targets.
    fn new(run: &Run, delta: Option<usize>, bounds: Bounds, seed: u64) -> Result<Self, EvalError> {
        let settings = run.settings(delta).map_err(crate::ExperimentError::from)?;
        let name = run.to_string();
        let targets = run.target.map(|choice| Targets { choice, seed });
        match settings.init(bounds) {
            Ok(attack) => Ok(Self { name, attack, criterion: settings.criterion, targets }),
            Err(source) => Err(EvalError::Method { name, source }),
        }
    }

    fn contender(&self) -> Contender<'_> {
        let (attack, criterion) = (self.attack.as_ref(), self.criterion.as_ref());
        Contender { name: &self.name, attack, criterion, targets: self.targets }
    }
}

/// Makes the folder, and keeps other processes out of it.
fn lock(folder: &Path) -> Result<File, EvalError> {
    let path = folder.join("lock");
    let file = fs::create_dir_all(folder)
        .and_then(|()| File::create(&path))
        .map_err(|source| EvalError::Write { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EvalError::Locked { path: folder.to_owned() }),
        // Some file systems of clusters have no locks; the shards of one have folders of their own.
        Err(TryLockError::Error(source)) if source.kind() == ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(source)) => Err(EvalError::Write { path, source }),
    }
}

/// The manifests that the inputs ask for: of each setting, in the order of their first appearance, one for
/// each view that the methods have.
pub(crate) fn origins(inputs: &Inputs) -> Vec<Origin> {
    let mut origins: Vec<Origin> = Vec::new();
    for table in &inputs.tables {
        for setting in &table.settings {
            let mut views: Vec<View> = table.grids.iter().flatten().map(|run| run.view()).collect();
            views.sort();
            views.dedup();
            for view in views {
                let known = |origin: &Origin| (&origin.setting, origin.view) == (setting, view);
                if !origins.iter().any(known) {
                    origins.push(Origin {
                        setting: setting.clone(),
                        view,
                        seed: inputs.seed,
                        limit: inputs.samples,
                        victim_sha256: inputs.victim.sha256.clone(),
                        data_sha256: inputs.data.sha256.clone(),
                        input: inputs.input.clone(),
                    });
                }
            }
        }
    }
    origins
}

/// The attacks, in the order of the tables' rows.
fn jobs(inputs: &Inputs, manifests: &[ManifestEntry], trials: &[Trial]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (number, table) in inputs.tables.iter().enumerate() {
        let rejected = |run: &Run| {
            trials.iter().any(|trial| trial.table == number && trial.run == *run && !trial.chosen)
        };
        for setting in &table.settings {
            for run in table.grids.iter().flatten().filter(|run| !rejected(run)) {
                let is_of =
                    |entry: &ManifestEntry| (&entry.setting, entry.view) == (setting, run.view());
                let manifest = manifests.iter().position(is_of);
                let manifest = manifest.expect("every setting and view has a manifest");
                jobs.push(Job { table: number, manifest, run: run.clone() });
            }
        }
    }
    jobs
}

/// Draws the samples of every manifest, scoring no more images than that needs.
fn draw(
    origins: Vec<Origin>,
    inputs: &Inputs,
    victim: &Victim<'_>,
    workers: Workers<'_>,
    progress: &(dyn Fn(Event<'_>) + Sync),
) -> Result<Vec<Manifest>, EvalError> {
    let dataset = victim.dataset;
    let mut by_view: BTreeMap<View, Vec<(usize, Draw<'_>)>> = BTreeMap::new();
    for (place, origin) in origins.iter().enumerate() {
        let draw = Draw::new(dataset, origin.setting.clone(), origin.limit, origin.seed)?;
        by_view.entry(origin.view).or_default().push((place, draw));
    }
    let wanted =
        |draws: &[(usize, Draw<'_>)], index| draws.iter().any(|(_, draw)| draw.wants(index));
    let images = |draws: &Vec<(usize, Draw<'_>)>| {
        (0..dataset.len()).filter(|&index| wanted(draws, index)).count()
    };
    progress(Event::Scoring(by_view.values().map(images).sum()));

    let mut manifests: Vec<Option<Manifest>> = vec![None; origins.len()];
    for (view, mut draws) in by_view {
        let run = inputs.tables.iter().flat_map(|table| table.grids.iter().flatten());
        let run = run.clone().find(|run| run.view() == view).expect("a view is that of a run");
        let attack = Runnable::new(run, None, victim.classifier.bounds(), inputs.seed)?.attack;
        let mut index = 0;
        while index < dataset.len() {
            // In rounds, so that the last images needn't be scored once every setting is full.
            let round = workers.count.max(1) * workers.batch_size.max(1) * 4;
            let mut indices = Vec::new();
            while index < dataset.len() && indices.len() < round {
                if wanted(&draws, index) {
                    indices.push(index);
                }
                index += 1;
            }
            let tick = |images| progress(Event::Scored(images));
            let scores = victim.clean_scores_of(&indices, attack.as_ref(), workers, tick)?;
            if scores.len() < indices.len() {
                return Err(EvalError::Interrupted { done: index, of: dataset.len() });
            }
            for (&index, scores) in indices.iter().zip(&scores) {
                for (_, draw) in &mut draws {
                    draw.offer(index, scores)?;
                }
            }
        }
        for (place, draw) in draws {
            let origin = origins[place].clone();
            manifests[place] = Some(Manifest::of(&draw.cohort, origin, dataset));
        }
    }
    Ok(manifests.into_iter().flatten().collect())
}

/// Writes the manifests, and then the plan.
fn write_plan(
    folder: &Path,
    request: &Request<'_>,
    manifests: &[Manifest],
) -> Result<Plan, EvalError> {
    let path = folder.join("manifests");
    fs::create_dir_all(&path).map_err(|source| EvalError::Write { path, source })?;
    let mut entries = Vec::new();
    for (number, manifest) in (1..).zip(manifests) {
        let Origin { setting, view, .. } = &manifest.origin;
        let file = format!("manifests/{number:02}-{}.json", slug(setting, *view));
        let text = json(&folder.join(&file), manifest)?;
        write_whole(&folder.join(&file), &text)?;
        entries.push(ManifestEntry {
            file,
            setting: setting.clone(),
            view: *view,
            samples: manifest.samples.len(),
            sha256: sha256(&text),
        });
    }
    let plan = Plan {
        title: request.title.to_owned(),
        inputs: request.inputs.clone(),
        shard: request.shard,
        jobs: jobs(request.inputs, &entries, request.trials),
        manifests: entries,
        trials: request.trials.to_vec(),
    };
    plan.write(folder)?;
    Ok(plan)
}

impl Plan {
    pub(crate) fn write(&self, folder: &Path) -> Result<(), EvalError> {
        let path = folder.join(plan::FILE);
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| EvalError::Encode { path: path.clone(), reason: error.to_string() })?;
        text.push(b'\n');
        write_whole(&path, &text)
    }
}

fn json(path: &Path, manifest: &Manifest) -> Result<Vec<u8>, EvalError> {
    let mut text = serde_json::to_vec(manifest)
        .map_err(|error| EvalError::Encode { path: path.to_owned(), reason: error.to_string() })?;
    text.push(b'\n');
    Ok(text)
}

/// A setting as part of a file's name.
fn slug(setting: &Setting, view: View) -> String {
    let text = setting.to_string().replace("|S|", "s").replace('δ', "delta").to_lowercase();
    let mut slug: String =
        text.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    while slug.contains("--") {
        slug = slug.replace("--", "-");
    }
    match view {
        View::Image => slug,
        View::Tanh => slug + "-tanh",
    }
}

/// The manifests of a plan, as they were written.
pub(crate) fn read_manifests(
    folder: &Path,
    entries: &[ManifestEntry],
) -> Result<Vec<Manifest>, EvalError> {
    entries.iter().map(|entry| read_manifest(folder, entry)).collect()
}

fn read_manifest(folder: &Path, entry: &ManifestEntry) -> Result<Manifest, EvalError> {
    let path = folder.join(&entry.file);
    let text = fs::read(&path).map_err(|source| EvalError::Read { path: path.clone(), source })?;
    let found = sha256(&text);
    if found != entry.sha256 {
        return Err(EvalError::ManifestChanged { path, expected: entry.sha256.clone(), found });
    }
    serde_json::from_slice(&text).map_err(|error| EvalError::Corrupt {
        path,
        line: error.line(),
        reason: error.to_string(),
    })
}

/// The manifests of another folder, checked to be what is asked for.
fn taken(from: &Path, origins: &[Origin]) -> Result<Vec<Manifest>, EvalError> {
    let plan = Plan::read(from)?;
    let find = |origin: &Origin| {
        let is_of =
            |entry: &&ManifestEntry| (&entry.setting, entry.view) == (&origin.setting, origin.view);
        let entry = plan.manifests.iter().find(is_of).ok_or_else(|| EvalError::NoManifest {
            path: from.to_owned(),
            setting: slug(&origin.setting, origin.view),
        })?;
        let manifest = read_manifest(from, entry)?;
        refuse_changes(&from.join(&entry.file), &manifest.origin, origin)?;
        Ok(manifest)
    };
    origins.iter().map(find).collect()
}
