//! The objectives against values and gradients that PyTorch gave in f64 (`golden/README.md`).

#![allow(clippy::unwrap_used)]

use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::Deserialize;
use tkmia_core::objective::{Lambdas, Margins, Objective, TkmiaObjective, eq3, eq6};
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

impl Case {
    fn row(&self, values: &[f64]) -> Tensor<2> {
        let data = TensorData::new(values.to_vec(), [1, values.len()]);
        Tensor::from_data(data, (&Device::default(), DType::F64))
    }

    fn goal(&self) -> Goal {
        let set = |labels| LabelSet::from_indices(&[labels], self.c).unwrap();
        Goal::new(set(&self.relevant), set(&self.specified), self.k, &Device::default()).unwrap()
    }

    fn value_and_gradient(&self, loss: impl Fn(Tensor<2>) -> Tensor<1>) -> (Vec<f64>, Vec<f64>) {
        let scores = self.row(&self.scores).autodiff().require_grad();
        let loss = loss(scores.clone());
        let gradient = scores.grad_remove(&mut loss.clone().sum().backward()).unwrap();
        (value(loss), value(gradient))
    }
}

#[test]
fn objectives_and_their_gradients_equal_the_recorded_ones() {
    let recorded: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("golden/objective.json")).unwrap();
    // Where R is empty TkMIA's terms weren't recorded.
    let complete = recorded.into_iter().filter(|case| case.get("eq3").is_some());
    let cases: Vec<Case> = complete.map(|case| serde_json::from_value(case).unwrap()).collect();
    assert_eq!(cases.len(), 37);
    for (index, case) in cases.iter().enumerate() {
        let name = |what: &str| format!("case {index}: {what}");
        let (goal, scores) = (case.goal(), case.row(&case.scores));

        assert_close(&name("eq3"), &value(eq3(scores.clone(), &goal)), &[case.eq3]);

        let lambdas = Lambdas::minimisers(scores, &goal);
        assert_close(&name("lambda1*"), &value(lambdas.specified), &[case.lambda1_star]);
        assert_close(&name("lambda2*"), &value(lambdas.others), &[case.lambda2_star]);

        let (loss, gradient) = case.value_and_gradient(|scores| {
            let lambdas =
                Lambdas { specified: case.row(&[case.lambda1]), others: case.row(&[case.lambda2]) };
            eq6(scores, &goal, lambdas)
        });
        assert_close(&name("eq6"), &loss, &[case.eq6]);
        assert_close(&name("eq6 gradient"), &gradient, &case.eq6_grad);

        let objective = TkmiaObjective { margins: Margins::Hinged };
        let (loss, gradient) = case.value_and_gradient(|scores| objective.loss(scores, &goal));
        assert_close(&name("eq6 at star"), &loss, &[case.eq6_at_star]);
        assert_close(&name("eq6 at star gradient"), &gradient, &case.eq6_at_star_grad);

        let objective = TkmiaObjective { margins: Margins::Signed };
        let (loss, gradient) = case.value_and_gradient(|scores| objective.loss(scores, &goal));
        assert_close(&name("released"), &loss, &[case.released]);
        assert_close(&name("released gradient"), &gradient, &case.released_grad);
    }
}
