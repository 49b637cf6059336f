//! Universal perturbations: what they are fitted to, what they do elsewhere, and their controls.

use std::collections::HashMap;

use burn::tensor::Tensor;
use proptest::prelude::*;
use serde_json::{Value, json};
use strum::IntoEnumIterator;
use tkmia_attacks::{
    Applied, Attack, AttackBatch, AttackError, AttackName, Controls, Outcome, Stop,
    UniversalPerturbation, View,
};
use tkmia_core::{Bounds, LabelSet};

use crate::victim::{CLASSES, Linear, PIXELS, batch, images, linear, settings, values};

/// Each universal attack, within a ball of radius 1.5 and so many rounds.
fn universal(more: Value) -> Vec<Box<dyn Attack>> {
    let names = AttackName::iter().filter(|name| name.is_universal());
    let knobs = |name| json!({"name": name, "radius": 1.5, "max-iterations": 20});
    names.map(|name| settings(knobs(name), more.clone()).unwrap().init().unwrap()).collect()
}

/// Label i leads with the i-th value of the image, and images differ in a constant: what pushes one label
/// down does so on all images.
fn by_value() -> Linear {
    let mut weights = vec![0.0; PIXELS * CLASSES];
    (0..CLASSES).for_each(|label| weights[label * CLASSES + label] = 4.0);
    Linear::new(weights, vec![2.0, 1.9, 1.0, 0.9, 0.0, -0.1])
}

