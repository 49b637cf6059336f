//! [`draw`]: attacked samples side by side, like the paper's Figures 4 to 7; [`pictures`]: those of an experiment.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{ImageFormat, RgbImage};
use tkmia_core::Bounds;
use tkmia_data::to_rgb;
use tkmia_experiment::{Job, PicturePaths, Plan, Record, Setting, read_failed};
use tkmia_figure::{Panel, RankedLabel, Role};
use tkmia_metrics::{MetricsError, Ranking};

use crate::ReportError;
use crate::label::label;

/// Factor by which pictures show perturbations (Sun et al. 2023, Fig. 4).
const MAGNIFICATION: f32 = 100.0;

/// An attacked sample with its images: a row of a picture.
#[derive(Debug, Clone)]
pub struct Pictured {
    /// What the row is headed with: the sample, or the attack.
    pub title: String,
    /// What is known of it.
    pub record: Record,
    /// `x̃`, what the classifier sees without a perturbation.
    pub original: RgbImage,
    /// `x*`, the returned image.
    pub perturbed: RgbImage,
    /// `x* − x̃`, `[3, height, width]`, in units of half the range of an image's values.
    pub perturbation: Vec<f32>,
}

/// The picture of some attacked samples: their images, what was added to them a hundred times as strong, and
/// their top-k before and after. They may be of one attack or of several.
///
/// # Errors
/// [`ReportError::Figure`] if there is no sample, or its images differ in size; [`ReportError::Metrics`] for
/// scores that can't be ranked.
pub fn draw(
    samples: &[Pictured],
    classes: &[String],
    heading: &str,
) -> Result<RgbImage, ReportError> {
    let mut panels = Vec::new();
    for Pictured { title, record, original, perturbed, perturbation } in samples {
        panels.push(Panel {
            title: title.clone(),
            caption: caption(record),
            succeeded: record.success,
            original,
            perturbed,
            perturbation,
            before: ranked(record, &record.clean_scores, classes)?,
            after: ranked(record, &record.scores, classes)?,
        });
    }
    Ok(tkmia_figure::draw(&panels, heading, MAGNIFICATION)?)
}

fn caption(record: &Record) -> String {
    let Record { setting, norm_input, norm_pixels, iterations, .. } = record;
    // The spaces within a statement are no-break spaces.
    format!(
        "{types}, k\u{a0}=\u{a0}{k} · ‖ε‖₂\u{a0}=\u{a0}{norm_input:.3}\u{a0}in\u{a0}model-input\u{a0}units \
         ({norm_pixels:.0}\u{a0}in\u{a0}8-bit\u{a0}pixels) · {iterations}\u{a0}iterations",
        types = setting.selection,
        k = setting.k,
    )
}

fn ranked(
    record: &Record,
    scores: &[f32],
    classes: &[String],
) -> Result<Vec<RankedLabel>, MetricsError> {
    let ranking = Ranking::new(scores)?;
    let label = |&label: &usize| RankedLabel {
        name: classes.get(label).cloned().unwrap_or_else(|| label.to_string()),
        probability: 1.0 / (1.0 + (-f64::from(scores[label])).exp()),
        role: role(record, label),
    };
    Ok(ranking.top(record.setting.k)?.iter().map(label).collect())
}

/// What a label is to a sample.
pub(crate) fn role(record: &Record, label: usize) -> Role {
    match label {
        _ if record.specified.contains(&label) => Role::Specified,
        _ if record.relevant.contains(&label) => Role::Relevant,
        _ => Role::Irrelevant,
    }
}

/// A sample of a setting and what each attack made of it, in the folder of an experiment.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The setting.
    pub setting: Setting,
    manifest: usize,
    position: usize,
    attacks: Vec<Attack>,
}

/// An attack on a sample, and where its images are.
#[derive(Debug, Clone)]
struct Attack {
    title: String,
    record: Record,
    folder: PathBuf,
    paths: PicturePaths,
    /// Half the range of an image's values.
    half_range: f32,
}

