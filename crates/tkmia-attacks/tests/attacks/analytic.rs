//! Every attack on a linear victim whose smallest perturbation is known.

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Value, json};
use strum::IntoEnumIterator;
use tkmia_attacks::{
    AttackBatch, AttackError, AttackName as Name, AttackSettings, Norm, OptimiserName, Solver,
    Variant, Verdict,
};
use tkmia_core::LabelSet;

use crate::victim::{CLASSES, Linear, PIXELS, and, fitting};

/// Label i is scored by the i-th value of the image: `f_i = 4 x_i`.
fn one_value_per_label() -> Linear {
    let mut weights = vec![0.0; PIXELS * CLASSES];
    (0..CLASSES).for_each(|label| weights[label * CLASSES + label] = 4.0);
    Linear::new(weights, vec![0.0; CLASSES])
}

/// Image `row`: label 1 (specified) leads label 0 (relevant too) by `gap`, the others follow; k = 1, and
/// label 2 is the target.
///
/// kFool ends on the border itself, where the tie goes to the lower index.
fn gap(row: usize) -> f32 {
    0.1 + 0.05 * row as f32
}

fn batch(rows: std::ops::Range<usize>) -> AttackBatch {
    let count = rows.len();
    let image = |row| {
        let mut image = vec![0.0_f32; PIXELS];
        image[..CLASSES].copy_from_slice(&[0.2, 0.2 + gap(row), -0.2, -0.3, -0.4, -0.5]);
        image
    };
    let data = TensorData::new(rows.flat_map(image).collect(), [count, 3, 2, 2]);
    let set = |labels: &[usize]| LabelSet::from_indices(&vec![labels; count], CLASSES).unwrap();
    let images = Tensor::from_data(data, &Device::default());
    let batch = AttackBatch::new(images, set(&[0, 1]), set(&[1]), 1).unwrap();
    batch.with_target(vec![vec![2]; count]).unwrap()
}

/// The L2 and L∞ norms of the smallest perturbation that does what the method is after.
fn smallest(method: Name, row: usize) -> (f32, f32) {
    let gap = gap(row);
    match method {
        // Labels 0, 1 and 2 meet at their mean.
        method if method.is_targeted() => {
            let mean = (0.2 + gap) / 3.0;
            let moves = [0.2 - mean, 0.2 + gap - mean, -0.2 - mean];
            let linf = (0.4 + gap) / 2.0;
            (moves.iter().map(|by| by * by).sum::<f32>().sqrt(), linf)
        }
        // Label 1 sinks to the threshold.
        Name::MlDp => (0.2 + gap, 0.2 + gap),
        // Labels 0 and 1 meet at their mean.
        _ => (gap / 2.0_f32.sqrt(), gap / 2.0),
    }
}

/// Method, variant, and how many times the smallest norm its own may be; none: it's no attack.
///
/// The released variants' smallest perturbation in model-input units is that of `tanh(x)`, a little
/// smaller. TkML-AP-U pushes down the better of labels 0 and 1 and raises all labels, ML-CW-U pushes it
/// down and raises the last label as much: twice the smallest norm, before any overshoot. CLASS pushes it down alone, and GMLA lowers
/// irrelevant labels too. A universal perturbation must serve the image that needs most, within a ball of
/// that many times its norm; in such a ball Square finds something. The minimum-norm form has no overshoot; what it is
/// above the smallest lets it survive rounding to 8-bit pixels.
const TABLE: [(Name, Variant, Option<f64>); 33] = [
    (Name::Tkmia, Variant::Corrected, Some(1.2)),
    (Name::Tkmia, Variant::Released, Some(1.2)),
    (Name::Tkmia, Variant::Literal, Some(1.3)),
    (Name::Tkmia, Variant::MinNorm, Some(1.02)),
    (Name::TkmlApU, Variant::Corrected, Some(1.5)),
    (Name::TkmlApU, Variant::Released, Some(1.5)),
    (Name::TkmlApU, Variant::Literal, Some(1.5)),
    (Name::TkmlApT, Variant::Corrected, Some(1.2)),
    (Name::TkmlApT, Variant::Released, Some(1.2)),
    (Name::TkmlApT, Variant::Literal, Some(1.2)),
    (Name::TkmlApUv, Variant::Corrected, Some(1.5)),
    (Name::TkmlApUv, Variant::Released, Some(1.5)),
    (Name::KFool, Variant::Corrected, Some(1.2)),
    (Name::KFool, Variant::Released, Some(1.2)),
    (Name::KUap, Variant::Corrected, Some(1.2)),
    (Name::KUap, Variant::Released, Some(1.2)),
    (Name::Cmlu, Variant::Corrected, Some(1.5)),
    (Name::MlCwU, Variant::Corrected, Some(2.3)),
    (Name::MlCwU, Variant::Released, Some(2.3)),
    (Name::MlCwU, Variant::Literal, Some(2.3)),
    (Name::MlCwUPrinted, Variant::Corrected, None),
    (Name::MlCwUPrinted, Variant::Released, None),
    (Name::MlCwUPrinted, Variant::Literal, None),
    (Name::MlCwT, Variant::Corrected, Some(1.2)),
    (Name::MlCwT, Variant::Released, Some(1.2)),
    (Name::MlCwT, Variant::Literal, Some(1.2)),
    (Name::QuadAttack, Variant::Corrected, Some(1.2)),
    (Name::MlDp, Variant::Corrected, Some(1.05)),
    (Name::Class, Variant::Corrected, Some(2.1)),
    (Name::Gmla, Variant::Corrected, Some(1.5)),
    (Name::Jma, Variant::Corrected, Some(1.02)),
    (Name::Square, Variant::Corrected, Some(5.0)),
    (Name::Auto, Variant::Corrected, Some(1.02)),
];

