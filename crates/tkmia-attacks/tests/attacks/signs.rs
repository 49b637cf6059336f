//! Signs that an attack failed for reasons of its own: each on a network made so that it shows, and on one where
//! it must not.

use burn::tensor::{Device, Tensor};
use serde_json::{Value, json};
use strum::IntoEnumIterator;
use tkmia_attacks::{
    Attack, AttackBatch, AttackName, Indicator, Outcome, Perturbed, Reason, Verdict,
};
use tkmia_core::{Classifier, LabelSet};

use crate::victim::{CLASSES, Changed, Linear, PIXELS, attack, batch, hand_made, settings, values};

/// The first value of each image. `[rows, 1]`
fn first(images: Tensor<4>) -> Tensor<2> {
    images.flatten::<2>(1, 3).narrow(1, 0, 1)
}

/// Without finite scores where the first value is below −0.5.
fn blind(scores: Tensor<2>, images: Tensor<4>) -> Tensor<2> {
    let lost = first(images.inner()).lower_elem(-0.5).expand(scores.dims());
    scores.mask_fill(lost, f32::NAN)
}

const BIAS: [f32; CLASSES] = [1.0, 0.5, 0.2, 0.1, -1.0, -3.0];

/// No label depends on the image but label 0: on every value alike, by this weight.
fn label_0_alone(weight: f32, bias: f32) -> Linear {
    let mut weights = vec![0.0; PIXELS * CLASSES];
    weights.iter_mut().step_by(CLASSES).for_each(|to| *to = weight);
    let mut biases = BIAS.to_vec();
    biases[0] = bias;
    Linear::new(weights, biases)
}

/// No label depends on the image.
fn constant() -> Linear {
    label_0_alone(0.0, BIAS[0])
}

/// Attacks grey images and judges.
fn verdicts(attack: &dyn Attack, victim: &dyn Classifier, rows: usize) -> Vec<Verdict> {
    let batch = batch(&vec![0.0; rows * PIXELS]).select(&vec![0; rows]);
    attack.run(victim, &batch).unwrap().judge(victim).unwrap()
}

fn signs(knobs: Value, victim: &dyn Classifier) -> Vec<Indicator> {
    verdicts(attack(knobs).as_ref(), victim, 1).remove(0).indicators
}

/// Each attack in each of its forms, within so many iterations.
fn every(iterations: usize) -> impl Iterator<Item = (String, Box<dyn Attack>)> {
    let forms = AttackName::iter()
        .flat_map(|name| name.variants().iter().map(move |&variant| (name, variant)));
    forms.map(move |(name, variant)| {
        let knobs = json!({"name": name, "variant": variant, "max-iterations": iterations});
        let more = if name.is_in_a_ball() { json!({"radius": 3.0}) } else { json!({}) };
        let settings = settings(knobs, more).unwrap();
        (settings.short_name(), settings.init().unwrap())
    })
}

#[test]
fn every_attack_says_that_a_network_does_not_depend_on_the_image() {
    for (name, attack) in every(20) {
        let verdict = verdicts(attack.as_ref(), &constant(), 1).remove(0);
        let searches = attack.passes_at_most(2, CLASSES).backward == 0;
        // The printed form of ML-CW-U finds nothing to do, and says so in the same way.
        let sign = if searches { Indicator::FlatLoss } else { Indicator::ZeroGradient };
        assert!(verdict.indicators.contains(&sign), "{name}: {verdict:?}");
        assert!(!verdict.success, "{name}: {verdict:?}");
        assert!(searches || verdict.norm_input < 1e-3, "{name}: {verdict:?}");
    }
    for solver in ["first-order", "first-order-linf", "sequential", "sequential-by-score"] {
        let knobs = json!({"variant": "min-norm", "solver": solver, "max-iterations": 20});
        assert!(signs(knobs, &constant()).contains(&Indicator::ZeroGradient), "{solver}");
    }
    let dependent = signs(json!({"lr": 1e-4, "max-iterations": 5}), &hand_made());
    assert!(!dependent.contains(&Indicator::ZeroGradient));
}

#[test]
fn gradients_that_are_next_to_nothing_are_told() {
    let vanishing = |weight: f32| {
        let signs = signs(json!({"alpha": 0.0, "max-iterations": 20}), &label_0_alone(weight, 2.0));
        signs.contains(&Indicator::VanishingGradient)
    };
    // The box is 2 √12 = 6.9 across, the gradient's norm √12 = 3.5 times the weight.
    assert!(vanishing(1e-6) && !vanishing(1e-2));
}

