//! Budgets, indicators of failure, targets and starts.

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor};
use proptest::prelude::*;
use serde_json::{Value, json};
use strum::IntoEnumIterator;
use tkmia_attacks::{
    Attack, AttackBatch, AttackError, AttackName, Indicator, Outcome, Passes, Reason, Step,
};
use tkmia_core::{Bounds, Classifier, LabelSet};

use crate::victim::{
    CLASSES, Changed, Linear, PIXELS, and, batch, fitting, hand_made, images, linear, run,
    scattered, settings, values,
};

/// The attack within few iterations, and its other knobs.
fn of(name: AttackName, more: Value) -> Box<dyn Attack> {
    let knobs = json!({"name": name, "max-iterations": 20});
    settings(knobs, more).unwrap().init().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_image_costs_more_than_it_may(
        victim in linear(), images in images(4), forward in 1_usize..30, backward in 0_usize..20,
    ) {
        for method in AttackName::iter().filter(|method| !method.is_universal()) {
            let attack = fitting(0.05, 1.0, json!({
                "name": method, "max-iterations": 20, "max-forward": forward, "max-backward": backward,
            }));
            let attack = attack.unwrap().init().unwrap();
            let result = run(attack.as_ref(), &victim, &batch(&images));
            for passes in result.passes {
                prop_assert!(passes.forward <= forward && passes.backward <= backward, "{method:?} {passes:?}");
            }
        }
    }
}

#[test]
fn a_tight_budget_is_used_up() {
    let batch = batch(&[0.0; PIXELS]);
    let cost = |max_forward: Option<usize>, max_backward: Option<usize>| {
        let caps = json!({"lr": 1e-6, "max-forward": max_forward, "max-backward": max_backward});
        let result = run(of(AttackName::Tkmia, caps).as_ref(), &hand_made(), &batch);
        assert_eq!(result.outcomes, [Outcome::Exhausted]);
        (result.passes[0].forward, result.passes[0].backward)
    };
    assert_eq!(cost(Some(7), None), (7, 6));
    assert_eq!(cost(None, Some(4)), (5, 4));
    assert_eq!(cost(Some(1), Some(4)), (1, 0));
}

#[test]
fn a_start_is_where_the_attack_begins_and_is_judged_against_the_image_itself() {
    let victim = hand_made();
    let batch = batch(&[0.0; PIXELS]);
    // Label 0 is out once the first value is below −0.8.
    let started = batch.clone().with_start(batch.images().clone().sub_scalar(0.9)).unwrap();
    let result = run(of(AttackName::Tkmia, json!({})).as_ref(), &victim, &started);
    assert_eq!((result.outcomes[0], result.iterations[0]), (Outcome::Succeeded, 1));
    assert_eq!((result.passes[0].forward, result.passes[0].backward), (2, 0));
    assert_eq!(values(result.images), [-0.9; PIXELS]);

    let one = of(AttackName::Tkmia, json!({"max-forward": 1}));
    let error = one.run(&victim, &started).unwrap_err();
    assert_eq!(
        error.to_string(),
        "max forward passes must be at least 2 for a batch with a start, found 1"
    );
    let error = batch.with_start(Tensor::zeros([2, 3, 2, 2], &Device::default())).unwrap_err();
    assert!(matches!(error, AttackError::Shape { .. }));
    // The minimum-norm form begins at the image itself.
    let error = of(AttackName::Tkmia, json!({"variant": "min-norm"})).run(&victim, &started);
    assert!(matches!(error, Err(AttackError::NoStart)));
}

#[test]
fn a_criterion_on_targets_asks_for_a_target_too() {
    let set = |labels: &[usize]| LabelSet::from_indices(&[labels], CLASSES).unwrap();
    let images = batch(&[0.0; PIXELS]).images().clone();
    let without = AttackBatch::new(images, set(&[0, 1, 2]), set(&[0]), 2).unwrap();
    for stop in ["target-reached", "excluded and not(target-reached)"] {
        let error = of(AttackName::KFool, json!({"stop": stop})).run(&hand_made(), &without);
        assert!(matches!(error, Err(AttackError::NoTarget { .. })), "{stop}");
    }
}

#[test]
fn the_minimum_norm_form_refuses_what_it_does_not_search_for() {
    let made = |stop: &str| {
        settings(json!({"variant": "min-norm"}), json!({"stop": stop})).unwrap().init()
    };
    for stop in [
        "excluded",
        "imperceptible",
        "excluded and precision-preserved",
        "excluded and measure-budget(ap, 0.1)",
    ] {
        assert!(made(stop).is_ok(), "{stop}");
    }
    for stop in [
        "all-relevant-out",
        "target-reached",
        "not(excluded)",
        "ordered-top-k(1, 2)",
        "precision-preserved",
        "excluded and all-relevant-out",
        "excluded and measure-budget(tkacc, 0)",
        "excluded and measure-budget(ap, -0.1)",
        "imperceptible or excluded",
    ] {
        let error = made(stop).unwrap_err().to_string();
        assert!(error.contains("tkmia (min-norm)") && error.contains(stop), "{error}");
    }
}

