//! Laws that every attack obeys, on classifiers small enough to check by hand.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor};
use proptest::prelude::*;
use serde_json::json;
use strum::IntoEnumIterator;
use tkmia_attacks::{
    Attack, AttackBatch, AttackError, AttackName, AttackSettings, Indicator, Outcome, Reason,
    Solver, Step, Variant,
};
use tkmia_core::{Bounds, Classifier, LabelSet};

use crate::victim::{
    CLASSES, Linear, PIXELS, attack, batch, fitting, hand_made, images, linear, run, settings,
    values,
};

fn tkmia(variant: Variant, max_iterations: usize) -> Box<dyn Attack> {
    every(max_iterations).remove(&(AttackName::Tkmia.into(), variant.into())).unwrap()
}

/// Every attack in every variant that it has, by their names; but for universal ones, whose images share
/// a perturbation.
fn every(max_iterations: usize) -> BTreeMap<(&'static str, &'static str), Box<dyn Attack>> {
    let names = AttackName::iter().filter(|name| !name.is_universal());
    let pairs = names.flat_map(|name| name.variants().iter().map(move |&variant| (name, variant)));
    let made = pairs.map(|(name, variant)| {
        let knobs = json!({"name": name, "variant": variant, "max-iterations": max_iterations});
        let settings = fitting(0.05, 1.0, knobs).unwrap();
        ((name.into(), variant.into()), settings.init().unwrap())
    });
    // Those that go on after a success.
    let searches = [
        ("ddn", json!({"optimiser": "ddn"})),
        ("fmn", json!({"optimiser": "fmn"})),
        ("bisected", json!({"lr": 0.05, "bisections": 5})),
    ];
    let searching = searches.into_iter().map(|(name, knobs)| {
        let settings = settings(json!({"max-iterations": max_iterations}), knobs).unwrap();
        (("tkmia", name), settings.init().unwrap())
    });
    made.chain(searching).collect()
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
            let result = attack.run(&victim, &batch(&images)).unwrap();
            let perturbed = &result.perturbed;
            prop_assert!(values(perturbed.images.clone()).iter().all(|value| value.abs() <= 1.0));
            let verdicts = result.judge(&victim).unwrap();
            for (verdict, outcome) in verdicts.iter().zip(&perturbed.outcomes) {
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
        let both = |solver| [("l2", solver), ("linf", solver)];
        for (norm, solver) in Solver::iter().flat_map(both) {
            let attack = attack(json!({
                "variant": "min-norm", "norm": norm, "solver": solver, "max-iterations": max_iterations,
            }));
            let result = run(attack.as_ref(), &victim, &batch(&images));
            for passes in result.passes {
                prop_assert!(passes.forward <= max_iterations, "{norm} {solver}: {passes:?}");
                prop_assert!(passes.backward <= passes.forward, "{norm} {solver}: {passes:?}");
            }
        }
    }
}

#[test]
fn a_success_in_linf_survives_being_stored_in_8_bits() {
    let attack = attack(json!({"variant": "min-norm", "norm": "linf"}));
    // Label 0 leaves the top-2 where the first value is below -0.804, a little less than pixel 25.
    let mut weights = vec![0.0; PIXELS * CLASSES];
    weights[0] = 1.0;
    let victim = Linear::new(weights, vec![1.0, 0.5, 0.196, 0.1, -1.0, -3.0]);
    for pixel in 120..140_u8 {
        let batch = batch(&[f32::from(pixel) / 127.5 - 1.0; PIXELS]);
        let result = attack.run(&victim, &batch).unwrap();
        let verdict = result.judge(&victim).unwrap().remove(0);
        assert!(verdict.success && verdict.success_rounded, "{pixel}: {verdict:?}");
        // It rounds to pixel 24, and goes little further than that takes.
        let steps = 127.5 * verdict.linf_input - f64::from(pixel) + 24.5;
        assert!((0.0..0.1).contains(&steps), "{pixel}: {steps}");
    }
}

#[test]
fn where_the_scores_are_constant_the_minimum_norm_form_says_so() {
    let victim = Linear::new(vec![0.0; PIXELS * CLASSES], vec![1.0, 0.5, 0.2, 0.1, -1.0, -3.0]);
    for (norm, solver) in
        ["l2", "linf"].into_iter().flat_map(|n| Solver::iter().map(move |s| (n, s)))
    {
        let attack = attack(json!({"variant": "min-norm", "norm": norm, "solver": solver}));
        let result = run(attack.as_ref(), &victim, &batch(&[0.0; PIXELS]));
        assert_eq!(result.outcomes, [Outcome::Exhausted], "{norm} {solver}");
        assert!(result.indicators[0].contains(&Indicator::ZeroGradient), "{norm} {solver}");
        assert!(values(result.perturbation).iter().all(|&value| value == 0.0));
    }
}

