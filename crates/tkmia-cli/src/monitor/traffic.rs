//! [`Images`] and [`Attack`]: images as monitors see them, and their attacked twins.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use tkmia_attacks::View;
use tkmia_core::Tagger;
use tkmia_data::{Dataset, Listing, Resize, Squeezed, Squeezer, Transform};
use tkmia_experiment::{ExperimentError, PicturePaths, Plan, Record, Setting, Victim, Workers};
use tkmia_monitor::{Observation, Statistic};

use crate::progress::{Count, take_no_part};

/// How the experiment made photographs a square; the rest of it is as loaded.
pub fn as_planned(plan: &Plan, loaded: Tagger) -> Tagger {
    let input = &plan.inputs.input;
    let (input_size, resize) = (Some(input.side), Some(input.resize));
    Tagger { input_size, resize, ..loaded }
}

/// Images, scored.
#[derive(Default)]
pub struct Images {
    ids: Vec<String>,
    scores: Vec<Vec<f32>>,
    relevant: Vec<Vec<bool>>,
    /// Scores without the details that each of [`Squeezer::ALL`] takes, where that is looked at.
    squeezed: Vec<Vec<Vec<f32>>>,
}

impl Images {
    /// Those of the victim's data that can be decoded; fewer if the work is stopped.
    pub fn scored(
        victim: &Victim<'_>,
        squeezes: bool,
        workers: Workers<'_>,
        bar: &Count,
    ) -> Result<Self, ExperimentError> {
        let Victim { dataset, transform, .. } = *victim;
        let all: Vec<usize> = (0..dataset.len()).collect();
        let (mut rows, mut scores) = (Vec::new(), Vec::new());
        victim.scores_or_faults(&all, View::Image, workers, |row, found| {
            match found {
                Ok(of_image) => {
                    rows.push(row);
                    scores.push(of_image.to_vec());
                }
                Err(error) => take_no_part(&error),
            }
            bar.finished(1);
            Ok(())
        })?;
        let scores_of = |victim: &Victim<'_>| {
            let mut scores = Vec::new();
            victim.scores(&rows, View::Image, workers, |_, of_image| {
                scores.push(of_image.to_vec());
                bar.finished(1);
                Ok(())
            })?;
            Ok::<_, ExperimentError>(scores)
        };
        let square = Transform { resize: Resize::square(transform.resize.side), ..*transform };
        let squeezed = Squeezer::ALL.into_iter().filter(|_| squeezes).map(|squeezer| {
            let dataset = Squeezed { dataset, resize: transform.resize, squeezer };
            scores_of(&Victim { dataset: &dataset, transform: &square, ..*victim })
        });
        Ok(Self {
            ids: rows.iter().map(|&index| dataset.id(index).to_owned()).collect(),
            squeezed: squeezed.collect::<Result<_, _>>()?,
            scores,
            relevant: rows.iter().map(|&index| dataset.labels().row(index).to_vec()).collect(),
        })
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Where each id stands.
    fn places(&self) -> HashMap<&str, usize> {
        self.ids.iter().map(String::as_str).zip(0..).collect()
    }

    pub fn observations(&self) -> Vec<Observation<'_>> {
        (0..self.len()).map(|image| self.observation(image)).collect()
    }

    fn observation(&self, image: usize) -> Observation<'_> {
        let squeezed = match &self.squeezed[..] {
            [bit_depth, jpeg, blur] => Some(tkmia_monitor::Squeezed {
                bit_depth: &bit_depth[image],
                jpeg: &jpeg[image],
                blur: &blur[image],
            }),
            _ => None,
        };
        let (scores, relevant) = (&self.scores[image], Some(&self.relevant[image][..]));
        Observation { scores, relevant, squeezed }
    }
}

/// An attack on a setting, and the images on which it succeeded.
pub struct Attack {
    /// Its place among all.
    pub number: usize,
    pub setting: Setting,
    pub method: String,
    /// Images of the traffic among them.
    pub successes: usize,
    /// Scores of the attacked images, by the ids of the clean ones.
    scores: HashMap<String, Vec<f32>>,
    /// Images of the traffic that are still attacked as pixels of 8 bits.
    pub kept: Kept,
    /// Those, scored, where the input is looked at.
    pub sent: Images,
}

/// Attacked images as an experiment keeps them, in pixels of 8 bits.
#[derive(Debug)]
pub struct Kept {
    listing: Listing,
    files: Vec<PathBuf>,
}

impl Dataset for Kept {
    fn listing(&self) -> &Listing {
        &self.listing
    }