#[test]
fn labels_are_chosen_once_and_the_passes_counted() {
    // Label i is scored by value i, and label 1, which is the nearer to the threshold, is the one to sink.
    let mut weights = vec![0.0; PIXELS * CLASSES];
    (0..CLASSES).for_each(|label| weights[label * CLASSES + label] = 4.0);
    let victim = Linear::new(weights, vec![2.0, 1.9, 1.0, 0.9, 0.0, -0.1]);
    let set = |labels: &[usize]| LabelSet::from_indices(&[labels, labels], CLASSES).unwrap();
    let images = batch(&[0.0; 2 * PIXELS]).images().clone();
    let both = AttackBatch::new(images, set(&[0, 1, 2, 3]), set(&[0, 1]), 2).unwrap();
    let attack = of(AttackName::Class, json!({"lr": 0.05, "alpha": 0.0}));
    for (delta, compared, moves) in [(1, 2, [false, true]), (2, 0, [true, true])] {
        let both = both.clone().with_delta(delta).unwrap();
        let result = run(attack.as_ref(), &victim, &both);
        assert_eq!(result.outcomes, [Outcome::Succeeded; 2]);
        let looks = result.iterations[0];
        let Passes { forward, backward } = result.passes[0];
        assert_eq!((forward, backward), (looks + compared, looks - 1 + compared));
        let moved = values(result.perturbation.clone());
        assert_eq!([moved[0] != 0.0, moved[1] != 0.0], moves);
        assert!(moved[2..PIXELS].iter().all(|&value| value == 0.0));
        let alone = run(attack.as_ref(), &victim, &both.select(&[1]));
        assert_eq!(values(alone.perturbation), moved[PIXELS..]);
    }
}

#[test]
fn a_targeted_attack_asks_for_a_target() {
    let batch = batch(&[0.0; PIXELS]);
    let set = |labels: &[usize]| LabelSet::from_indices(&[labels], CLASSES).unwrap();
    for name in [AttackName::TkmlApT, AttackName::MlCwT, AttackName::QuadAttack] {
        let attack = of(name, json!({}));
        let aimless = batch.clone().with_target(vec![vec![]]).unwrap();
        let result = run(attack.as_ref(), &hand_made(), &aimless);
        assert_eq!(result.outcomes, [Outcome::Ineligible(Reason::NoTarget)]);

        let images = batch.images().clone();
        let without = AttackBatch::new(images, set(&[0, 1, 2]), set(&[0]), 2).unwrap();
        let error = attack.run(&hand_made(), &without).unwrap_err();
        assert!(matches!(error, AttackError::NoTarget { .. }), "{name}");
    }
}

