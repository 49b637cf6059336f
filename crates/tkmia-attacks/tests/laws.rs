//! Laws that every attack obeys, on classifiers small enough to check by hand.

#![allow(clippy::unwrap_used)]

mod victim;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor};
use proptest::prelude::*;
use tkmia_attacks::{
    Attack, AttackBatch, AttackError, Method, Outcome, Reason, Settings, Solver, SpecifiedOut,
    Step, Variant, judge,
};
use tkmia_core::{Bounds, LabelSet};
use victim::{CLASSES, Linear, PIXELS, batch, hand_made, images, linear, run, values};

fn tkmia(variant: Variant, max_iterations: usize) -> Box<dyn Attack> {
    every(max_iterations).remove(&(Method::Tkmia.name(), variant.name())).unwrap()
}

/// Every method in every variant that it has, by their names; but for universal ones, whose images share
/// a perturbation.
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
            Err(AttackError::NoVariant { .. } | AttackError::NoBall { .. }) => None,
            Err(other) => panic!("{other}"),
        }
    });
    attacks.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_batch_gives_what_its_images_give_alone(victim in linear(), images in images(5)) {
        for (name, attack) in every(20) {
            let attack = attack.as_ref();
            let together = run(attack, &victim, &batch(&images));
            for row in 0..5 {
                let alone = run(attack, &victim, &batch(&images).select(&[row]));
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_solver_of_the_minimum_norm_form_takes_more_passes_than_it_may(
        victim in linear(),
        images in images(3),
        // Few, and so many that one search follows another.
        max_iterations in prop_oneof![1..60_usize, 100..600_usize],
    ) {
        for solver in Solver::ALL {
            let variant = Variant::MinNorm;
            let settings = Settings { variant, solver, max_iterations, ..Settings::default() };
            let attack = settings.init(Bounds::SYMMETRIC).unwrap();
            let result = run(attack.as_ref(), &victim, &batch(&images));
            for passes in result.passes {
                prop_assert!(passes.forward <= max_iterations, "{}: {passes:?}", solver.name());
                prop_assert!(passes.backward <= passes.forward, "{}: {passes:?}", solver.name());
            }
        }
    }
}

#[test]
fn a_success_in_linf_survives_being_stored_in_8_bits() {
    let (variant, solver) = (Variant::MinNorm, Solver::FirstOrderLinf);
    let settings = Settings { variant, solver, ..Settings::default() };
    let attack = settings.init(Bounds::SYMMETRIC).unwrap();
    // Label 0 leaves the top-2 where the first value is below -0.804, a little less than pixel 25.
    let mut weights = vec![0.0; PIXELS * CLASSES];
    weights[0] = 1.0;
    let victim = Linear::new(weights, vec![1.0, 0.5, 0.196, 0.1, -1.0, -3.0]);
    for pixel in 120..140_u8 {
        let batch = batch(&[f32::from(pixel) / 127.5 - 1.0; PIXELS]);
        let result = run(attack.as_ref(), &victim, &batch);
        let criterion = SpecifiedOut::default();
        let verdict = judge(&victim, &batch.goal, &result, &criterion).unwrap().remove(0);
        assert!(verdict.success && verdict.success_rounded, "{pixel}: {verdict:?}");
        // It rounds to pixel 24, and goes little further than that takes.
        let steps = 127.5 * verdict.linf_input - f64::from(pixel) + 24.5;
        assert!((0.0..0.1).contains(&steps), "{pixel}: {steps}");
    }
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