/// Images 0, 6, 12 … of [`batch`], whose labels are alike; each value is `shade`, another for each row.
fn alike(rows: usize, shade: f32) -> tkmia_attacks::AttackBatch {
    let shades = (0..6 * rows).map(|row| shade + 0.001 * row as f32);
    let all: Vec<f32> = shades.flat_map(|shade| [shade; PIXELS]).collect();
    batch(&all).select(&(0..rows).map(|row| 6 * row).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_universal_perturbation_is_one_and_stays_in_its_ball(victim in linear(), images in images(6)) {
        for attack in universal(json!({})) {
            // Away from the bounds nothing of it is clipped.
            let images: Vec<f32> = images.iter().map(|value| 0.1 * value).collect();
            let result = attack.run(&victim, &batch(&images)).unwrap();
            let verdicts = result.judge(&victim).unwrap();
            let result = result.perturbed;
            let most = attack.passes_at_most(2, CLASSES);
            let v = attack.universal().unwrap().fit(&victim, &batch(&images), &mut ()).unwrap().perturbation;
            // Each image has another specified label.
            let label = |row: usize| v.ball().map(|_| row);
            let mut shared: HashMap<Option<usize>, Vec<f32>> = HashMap::new();
            for (row, verdict) in verdicts.iter().enumerate() {
                let one = values(result.perturbation.clone().narrow(0, row, 1));
                // Success on what it was fitted to is marked as that.
                prop_assert!(result.fitted && verdict.fitted);
                prop_assert!(verdict.norm_input <= 1.5 + 1e-5);
                prop_assert_eq!(verdict.success, result.outcomes[row] == Outcome::Succeeded);
                prop_assert!(result.iterations[row] <= 20);
                prop_assert!(result.passes[row].forward <= most.forward);
                prop_assert!(result.passes[row].backward <= most.backward);
                if matches!(result.outcomes[row], Outcome::Ineligible(_)) {
                    prop_assert!(one.iter().all(|&value| value == 0.0));
                    continue;
                }
                let within = values(result.images.clone().narrow(0, row, 1)).iter().all(|v| v.abs() < 1.0);
                if within {
                    let first = shared.entry(label(row)).or_insert_with(|| one.clone());
                    prop_assert!(first.iter().zip(&one).all(|(a, b)| (a - b).abs() < 1e-5));
                }
            }
        }
    }

    #[test]
    fn no_image_costs_more_than_it_may(
        victim in linear(), images in images(4), forward in 2_usize..30, backward in 0_usize..20,
    ) {
        for attack in universal(json!({"max-forward": forward, "max-backward": backward})) {
            let fitted = attack.universal().unwrap().fit(&victim, &batch(&images), &mut ()).unwrap();
            for passes in fitted.passes {
                prop_assert!(passes.forward <= forward && passes.backward <= backward, "{passes:?}");
            }
        }
    }
}

#[test]
fn what_is_fitted_to_some_images_succeeds_on_others_by_its_aim() {
    let victim = by_value();
    let (fit, others) = (alike(20, -0.05), alike(7, 0.02));
    for attack in universal(json!({})) {
        let attack = attack.universal().unwrap();
        let fitted = attack.fit(&victim, &fit, &mut ()).unwrap();
        let again = attack.fit(&victim, &fit, &mut ()).unwrap();
        let v = &fitted.perturbation;
        assert_eq!(values(v.values().clone()), values(again.perturbation.values().clone()));
        assert_eq!(fitted.success, 1.0);

        let result = v.attack(attack.stop.clone()).run(&victim, &others).unwrap();
        assert!(!result.perturbed.fitted);
        let verdicts = result.judge(&victim).unwrap();
        assert!(verdicts.iter().all(|verdict| verdict.success && !verdict.fitted));
        let controls = Controls::of(v, &attack.stop, &victim, &others).unwrap();
        assert!(controls.iter().all(|controls| !controls.negated && controls.shuffled < 0.5));
        // Rows are independent.
        let alone = v.attack(attack.stop.clone()).run(&victim, &others.select(&[3])).unwrap();
        let images = result.perturbed.images.narrow(0, 3, 1);
        assert_eq!(values(alone.perturbed.images), values(images));
    }
}

#[test]
fn perturbations_of_labels_compose_to_those_of_pairs_that_were_not_fitted_to() {
    let victim = by_value();
    let set = |labels: &[&[usize]], rows: usize| {
        let labels: Vec<_> = labels.iter().copied().cycle().take(rows).collect();
        LabelSet::from_indices(&labels, CLASSES).unwrap()
    };
    let with = |specified: &[&[usize]], rows: usize, shade: f32| {
        let relevant = set(&[&[0, 1, 2, 3]], rows);
        let images = alike(rows, shade).images().clone();
        AttackBatch::new(images, relevant, set(specified, rows), 2).unwrap()
    };
    let knobs = json!({"name": "cmlu", "radius": 1.5, "max-iterations": 40, "stop": "excluded"});
    let attack = settings(knobs, json!({})).unwrap().init().unwrap();
    let fit = with(&[&[0], &[1]], 24, -0.05);
    let fitted = attack.universal().unwrap().fit(&victim, &fit, &mut ()).unwrap();
    let v = &fitted.perturbation;
    // No image had a label but these two.
    let none = v.values().clone().narrow(0, 2, CLASSES - 2);
    assert!(values(none).iter().all(|&value| value == 0.0));
    let pairs = with(&[&[0, 1]], 6, 0.02);
    let verdicts = v.attack(Stop::default()).run(&victim, &pairs).unwrap().judge(&victim).unwrap();
    assert!(verdicts.iter().all(|verdict| verdict.success && verdict.norm_input <= 1.5 + 1e-5));
    let error = v.apply(pairs.images().clone(), None, Bounds::SYMMETRIC).unwrap_err();
    assert!(matches!(error, AttackError::NoLabels));
}

#[test]
fn a_fit_that_gets_nowhere_ends_by_itself() {
    let victim = Linear::new(vec![0.0; PIXELS * CLASSES], vec![6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
    for attack in universal(json!({"max-iterations": 300})) {
        let fitted = attack.universal().unwrap().fit(&victim, &alike(8, 0.0), &mut ()).unwrap();
        // Three searches of six rounds: the first of each is its best.
        assert_eq!((fitted.success, fitted.rounds), (0.0, 18));
        assert!(fitted.indicators.iter().any(|indicators| !indicators.is_empty()));
    }
}

#[test]
fn an_observer_ends_a_fit() {
    let mut steps = 0;
    let mut watch = |_: &tkmia_attacks::Step<'_>| {
        steps += 1;
        std::ops::ControlFlow::Break(())
    };
    let attack = &universal(json!({}))[0];
    let fitted = attack.universal().unwrap().fit(&by_value(), &alike(40, 0.0), &mut watch).unwrap();
    assert!(fitted.interrupted && fitted.rounds == 1);
    assert_eq!(steps, 1);
}

#[test]
fn a_perturbation_of_another_size_is_refused() {
    let v = |dims: [usize; 4]| {
        UniversalPerturbation::new(Tensor::zeros(dims, &Default::default()), View::Image)
    };
    assert!(matches!(v([2, 3, 2, 2]), Err(AttackError::PerturbationSize { .. })));
    let applied = Applied { perturbation: v([1, 3, 4, 2]).unwrap(), stop: Stop::default() };
    let error = applied.run(&by_value(), &alike(1, 0.0)).unwrap_err().to_string();
    assert_eq!(error, "perturbation: expected [1, 3, 2, 2], found [1, 3, 4, 2]");
}