/// The attack with what it needs to come near, and other knobs.
fn settings(name: Name, variant: Variant, more: Value) -> Result<AttackSettings, AttackError> {
    let stop = if name.is_targeted() { "target-reached" } else { "excluded" };
    let own = json!({"name": name, "variant": variant, "stop": stop, "max-iterations": 2000});
    fitting(2e-4, 3.0, and(own, more))
}

/// Attacks the first `size` images, and judges.
fn attack(settings: &AttackSettings, size: usize) -> Vec<Verdict> {
    let victim = one_value_per_label();
    let result = settings.init().unwrap().run(&victim, &batch(0..size)).unwrap();
    result.judge(&victim).unwrap()
}

#[test]
fn every_attack_is_in_the_table() {
    for name in Name::iter() {
        for variant in Variant::iter() {
            let listed = TABLE.iter().any(|&(n, v, _)| (n, v) == (name, variant));
            let settings = settings(name, variant, json!({})).unwrap();
            let exists = !matches!(settings.init(), Err(AttackError::NoVariant { .. }));
            assert_eq!(listed, exists, "{settings}");
        }
    }
}

#[test]
fn every_attack_comes_near_the_smallest_perturbation_at_any_batch_size() {
    for (method, variant, limit) in TABLE {
        if method.is_in_a_ball() {
            continue;
        }
        let settings = settings(method, variant, json!({})).unwrap();
        let name = settings.short_name();
        for size in [1, 3, 8] {
            for (row, verdict) in attack(&settings, size).iter().enumerate() {
                let ratio = verdict.norm_input / f64::from(smallest(method, row).0);
                match limit {
                    Some(limit) => {
                        assert!(verdict.success, "{name}, row {row}");
                        assert!(ratio <= limit, "{name}, row {row}: {ratio} times the smallest");
                    }
                    None => assert!(!verdict.success && ratio < 1e-5, "{name}, row {row}: {ratio}"),
                }
            }
        }
    }
}

#[test]
fn attacks_within_a_ball_succeed_in_one_that_is_a_little_larger_than_needed() {
    for (method, variant, limit) in TABLE {
        let Some(limit) = limit else { continue };
        let own =
            method.is_in_a_ball().then(|| Norm::iter().map(|norm| (OptimiserName::Sgd, norm)));
        for (optimiser, norm) in own.into_iter().flatten().chain(in_balls()) {
            let settings = |radius: f64| {
                // In 99 steps ML-CW-T of sigmoid scores would end in an exact tie, where its hinge has no slope.
                let mut ball = json!({
                    "optimiser": optimiser, "norm": norm, "radius": radius, "max-iterations": 101,
                });
                if method.is_in_a_ball() {
                    ball.as_object_mut().unwrap().remove("optimiser");
                }
                // Moved by gradient, λ would take more steps than these to matter.
                if variant == Variant::Literal
                    && matches!(method, Name::Tkmia | Name::TkmlApU | Name::TkmlApT)
                {
                    ball["lambda"] = json!("exact");
                }
                settings(method, variant, ball)
            };
            match settings(1.0).and_then(|settings| settings.init()) {
                Err(AttackError::NoVariant { .. } | AttackError::OwnSteps { .. }) => continue,
                made => drop(made.unwrap()),
            }
            for size in [1, 3, 8] {
                // Of eight images a universal perturbation isn't fitted to the two that need most.
                if method.is_universal() && size == 8 {
                    continue;
                }
                let (l2, linf) = smallest(method, size - 1);
                // The ball must hold what the image needs that needs most.
                let radius = 1.1 * limit * f64::from(if norm == Norm::L2 { l2 } else { linf });
                let settings = settings(radius).unwrap();
                for (row, verdict) in attack(&settings, size).iter().enumerate() {
                    let name = settings.short_name();
                    assert!(verdict.success, "{name} {norm:?}, row {row}");
                    let found =
                        if norm == Norm::L2 { verdict.norm_input } else { verdict.linf_input };
                    assert!(found <= radius * (1.0 + 1e-6), "{name} {norm:?}, row {row}: {found}");
                }
            }
        }
    }
}

