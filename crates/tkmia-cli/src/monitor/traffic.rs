//! [`Images`] and [`Attack`]: clean images as monitors see them, and their attacked twins.

use std::collections::HashMap;

use tkmia_attacks::View;
use tkmia_core::Tagger;
use tkmia_experiment::{ExperimentError, Plan, Record, Setting, Victim, Workers};
use tkmia_monitor::Observation;

use crate::progress::Count;

/// How the experiment made photographs a square; the rest of it is as loaded.
pub fn as_planned(plan: &Plan, loaded: Tagger) -> Tagger {
    let input = &plan.inputs.input;
    let (input_size, resize) = (Some(input.side), Some(input.resize));
    Tagger { input_size, resize, ..loaded }
}

/// Clean images, scored.
pub struct Images {
    ids: Vec<String>,
    scores: Vec<Vec<f32>>,
    relevant: Vec<Vec<bool>>,
}

impl Images {
    /// Those of the victim's data; fewer if the work is stopped.
    pub fn scored(
        victim: &Victim<'_>,
        workers: Workers<'_>,
        bar: &Count,
    ) -> Result<Self, ExperimentError> {
        let (mut ids, mut scores, mut relevant) = (Vec::new(), Vec::new(), Vec::new());
        let all: Vec<usize> = (0..victim.dataset.len()).collect();
        victim.scores(&all, View::Image, workers, |index, of_image| {
            ids.push(victim.dataset.id(index).to_owned());
            scores.push(of_image.to_vec());
            relevant.push(victim.dataset.labels().row(index).to_vec());
            bar.finished(1);
            Ok(())
        })?;
        Ok(Self { ids, scores, relevant })
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn observations(&self) -> Vec<Observation<'_>> {
        let rows = self.scores.iter().zip(&self.relevant);
        rows.map(|(scores, relevant)| Observation { scores, relevant: Some(relevant) }).collect()
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
}

impl Attack {
    /// Those of an experiment with successes in the traffic. Of several draws of `S` for an image the first success counts.
    ///
    /// # Errors
    /// Records of an image that isn't there, or whose clean scores are others than these.
    pub fn all(
        plan: &Plan,
        records: &[Record],
        [traffic, calibration]: [&Images; 2],
    ) -> Result<Vec<Self>, String> {
        let mut clean: HashMap<&str, &[f32]> = HashMap::new();
        for images in [traffic, calibration] {
            clean.extend(
                images.ids.iter().map(String::as_str).zip(images.scores.iter().map(Vec::as_slice)),
            );
        }
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
            for record in records.by_ref().take(plan.samples_of(at)) {
                let known = clean.get(record.id.as_str());
                let known = known.ok_or_else(|| {
                    format!("image `{}`: expected it in the split, found none", record.id)
                })?;
                if job.run.view() == View::Image {
                    check(record, known)?;
                }
                if record.success {
                    scores.entry(record.id.clone()).or_insert_with(|| record.scores.clone());
                }
            }
            let successes = traffic.ids.iter().filter(|id| scores.contains_key(*id)).count();
            if successes > 0 {
                attacks.push(Self { number: attacks.len(), setting, method, successes, scores });
            }
        }
        Ok(attacks)
    }

    /// The attacked images, at the places of the clean ones.
    pub fn twins<'a>(&'a self, traffic: &'a Images) -> Vec<Option<Observation<'a>>> {
        let images = traffic.ids.iter().zip(&traffic.relevant);
        let twin = |(id, relevant): (&String, &'a Vec<bool>)| {
            let scores = self.scores.get(id)?;
            Some(Observation { scores, relevant: Some(relevant) })
        };
        images.map(twin).collect()
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