#[test]
fn a_loss_that_never_falls_is_told() {
    // Label 0 has its least score very near, and every step of that length leads far beyond.
    fn kink(scores: Tensor<2>, images: Tensor<4>) -> Tensor<2> {
        let rise = (first(images) - 0.01).abs().mul_scalar(10.0);
        let others = scores.clone().narrow(1, 1, CLASSES - 1);
        Tensor::cat(vec![rise.add_scalar(2.0), others], 1)
    }
    let signs = |lr: f64| {
        let knobs = json!({"lr": lr, "alpha": 0.0, "momentum": 0.0, "max-iterations": 10});
        signs(knobs, &Changed(constant(), kink))
    };
    assert!(signs(0.05).contains(&Indicator::NoDescent), "{:?}", signs(0.05));
    assert!(!signs(5e-4).contains(&Indicator::NoDescent));
}

#[test]
fn an_attack_that_is_cut_short_is_still_improving() {
    let improving = |knobs| {
        let signs = signs(knobs, &hand_made());
        signs.contains(&Indicator::StillImproving)
    };
    assert!(improving(json!({"lr": 1e-3, "max-iterations": 10})));
    assert!(!improving(json!({"lr": 0.05, "max-iterations": 100})), "it succeeds");
    let flat = signs(json!({"max-iterations": 30}), &constant());
    assert!(flat.contains(&Indicator::FlatLoss) && !flat.contains(&Indicator::StillImproving));
}

#[test]
fn an_image_that_is_driven_to_black_and_white_is_told() {
    // Label 0 sinks with every value, from further than the box allows; hand_made's with the first alone.
    let far = label_0_alone(1.0, 100.0);
    let knobs = [
        json!({"lr": 0.5, "max-iterations": 30}),
        json!({"name": "tkml-ap-u", "variant": "released", "lr": 0.5, "max-iterations": 60}),
        json!({"optimiser": "pgd", "norm": "linf", "radius": 2.0, "max-iterations": 30}),
        json!({"variant": "min-norm", "max-iterations": 60}),
    ];
    for knobs in knobs {
        let signs = signs(knobs.clone(), &far);
        assert!(signs.contains(&Indicator::OnBoxBorder), "{knobs}: {signs:?}");
    }
    let out_of_reach = Changed(hand_made(), |scores, _| {
        let raised = scores.clone().narrow(1, 0, 1).add_scalar(100.0);
        Tensor::cat(vec![raised, scores.narrow(1, 1, CLASSES - 1)], 1)
    });
    let signs = signs(json!({"lr": 0.5, "max-iterations": 30}), &out_of_reach);
    assert!(!signs.contains(&Indicator::OnBoxBorder), "{signs:?}");
}

#[test]
fn an_image_without_finite_scores_is_an_outcome_and_the_others_go_on() {
    let victim = Changed(hand_made(), blind);
    let mut images = vec![0.1; 3 * PIXELS];
    images[PIXELS] = -0.75;
    let all = batch(&images).select(&[0, 1, 0]);
    for (name, attack) in every(30) {
        let result = attack.run(&victim, &all).unwrap();
        assert_eq!(result.perturbed.outcomes[1], Outcome::NonFiniteScore { label: 0 }, "{name}");
        let verdicts = result.judge(&victim).unwrap();
        assert!(verdicts[1].scores.iter().all(|score| score.is_nan()), "{name}");
        assert_eq!(verdicts[1].indicators, [Indicator::NonFiniteScore], "{name}");
        assert!(!verdicts[1].success && verdicts[1].norm_input == 0.0, "{name}");
        assert_eq!(result.perturbed.iterations.len(), 3);
        let row = |images: &Tensor<4>, row| values(images.clone().narrow(0, row, 1));
        if attack.universal().is_none() {
            let alone = attack.run(&victim, &all.select(&[0])).unwrap().perturbed;
            assert_eq!(row(&result.perturbed.images, 0), values(alone.images), "{name}");
            assert_eq!(result.perturbed.outcomes[0], alone.outcomes[0], "{name}");
        }
        assert_eq!(row(&result.perturbed.images, 0), row(&result.perturbed.images, 2), "{name}");
    }
}

#[test]
fn an_image_whose_scores_are_lost_on_the_way_comes_back_unattacked() {
    // Label 0 is out where the first value is below −0.8: the way there leads through the blind.
    let victim = Changed(hand_made(), blind);
    for knobs in [
        json!({"lr": 0.05, "max-iterations": 100}),
        json!({"lr": 0.05, "variant": "literal", "lambda": "exact", "max-iterations": 3000}),
        json!({"name": "kfool"}),
        json!({"variant": "min-norm", "max-iterations": 60}),
        json!({"variant": "min-norm", "solver": "first-order-linf", "max-iterations": 60}),
    ] {
        let batch = batch(&[0.1; PIXELS]);
        let result = attack(knobs.clone()).run(&victim, &batch).unwrap();
        let outcome = result.perturbed.outcomes[0];
        assert_eq!(outcome, Outcome::NonFiniteScore { label: 0 }, "{knobs}");
        assert_eq!(values(result.perturbed.images.clone()), [0.1; PIXELS], "{knobs}");
        let verdict = result.judge(&victim).unwrap().remove(0);
        assert!(verdict.scores.iter().all(|score| score.is_finite()), "{knobs}");
        assert!(verdict.indicators.contains(&Indicator::NonFiniteScore), "{knobs}");
    }
}

