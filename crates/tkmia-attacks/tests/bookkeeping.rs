//! Budgets, indicators of failure, targets, starts and universal perturbations.

#![allow(clippy::unwrap_used)]

mod victim;

use burn::tensor::{Device, Tensor};
use proptest::prelude::*;
use tkmia_attacks::{
    Attack, AttackBatch, AttackError, Ball, Indicator, Method, Norm, Outcome, Reason, Settings,
    SpecifiedOut, judge,
};
use tkmia_core::{Bounds, Classifier, LabelSet};
use victim::{CLASSES, Linear, PIXELS, batch, hand_made, images, linear, run, values};

const BALL: Option<Ball> = Some(Ball { norm: Norm::L2, radius: 1.5 });

fn attack(settings: Settings) -> Box<dyn Attack> {
    settings.init(Bounds::SYMMETRIC).unwrap()
}

fn of(method: Method) -> Settings {
    Settings { method, ball: BALL, learning_rate: 0.05, max_iterations: 20, ..Settings::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_image_costs_more_than_it_may(
        victim in linear(), images in images(4), forward in 1_usize..30, backward in 0_usize..20,
    ) {
        for method in Method::ALL.into_iter().filter(|method| !method.is_universal()) {
            let (max_forward, max_backward) = (Some(forward), Some(backward));
            let attack = attack(Settings { max_forward, max_backward, ..of(method) });
            let result = run(attack.as_ref(), &victim, &batch(&images));
            for passes in result.passes {
                prop_assert!(passes.forward <= forward && passes.backward <= backward, "{method:?} {passes:?}");
            }
        }
    }

    #[test]
    fn a_universal_perturbation_is_one_and_stays_in_its_ball(victim in linear(), images in images(6)) {
        for method in Method::ALL.into_iter().filter(|method| method.is_universal()) {
            let attack = attack(Settings { rounds: 2, enough: 1.0, ..of(method) });
            let mut batch = batch(&images);
            // Away from the bounds nothing of it is clipped.
            batch.images = batch.images.mul_scalar(0.1);
            let result = run(attack.as_ref(), &victim, &batch);
            let verdicts = judge(&victim, &batch.goal, &result, &SpecifiedOut::default()).unwrap();
            let mut shared: Option<Vec<f32>> = None;
            for (row, verdict) in verdicts.iter().enumerate() {
                let one = values(result.perturbation.clone().narrow(0, row, 1));
                prop_assert!(verdict.norm_input <= 1.5 + 1e-5);
                prop_assert_eq!(verdict.success, result.outcomes[row] == Outcome::Succeeded);
                if matches!(result.outcomes[row], Outcome::Ineligible(_)) {
                    prop_assert!(one.iter().all(|&value| value == 0.0));
                    continue;
                }
                let within = values(result.images.clone().narrow(0, row, 1)).iter().all(|v| v.abs() < 1.0);
                if within {
                    let first = shared.get_or_insert_with(|| one.clone());
                    prop_assert!(first.iter().zip(&one).all(|(a, b)| (a - b).abs() < 1e-5));
                }
            }
        }
    }
}

#[test]
fn a_tight_budget_is_used_up() {
    let batch = batch(&[0.0; PIXELS]);
    let cost = |max_forward, max_backward| {
        let settings =
            Settings { learning_rate: 1e-6, max_forward, max_backward, ..of(Method::Tkmia) };
        let result = run(attack(settings).as_ref(), &hand_made(), &batch);
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
    let mut started = batch(&[0.0; PIXELS]);
    // Label 0 is out once the first value is below −0.8.
    started.start = Some(started.images.clone().sub_scalar(0.9));
    let result = run(attack(of(Method::Tkmia)).as_ref(), &victim, &started);
    assert_eq!((result.outcomes[0], result.iterations[0]), (Outcome::Succeeded, 1));
    assert_eq!((result.passes[0].forward, result.passes[0].backward), (2, 0));
    assert_eq!(values(result.images), [-0.9; PIXELS]);

    let one = attack(Settings { max_forward: Some(1), ..of(Method::Tkmia) });
    let error = one.run(&victim, &started, &mut ()).unwrap_err();
    assert!(matches!(error, AttackError::NoForwardPass { needed: 2 }));
    started.start = Some(Tensor::zeros([2, 3, 2, 2], &Device::default()));
    let error = one.run(&victim, &started, &mut ()).unwrap_err();
    assert!(matches!(error, AttackError::StartShape { .. }));
}

#[test]
fn a_targeted_attack_asks_for_a_target() {
    let mut batch = batch(&[0.0; PIXELS]);
    let set = |labels: &[usize]| LabelSet::from_indices(&[labels], CLASSES).unwrap();
    for method in [Method::TkmlApT, Method::MlCwT] {
        batch.goal = batch.goal.with_target(set(&[])).unwrap();
        let result = run(attack(of(method)).as_ref(), &hand_made(), &batch);
        assert_eq!(result.outcomes, [Outcome::Ineligible(Reason::NoTarget)]);

        let images = batch.images.clone();
        let without = AttackBatch::new(images, set(&[0, 1, 2]), set(&[0]), 2).unwrap();
        let error = attack(of(method)).run(&hand_made(), &without, &mut ()).unwrap_err();
        assert!(matches!(error, AttackError::NoTarget), "{method:?}");
    }
}

#[test]
fn a_classifier_that_ignores_the_image_shows_as_zero_gradient_and_flat_loss() {
    let victim = Linear::new(vec![0.0; PIXELS * CLASSES], vec![6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
    let batch = batch(&[0.0; PIXELS]);
    let settings = Settings { alpha: 0.0, ..of(Method::Tkmia) };
    let result = run(attack(settings).as_ref(), &victim, &batch);
    assert_eq!(result.indicators[0], [Indicator::ZeroGradient, Indicator::FlatLoss]);
    // Attacks that would only stand still end.
    for method in [Method::KFool, Method::MlDp] {
        let result = run(attack(of(method)).as_ref(), &victim, &batch);
        assert_eq!(result.outcomes, [Outcome::Exhausted]);
        assert_eq!(result.indicators[0], [Indicator::ZeroGradient], "{method:?}");
        assert_eq!(result.iterations, [1]);
    }
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
    for method in [Method::Tkmia, Method::TkmlApU, Method::KFool] {
        let settings = Settings { learning_rate: 0.01, max_iterations: 200, ..of(method) };
        let result = attack(settings).run(&victim, &batch(&images), &mut ()).unwrap();
        assert_eq!(result.outcomes[0], Outcome::Exhausted, "{method:?}");
        assert_eq!(result.indicators[0], [Indicator::NonFiniteGradient], "{method:?}");
        assert_eq!(values(result.images.narrow(0, 0, 1)), [0.0; PIXELS], "{method:?}");
        assert!(!result.indicators[1].contains(&Indicator::NonFiniteGradient), "{method:?}");
    }
}

#[test]
fn a_success_that_is_lost_on_evaluation_is_named() {
    let batch = batch(&[0.0; PIXELS]);
    let mut result = run(attack(of(Method::Tkmia)).as_ref(), &hand_made(), &batch);
    assert_eq!(result.outcomes, [Outcome::Succeeded]);
    result.images = batch.images.clone();
    let verdicts = judge(&hand_made(), &batch.goal, &result, &SpecifiedOut::default()).unwrap();
    assert_eq!(verdicts[0].indicators, [Indicator::SuccessLost]);
    assert!(!verdicts[0].success);
}
