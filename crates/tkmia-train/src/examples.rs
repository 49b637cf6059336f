//! [`Examples`]: adversarial examples in the batches of a training.

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tkmia_attacks::{AttackBatch, AttackSettings, Norm, Outcome, random_selection};
use tkmia_core::{Classifier, LabelSet};
use tkmia_metrics::Ranking;
use tkmia_models::TrainableResNet;

use crate::TrainError;
use crate::feed::Batch;

/// Adversarial examples in the batches of a training, each with the labels that its image has.
///
/// Of each image that has more labels than the top-k has places, one label of the top-k is drawn and attacked on the network as
/// it is then. An attack that looks for the smallest perturbation gives max-margin training (Ding, Sharma, Lui & Huang, "MMA
/// Training", ICLR 2020); one within a ball, with [`beside`](Self::beside) off, the adversarial training of Madry, Makelov,
/// Schmidt, Tsipras & Vladu ("Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018), whose inner loss is
/// here that of the attack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Examples {
    /// Size of the predicted set.
    pub k: usize,
    /// What makes them; by default `min-norm` in 24 forward passes.
    pub attack: AttackSettings,
    /// How far an example lies from its image, on the line to the attacked one: in radii of the attack's ball, by default 1, or
    /// in lengths of the perturbation where it has none, by default [`REACH`](Self::REACH).
    pub reach: Option<f64>,
    /// Whether an image is trained on itself beside its example.
    pub beside: bool,
}

impl Default for Examples {
    fn default() -> Self {
        let knobs = json!({"name": "tkmia", "variant": "min-norm", "max-iterations": 24});
        let attack = serde_json::from_value(knobs).expect("a table of knobs");
        Self { k: 1, attack, reach: None, beside: true }
    }
}

impl Examples {
    /// Lengths of the smallest perturbation that an example goes by default.
    pub const REACH: f64 = 4.0;

    /// Checks every field.
    ///
    /// # Errors
    /// [`TrainError::Setting`] with the first that can't be, [`TrainError::Attack`].
    pub fn check(&self) -> Result<(), TrainError> {
        let refuse =
            |field, expected, found: String| Err(TrainError::Setting { field, expected, found });
        if self.k == 0 {
            return refuse("k of examples", "1 at least", self.k.to_string());
        }
        if let Some(reach) = self.reach.filter(|reach| !(reach.is_finite() && *reach > 0.0)) {
            return refuse("reach of examples", "a number above 0", reach.to_string());
        }
        let attack = self.attack.init()?;
        if attack.universal().is_some() || self.attack.target().is_some() {
            let expected = "one of each image, without targets";
            return refuse("attack of examples", expected, self.attack.short_name());
        }
        Ok(())
    }

    /// The batch with its examples; `seed` is that of the draws.
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
        let found = self.attack.init()?.run(&victim, &attacked)?.perturbed;
        let bounds = victim.bounds();
        let hidden = values(found.images);
        for (at, &row) in rows.iter().enumerate() {
            let pairs = clean[at * each..][..each].iter().zip(&hidden[at * each..]);
            let Some(reach) = self.lengths(pairs.clone(), found.outcomes[at]) else { continue };
            let example =
                pairs.map(|(x, there)| (x + reach * (there - x)).clamp(bounds.low, bounds.high));
            if self.beside {
                batch.images.extend(example);
                batch.targets.extend_from_within(row * classes..(row + 1) * classes);
                batch.rows += 1;
            } else {
                batch.images.splice(row * each..(row + 1) * each, example);
            }
        }
        Ok(batch)
    }

    /// How many lengths of its perturbation an example goes; none of a search that found nothing.
    fn lengths<'a>(
        &self,
        pairs: impl Iterator<Item = (&'a f32, &'a f32)>,
        outcome: Outcome,
    ) -> Option<f32> {
        let radius = self.attack.knobs().get("radius").and_then(serde_json::Value::as_f64);
        let Some(radius) = radius else {
            let reach = self.reach.unwrap_or(Self::REACH);
            return (outcome == Outcome::Succeeded).then_some(reach as f32);
        };
        let steps = pairs.map(|(x, there)| f64::from(there - x));
        let length = match self.attack.norm() {
            Norm::L2 => steps.map(|step| step * step).sum::<f64>().sqrt(),
            Norm::Linf => steps.fold(0.0, |most: f64, step| most.max(step.abs())),
        };
        (length > 0.0).then(|| (self.reach.unwrap_or(1.0) * radius / length) as f32)
    }
}