#[test]
fn a_start_does_not_hide_that_the_image_itself_has_no_finite_scores() {
    let victim = Changed(hand_made(), blind);
    let mut images = vec![0.0; 2 * PIXELS];
    images[0] = -0.75;
    let batch = batch(&images).select(&[0, 0]);
    let images = Tensor::cat(
        vec![
            batch.images().clone().narrow(0, 0, 1),
            Tensor::zeros([1, 3, 2, 2], &Device::default()),
        ],
        0,
    );
    let batch = AttackBatch::with_goal(images, batch.goal().clone()).unwrap();
    let started = batch.clone().with_start(batch.images().ones_like()).unwrap();
    let result = attack(json!({"max-iterations": 3})).run(&victim, &started).unwrap().perturbed;
    assert_eq!(result.outcomes, [Outcome::NonFiniteScore { label: 0 }, Outcome::Exhausted]);
}

#[test]
fn a_delta_that_the_top_k_does_not_hold_is_refused_at_once() {
    let set = |labels: &[usize]| LabelSet::from_indices(&[labels], CLASSES).unwrap();
    let images = batch(&[0.0; PIXELS]).images().clone();
    // The top-2 is {0, 1}, and label 3 is specified too.
    let batch = AttackBatch::new(images, set(&[0, 1, 2, 3]), set(&[0, 3]), 2).unwrap();
    assert!(batch.clone().with_delta(3).is_err());
    let outcome = |delta: usize| {
        let batch = batch.clone().with_delta(delta).unwrap();
        let result = attack(json!({"lr": 0.05})).run(&hand_made(), &batch).unwrap().perturbed;
        (result.outcomes[0], result.iterations[0])
    };
    assert_eq!(outcome(1).0, Outcome::Succeeded);
    let reason = Reason::TooFewToExclude { found: 1, delta: 2 };
    assert_eq!(outcome(2), (Outcome::Ineligible(reason), 1));
}

#[test]
fn steps_of_the_default_length_reach_the_border_of_their_ball() {
    let far = label_0_alone(1.0, 100.0);
    for iterations in [1, 2, 5, 30] {
        for norm in ["l2", "linf"] {
            let knobs = json!({
                "optimiser": "mi-fgsm", "norm": norm, "radius": 0.5, "max-iterations": iterations,
            });
            let verdict = verdicts(attack(knobs).as_ref(), &far, 1).remove(0);
            let length = if norm == "l2" { verdict.norm_input } else { verdict.linf_input };
            let expected = if iterations == 1 { 0.0 } else { 0.5 };
            assert!((length - expected).abs() < 1e-5, "{iterations}, {norm}: {length}");
        }
    }
    // Fewer backward passes are fewer and longer steps.
    let knobs =
        json!({"optimiser": "mi-fgsm", "radius": 0.5, "max-iterations": 50, "max-backward": 3});
    let verdict = verdicts(attack(knobs).as_ref(), &far, 1).remove(0);
    assert!((verdict.norm_input - 0.5).abs() < 1e-5);
}

#[test]
fn kfool_ends_where_its_steps_lead_nowhere_any_more() {
    // Labels 0 and 1 are the first two values. kFool leads to where they are equal, and there label 0 is still first.
    let mut weights = vec![0.0; PIXELS * CLASSES];
    (0..2).for_each(|label| weights[label * CLASSES + label] = 4.0);
    let victim = Linear::new(weights, vec![0.0, 0.0, -9.0, -9.0, -9.0, -9.0]);
    let mut image = vec![0.0; PIXELS];
    image[..2].copy_from_slice(&[0.75, 0.25]);
    let set = |labels: &[usize]| LabelSet::from_indices(&[labels], CLASSES).unwrap();
    let images = batch(&image).images().clone();
    let batch = AttackBatch::new(images, set(&[0, 1]), set(&[0]), 1).unwrap();
    let of = |most: usize| {
        let attack = attack(json!({"name": "kfool", "max-iterations": most}));
        let result = attack.run(&victim, &batch).unwrap();
        let indicators = result.judge(&victim).unwrap().remove(0).indicators;
        let Perturbed { images, outcomes, iterations, .. } = result.perturbed;
        (values(images), outcomes[0], iterations[0], indicators)
    };
    let (image, outcome, iterations, indicators) = of(300);
    assert_eq!((image[0], image[1]), (0.5, 0.5));
    assert_eq!((outcome, iterations), (Outcome::Exhausted, 2));
    assert_eq!(indicators, [Indicator::FlatLoss]);
    assert_eq!(of(1).0, image);
}