#[test]
fn the_one_pixel_that_matters_is_the_one_that_moves() {
    let batch = batch(&[0.0; PIXELS]);
    let attack = AttackSettings::default().init().unwrap();
    let result = run(attack.as_ref(), &hand_made(), &batch);
    assert_eq!(result.outcomes, [Outcome::Succeeded]);
    let moved = values(result.perturbation);
    // Label 0 leaves the top-2 once it is below label 2, 0.8 lower; a step is at most about 0.02.
    assert!(moved[0] < -0.8 && moved[0] > -0.83, "{}", moved[0]);
    assert!(moved[1..].iter().all(|&value| value == 0.0));
}

#[test]
fn bisecting_a_success_takes_forward_passes_alone_and_keeps_the_smallest() {
    let found = |bisections: usize, max_iterations: usize| {
        let attack = attack(json!({
            "lr": 0.05, "bisections": bisections, "max-iterations": max_iterations,
        }));
        let result = run(attack.as_ref(), &hand_made(), &batch(&[0.0; PIXELS]));
        assert_eq!(result.outcomes, [Outcome::Succeeded]);
        (values(result.perturbation)[0], result.passes[0])
    };
    let (first, passes) = found(0, 300);
    assert!(first < -0.81, "{first}");
    let (smallest, more) = found(10, 300);
    // Label 0 leaves the top-2 where its value is 0.8 lower.
    assert!(smallest <= -0.8 && smallest > -0.8 + first / 1024.0, "{smallest}");
    assert_eq!((more.forward, more.backward), (passes.forward + 10, passes.backward));
    // Cut off, it is the smallest so far.
    let (cut, fewer) = found(10, passes.forward + 3);
    assert!(first <= cut && cut <= smallest && fewer.forward == passes.forward + 3);
    assert_eq!(found(10, passes.forward), (first, passes));
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
    let attack = attack(json!({"lr": 0.003}));
    let result = attack.run_watched(&hand_made(), &batch, &mut watch).unwrap().perturbed;
    assert_eq!(result.outcomes, [Outcome::Succeeded, Outcome::Interrupted]);
    assert_eq!(result.iterations[1], 8);
    assert_eq!((seen[0].len(), seen[7].len()), (2, 1));
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    let victim = hand_made();
    let refuse =
        |batch: &AttackBatch| tkmia(Variant::Corrected, 3).run(&victim, batch).unwrap_err();
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
    let says = refuse(&large).to_string();
    assert!(says.ends_with("expected [1, 3, 2, 2], found [1, 3, 4, 4]"), "{says}");
}

/// The same classifier for images in `[0, 1]`.
#[derive(Debug)]
struct OfUnitRange(Linear);

impl Classifier for OfUnitRange {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        self.0.scores(images)
    }

    fn classes(&self) -> usize {
        CLASSES
    }

    fn bounds(&self) -> Bounds {
        Bounds { low: 0.0, high: 1.0 }
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        None
    }

    fn device(&self) -> Device {
        self.0.device()
    }
}

#[test]
fn images_stay_in_the_range_that_the_classifier_says() {
    let victim = OfUnitRange(hand_made());
    let batch = batch(&[0.9; PIXELS]);
    for ((name, variant), attack) in every(300) {
        match attack.run(&victim, &batch) {
            // What squashes images is for those in [-1, 1].
            Err(AttackError::NotSymmetric { .. }) => assert_eq!(variant, "released", "{name}"),
            result => {
                let images = values(result.unwrap().perturbed.images);
                assert!(images.iter().all(|value| (0.0..=1.0).contains(value)), "{name} {variant}");
            }
        }
    }
}

#[test]
fn a_score_that_is_not_a_number_is_named() {
    let mut bias = vec![0.0; CLASSES];
    bias[3] = f32::NAN;
    let victim = Linear::new(vec![0.0; PIXELS * CLASSES], bias);
    let result = run(tkmia(Variant::Corrected, 3).as_ref(), &victim, &batch(&[0.0; PIXELS]));
    assert_eq!(result.outcomes, [Outcome::NonFiniteScore { label: 3 }]);
}
