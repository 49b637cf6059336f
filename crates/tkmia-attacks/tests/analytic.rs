//! Every attack on a linear victim whose smallest perturbation is known.

#![allow(clippy::unwrap_used)]

mod victim;

use burn::tensor::{Device, Tensor, TensorData};
use tkmia_attacks::{
    AttackBatch, AttackError, Ball, Lambda, Method, Norm, OptimiserKind, Settings, Solver, Variant,
    Verdict, criterion as criterion_named, judge,
};
use tkmia_core::{Bounds, LabelSet};
use victim::{CLASSES, Linear, PIXELS};

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
    let mut batch = AttackBatch::new(images, set(&[0, 1]), set(&[1]), 1).unwrap();
    batch.goal = batch.goal.with_target(set(&[2])).unwrap();
    batch
}

/// The L2 and L∞ norms of the smallest perturbation that does what the method is after.
fn smallest(method: Method, row: usize) -> (f32, f32) {
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
        Method::MlDp => (0.2 + gap, 0.2 + gap),
        // Labels 0 and 1 meet at their mean.
        _ => (gap / 2.0_f32.sqrt(), gap / 2.0),
    }
}

/// Method, variant, and how many times the smallest norm its own may be; none: it's no attack.
///
/// The released variants' smallest perturbation in model-input units is that of `tanh(x)`, a little
/// smaller. TkML-AP-U pushes down the better of labels 0 and 1 and raises all labels, ML-CW-U pushes it
/// down and raises the last label as much: twice the smallest norm, before any overshoot. A universal
/// perturbation must serve the image that needs most, and is measured by it. The minimum-norm
/// form has no overshoot; what it is above the smallest lets it survive rounding to 8-bit pixels.
const TABLE: [(Method, Variant, Option<f64>); 26] = [
    (Method::Tkmia, Variant::Corrected, Some(1.2)),
    (Method::Tkmia, Variant::Released, Some(1.2)),
    (Method::Tkmia, Variant::Literal, Some(1.3)),
    (Method::Tkmia, Variant::MinNorm, Some(1.02)),
    (Method::TkmlApU, Variant::Corrected, Some(1.5)),
    (Method::TkmlApU, Variant::Released, Some(1.5)),
    (Method::TkmlApU, Variant::Literal, Some(1.5)),
    (Method::TkmlApT, Variant::Corrected, Some(1.2)),
    (Method::TkmlApT, Variant::Released, Some(1.2)),
    (Method::TkmlApT, Variant::Literal, Some(1.2)),
    (Method::TkmlApUv, Variant::Corrected, Some(1.5)),
    (Method::TkmlApUv, Variant::Released, Some(1.5)),
    (Method::KFool, Variant::Corrected, Some(1.2)),
    (Method::KFool, Variant::Released, Some(1.2)),
    (Method::KUap, Variant::Corrected, Some(1.2)),
    (Method::KUap, Variant::Released, Some(1.2)),
    (Method::MlCwU, Variant::Corrected, Some(2.3)),
    (Method::MlCwU, Variant::Released, Some(2.3)),
    (Method::MlCwU, Variant::Literal, Some(2.3)),
    (Method::MlCwUPrinted, Variant::Corrected, None),
    (Method::MlCwUPrinted, Variant::Released, None),
    (Method::MlCwUPrinted, Variant::Literal, None),
    (Method::MlCwT, Variant::Corrected, Some(1.2)),
    (Method::MlCwT, Variant::Released, Some(1.2)),
    (Method::MlCwT, Variant::Literal, Some(1.2)),
    (Method::MlDp, Variant::Corrected, Some(1.05)),
];

fn settings(method: Method, variant: Variant) -> Settings {
    let targeted = method.is_targeted();
    let criterion = if targeted { "target-reached" } else { "excluded" };
    Settings {
        method,
        variant,
        learning_rate: 2e-4,
        ball: Some(Ball { norm: Norm::L2, radius: 3.0 }),
        enough: 1.0,
        max_iterations: 2000,
        criterion: criterion_named(criterion, None).unwrap(),
        ..Settings::default()
    }
}

/// Attacks the first `size` images, and judges.
fn attack(settings: &Settings, size: usize) -> Vec<Verdict> {
    let attack = settings.init(Bounds::SYMMETRIC).unwrap();
    let batch = batch(0..size);
    let victim = one_value_per_label();
    let result = attack.run(&victim, &batch, &mut ()).unwrap();
    judge(&victim, &batch.goal, &result, settings.criterion.as_ref()).unwrap()
}

