//! A linear classifier of six labels and batches for it, small enough to check by hand.

#![allow(dead_code, clippy::unwrap_used)]

use std::fmt;

use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use serde_json::{Value, json};
use tkmia_attacks::{Attack, AttackBatch, AttackError, AttackSettings, Perturbed};
use tkmia_core::{Bounds, Classifier, LabelSet};

pub const CLASSES: usize = 6;
pub const PIXELS: usize = 3 * 2 * 2;

/// `scores = W x + b`.
#[derive(Debug)]
pub struct Linear {
    weights: Tensor<2>,
    bias: Tensor<2>,
}

impl Linear {
    pub fn new(weights: Vec<f32>, bias: Vec<f32>) -> Self {
        let device = Device::default();
        Self {
            weights: Tensor::from_data(TensorData::new(weights, [PIXELS, CLASSES]), &device),
            bias: Tensor::from_data(TensorData::new(bias, [1, CLASSES]), &device),
        }
    }
}

impl Classifier for Linear {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        images.flatten(1, 3).matmul(self.weights.clone()) + self.bias.clone()
    }

    fn classes(&self) -> usize {
        CLASSES
    }

    fn bounds(&self) -> Bounds {
        Bounds::SYMMETRIC
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        Some([2, 2])
    }

    fn device(&self) -> Device {
        Device::default()
    }
}

/// What is made of a linear victim's scores, given the images too.
pub type Change = fn(Tensor<2>, Tensor<4>) -> Tensor<2>;

/// A linear victim with changed scores.
pub struct Changed(pub Linear, pub Change);

impl fmt::Debug for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Changed").field(&self.0).finish()
    }
}

impl Classifier for Changed {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        (self.1)(self.0.scores(images.clone()), images)
    }

    fn classes(&self) -> usize {
        CLASSES
    }

    fn bounds(&self) -> Bounds {
        Bounds::SYMMETRIC
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        Some([2, 2])
    }

    fn device(&self) -> Device {
        Device::default()
    }
}

pub fn linear() -> impl Strategy<Value = Linear> {
    let weights = prop::collection::vec(-1.0_f32..1.0, PIXELS * CLASSES);
    let bias = prop::collection::vec(-1.0_f32..1.0, CLASSES);
    (weights, bias).prop_map(|(weights, bias)| Linear::new(weights, bias))
}

pub fn images(rows: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-1.0_f32..=1.0, rows * PIXELS)
}

/// k = 2; two relevant labels to spare, one of them specified in turn.
pub fn batch(values: &[f32]) -> AttackBatch {
    let rows = values.len() / PIXELS;
    let data = TensorData::new(values.to_vec(), [rows, 3, 2, 2]);
    let relevant: Vec<_> =
        (0..rows).map(|row| [0, 1, 2, 3].map(|label| (label + row) % 6)).collect();
    let specified: Vec<_> = (0..rows).map(|row| [row % 6]).collect();
    let set = |rows: &[Vec<usize>]| LabelSet::from_indices(rows, CLASSES).unwrap();
    let target: Vec<_> = (0..rows).map(|row| vec![(4 + row) % 6, (5 + row) % 6]).collect();
    let batch = AttackBatch::new(
        Tensor::from_data(data, &Device::default()),
        set(&relevant.iter().map(|labels| labels.to_vec()).collect::<Vec<_>>()),
        set(&specified.iter().map(|labels| labels.to_vec()).collect::<Vec<_>>()),
        2,
    )
    .unwrap();
    batch.with_target(target).unwrap()
}

pub fn values(images: Tensor<4>) -> Vec<f32> {
    images.into_data().try_to_vec::<f32>().unwrap()
}

pub fn run(attack: &dyn Attack, victim: &Linear, batch: &AttackBatch) -> Perturbed {
    attack.run(victim, batch).unwrap().perturbed
}

/// Two tables of knobs in one; the second table's come before the first one's.
pub fn and(one: Value, other: Value) -> Value {
    let (Value::Object(mut one), Value::Object(other)) = (one, other) else {
        panic!("knobs are a table")
    };
    one.extend(other);
    Value::Object(one)
}

/// Settings as an experiment's file has them, of both tables.
pub fn settings(knobs: Value, more: Value) -> Result<AttackSettings, AttackError> {
    AttackSettings::from_knobs(and(knobs, more).as_object().unwrap())
}

/// Settings with a learning rate where the attack has one, or else with a radius where it has that, unless the table says.
pub fn fitting(lr: f64, radius: f64, knobs: Value) -> Result<AttackSettings, AttackError> {
    settings(json!({"lr": lr}), knobs.clone())
        .or_else(|_| settings(json!({"radius": radius}), knobs.clone()))
        .or_else(|_| settings(knobs, json!({})))
}

/// The same as a runnable attack.
pub fn attack(knobs: Value) -> Box<dyn Attack> {
    settings(knobs, json!({})).unwrap().init().unwrap()
}

/// Labels 0 and 4 alone depend on the image, and on its first value alone.
pub fn hand_made() -> Linear {
    let mut weights = vec![0.0; PIXELS * CLASSES];
    weights[0] = 1.0;
    weights[4] = -1.0;
    Linear::new(weights, vec![1.0, 0.5, 0.2, 0.1, -1.0, -3.0])
}

/// Labels that all depend on all values of the image, by weights of at most ½ that follow from a number; the clean
/// order at a grey image is that of their indices.
pub fn scattered(number: u32) -> Linear {
    let weights = (0..PIXELS * CLASSES).scan(number.wrapping_mul(2_654_435_761), |state, _| {
        // Numerical Recipes' linear congruential generator.
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((*state >> 8) as f32 / (1 << 24) as f32 - 0.5)
    });
    Linear::new(weights.collect(), vec![1.0, 0.8, 0.5, 0.3, 0.0, -0.2])
}