/// The pictures of an experiment's folder, setting by setting. No image is read yet.
///
/// # Errors
/// [`ReportError::Experiment`].
pub fn pictures(folder: &Path) -> Result<Vec<Picture>, ReportError> {
    pictures_of(folder, &Plan::read(folder)?)
}

/// The same of a plan that was read already.
pub(crate) fn pictures_of(folder: &Path, plan: &Plan) -> Result<Vec<Picture>, ReportError> {
    let mut pictures: Vec<Picture> = Vec::new();
    if plan.inputs.pictures == 0 {
        return Ok(pictures);
    }
    let half_range = (plan.inputs.input.high - plan.inputs.input.low) / 2.0;
    let mut next = vec![0; plan.jobs.len()];
    let positions: Vec<Vec<usize>> =
        (0..plan.manifests.len()).map(|manifest| plan.pictured(manifest)).collect();
    plan.each_record(folder, |number, record| {
        let Job { table, manifest, run } = &plan.jobs[number];
        let position = positions[*manifest].get(next[number]).copied();
        next[number] += 1;
        let Some(position) = position else { return Ok(()) };
        let runs = plan.jobs.iter().filter(|job| job.table == *table).map(|job| &job.run);
        let setting = record.setting.clone();
        let attack = Attack {
            title: label(run, &runs.collect::<Vec<_>>()),
            record,
            folder: folder.to_owned(),
            half_range,
            paths: PicturePaths::new(*manifest, number, position),
        };
        let is_of =
            |picture: &&mut Picture| (picture.manifest, picture.position) == (*manifest, position);
        match pictures.iter_mut().find(is_of) {
            Some(picture) => picture.attacks.push(attack),
            None => pictures.push(Picture {
                setting,
                manifest: *manifest,
                position,
                attacks: vec![attack],
            }),
        }
        Ok::<(), ReportError>(())
    })?;
    Ok(pictures)
}

/// So many pictures at most, in their order: of every setting one before any has two, spread evenly where there
/// are more settings than that. Those come first on which every attack succeeded, as in the paper.
pub(crate) fn shown(pictures: &[Picture], most: usize) -> Vec<&Picture> {
    let mut of_setting: BTreeMap<usize, Vec<&Picture>> = BTreeMap::new();
    for picture in pictures {
        of_setting.entry(picture.manifest).or_default().push(picture);
    }
    let mut settings: Vec<_> = of_setting.into_values().collect();
    for pictures in &mut settings {
        pictures.sort_by_key(|picture| !picture.attacks.iter().all(|at| at.record.success));
    }
    let mut shown: Vec<&Picture> = Vec::new();
    for round in 0.. {
        let next: Vec<&Picture> =
            settings.iter().filter_map(|pictures| pictures.get(round).copied()).collect();
        let room = most - shown.len();
        if next.is_empty() || room == 0 {
            break;
        }
        shown.extend(next.iter().step_by(next.len().div_ceil(room)));
    }
    shown.sort_by_key(|picture| (picture.manifest, picture.position));
    shown
}

impl Picture {
    /// The sample under each attack, headed with the attack's name; reads the images.
    ///
    /// # Errors
    /// [`ReportError::Experiment`] and [`ReportError::Image`].
    pub fn rows(&self) -> Result<Vec<Pictured>, ReportError> {
        self.attacks.iter().map(Attack::read).collect()
    }

    /// What the attacks made of the sample, in the order of the [`rows`](Self::rows).
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.attacks.iter().map(|attack| &attack.record)
    }

    /// The name of the sample.
    pub fn id(&self) -> &str {
        &self.attacks[0].record.id
    }

    pub(crate) fn file_name(&self) -> String {
        format!("figure-m{:02}-s{}.png", self.manifest + 1, self.position)
    }

    /// The attacks side by side, one a row.
    pub(crate) fn draw(&self, classes: &[String]) -> Result<RgbImage, ReportError> {
        let heading = format!("{} of {}: {}", self.id(), self.setting.dataset, self.setting);
        draw(&self.rows()?, classes, &heading)
    }
}