/// What moves within a ball, in either norm.
fn in_balls() -> impl Iterator<Item = (OptimiserName, Norm)> {
    let optimisers = OptimiserName::iter().filter(|one| one.is_in_a_ball());
    optimisers.flat_map(|one| Norm::iter().map(move |norm| (one, norm)))
}

#[test]
fn no_attack_within_a_ball_succeeds_in_one_that_is_too_small() {
    for (optimiser, norm) in in_balls() {
        let (l2, linf) = smallest(Name::Tkmia, 0);
        let radius = 0.99 * f64::from(if norm == Norm::L2 { l2 } else { linf });
        let ball = json!({"optimiser": optimiser, "norm": norm, "radius": radius});
        let settings = settings(Name::Tkmia, Variant::Corrected, ball).unwrap();
        assert!(!attack(&settings, 1)[0].success, "{settings}");
    }
}

/// What goes on after its first success, and how many times the smallest norm its own may be.
///
/// The losses of the targeted attacks vanish at the border. Eq. 6 doesn't: its gradient raises all other labels too, and
/// beyond the border no longer the one that takes the place.
#[test]
fn searches_after_the_first_success_come_near_the_smallest_perturbation() {
    let ddn = json!({"optimiser": "ddn", "max-iterations": 200});
    let fmn = json!({"optimiser": "fmn", "max-iterations": 200});
    let bisected = json!({"bisections": 12, "lr": 0.01});
    for (method, search, limit) in [
        (Name::TkmlApT, &ddn, 1.02),
        (Name::MlCwT, &ddn, 1.02),
        (Name::Tkmia, &ddn, 1.3),
        (Name::TkmlApT, &fmn, 1.02),
        (Name::MlCwT, &fmn, 1.02),
        (Name::Tkmia, &fmn, 1.4),
        (Name::Tkmia, &bisected, 1.05),
    ] {
        let settings = settings(method, Variant::Corrected, search.clone()).unwrap();
        for size in [1, 8] {
            for (row, verdict) in attack(&settings, size).iter().enumerate() {
                let ratio = verdict.norm_input / f64::from(smallest(method, row).0);
                assert!(verdict.success, "{settings}, row {row}");
                assert!(ratio <= limit, "{settings}, row {row}: {ratio} times the smallest");
            }
        }
    }
}

/// How many times the smallest norm any solver's may be.
const SOLVED: f64 = 1.02;

#[test]
fn every_solver_of_the_minimum_norm_form_comes_near_the_smallest_perturbation() {
    for (norm, solver) in Norm::iter().flat_map(|norm| Solver::iter().map(move |one| (norm, one))) {
        // A margin at the border of so many times the gap is to be made up for besides.
        for (max_iterations, times) in [(40, 0.0), (100, 0.0), (1000, 0.0), (100, 0.5), (100, 2.0)]
        {
            let more = json!({
                "norm": norm, "solver": solver, "max-iterations": max_iterations, "border-margin": times,
            });
            let settings = settings(Name::Tkmia, Variant::MinNorm, more).unwrap();
            for (row, verdict) in attack(&settings, 8).iter().enumerate() {
                let (l2, linf) = smallest(Name::Tkmia, row);
                let [l2, linf] = [l2, linf].map(|norm| (1.0 + times) * f64::from(norm));
                let [clean, margin] = [&verdict.clean_scores, &verdict.scores].map(|scores| {
                    let mut scores = scores.clone();
                    scores.sort_by(f32::total_cmp);
                    f64::from(scores[CLASSES - 1] - scores[CLASSES - 2])
                });
                assert!(margin >= times * clean, "{settings}, row {row}: {margin} of {clean}");
                // These images aren't whole pixels: rounding alone moves them by up to half a step, and to
                // survive it may take half a step besides.
                let (found, smallest, more) = match norm {
                    Norm::L2 => (verdict.norm_input, l2, 0.0),
                    Norm::Linf => (verdict.linf_input, linf, 1.0 / 127.5),
                };
                assert!(verdict.success, "{settings}, row {row}");
                assert!(
                    found <= SOLVED * smallest + more,
                    "{settings}, row {row}: {found}, not {smallest}"
                );
            }
        }
    }
}