    fn image_path(&self, index: usize) -> PathBuf {
        self.files[index].clone()
    }
}

/// Whether an experiment keeps the images of all samples.
pub fn keeps_all(plan: &Plan) -> bool {
    plan.manifests.iter().all(|manifest| manifest.samples <= plan.inputs.pictures)
}

impl Attack {
    /// Those of an experiment with successes in the traffic. Of several draws of `S` for an image the first success counts.
    ///
    /// # Errors
    /// Records of an image that isn't there, or whose clean scores are others than these.
    pub fn all(
        folder: &Path,
        plan: &Plan,
        records: &[Record],
        dataset: &dyn Dataset,
        [traffic, calibration]: [&Images; 2],
    ) -> Result<Vec<Self>, String> {
        let mut clean: HashMap<&str, &[f32]> = HashMap::new();
        for images in [traffic, calibration] {
            clean.extend(
                images.ids.iter().map(String::as_str).zip(images.scores.iter().map(Vec::as_slice)),
            );
        }
        let places: HashMap<&str, usize> =
            (0..dataset.len()).map(|row| (dataset.id(row), row)).collect();
        let mut attacks = Vec::new();
        let mut records = records.iter();
        for (at, job) in plan.jobs.iter().enumerate() {
            let setting = plan.manifests[job.manifest].setting.clone();
            let rivals = plan.jobs.iter().filter(|other| {
                other.run.short_name() == job.run.short_name()
                    && plan.manifests[other.manifest].setting == setting
            });
            let method = match rivals.count() {
                1 => job.run.short_name(),
                _ => job.run.to_string(),
            };
            let mut scores = HashMap::new();
            let mut files = BTreeMap::new();
            for (position, record) in plan.positions(job.manifest).into_iter().zip(&mut records) {
                let known = clean.get(record.id.as_str());
                let known = known.ok_or_else(|| {
                    format!("image `{}`: expected it in the split, found none", record.id)
                })?;
                if job.run.view() == View::Image {
                    check(record, known)?;
                }
                if !record.success {
                    continue;
                }
                scores.entry(record.id.clone()).or_insert_with(|| record.scores.clone());
                if let Some(&place) =
                    places.get(record.id.as_str()).filter(|_| record.success_rounded)
                {
                    let file = PicturePaths::new(job.manifest, at, position).perturbed;
                    files.entry(place).or_insert_with(|| folder.join(file));
                }
            }
            let successes = traffic.ids.iter().filter(|id| scores.contains_key(*id)).count();
            if successes > 0 {
                let (number, sent) = (attacks.len(), Images::default());
                let kept = Kept::new(dataset, files);
                attacks.push(Self { number, setting, method, successes, scores, kept, sent });
            }
        }
        Ok(attacks)
    }

    /// The attacked images as a statistic sees them, at the places of the clean ones.
    pub fn twins<'a>(
        &'a self,
        traffic: &'a Images,
        statistic: Statistic,
    ) -> Vec<Option<Observation<'a>>> {
        let sent = self.sent.places();
        let twin = |(id, relevant): (&String, &'a Vec<bool>)| match statistic.needs_squeezed() {
            true => Some(self.sent.observation(*sent.get(id.as_str())?)),
            false => {
                let scores = self.scores.get(id)?;
                Some(Observation { scores, relevant: Some(relevant), squeezed: None })
            }
        };
        traffic.ids.iter().zip(&traffic.relevant).map(twin).collect()
    }
}

impl Kept {
    /// By the rows of the clean images in their data set.
    fn new(dataset: &dyn Dataset, files: BTreeMap<usize, PathBuf>) -> Self {
        let (places, files): (Vec<usize>, Vec<PathBuf>) = files.into_iter().unzip();
        let listing = Listing {
            ids: places.iter().map(|&place| dataset.id(place).to_owned()).collect(),
            labels: dataset.labels().select(&places),
            ..dataset.listing().clone()
        };
        Self { listing, files }
    }
}

/// Devices differ in the last bits.
const TOLERANCE: f32 = 1e-3;

/// Refuses an image that the victim sees otherwise than in the experiment.
fn check(record: &Record, found: &[f32]) -> Result<(), String> {
    let expected = &record.clean_scores;
    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= TOLERANCE * a.abs().max(1.0);
    match expected.len() == found.len() && expected.iter().zip(found).all(near) {
        true => Ok(()),
        false => Err(format!(
            "image `{}`: expected the clean scores of the experiment, {expected:?}, found {found:?}: is --root the same, and \
             said of the network what was said there?",
            record.id
        )),
    }
}
