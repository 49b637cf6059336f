//! [`Results`]: what came of each image, and its npz file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Seek, Write};
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use ndarray::Array2;
use ndarray_npy::{NpzWriter, WriteNpzError};
use tkmia_attacks::{Controls, Indicator, Outcome, Passes, Verdict, View};
use tkmia_core::pixels::round_to_pixels;
use tkmia_core::{Bounds, Classifier};
use tkmia_data::{DataError, save_png, to_image};

use crate::input::Input;
use crate::output::{Names, add};

/// What came of several images: their pixels one after the other, and the rest of each.
pub struct AttackedImages {
    pub adversarial: Vec<f32>,
    pub perturbation: Vec<f32>,
    pub images: Vec<AttackedImage>,
}

/// What came of one image, but for its pixels.
pub struct AttackedImage {
    pub row: usize,
    pub verdict: Verdict,
    pub outcome: Outcome,
    pub iterations: usize,
    pub passes: Passes,
    /// For a universal perturbation: its controls.
    pub controls: Option<Controls>,
    /// Of each forward pass, where it was asked for and the attack has one.
    pub loss: Vec<f32>,
}

/// The images whose attack has ended, in the order of the input.
pub struct Results<'a> {
    input: &'a Input,
    classes: usize,
    bounds: Bounds,
    /// The longest that a trace can be, where one was asked for.
    trace: Option<usize>,
    adversarial: Vec<f32>,
    perturbation: Vec<f32>,
    rows: Vec<AttackedImage>,
}

impl<'a> Results<'a> {
    pub fn new(input: &'a Input, model: &dyn Classifier, trace: Option<usize>) -> Self {
        let values = input.images.len();
        Self {
            input,
            classes: model.classes(),
            bounds: model.bounds(),
            trace,
            adversarial: Vec::with_capacity(values),
            perturbation: Vec::with_capacity(values),
            rows: Vec::with_capacity(input.shape[0]),
        }
    }

