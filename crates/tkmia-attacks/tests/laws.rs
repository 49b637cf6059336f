//! Laws that every attack obeys, on classifiers small enough to check by hand.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use tkmia_attacks::{
    Attack, AttackBatch, AttackError, BatchResult, Method, Outcome, Reason, Settings, SpecifiedOut,
    Step, Variant, judge,
};
use tkmia_core::{Bounds, Classifier, LabelSet};

const CLASSES: usize = 6;
const PIXELS: usize = 3 * 2 * 2;

/// `scores = W x + b`.
#[derive(Debug)]
struct Linear {
    weights: Tensor<2>,
    bias: Tensor<2>,
}

impl Linear {
    fn new(weights: Vec<f32>, bias: Vec<f32>) -> Self {
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

fn linear() -> impl Strategy<Value = Linear> {
    let weights = prop::collection::vec(-1.0_f32..1.0, PIXELS * CLASSES);
    let bias = prop::collection::vec(-1.0_f32..1.0, CLASSES);
    (weights, bias).prop_map(|(weights, bias)| Linear::new(weights, bias))
}

fn images(rows: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-1.0_f32..=1.0, rows * PIXELS)
}

/// k = 2; two relevant labels to spare, one of them specified in turn.
fn batch(values: &[f32]) -> AttackBatch {
    let rows = values.len() / PIXELS;
    let data = TensorData::new(values.to_vec(), [rows, 3, 2, 2]);
    let relevant: Vec<_> =
        (0..rows).map(|row| [0, 1, 2, 3].map(|label| (label + row) % 6)).collect();
    let specified: Vec<_> = (0..rows).map(|row| [row % 6]).collect();
    let set = |rows: &[Vec<usize>]| LabelSet::from_indices(rows, CLASSES).unwrap();
    AttackBatch::new(
        Tensor::from_data(data, &Device::default()),
        set(&relevant.iter().map(|labels| labels.to_vec()).collect::<Vec<_>>()),
        set(&specified.iter().map(|labels| labels.to_vec()).collect::<Vec<_>>()),
        2,
    )
    .unwrap()
}

fn tkmia(variant: Variant, max_iterations: usize) -> Box<dyn Attack> {
    every(max_iterations).remove(&(Method::Tkmia.name(), variant.name())).unwrap()
}

/// Every method in every variant that it has, by their names.
fn every(max_iterations: usize) -> BTreeMap<(&'static str, &'static str), Box<dyn Attack>> {
    let pairs = Method::ALL.into_iter().flat_map(|m| Variant::ALL.map(|v| (m, v)));
    let attacks = pairs.filter_map(|(method, variant)| {
        let settings = Settings {
            method,
            variant,
            learning_rate: 0.05,
            max_iterations,
            ..Settings::default()
        };
        match settings.init(Bounds::SYMMETRIC) {
            Ok(attack) => Some(((method.name(), variant.name()), attack)),
            Err(AttackError::NoLiteral | AttackError::NoMinNorm { .. }) => None,
            Err(other) => panic!("{other}"),
        }
    });
    attacks.collect()
}

fn values(images: Tensor<4>) -> Vec<f32> {
    images.into_data().try_to_vec::<f32>().unwrap()
}

fn run(attack: &dyn Attack, victim: &Linear, batch: &AttackBatch) -> BatchResult {
    attack.run(victim, batch, &mut ()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_batch_gives_what_its_images_give_alone(victim in linear(), images in images(5)) {
        for (name, attack) in every(20) {
            let attack = attack.as_ref();
            let together = run(attack, &victim, &batch(&images));
            let goal = batch(&images).goal;
            for row in 0..5 {
                let alone = AttackBatch::new(
                    batch(&images).images.narrow(0, row, 1),
                    goal.relevant().select(&[row]),
                    goal.specified().select(&[row]),
                    2,
                ).unwrap();
                let alone = run(attack, &victim, &alone);
                prop_assert_eq!(alone.outcomes[0], together.outcomes[row], "{:?}", name);
                prop_assert_eq!(alone.iterations[0], together.iterations[row], "{:?}", name);
                let of_row = values(together.images.clone().narrow(0, row, 1));
                for (alone, together) in values(alone.images).into_iter().zip(of_row) {
                    prop_assert!((alone - together).abs() < 1e-5, "{name:?}: {alone} {together}");
                }
            }
        }
    }

    #[test]
    fn images_stay_in_their_range_and_the_judge_agrees(victim in linear(), images in images(4)) {
        for (name, attack) in every(30) {
            let batch = batch(&images);
            let result = run(attack.as_ref(), &victim, &batch);
            prop_assert!(values(result.images.clone()).iter().all(|value| value.abs() <= 1.0));
            let verdicts = judge(&victim, &batch.goal, &result, &SpecifiedOut::default()).unwrap();
            for (verdict, outcome) in verdicts.iter().zip(&result.outcomes) {
                prop_assert_eq!(verdict.success, *outcome == Outcome::Succeeded, "{:?}", name);
                if matches!(outcome, Outcome::Ineligible(_)) {
                    prop_assert_eq!(verdict.norm_input, 0.0);
                }
            }
        }
    }
}

/// Labels 0 and 4 alone depend on the image, and on its first value alone.
fn hand_made() -> Linear {
    let mut weights = vec![0.0; PIXELS * CLASSES];
    weights[0] = 1.0;
    weights[4] = -1.0;
    Linear::new(weights, vec![1.0, 0.5, 0.2, 0.1, -1.0, -3.0])
}

#[test]
fn the_one_pixel_that_matters_is_the_one_that_moves() {
    let batch = batch(&[0.0; PIXELS]);
    let attack = Settings::default().init(Bounds::SYMMETRIC).unwrap();
    let result = run(attack.as_ref(), &hand_made(), &batch);
    assert_eq!(result.outcomes, [Outcome::Succeeded]);
    let moved = values(result.perturbation);
    // Label 0 leaves the top-2 once it is below label 2, 0.8 lower; a step is at most about 0.02.
    assert!(moved[0] < -0.8 && moved[0] > -0.83, "{}", moved[0]);
    assert!(moved[1..].iter().all(|&value| value == 0.0));
}

#[test]
fn a_sample_that_cannot_take_part_says_why_and_costs_one_pass() {
    let victim = hand_made();
    let images = Tensor::zeros([3, 3, 2, 2], &Device::default());
    let set = |rows: &[&[usize]]| LabelSet::from_indices(rows, CLASSES).unwrap();
    // The second has too few relevant labels, the third's specified label is at rank 5.
    let relevant = set(&[&[0, 1, 2], &[0, 1], &[0, 1, 4]]);
    let batch = AttackBatch::new(images, relevant, set(&[&[0], &[0], &[4]]), 2).unwrap();
    let result = run(tkmia(Variant::Corrected, 300).as_ref(), &victim, &batch);
    assert_eq!(
        result.outcomes,
        [
            Outcome::Succeeded,
            Outcome::Ineligible(Reason::TooFewRelevant { relevant: 2, needed: 3 }),
            Outcome::Ineligible(Reason::NothingToExclude),
        ]
    );
    assert_eq!(result.iterations[1..], [1, 1]);
}

#[test]
fn an_observer_can_end_a_run_and_keeps_what_is_done() {
    let mut images = vec![0.0; 2 * PIXELS];
    // The first image's label 0 is nearly out already.
    images[0] = -0.75;
    let batch = batch(&images);
    let mut seen = Vec::new();
    let mut watch = |step: &Step<'_>| {
        seen.push(step.rows.to_vec());
        match step.iteration {
            8 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    };
    let settings = Settings { learning_rate: 0.003, ..Settings::default() };
    let attack = settings.init(Bounds::SYMMETRIC).unwrap();
    let result = attack.run(&hand_made(), &batch, &mut watch).unwrap();
    assert_eq!(result.outcomes, [Outcome::Succeeded, Outcome::Interrupted]);
    assert_eq!(result.iterations[1], 8);
    assert_eq!((seen[0].len(), seen[7].len()), (2, 1));
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    let victim = hand_made();
    let refuse = |batch: &AttackBatch| {
        tkmia(Variant::Corrected, 3).run(&victim, batch, &mut ()).unwrap_err()
    };
    let mut outside = vec![0.0; 2 * PIXELS];
    outside[PIXELS] = 1.5;
    assert!(matches!(
        refuse(&batch(&outside)),
        AttackError::ImageOutOfBounds { row: 1, value: 1.5, .. }
    ));
    outside[PIXELS] = f32::NAN;
    assert!(matches!(refuse(&batch(&outside)), AttackError::ImageOutOfBounds { row: 1, .. }));

    let set = |labels: &[usize]| LabelSet::from_indices(&[labels], CLASSES).unwrap();
    let images = Tensor::zeros([1, 3, 4, 4], &Device::default());
    let large = AttackBatch::new(images, set(&[0, 1]), set(&[0]), 1).unwrap();
    assert!(matches!(
        refuse(&large),
        AttackError::ImageSize { expected: [3, 2, 2], found: [3, 4, 4] }
    ));
}

#[test]
fn a_score_that_is_not_a_number_is_named() {
    let mut bias = vec![0.0; CLASSES];
    bias[3] = f32::NAN;
    let victim = Linear::new(vec![0.0; PIXELS * CLASSES], bias);
    let error = tkmia(Variant::Corrected, 3).run(&victim, &batch(&[0.0; PIXELS]), &mut ());
    assert!(matches!(error, Err(AttackError::NonFiniteScore { row: 0, pass: 1, label: 3, .. })));
}
