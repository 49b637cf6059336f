//! The objectives against values and gradients that PyTorch gave in f64 (`golden/README.md`).

#![allow(clippy::unwrap_used)]

use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::Deserialize;
use tkmia_core::objective::{Lambdas, Margins, Objective, TkmiaObjective, TkmlApU, eq3, eq6};
use tkmia_core::{Goal, LabelSet};

/// f64 arithmetic in another order of summation.
const TOLERANCE: f64 = 1e-12;

#[derive(Deserialize)]
struct Case {
    c: usize,
    k: usize,
    relevant: Vec<usize>,
    specified: Vec<usize>,
    scores: Vec<f64>,
    eq3: f64,
    lambda1: f64,
    lambda2: f64,
    eq6: f64,
    eq6_grad: Vec<f64>,
    lambda1_star: f64,
    lambda2_star: f64,
    eq6_at_star: f64,
    eq6_at_star_grad: Vec<f64>,
    released: f64,
    released_grad: Vec<f64>,
}

/// What is recorded for every case, TkMIA's values only where R isn't empty.
#[derive(Deserialize)]
struct ApCase {
    c: usize,
    k: usize,
    relevant: Vec<usize>,
    specified: Vec<usize>,
    scores: Vec<f64>,
    tkml_ap_u_released: f64,
    tkml_ap_u_released_grad: Vec<f64>,
}

fn assert_close(name: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        let scale = expected.abs().max(1.0);
        assert!((found - expected).abs() <= TOLERANCE * scale, "{name}: {found} != {expected}");
    }
}

fn value<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().try_to_vec::<f64>().unwrap()
}

fn row(values: &[f64]) -> Tensor<2> {
    let data = TensorData::new(values.to_vec(), [1, values.len()]);
    Tensor::from_data(data, (&Device::default(), DType::F64))
}

fn goal(relevant: &[usize], specified: &[usize], k: usize, classes: usize) -> Goal {
    let set = |labels: &[usize]| LabelSet::from_indices(&[labels], classes).unwrap();
    Goal::new(set(relevant), set(specified), k, &Device::default()).unwrap()
}

fn value_and_gradient(
    scores: &[f64],
    loss: impl Fn(Tensor<2>) -> Tensor<1>,
) -> (Vec<f64>, Vec<f64>) {
    let scores = row(scores).autodiff().require_grad();
    let loss = loss(scores.clone());
    let gradient = scores.grad_remove(&mut loss.clone().sum().backward()).unwrap();
    (value(loss), value(gradient))
}

fn recorded() -> Vec<serde_json::Value> {
    serde_json::from_str(include_str!("golden/objective.json")).unwrap()
}

#[test]
fn objectives_and_their_gradients_equal_the_recorded_ones() {
    // Where R is empty TkMIA's terms weren't recorded.
    let complete = recorded().into_iter().filter(|case| case.get("eq3").is_some());
    let cases: Vec<Case> = complete.map(|case| serde_json::from_value(case).unwrap()).collect();
    assert_eq!(cases.len(), 37);
    for (index, case) in cases.iter().enumerate() {
        let name = |what: &str| format!("case {index}: {what}");
        let goal = goal(&case.relevant, &case.specified, case.k, case.c);
        let scores = row(&case.scores);

        assert_close(&name("eq3"), &value(eq3(scores.clone(), &goal)), &[case.eq3]);

        let lambdas = Lambdas::minimisers(scores, &goal);
        assert_close(&name("lambda1*"), &value(lambdas.specified), &[case.lambda1_star]);
        assert_close(&name("lambda2*"), &value(lambdas.others), &[case.lambda2_star]);

        let (loss, gradient) = value_and_gradient(&case.scores, |scores| {
            let lambdas = Lambdas { specified: row(&[case.lambda1]), others: row(&[case.lambda2]) };
            eq6(scores, &goal, lambdas)
        });
        assert_close(&name("eq6"), &loss, &[case.eq6]);
        assert_close(&name("eq6 gradient"), &gradient, &case.eq6_grad);

        let objective = TkmiaObjective { margins: Margins::Hinged };
        let (loss, gradient) =
            value_and_gradient(&case.scores, |scores| objective.loss(scores, &goal));
        assert_close(&name("eq6 at star"), &loss, &[case.eq6_at_star]);
        assert_close(&name("eq6 at star gradient"), &gradient, &case.eq6_at_star_grad);

        let objective = TkmiaObjective { margins: Margins::Signed };
        let (loss, gradient) =
            value_and_gradient(&case.scores, |scores| objective.loss(scores, &goal));
        assert_close(&name("released"), &loss, &[case.released]);
        assert_close(&name("released gradient"), &gradient, &case.released_grad);
    }
}

#[test]
fn tkml_ap_u_and_its_gradient_equal_the_recorded_ones() {
    let cases: Vec<ApCase> =
        recorded().into_iter().map(|case| serde_json::from_value(case).unwrap()).collect();
    assert_eq!(cases.len(), 40);
    for (index, case) in cases.iter().enumerate() {
        let goal = goal(&case.relevant, &case.specified, case.k, case.c);
        let objective = TkmlApU { margins: Margins::Signed };
        let loss = |scores| objective.loss(scores, &goal);
        let (loss, gradient) = value_and_gradient(&case.scores, loss);
        assert_close(&format!("case {index}"), &loss, &[case.tkml_ap_u_released]);
        assert_close(&format!("case {index}, gradient"), &gradient, &case.tkml_ap_u_released_grad);
    }
}