impl Attack {
    fn read(&self) -> Result<Pictured, ReportError> {
        let image = |path: &Path| {
            let path = self.folder.join(path);
            let bytes = fs::read(&path).map_err(read_failed(&path))?;
            match image::load_from_memory(&bytes) {
                Ok(image) => Ok(image.to_rgb8()),
                Err(source) => Err(ReportError::Image { path, source }),
            }
        };
        let perturbation = self.paths.read_perturbation(&self.folder)?;
        Ok(Pictured {
            title: self.title.clone(),
            record: self.record.clone(),
            original: image(&self.paths.original)?,
            perturbed: image(&self.paths.perturbed)?,
            perturbation: perturbation.iter().map(|value| value / self.half_range).collect(),
        })
    }
}

impl Pictured {
    /// The perturbation a hundred times as strong, on grey.
    ///
    /// # Errors
    /// [`ReportError::Data`] for a perturbation of another size than the image.
    pub fn magnified(&self) -> Result<RgbImage, ReportError> {
        let magnified: Vec<f32> = self.perturbation.iter().map(|e| e * MAGNIFICATION).collect();
        let (width, height) = self.original.dimensions();
        Ok(to_rgb(&magnified, [height, width], Bounds::SYMMETRIC)?)
    }
}

/// An image as PNG.
///
/// # Errors
/// [`ReportError::Image`].
pub fn png(image: &RgbImage) -> Result<Vec<u8>, ReportError> {
    let mut bytes = Cursor::new(Vec::new());
    match image.write_to(&mut bytes, ImageFormat::Png) {
        Ok(()) => Ok(bytes.into_inner()),
        Err(source) => Err(ReportError::Image { path: "report".into(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toy::toy;

    #[test]
    fn every_setting_shows_a_success_before_any_shows_two() {
        let picture = |manifest, position, success| {
            let attack = Attack {
                title: String::new(),
                record: toy("a", 1, success, 0.1),
                folder: PathBuf::new(),
                paths: PicturePaths::new(manifest, 0, position),
                half_range: 1.0,
            };
            let setting = attack.record.setting.clone();
            Picture { setting, manifest, position, attacks: vec![attack] }
        };
        let pictures = [
            picture(0, 0, false),
            picture(0, 1, true),
            picture(1, 0, true),
            picture(1, 1, true),
            picture(2, 0, false),
        ];
        let found = |most| -> Vec<(usize, usize)> {
            let shown = shown(&pictures, most).into_iter();
            shown.map(|picture| (picture.manifest, picture.position)).collect()
        };
        assert_eq!(found(0), []);
        assert_eq!(found(2), [(0, 1), (2, 0)]);
        assert_eq!(found(3), [(0, 1), (1, 0), (2, 0)]);
        assert_eq!(found(4), [(0, 0), (0, 1), (1, 0), (2, 0)]);
        assert_eq!(found(9).len(), 5);
    }

    #[test]
    fn a_picture_is_of_several_samples_or_of_several_attacks() {
        let classes = ["cat", "dog", "car"].map(str::to_owned);
        let sample = |title: &str, success| Pictured {
            title: title.to_owned(),
            record: toy("a", 1, success, 0.1),
            original: RgbImage::new(4, 4),
            perturbed: RgbImage::new(4, 4),
            perturbation: vec![0.0; 48],
        };
        let height = |samples: &[Pictured]| draw(samples, &classes, "a heading").unwrap().height();
        let (one, two) = (sample("2012_000042", true), sample("kFool", false));
        assert!(height(&[one.clone(), two.clone()]) > height(std::slice::from_ref(&two)));
        assert!(matches!(draw(&[], &classes, ""), Err(ReportError::Figure(_))));
        let wrong = Pictured { perturbed: RgbImage::new(4, 5), ..one };
        assert!(matches!(draw(&[wrong], &classes, ""), Err(ReportError::Figure(_))));
    }
}