#[cfg(test)]
mod tests {
    use tkmia_core::device;

    use super::*;

    const SIDE: usize = 33;

    fn network() -> TrainableResNet {
        TrainableResNet::new("resnet10", 4, 6, 3, &device("cpu").unwrap()).unwrap()
    }

    /// Nowhere near the range's ends, where examples are cut off.
    fn batch() -> Batch {
        let rows = 4;
        let images = (0..rows * 3 * SIDE * SIDE).map(|at| 0.7 * (at as f32 * 0.37).sin());
        let targets = [1.0, 1.0, 1.0, 1.0, 1.0, 0.0].repeat(rows);
        Batch { images: images.collect(), targets, rows }
    }

    #[test]
    fn examples_hide_a_label_and_keep_all_labels() {
        let (network, batch) = (network(), batch());
        let (rows, side) = (batch.rows, SIDE);
        let attack = json!({"name": "tkmia", "variant": "min-norm", "max-iterations": 40});
        let attack = serde_json::from_value(attack).unwrap();
        let examples = Examples { k: 2, attack, reach: Some(1.0), beside: true };
        let before = batch.images.clone();
        let after = examples.extended(&network, batch, 5).unwrap();
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
    fn within_a_ball_examples_lie_on_its_surface_in_place_of_their_images() {
        let network = network();
        let batch = batch();
        let (clean, each) = (batch.images.clone(), batch.images.len() / batch.rows);
        for (norm, radius) in [("l2", 0.5), ("linf", 0.01)] {
            let attack =
                json!({"optimiser": "pgd", "norm": norm, "radius": radius, "max-iterations": 3});
            let attack = serde_json::from_value(attack).unwrap();
            let examples = Examples { k: 2, attack, reach: Some(0.5), beside: false };
            let after = examples.extended(&network, batch.clone(), 5).unwrap();
            assert_eq!((after.rows, &after.targets), (batch.rows, &batch.targets));
            let mut moved = 0;
            for (before, after) in clean.chunks_exact(each).zip(after.images.chunks_exact(each)) {
                let steps = before.iter().zip(after).map(|(x, there)| f64::from(there - x));
                let length = match norm {
                    "l2" => steps.map(|step| step * step).sum::<f64>().sqrt(),
                    _ => steps.fold(0.0, |most: f64, step| most.max(step.abs())),
                };
                if length > 0.0 {
                    moved += 1;
                    assert!((length - 0.5 * radius).abs() < 1e-3 * radius, "{norm} {length}");
                }
            }
            assert!(moved > 0, "{norm}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_name() {
        let attack = |knobs| serde_json::from_value(knobs).unwrap();
        let targeted = attack(json!({"name": "ml-cw-t"}));
        let universal = attack(json!({"name": "kuap", "radius": 1.0}));
        for (examples, field) in [
            (Examples { k: 0, ..Examples::default() }, "k of examples"),
            (Examples { reach: Some(f64::NAN), ..Examples::default() }, "reach of examples"),
            (Examples { attack: targeted, ..Examples::default() }, "attack of examples"),
            (Examples { attack: universal, ..Examples::default() }, "attack of examples"),
        ] {
            assert!(examples.check().unwrap_err().to_string().contains(field));
        }
        Examples::default().check().unwrap();
    }
}