#[test]
fn a_classifier_that_ignores_the_image_shows_as_zero_gradient_and_flat_loss() {
    let victim = Linear::new(vec![0.0; PIXELS * CLASSES], vec![6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
    let batch = batch(&[0.0; PIXELS]);
    let signs = [Indicator::ZeroGradient, Indicator::FlatLoss, Indicator::NoDescent];
    for knobs in [json!({"alpha": 0.0}), json!({"variant": "min-norm"})] {
        let result = run(of(AttackName::Tkmia, knobs.clone()).as_ref(), &victim, &batch);
        assert_eq!(result.indicators[0], signs, "{knobs}");
    }
    // Attacks that would only stand still end.
    for name in [AttackName::KFool, AttackName::MlDp, AttackName::Jma] {
        let result = run(of(name, json!({})).as_ref(), &victim, &batch);
        assert_eq!(result.outcomes, [Outcome::Exhausted]);
        assert_eq!(result.indicators[0], signs, "{name}");
        assert_eq!(result.iterations, [1]);
    }
}

#[test]
fn a_success_that_is_still_being_made_smaller_counts_when_passes_run_out() {
    // Label 0 falls faster than the gradient at the image says: the step to its border leads beyond.
    let victim = Changed(hand_made(), |scores, images| {
        let first = images.flatten::<2>(1, 3).narrow(1, 0, 1);
        let fallen = scores.clone().narrow(1, 0, 1) - first.powi_scalar(2).mul_scalar(3.0);
        Tensor::cat(vec![fallen, scores.narrow(1, 1, CLASSES - 1)], 1)
    });
    let batch = batch(&[0.0; PIXELS]);
    let of = |steps: usize| {
        let attack = of(AttackName::Jma, json!({"max-iterations": steps}));
        let result = attack.run(&victim, &batch).unwrap();
        let verdict = result.judge(&victim).unwrap().remove(0);
        assert!(verdict.success);
        assert_eq!(result.perturbed.outcomes, [Outcome::Succeeded]);
        (result.perturbed.iterations[0], verdict.norm_input)
    };
    // It takes 0.8 = x + 3 x², and the first step is a little longer than 0.8.
    let smallest = 0.375;
    let norms: Vec<f64> = (1..=8).map(|steps| of(steps).1).collect();
    assert!(norms.is_sorted_by(|a, b| a >= b) && norms[0] > 0.8, "{norms:?}");
    assert!((0.0..0.02).contains(&(norms[7] - smallest)), "{norms:?}");
    assert_eq!((of(3).0, of(8).0), (3, 7));
}

#[test]
fn auto_returns_the_smallest_success_of_its_attacks_and_counts_all_passes() {
    let knobs = |more: Value| and(json!({"max-iterations": 90}), more);
    let third = json!({"max-iterations": 30, "max-forward": 30, "max-backward": 30});
    let batch = batch(&[0.0; PIXELS]);
    for victim in (0..10).map(scattered) {
        for norm in ["l2", "linf"] {
            let norm_and_passes = |name, knobs| {
                let result = of(name, knobs).run(&victim, &batch).unwrap();
                let verdict = result.judge(&victim).unwrap().remove(0);
                assert!(verdict.success, "{name}");
                let size = if norm == "l2" { verdict.norm_input } else { verdict.linf_input };
                (size, result.perturbed.passes[0].forward)
            };
            let found = norm_and_passes(AttackName::Auto, knobs(json!({"norm": norm})));
            let min_norm = and(third.clone(), json!({"variant": "min-norm", "norm": norm}));
            let one = norm_and_passes(AttackName::Tkmia, min_norm);
            let other = norm_and_passes(AttackName::Jma, third.clone());
            assert_eq!(found, (one.0.min(other.0), one.1 + other.1));
        }
    }
}

#[test]
fn auto_has_square_where_nothing_else_searches_and_keeps_what_it_found_when_it_is_ended() {
    // Label 0 is nearly out already. The others need a way back.
    let mut image = [0.0; PIXELS];
    image[0] = -0.75;
    let knobs = json!({"max-backward": 0, "max-iterations": 300, "norm": "linf"});
    let result = of(AttackName::Auto, knobs).run(&hand_made(), &batch(&image)).unwrap();
    assert!(result.judge(&hand_made()).unwrap()[0].success);
    assert_eq!(result.perturbed.passes[0].backward, 0);

    let (victim, batch) = (scattered(1), batch(&[0.0; PIXELS]));
    let attack = of(AttackName::Auto, json!({"max-iterations": 90}));
    let ended_in_the_second = &mut |step: &Step<'_>| match step.iteration > 30 {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let result = attack.run_watched(&victim, &batch, ended_in_the_second).unwrap();
    assert_eq!(result.perturbed.outcomes, [Outcome::Succeeded]);
    assert!(result.judge(&victim).unwrap()[0].success);
    let at_once = &mut |_: &Step<'_>| ControlFlow::Break(());
    let result = attack.run_watched(&victim, &batch, at_once).unwrap();
    assert_eq!(result.perturbed.outcomes, [Outcome::Interrupted]);
}

/// Scores as [`hand_made`] has them, by way of a root whose slope at 0 is infinite.
#[derive(Debug)]
struct Steep(Linear);

impl Classifier for Steep {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let root: Tensor<2> = images.clone().abs().sqrt().flatten(1, 3);
        self.0.scores(images) + root.narrow(1, 0, CLASSES)
    }

    fn classes(&self) -> usize {
        CLASSES
    }

    fn bounds(&self) -> Bounds {
        self.0.bounds()
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        self.0.input_size()
    }

    fn device(&self) -> Device {
        self.0.device()
    }
}

#[test]
fn a_gradient_that_is_not_finite_ends_the_attack_on_its_image_alone() {
    let victim = Steep(hand_made());
    let mut images = vec![0.0; PIXELS];
    images.extend([0.5; PIXELS]);
    for method in [AttackName::Tkmia, AttackName::TkmlApU, AttackName::KFool] {
        let rate = if method == AttackName::KFool { json!({}) } else { json!({"lr": 0.01}) };
        let attack = of(method, and(rate, json!({"max-iterations": 200})));
        let result = attack.run(&victim, &batch(&images)).unwrap().perturbed;
        assert_eq!(result.outcomes[0], Outcome::Exhausted, "{method:?}");
        assert_eq!(result.indicators[0], [Indicator::NonFiniteGradient], "{method:?}");
        assert_eq!(values(result.images.narrow(0, 0, 1)), [0.0; PIXELS], "{method:?}");
        assert!(!result.indicators[1].contains(&Indicator::NonFiniteGradient), "{method:?}");
    }
}

#[test]
fn a_success_that_is_lost_on_evaluation_is_named() {
    let batch = batch(&[0.0; PIXELS]);
    let attack = of(AttackName::Tkmia, json!({"lr": 0.05}));
    let mut result = attack.run(&hand_made(), &batch).unwrap();
    assert_eq!(result.perturbed.outcomes, [Outcome::Succeeded]);
    result.perturbed.images = batch.images().clone();
    let verdicts = result.judge(&hand_made()).unwrap();
    assert_eq!(verdicts[0].indicators, [Indicator::SuccessLost]);
    assert!(!verdicts[0].success);
}
