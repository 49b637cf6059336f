//! [`Hardening`]: training at the border of what is hidden.

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tkmia_attacks::{AttackBatch, AttackSettings, Outcome, random_selection};
use tkmia_core::{Classifier, LabelSet};
use tkmia_metrics::Ranking;
use tkmia_models::TrainableResNet;

use crate::TrainError;
use crate::feed::Batch;

/// Examples at the border of what is hidden, beside the images themselves: max-margin training (Ding, Sharma, Lui & Huang,
/// "MMA Training", ICLR 2020) with the smallest perturbations that `min-norm` finds.
///
/// Of each image that has more labels than the top-k has places, one label of the top-k is drawn and pushed out by the network as
/// it is then. The image goes into the batch a second time, as far beyond the border as `reach` says, with the labels that it has.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Hardening {
    /// Size of the predicted set.
    pub k: usize,
    /// Forward passes of each search.
    pub passes: usize,
    /// How far an example goes, in lengths of the smallest perturbation.
    pub reach: f64,
}

impl Default for Hardening {
    fn default() -> Self {
        Self { k: 1, passes: 24, reach: 4.0 }
    }
}

impl Hardening {
    /// Checks every field.
    ///
    /// # Errors
    /// [`TrainError::Setting`] with the first that can't be.
    pub fn check(&self) -> Result<(), TrainError> {
        let refuse =
            |field, expected, found: String| Err(TrainError::Setting { field, expected, found });
        if self.k == 0 {
            return refuse("k of hardening", "1 at least", self.k.to_string());
        }
        if self.passes == 0 {
            return refuse("passes of hardening", "1 at least", self.passes.to_string());
        }
        if !(self.reach.is_finite() && self.reach > 0.0) {
            return refuse("reach of hardening", "a number above 0", self.reach.to_string());
        }
        Ok(())
    }

    /// The batch with the examples behind its images; `seed` is that of the draws.
    pub(crate) fn extended(
        &self,
        network: &TrainableResNet,
        mut batch: Batch,
        seed: u64,
    ) -> Result<Batch, TrainError> {
        let victim = network.victim()?;
        let (device, classes) = (victim.device(), victim.classes());
        let each = batch.images.len() / batch.rows;
        let side = (each / 3).isqrt();
        let tensor = |images: &[f32]| {
            let data = TensorData::new(images.to_vec(), [images.len() / each, 3, side, side]);
            Tensor::<4>::from_data(data, &device)
        };
        let values = |images: Tensor<4>| {
            images.try_to_vec_as::<f32>().expect("float tensors convert to f32")
        };
        let scores = victim.scores(tensor(&batch.images));
        let scores = scores.try_to_vec_as::<f32>().expect("float tensors convert to f32");

        let flags: Vec<bool> = batch.targets.iter().map(|&target| target > 0.5).collect();
        let (mut rows, mut specified) = (Vec::new(), Vec::new());
        for (row, scores) in scores.chunks_exact(classes).enumerate() {
            let relevant = &flags[row * classes..][..classes];
            // A network that has diverged is told of by its loss.
            let Ok(ranking) = Ranking::new(scores) else { continue };
            let drawn = random_selection(&ranking, relevant, self.k, 1, seed, &row.to_string());
            if let Ok(labels) = drawn {
                rows.push(row);
                specified.push(labels);
            }
        }
        if rows.is_empty() {
            return Ok(batch);
        }
        let relevant = LabelSet::new(flags, classes)?.select(&rows);
        let specified = LabelSet::from_indices(&specified, classes)?;
        let clean: Vec<f32> =
            rows.iter().flat_map(|&row| &batch.images[row * each..][..each]).copied().collect();
        let attacked = AttackBatch::new(tensor(&clean), relevant, specified, self.k)?;
        let knobs = json!({"name": "tkmia", "variant": "min-norm", "max-iterations": self.passes});
        let knobs = serde_json::from_value(knobs).expect("a table of knobs");
        let found = AttackSettings::from_knobs(&knobs)?.init()?.run(&victim, &attacked)?.perturbed;
        let (bounds, reach) = (victim.bounds(), self.reach as f32);
        let hidden = values(found.images);
        for (at, &row) in rows.iter().enumerate() {
            if found.outcomes[at] != Outcome::Succeeded {
                continue;
            }
            let pairs = clean[at * each..][..each].iter().zip(&hidden[at * each..]);
            batch.images.extend(
                pairs.map(|(x, there)| (x + reach * (there - x)).clamp(bounds.low, bounds.high)),
            );
            batch.targets.extend_from_within(row * classes..(row + 1) * classes);
            batch.rows += 1;
        }
        Ok(batch)
    }
}

#[cfg(test)]
mod tests {
    use tkmia_core::device;

    use super::*;

    #[test]
    fn examples_hide_a_label_and_keep_all_labels() {
        let network = TrainableResNet::new("resnet10", 4, 6, 3, &device("cpu").unwrap()).unwrap();
        let (rows, side) = (4, 33);
        let images = (0..rows * 3 * side * side).map(|at| (at as f32 * 0.37).sin());
        let targets = [1.0, 1.0, 1.0, 1.0, 1.0, 0.0].repeat(rows);
        let batch = Batch { images: images.collect(), targets, rows };
        let hardening = Hardening { k: 2, passes: 40, reach: 1.0 };
        let before = batch.images.clone();
        let after = hardening.extended(&network, batch, 5).unwrap();
        assert!(after.rows > rows, "some of them succeed");
        assert_eq!(after.images[..before.len()], before);
        assert_eq!(after.targets.len(), 6 * after.rows);
        assert_eq!(after.images.len(), 3 * side * side * after.rows);

        // An example differs from its image, and has lost a label of the top-2.
        let victim = network.victim().unwrap();
        let data = TensorData::new(after.images, [after.rows, 3, side, side]);
        let scores = victim.scores(Tensor::from_data(data, &victim.device()));
        let scores = scores.try_to_vec_as::<f32>().unwrap();
        let top = |row: usize| -> Vec<usize> {
            let ranking = Ranking::new(&scores[6 * row..][..6]).unwrap();
            let mut top = ranking.top(2).unwrap().to_vec();
            top.sort_unstable();
            top
        };
        let clean: Vec<Vec<usize>> = (0..rows).map(top).collect();
        for row in rows..after.rows {
            assert!(clean.iter().any(|clean| *clean != top(row)));
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_name() {
        for (hardening, field) in [
            (Hardening { k: 0, ..Hardening::default() }, "k of hardening"),
            (Hardening { passes: 0, ..Hardening::default() }, "passes of hardening"),
            (Hardening { reach: f64::NAN, ..Hardening::default() }, "reach of hardening"),
        ] {
            assert!(hardening.check().unwrap_err().to_string().contains(field));
        }
        Hardening::default().check().unwrap();
    }
}
