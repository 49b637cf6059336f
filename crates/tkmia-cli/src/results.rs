//! [`Results`]: what came of each image, and its npz file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Seek, Write};
use std::mem;

use ndarray::{Array2, ArrayView, Dimension, IntoDimension};
use ndarray_npy::{NpzWriter, WritableElement, WriteNpzError};
use tkmia_attacks::{Indicator, Outcome, Passes, Verdict, View};
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

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
    /// Of each forward pass, where it was asked for and the attack has one.
    pub loss: Vec<f32>,
}

/// The images whose attack has ended, in the order of the input.
pub struct Results {
    /// Of the input's images.
    shape: [usize; 4],
    classes: usize,
    /// The longest that a trace can be, where one was asked for.
    trace: Option<usize>,
    adversarial: Vec<f32>,
    perturbation: Vec<f32>,
    rows: Vec<AttackedImage>,
}

impl Results {
    pub fn new(shape: [usize; 4], classes: usize, trace: Option<usize>) -> Self {
        let values = shape.iter().product();
        Self {
            shape,
            classes,
            trace,
            adversarial: Vec::with_capacity(values),
            perturbation: Vec::with_capacity(values),
            rows: Vec::with_capacity(shape[0]),
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

    /// Whether some images are missing, because the run was interrupted.
    pub fn is_partial(&self) -> bool {
        self.rows.len() < self.shape[0]
    }

    /// Writes the npz file; with the rows' indices as `rows`, if some are missing.
    pub fn write<W: Write + Seek>(&self, writer: W) -> Result<W, WriteNpzError> {
        // Like NumPy: stored, and without the limit of 4 GiB for an array.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(true);
        let mut npz = NpzWriter::new_with_options(writer, options);
        match self.add_to(&mut npz) {
            Ok(()) => npz.finish(),
            Err(error) => {
                // Dropped, it would try again and print what is wrong.
                mem::forget(npz);
                Err(error)
            }
        }
    }

    fn add_to<W: Write + Seek>(&self, npz: &mut NpzWriter<W>) -> Result<(), WriteNpzError> {
        let [_, channels, height, width] = self.shape;
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
        add(npz, "excluded", [rows], &self.column(|row| row.verdict.excluded))?;
        let rounded = self.column(|row| u8::from(row.verdict.success_rounded));
        add(npz, "success_rounded", [rows], &rounded)?;
        add(npz, "forward", [rows], &self.column(|row| row.passes.forward as i64))?;
        add(npz, "backward", [rows], &self.column(|row| row.passes.backward as i64))?;
        if let Some(length) = self.trace {
            let mut loss = Array2::from_elem((rows, length), f32::NAN);
            for (mut padded, row) in loss.rows_mut().into_iter().zip(&self.rows) {
                padded.iter_mut().zip(&row.loss).for_each(|(place, &loss)| *place = loss);
            }
            npz.add_array("loss", &loss)?;
        }
        if self.is_partial() {
            add(npz, "rows", [rows], &self.column(|row| row.row as i64))?;
        }
        Ok(())
    }

    fn column<T>(&self, of: impl Fn(&AttackedImage) -> T) -> Vec<T> {
        self.rows.iter().map(of).collect()
    }

    /// One line, and one more for each reason why images took no part.
    pub fn summary(&self, view: View) -> String {
        let succeeded: Vec<&Verdict> =
            self.rows.iter().map(|row| &row.verdict).filter(|verdict| verdict.success).collect();
        let mean = |of: fn(&Verdict) -> f64| {
            succeeded.iter().map(|verdict| of(verdict)).sum::<f64>() / succeeded.len() as f64
        };
        let mut reasons: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut signs: BTreeMap<Indicator, Vec<usize>> = BTreeMap::new();
        for row in &self.rows {
            if let Outcome::Ineligible(reason) = row.outcome {
                reasons.entry(reason.to_string()).or_default().push(row.row);
            }
            for &indicator in &row.verdict.indicators {
                signs.entry(indicator).or_default().push(row.row);
            }
        }
        let mut text = format!("{} of {} images succeeded", succeeded.len(), self.len());
        if !succeeded.is_empty() {
            let input = mean(|verdict| verdict.norm_input);
            let _ = write!(text, ", mean L2 norm {input:.4} (model-input units)");
            if view == View::Tanh {
                let tanh = mean(|verdict| verdict.norm);
                let _ = write!(text, ", {tanh:.4} (tanh-space units)");
            }
            let kept = succeeded.iter().filter(|verdict| verdict.success_rounded).count();
            let _ = write!(text, ", {kept} kept in 8-bit pixels");
        }
        let ineligible: usize = reasons.values().map(Vec::len).sum();
        let _ = writeln!(text, "; {ineligible} not eligible");
        for (reason, rows) in reasons {
            let _ = writeln!(text, "not eligible: {reason} ({})", numbered(&rows));
        }
        for (indicator, rows) in signs {
            let _ = writeln!(text, "sign of a failing attack: {indicator} ({})", numbered(&rows));
        }
        text
    }
}

/// The first of these rows, for people.
fn numbered(rows: &[usize]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = rows.iter().take(SHOWN).map(usize::to_string).collect();
    let more = if rows.len() > SHOWN { ", …" } else { "" };
    format!("rows {}{more}", shown.join(", "))
}

fn add<W: Write + Seek, T: WritableElement, D: IntoDimension>(
    npz: &mut NpzWriter<W>,
    name: &str,
    shape: D,
    values: &[T],
) -> Result<(), WriteNpzError>
where
    D::Dim: Dimension,
{
    let array = ArrayView::from_shape(shape.into_dimension(), values)
        .expect("each row has added as many values as the shape says");
    npz.add_array(name, &array)
}
