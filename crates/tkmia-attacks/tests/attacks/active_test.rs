//! The active test: attacks that work find what is planted, and those that can't work don't.

use burn::tensor::Tensor;
use serde_json::{Value, json};
use tkmia_attacks::{ActiveTest, Attack, Ball, Found, Norm, Reason, SpecifiedOut, Stop, Unplanted};
use tkmia_core::Classifier;

use crate::victim::{CLASSES, Changed, Linear, PIXELS, attack, batch, scattered, values};

const BALL: Ball = Ball { norm: Norm::L2, radius: 0.5 };

fn test(ball: Ball) -> ActiveTest {
    ActiveTest::new(ball, 7)
}

/// What the attack makes of what is planted in the victim, for an image of grey.
fn found(attack: &dyn Attack, victim: &dyn Classifier, ball: Ball) -> Found {
    test(ball).check(attack, victim, &batch(&[0.0; PIXELS]), "a", &mut ()).unwrap().found
}

fn by(knobs: Value, ball: Ball) -> Found {
    found(attack(knobs).as_ref(), &scattered(3), ball)
}

#[test]
fn a_planted_example_fulfils_the_criterion_and_the_image_keeps_its_scores() {
    let (victim, batch) = (scattered(3), batch(&[0.0; PIXELS]));
    let image = batch.images();
    for ball in [BALL, Ball { norm: Norm::Linf, radius: 0.1 }] {
        for text in [
            "excluded",
            "imperceptible",
            "measure-preserving",
            "all-relevant-out",
            "target-reached",
        ] {
            let stop: Stop = text.parse().unwrap();
            let planted = test(ball).plant(&victim, &batch, image.clone(), &*stop, "a").unwrap();
            let before = host(victim.scores(image.clone()));
            assert_eq!(host(planted.scores(image.clone())), before, "{text}");
            let by = values(planted.example.clone() - image.clone());
            let length = match ball.norm {
                Norm::L2 => by.iter().map(|by| by * by).sum::<f32>().sqrt(),
                Norm::Linf => by.iter().fold(0.0, |most: f32, by| most.max(by.abs())),
            };
            assert!((f64::from(length) - ball.radius).abs() < 1e-5, "{text}: {length}");
            // Nothing is found by running an attack that takes no step from there.
            let there = batch.clone().with_start(planted.example.clone() - image.clone()).unwrap();
            let stay = attack(json!({"max-iterations": 1, "stop": text}));
            let verdict = stay.run(&planted, &there).unwrap().judge(&planted).unwrap().remove(0);
            assert!(verdict.success, "{text}");
            // Another image's points, or another seed's, are others.
            let other = test(ball).plant(&victim, &batch, image.clone(), &*stop, "b").unwrap();
            assert_ne!(values(other.example), values(planted.example.clone()));
        }
    }
}

fn host(scores: Tensor<2>) -> Vec<f32> {
    scores.into_data().try_to_vec().unwrap()
}

#[test]
fn attacks_that_work_find_what_is_planted() {
    let linf = Ball { norm: Norm::Linf, radius: 0.1 };
    for (knobs, ball) in [
        (json!({"lr": 0.01}), BALL),
        (json!({"lr": 0.01, "stop": "imperceptible"}), BALL),
        (
            json!({"name": "tkml-ap-u", "optimiser": "auto-pgd", "radius": 0.5, "stop": "all-relevant-out"}),
            BALL,
        ),
        (json!({"name": "tkml-ap-t", "lr": 0.01, "stop": "target-reached"}), BALL),
        (json!({"variant": "min-norm", "max-iterations": 60}), BALL),
        (json!({"variant": "min-norm", "norm": "linf", "max-iterations": 60}), linf),
        (json!({"optimiser": "auto-pgd", "norm": "linf", "radius": 0.1}), linf),
        (json!({"optimiser": "pgd", "radius": 0.5}), BALL),
    ] {
        let found = by(knobs.clone(), ball);
        assert!(
            matches!(found, Found::Within(length) if length <= 1.001 * ball.radius),
            "{knobs}: {found:?}"
        );
    }
}

#[test]
fn an_attack_that_gives_up_too_early_or_goes_too_far_fails() {
    assert_eq!(by(json!({"lr": 1e-6, "max-iterations": 20}), BALL), Found::Missed);
    let found = by(json!({"lr": 1.0, "max-iterations": 50}), BALL);
    assert!(matches!(found, Found::Outside(length) if length > 0.5), "{found:?}");
}

/// Scores in coarse steps: they change, and their gradient is 0.
fn masked(scores: Tensor<2>, _: Tensor<4>) -> Tensor<2> {
    let coarse = scores.clone().inner().mul_scalar(64.0).round().div_scalar(64.0);
    scores.mul_scalar(0.0) + coarse
}

#[test]
fn a_network_that_hides_its_gradient_is_found_out() {
    let victim = Changed(scattered(3), masked);
    for knobs in [
        json!({"lr": 0.01}),
        json!({"variant": "min-norm"}),
        json!({"optimiser": "pgd", "radius": 0.5}),
    ] {
        assert_eq!(found(attack(knobs).as_ref(), &victim, BALL), Found::Missed);
    }
}

#[test]
fn what_cannot_be_planted_is_named() {
    let batch = batch(&[0.0; PIXELS]);
    let why = |victim: &dyn Classifier, stop: &str| {
        let stop: Stop = stop.parse().unwrap();
        test(BALL).plant(victim, &batch, batch.images().clone(), &*stop, "a").unwrap_err()
    };
    let constant = Linear::new(vec![0.0; PIXELS * CLASSES], vec![1.0, 0.5, 0.2, 0.1, -1.0, -3.0]);
    assert_eq!(why(&constant, "excluded"), Unplanted::Still);
    assert_eq!(why(&scattered(3), "precision-preserved"), Unplanted::AlreadyMet);
    assert_eq!(why(&scattered(3), "ordered-top-k(5, 4)"), Unplanted::Criterion);
    let mut bias = vec![0.0; CLASSES];
    bias[2] = f32::NAN;
    let lost = Linear::new(vec![0.0; PIXELS * CLASSES], bias);
    assert_eq!(why(&lost, "excluded"), Unplanted::NonFiniteScore { label: 2 });
    let low = Linear::new(vec![0.0; PIXELS * CLASSES], vec![-9.0, 0.5, 0.2, 0.1, -1.0, -3.0]);
    let ineligible = Unplanted::Ineligible(Reason::NothingToExclude);
    assert_eq!(why(&low, "excluded"), ineligible);
}

#[test]
fn what_is_planted_is_not_all_around() {
    let batch = batch(&[0.0; PIXELS]);
    let victim = scattered(3);
    let planted =
        test(BALL).plant(&victim, &batch, batch.images().clone(), &SpecifiedOut, "a").unwrap();
    assert!(planted.at_random < 0.2, "{}", planted.at_random);
}
