//! [`Picture`]: a sample with its images, attacked by each method of a setting.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use image::RgbImage;
use tkmia_core::Bounds;
use tkmia_data::{Resize, Transform};

use super::label;
use crate::experiment::Run;
use crate::figure::{Panel, draw};
use crate::illustration::{MAGNIFICATION, caption, png, ranked};
use crate::plan::{Job, Plan};
use crate::stage::PicturePaths;
use crate::{EvalError, Record, Setting};

/// A sample of a setting, and what each attack made of it; images are PNG files' bytes.
#[derive(Debug)]
pub(crate) struct Picture {
    pub manifest: usize,
    pub position: usize,
    pub setting: Setting,
    pub original: Vec<u8>,
    pub attacks: Vec<PicturedAttack>,
}

/// What an attack made of a sample.
#[derive(Debug)]
pub(crate) struct PicturedAttack {
    pub label: String,
    pub record: Record,
    pub perturbed: Vec<u8>,
    pub perturbation: Vec<u8>,
}

/// The pictures that the folder has images and records of, setting by setting.
pub(super) fn read(
    folder: &Path,
    plan: &Plan,
    records: &[Record],
) -> Result<Vec<Picture>, EvalError> {
    let bytes = |path: &Path| {
        let path = folder.join(path);
        fs::read(&path).map_err(|source| EvalError::Read { path, source })
    };
    let mut pictures: Vec<Picture> = Vec::new();
    let mut at = 0;
    let runs = |table| plan.jobs.iter().filter(move |job: &&Job| job.table == table);
    for (job, Job { table, manifest, run }) in plan.jobs.iter().enumerate() {
        let runs: Vec<&Run> = runs(*table).map(|job| &job.run).collect();
        for position in plan.positions(*manifest) {
            let Some(record) = records.get(at) else { break };
            at += 1;
            if position >= plan.inputs.pictures {
                continue;
            }
            let paths = PicturePaths::new(*manifest, job, position);
            let attack = PicturedAttack {
                label: label(run, &runs),
                record: record.clone(),
                perturbed: bytes(&paths.perturbed)?,
                perturbation: bytes(&paths.perturbation)?,
            };
            let known = pictures
                .iter_mut()
                .find(|picture| (picture.manifest, picture.position) == (*manifest, position));
            match known {
                Some(picture) => picture.attacks.push(attack),
                None => pictures.push(Picture {
                    manifest: *manifest,
                    position,
                    setting: record.setting.clone(),
                    original: bytes(&paths.original)?,
                    attacks: vec![attack],
                }),
            }
        }
    }
    Ok(pictures)
}

/// So many pictures at most, in their order: of every setting one before any has two, spread evenly where there
/// are more settings than that. Those come first on which every attack succeeded, as in the paper.
pub(super) fn shown(pictures: &[Picture], most: usize) -> Vec<&Picture> {
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
    pub(super) fn figure_name(&self) -> String {
        format!("figure-m{:02}-s{}.png", self.manifest + 1, self.position)
    }

    /// The methods side by side, one a row, as in the paper's Figures 4 to 7; PNG.
    pub(super) fn figure(&self, plan: &Plan) -> Result<Vec<u8>, EvalError> {
        let original = decoded(&self.original)?;
        let attacks = self
            .attacks
            .iter()
            .map(|attack| Ok((attack, decoded(&attack.perturbed)?, decoded(&attack.perturbation)?)))
            .collect::<Result<Vec<_>, EvalError>>()?;
        let perturbations = attacks
            .iter()
            .map(|(_, _, perturbation)| magnified(perturbation))
            .collect::<Result<Vec<_>, EvalError>>()?;
        let panels = attacks
            .iter()
            .zip(&perturbations)
            .map(|((attack, perturbed, _), perturbation)| {
                let record = &attack.record;
                let classes = &plan.inputs.data.classes;
                Ok(Panel {
                    title: attack.label.clone(),
                    caption: caption(record),
                    succeeded: record.success,
                    original: &original,
                    perturbed,
                    perturbation,
                    before: ranked(record, &record.clean_scores, classes)?,
                    after: ranked(record, &record.scores, classes)?,
                })
            })
            .collect::<Result<Vec<_>, EvalError>>()?;
        let id = &self.attacks[0].record.id;
        let heading = format!("{id} of {}: {}", self.setting.dataset, self.setting);
        png(&draw(&panels, &heading, MAGNIFICATION)?, Path::new(&self.figure_name()))
    }
}

/// What was stored magnified and rounded, as values again.
fn magnified(image: &RgbImage) -> Result<Vec<f32>, EvalError> {
    let (side, bounds) = (image.width(), Bounds::SYMMETRIC);
    let mut values = Transform { resize: Resize::Square(side), bounds }.apply(image)?;
    // Grey lies between two levels, and the upper one stands for no perturbation.
    let nothing = 1.0 / 255.0;
    for value in &mut values {
        *value = if (*value - nothing).abs() < 1e-6 { 0.0 } else { *value / MAGNIFICATION };
    }
    Ok(values)
}

fn decoded(png: &[u8]) -> Result<RgbImage, EvalError> {
    let image = image::load_from_memory(png);
    image
        .map(|image| image.to_rgb8())
        .map_err(|error| EvalError::Encode { path: "images".into(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::toy;

    #[test]
    fn every_setting_shows_a_success_before_any_shows_two() {
        let picture = |manifest, position, success| {
            let record = toy("a", 1, success, 0.1);
            let attack = PicturedAttack {
                label: String::new(),
                record,
                perturbed: Vec::new(),
                perturbation: Vec::new(),
            };
            Picture {
                manifest,
                position,
                setting: attack.record.setting.clone(),
                original: Vec::new(),
                attacks: vec![attack],
            }
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
}