    pub fn push(&mut self, attacked: AttackedImages) {
        self.adversarial.extend(attacked.adversarial);
        self.perturbation.extend(attacked.perturbation);
        self.rows.extend(attacked.images);
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many images there are.
    pub fn of(&self) -> usize {
        self.input.shape[0]
    }

    /// Whether some images are missing, because the run was interrupted.
    pub fn is_partial(&self) -> bool {
        self.len() < self.of()
    }

    /// On how many the attack ended in a success by what it attacked.
    pub fn ended_in_success(&self) -> usize {
        self.rows.iter().filter(|row| row.outcome == Outcome::Succeeded).count()
    }

    /// Whether the victim gave finite scores for all of them.
    pub fn are_finite(&self) -> bool {
        !self.rows.iter().any(|row| matches!(row.outcome, Outcome::NonFiniteScore { .. }))
    }

    /// Writes the arrays; with the names of photographs, and with the rows' indices as `rows`, if some are missing.
    pub fn add_to<W: Write + Seek>(&self, npz: &mut NpzWriter<W>) -> Result<(), WriteNpzError> {
        let [_, channels, height, width] = self.input.shape;
        let rows = self.len();
        let images = [rows, channels, height, width];
        add(npz, "adversarial", images, &self.adversarial)?;
        add(npz, "perturbation", images, &self.perturbation)?;

        let labels = [rows, self.classes];
        let scores = |of: fn(&Verdict) -> &[f32]| -> Vec<f32> {
            self.rows.iter().flat_map(|row| of(&row.verdict)).copied().collect()
        };
        add(npz, "clean_scores", labels, &scores(|verdict| &verdict.clean_scores))?;
        add(npz, "scores", labels, &scores(|verdict| &verdict.scores))?;

        add(npz, "success", [rows], &self.column(|row| u8::from(row.verdict.success)))?;
        add(npz, "iterations", [rows], &self.column(|row| row.iterations as i64))?;
        add(npz, "norm", [rows], &self.column(|row| row.verdict.norm as f32))?;
        add(npz, "norm_input", [rows], &self.column(|row| row.verdict.norm_input as f32))?;
        let pixels = self.bounds.pixels_per_unit();
        let of_pixels = |scale: f64| self.column(|row| (scale * row.verdict.norm_input) as f32);
        add(npz, "norm_unit", [rows], &of_pixels(pixels / 255.0))?;
        add(npz, "norm_pixels", [rows], &of_pixels(pixels))?;
        add(npz, "excluded", [rows], &self.column(|row| row.verdict.excluded))?;
        let rounded = self.column(|row| u8::from(row.verdict.success_rounded));
        add(npz, "success_rounded", [rows], &rounded)?;
        add(npz, "forward", [rows], &self.column(|row| row.passes.forward as i64))?;
        add(npz, "backward", [rows], &self.column(|row| row.passes.backward as i64))?;
        let controls: Option<Vec<Controls>> = self.rows.iter().map(|row| row.controls).collect();
        if let Some(controls) = controls.filter(|controls| !controls.is_empty()) {
            let negated = controls.iter().map(|controls| u8::from(controls.negated));
            add(npz, "negated", [rows], &negated.collect::<Vec<u8>>())?;
            let shuffled = controls.iter().map(|controls| controls.shuffled as f32);
            add(npz, "shuffled", [rows], &shuffled.collect::<Vec<f32>>())?;
        }
        if let Some(length) = self.trace {
            let mut loss = Array2::from_elem((rows, length), f32::NAN);
            for (mut padded, row) in loss.rows_mut().into_iter().zip(&self.rows) {
                padded.iter_mut().zip(&row.loss).for_each(|(place, &loss)| *place = loss);
            }
            npz.add_array("loss", &loss)?;
        }
        if self.input.names.is_some() {
            npz.add_array("names", &Names(self.column(|row| self.input.name(row.row))))?;
        }
        if self.is_partial() {
            add(npz, "rows", [rows], &self.column(|row| row.row as i64))?;
        }
        Ok(())
    }

    /// Writes each attacked image as PNG, its pixels those by which `success_rounded` is judged.
    pub fn draw(&self, folder: &Path, device: &Device) -> Result<(), DataError> {
        let [_, channels, height, width] = self.input.shape;
        let size = [1, channels, height, width];
        for (row, values) in self.rows.iter().zip(self.adversarial.chunks(self.input.image_size()))
        {
            let image = TensorData::new(values.to_vec(), size);
            let image = Tensor::from_data(image, device);
            let picture = to_image(&round_to_pixels(image, self.bounds), 0, self.bounds)?;
            let path = folder.join(self.input.name(row.row) + ".png");
            let folder = path.parent().unwrap_or(folder);
            fs::create_dir_all(folder)
                .map_err(|source| DataError::Write { path: folder.to_owned(), source })?;
            save_png(&picture, path)?;
        }
        Ok(())
    }

    fn column<T>(&self, of: impl Fn(&AttackedImage) -> T) -> Vec<T> {
        self.rows.iter().map(of).collect()
    }

    /// One line, and one more for each reason why images took no part, and for each sign of failure.
    pub fn summary(&self, view: View) -> String {
        let succeeded: Vec<&Verdict> =
            self.rows.iter().map(|row| &row.verdict).filter(|verdict| verdict.success).collect();
        let mean = |of: fn(&Verdict) -> f64| {
            succeeded.iter().map(|verdict| of(verdict)).sum::<f64>() / succeeded.len() as f64
        };
        let mut reasons: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut lost: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut signs: BTreeMap<Indicator, Vec<usize>> = BTreeMap::new();
        for row in &self.rows {
            match row.outcome {
                Outcome::Ineligible(reason) => {
                    reasons.entry(reason.to_string()).or_default().push(row.row);
                }
                Outcome::NonFiniteScore { label } => lost.entry(label).or_default().push(row.row),
                Outcome::Succeeded | Outcome::Exhausted | Outcome::Interrupted => {}
            }
            for &indicator in &row.verdict.indicators {
                signs.entry(indicator).or_default().push(row.row);
            }
        }
        let mut text = format!("{} of {} images succeeded", succeeded.len(), self.len());
        if !succeeded.is_empty() {
            let input = mean(|verdict| verdict.norm_input);
            let pixels = input * self.bounds.pixels_per_unit();
            let unit = pixels / 255.0;
            let _ = write!(
                text,
                ", mean L2 norm {input:.4} (model-input units; {pixels:.2} in 8-bit pixels, {unit:.4} in those of [0, 1])"
            );
            if view == View::Tanh {
                let tanh = mean(|verdict| verdict.norm);
                let _ = write!(text, ", {tanh:.4} (tanh-space units)");
            }
            let kept = succeeded.iter().filter(|verdict| verdict.success_rounded).count();
            let _ = write!(text, ", {kept} kept in 8-bit pixels");
        }
        let controls: Vec<Controls> = self.rows.iter().filter_map(|row| row.controls).collect();
        if !controls.is_empty() {
            let negated = controls.iter().filter(|controls| controls.negated).count();
            let shuffled: f64 = controls.iter().map(|controls| controls.shuffled).sum();
            let _ =
                write!(text, "; controls: −v {negated}, v with its pixels shuffled {shuffled:.1}");
        }
        let ineligible: usize = reasons.values().map(Vec::len).sum();
        let _ = writeln!(text, "; {ineligible} not eligible");
        for (reason, rows) in reasons {
            let _ = writeln!(text, "not eligible: {reason} ({})", self.input.listed(&rows));
        }
        for (label, rows) in lost {
            let rows = self.input.listed(&rows);
            let _ =
                writeln!(text, "not attacked: the score of label {label} isn't finite ({rows})");
        }
        for (indicator, rows) in signs {
            let (rows, sentence) = (self.input.listed(&rows), indicator.sentence());
            let _ = writeln!(text, "sign of a failing attack: {indicator} ({rows}): {sentence}");
        }
        text
    }
}

/// The first of these names, for people.
pub fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(SHOWN)].join(", "))
}