#[test]
fn every_attack_is_in_the_table() {
    for method in Method::ALL {
        for variant in Variant::ALL {
            let settings = settings(method, variant);
            let listed = TABLE.iter().any(|&(m, v, _)| (m, v) == (method, variant));
            let made = settings.init(Bounds::SYMMETRIC);
            let exists = !matches!(made, Err(AttackError::NoVariant { .. }));
            assert_eq!(listed, exists, "{}", settings.name());
        }
    }
}

#[test]
fn every_attack_comes_near_the_smallest_perturbation_at_any_batch_size() {
    for (method, variant, limit) in TABLE {
        let settings = settings(method, variant);
        let name = settings.name();
        for size in [1, 3, 8] {
            for (row, verdict) in attack(&settings, size).iter().enumerate() {
                let measured_by = if method.is_universal() { size - 1 } else { row };
                let ratio = verdict.norm_input / f64::from(smallest(method, measured_by).0);
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
    let optimisers = [OptimiserKind::Pgd, OptimiserKind::MiFgsm, OptimiserKind::AutoPgd];
    for (method, variant, limit) in TABLE {
        let Some(limit) = limit.filter(|_| !method.is_universal()) else { continue };
        for (optimiser, norm) in
            optimisers.into_iter().flat_map(|one| Norm::ALL.map(|norm| (one, norm)))
        {
            let settings = |radius| Settings {
                optimiser,
                ball: Some(Ball { norm, radius }),
                // Moved by gradient, λ would take more steps than these to matter.
                lambda: Some(Lambda::Exact),
                max_iterations: 100,
                ..settings(method, variant)
            };
            match settings(1.0).init(Bounds::SYMMETRIC) {
                Err(AttackError::NoVariant { .. } | AttackError::OwnSteps { .. }) => continue,
                made => drop(made.unwrap()),
            }
            for size in [1, 3, 8] {
                let (l2, linf) = smallest(method, size - 1);
                // The ball must hold what the image needs that needs most.
                let radius = 1.1 * limit * f64::from(if norm == Norm::L2 { l2 } else { linf });
                let settings = settings(radius);
                for (row, verdict) in attack(&settings, size).iter().enumerate() {
                    let name = settings.name();
                    assert!(verdict.success, "{name} {norm:?}, row {row}");
                    let found =
                        if norm == Norm::L2 { verdict.norm_input } else { verdict.linf_input };
                    assert!(found <= radius * (1.0 + 1e-6), "{name} {norm:?}, row {row}: {found}");
                }
            }
        }
    }
}

#[test]
fn no_attack_within_a_ball_succeeds_in_one_that_is_too_small() {
    for optimiser in [OptimiserKind::Pgd, OptimiserKind::MiFgsm, OptimiserKind::AutoPgd] {
        for norm in Norm::ALL {
            let (l2, linf) = smallest(Method::Tkmia, 0);
            let radius = 0.99 * f64::from(if norm == Norm::L2 { l2 } else { linf });
            let settings = Settings {
                optimiser,
                ball: Some(Ball { norm, radius }),
                ..settings(Method::Tkmia, Variant::Corrected)
            };
            assert!(!attack(&settings, 1)[0].success, "{}", settings.name());
        }
    }
}

/// How many times the smallest norm each solver's may be.
const SOLVERS: [(Solver, f64); 4] = [
    (Solver::Sequential, 1.02),
    (Solver::SequentialByScore, 1.02),
    (Solver::FirstOrder, 1.02),
    (Solver::FirstOrderLinf, 1.02),
];

#[test]
fn every_solver_of_the_minimum_norm_form_comes_near_the_smallest_perturbation() {
    assert_eq!(SOLVERS.map(|(solver, _)| solver), Solver::ALL);
    for (solver, limit) in SOLVERS {
        for max_iterations in [40, 100, 1000] {
            let settings =
                Settings { solver, max_iterations, ..settings(Method::Tkmia, Variant::MinNorm) };
            for (row, verdict) in attack(&settings, 8).iter().enumerate() {
                let (l2, linf) = smallest(Method::Tkmia, row);
                // These images aren't whole pixels: rounding alone moves them by up to half a step, and to
                // survive it may take half a step besides.
                let (norm, smallest, more) = match solver.norm() {
                    Norm::L2 => (verdict.norm_input, f64::from(l2), 0.0),
                    Norm::Linf => (verdict.linf_input, f64::from(linf), 1.0 / 127.5),
                };
                let name = solver.name();
                assert!(verdict.success, "{name}, row {row}");
                assert!(
                    norm <= limit * smallest + more,
                    "{name}, row {row}: {norm}, not {smallest}"
                );
            }
        }
    }
}
