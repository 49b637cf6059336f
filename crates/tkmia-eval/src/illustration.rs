//! [`illustrate`]: the picture of attacked samples, like the paper's Figure 4.

use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, RgbImage};
use tkmia_core::Bounds;
use tkmia_data::to_rgb;
use tkmia_metrics::Ranking;

use crate::figure::{Panel, RankedLabel, Role, draw};
use crate::{Attacked, EvalError, Record};

/// Factor by which pictures show perturbations (Sun et al. 2023, Fig. 4).
pub(crate) const MAGNIFICATION: f32 = 100.0;

/// A picture as PNG; `path` is where it is to go.
pub(crate) fn png(image: &RgbImage, path: &Path) -> Result<Vec<u8>, EvalError> {
    let mut bytes = Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|error| EvalError::Encode { path: path.to_owned(), reason: error.to_string() })?;
    Ok(bytes.into_inner())
}

/// The images of attacked samples, what was added to them, and their top-k before and after.
///
/// # Errors
/// [`EvalError::Data`], [`EvalError::Metrics`] or [`EvalError::Figure`] if samples, names and size don't fit together, or there
/// is no sample.
///
/// # Shapes
/// - size: height and width of the samples' images
pub fn illustrate(
    samples: &[Attacked],
    classes: &[String],
    size: [usize; 2],
    bounds: Bounds,
    heading: &str,
    magnification: f32,
) -> Result<RgbImage, EvalError> {
    let images = samples
        .iter()
        .map(|sample| {
            let rgb = |values| to_rgb(values, size.map(|side| side as u32), bounds);
            let half_range = (bounds.high - bounds.low) / 2.0;
            let pairs = sample.adversarial.iter().zip(&sample.unattacked);
            let perturbation = pairs.map(|(now, before)| (now - before) / half_range).collect();
            Ok((rgb(&sample.unattacked)?, rgb(&sample.adversarial)?, perturbation))
        })
        .collect::<Result<Vec<(_, _, Vec<f32>)>, EvalError>>()?;
    let panels = samples
        .iter()
        .zip(&images)
        .map(|(Attacked { record, .. }, (original, perturbed, perturbation))| {
            Ok(Panel {
                title: record.id.clone(),
                caption: caption(record),
                succeeded: record.success,
                original,
                perturbed,
                perturbation,
                before: ranked(record, &record.clean_scores, classes)?,
                after: ranked(record, &record.scores, classes)?,
            })
        })
        .collect::<Result<Vec<_>, EvalError>>()?;
    Ok(draw(&panels, heading, magnification)?)
}

pub(crate) fn caption(record: &Record) -> String {
    let Record { setting, norm_input, norm_pixels, iterations, .. } = record;
    // The spaces within a statement are no-break spaces.
    format!(
        "{types}, k\u{a0}=\u{a0}{k} · ‖ε‖₂\u{a0}=\u{a0}{norm_input:.3}\u{a0}in\u{a0}model-input\u{a0}units \
         ({norm_pixels:.0}\u{a0}in\u{a0}8-bit\u{a0}pixels) · {iterations}\u{a0}iterations",
        types = setting.selection,
        k = setting.k,
    )
}

pub(crate) fn ranked(
    record: &Record,
    scores: &[f32],
    classes: &[String],
) -> Result<Vec<RankedLabel>, EvalError> {
    let ranking = Ranking::new(scores)?;
    let label = |&label: &usize| RankedLabel {
        name: classes.get(label).cloned().unwrap_or_else(|| label.to_string()),
        probability: 1.0 / (1.0 + (-f64::from(scores[label])).exp()),
        role: match label {
            _ if record.specified.contains(&label) => Role::Specified,
            _ if record.relevant.contains(&label) => Role::Relevant,
            _ => Role::Irrelevant,
        },
    };
    Ok(ranking.top(record.setting.k)?.iter().map(label).collect())
}
