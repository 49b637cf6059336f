//! Laws of the relaxation and of the objectives, on random scores.

#![allow(clippy::unwrap_used)]

use burn::tensor::{DType, Device, Tensor, TensorData};
use proptest::prelude::*;
use tkmia_core::objective::{
    Class, Gmla, Lambdas, Margins, MlCwT, MlCwU, MlCwUPrinted, Objective, QuadAttack,
    TkmiaObjective, TkmlApT, TkmlApU, eq3, eq6,
};
use tkmia_core::relaxation::{average_top_k, kth_largest, relaxed_average};
use tkmia_core::{Goal, LabelSet};

/// f64 arithmetic in another order.
const EXACT: f64 = 1e-12;

fn row(values: &[f64]) -> Tensor<2> {
    let data = TensorData::new(values.to_vec(), [1, values.len()]);
    Tensor::from_data(data, (&Device::default(), DType::F64))
}

fn number<const D: usize>(tensor: Tensor<D>) -> f64 {
    tensor.into_scalar::<f64>()
}

/// Values with many ties.
fn values() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![-3.0..3.0, (-3..3).prop_map(f64::from)];
    prop::collection::vec(value, 2..12)
}

/// Distinct scores, whose gradient therefore is one, and a goal on them.
#[derive(Debug, Clone)]
struct Case {
    scores: Vec<f64>,
    relevant: Vec<usize>,
    specified: Vec<usize>,
    target: Vec<usize>,
    k: usize,
}

impl Case {
    fn goal(&self) -> Goal {
        let set = |labels: &[usize]| LabelSet::from_indices(&[labels], self.scores.len()).unwrap();
        let (relevant, specified) = (set(&self.relevant), set(&self.specified));
        let goal = Goal::new(relevant, specified, self.k, &Device::default()).unwrap();
        goal.with_target(vec![self.target.clone()]).unwrap()
    }
}

/// Every objective, in each of its forms.
fn objectives() -> Vec<Box<dyn Objective>> {
    let mut all: Vec<Box<dyn Objective>> =
        vec![Box::new(MlCwU), Box::new(MlCwUPrinted), Box::new(TkmlApT), Box::new(MlCwT)];
    all.push(Box::new(Class));
    all.push(Box::new(Gmla));
    for margins in [Margins::Hinged, Margins::Signed] {
        all.push(Box::new(TkmiaObjective { margins }));
        all.push(Box::new(TkmlApU { margins }));
    }
    all.push(Box::new(QuadAttack));
    all
}

fn case() -> impl Strategy<Value = Case> {
    (4_usize..10).prop_flat_map(case_with)
}

fn case_with(classes: usize) -> impl Strategy<Value = Case> {
    // Ranks in a random order, half a unit apart, moved by less than a quarter.
    let ranks: Vec<usize> = (0..classes).collect();
    let moves = prop::collection::vec(-0.2..0.2, classes);
    let labels = Just(ranks.clone()).prop_shuffle();
    (Just(ranks).prop_shuffle(), moves, labels, 1..classes, 2..=classes)
        .prop_flat_map(|(ranks, moves, labels, k, relevant)| {
            (Just((ranks, moves, labels, k, relevant)), 1..=relevant)
        })
        .prop_map(|((ranks, moves, labels, k, relevant), specified)| Case {
            scores: ranks.iter().zip(moves).map(|(&rank, by)| 0.5 * rank as f64 + by).collect(),
            relevant: labels[..relevant].to_vec(),
            specified: labels[..specified].to_vec(),
            target: labels[labels.len() - k..].to_vec(),
            k,
        })
}

proptest! {
    #[test]
    fn average_top_k_is_the_mean_of_the_first_k_after_sorting(values in values(), at in 0.0..1.0) {
        let k = 1 + (at * (values.len() - 1) as f64) as usize;
        let mut sorted = values.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let expected = sorted[..k].iter().sum::<f64>() / k as f64;
        prop_assert!((number(average_top_k(row(&values), k)) - expected).abs() < EXACT);
        prop_assert_eq!(number(kth_largest(row(&values), k)), sorted[k - 1]);
    }

    #[test]
    fn lemma_4_1_holds_with_the_kth_largest_as_a_minimiser(
        values in values(), at in 0.0..1.0, lambdas in prop::collection::vec(-4.0..4.0, 20),
    ) {
        let k = 1 + (at * (values.len() - 1) as f64) as usize;
        let minimum = number(average_top_k(row(&values), k));
        let minimiser = kth_largest(row(&values), k);
        let at_minimiser = number(relaxed_average(row(&values), k, minimiser));
        prop_assert!((at_minimiser - minimum).abs() < EXACT);
        for lambda in lambdas {
            let value = number(relaxed_average(row(&values), k, row(&[lambda])));
            prop_assert!(value >= minimum - EXACT);
        }
    }

    #[test]
    fn the_minimisers_of_eq_6_beat_a_grid(case in case()) {
        let (scores, goal) = (row(&case.scores), case.goal());
        let minimum = number(TkmiaObjective { margins: Margins::Hinged }.loss(scores.clone(), &goal));
        let star = Lambdas::minimisers(scores.clone(), &goal);
        prop_assert!((number(eq6(scores.clone(), &goal, star)) - minimum).abs() < EXACT);
        for step in 0..=10 {
            let lambda = row(&[f64::from(step) * 0.5]);
            let lambdas = Lambdas { specified: lambda.clone(), others: lambda };
            prop_assert!(number(eq6(scores.clone(), &goal, lambdas)) >= minimum - EXACT);
        }
        prop_assert!(number(eq3(scores, &goal)) <= minimum + EXACT);
    }

    #[test]
    fn gradients_agree_with_finite_differences(case in case()) {
        const H: f64 = 1e-5;
        let goal = case.goal();
        for objective in objectives() {
            let scores = row(&case.scores).autodiff().require_grad();
            let mut gradients = objective.loss(scores.clone(), &goal).sum().backward();
            let gradient = scores.grad_remove(&mut gradients).unwrap();
            let gradient = gradient.into_data().try_to_vec::<f64>().unwrap();
            for (label, gradient) in gradient.iter().enumerate() {
                let loss = |by: f64| {
                    let mut scores = case.scores.clone();
                    scores[label] += by;
                    number(objective.loss(row(&scores), &goal))
                };
                let difference = (loss(H) - loss(-H)) / (2.0 * H);
                prop_assert!((gradient - difference).abs() < 1e-6, "{objective:?} {label}: {gradient} {difference}");
            }
        }
    }

    #[test]
    fn no_lambda_beats_the_closed_form(
        case in case(), lambdas in prop::collection::vec(-4.0..4.0_f64, 2),
    ) {
        for objective in objectives().into_iter().filter(|objective| objective.lambdas() > 0) {
            let (scores, goal) = (row(&case.scores), case.goal());
            let minimum = number(objective.loss(scores.clone(), &goal));
            let lambdas = lambdas[..objective.lambdas()].iter();
            let lambdas: Vec<f64> = lambdas.map(|&at| at.max(objective.lambda_floor())).collect();
            let elsewhere = number(objective.loss_at(scores, &goal, row(&lambdas)));
            prop_assert!(elsewhere >= minimum - EXACT, "{objective:?}: {elsewhere} {minimum}");
        }
    }

    #[test]
    fn a_row_has_the_loss_that_it_has_alone(
        (a, b) in (4_usize..10).prop_flat_map(|classes| (case_with(classes), case_with(classes))),
    ) {
        let classes = a.scores.len();
        let b = Case { k: a.k, target: (0..a.k).collect(), ..b };
        let set = |one: &[usize], two: &[usize]| LabelSet::from_indices(&[one, two], classes).unwrap();
        let (relevant, specified) = (set(&a.relevant, &b.relevant), set(&a.specified, &b.specified));
        let goal = Goal::new(relevant, specified, a.k, &Device::default()).unwrap();
        let goal = goal.with_target(vec![a.target.clone(), b.target.clone()]).unwrap();
        let scores = Tensor::cat(vec![row(&a.scores), row(&b.scores)], 0);
        for objective in objectives() {
            let together = objective.loss(scores.clone(), &goal).into_data().try_to_vec::<f64>().unwrap();
            for (case, together) in [&a, &b].into_iter().zip(together) {
                prop_assert_eq!(number(objective.loss(row(&case.scores), &case.goal())), together);
            }
        }
    }

    #[test]
    fn every_objective_is_what_its_formula_gives_on_plain_numbers(case in case()) {
        for (objective, expected) in objectives().iter().zip(by_formula(&case)) {
            let found = number(objective.loss(row(&case.scores), &case.goal()));
            prop_assert!((found - expected).abs() < EXACT, "{objective:?}: {found} {expected}");
        }
        let kept = Gmla.kept().unwrap().loss(row(&case.scores), &case.goal());
        let losses = case.scores.iter().enumerate().map(|(label, score)| match label {
            label if case.specified.contains(&label) => 0.0,
            label if case.relevant.contains(&label) => (-score).exp().ln_1p(),
            _ => score.exp().ln_1p(),
        });
        prop_assert!((number(kept) - losses.sum::<f64>()).abs() < EXACT);
    }
}

/// QuadAttacK's programme by its dual, one multiplier at a time.
fn distance_to_order(scores: &[f64], target: &[usize]) -> f64 {
    let last = target[target.len() - 1];
    let others = (0..scores.len()).filter(|label| !target.contains(label));
    let along = target.windows(2).map(|pair| (pair[0], pair[1]));
    let pairs: Vec<_> = along.chain(others.map(|other| (last, other))).collect();
    let (mut nearest, mut multipliers) = (scores.to_vec(), vec![0.0_f64; pairs.len()]);
    for _ in 0..4000 {
        for (&(high, low), multiplier) in pairs.iter().zip(&mut multipliers) {
            let by = ((0.2 - nearest[high] + nearest[low]) / 2.0).max(-*multiplier);
            *multiplier += by;
            nearest[high] += by;
            nearest[low] -= by;
        }
    }
    scores.iter().zip(&nearest).map(|(f, z)| (f - z).powi(2)).sum()
}

/// Each objective from its formula, without a tensor, in the order of [`objectives`].
fn by_formula(case: &Case) -> Vec<f64> {
    let Case { scores, relevant, specified, target, k } = case;
    let among = |wanted: &dyn Fn(usize) -> bool| -> Vec<f64> {
        let labels = (0..scores.len()).filter(|&label| wanted(label));
        labels.map(|label| scores[label]).collect()
    };
    let largest = |values: &[f64]| values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let smallest = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
    let mean_of_largest = |mut values: Vec<f64>, count: usize| {
        values.sort_by(|a, b| b.total_cmp(a));
        values[..count].iter().sum::<f64>() / count as f64
    };
    // A gap to an empty set is none.
    let hinge = |gap: f64| if gap.is_finite() { gap.max(0.0) } else { 0.0 };
    let relevant_scores = among(&|label| relevant.contains(&label));
    let irrelevant = among(&|label| !relevant.contains(&label));
    let others = among(&|label| relevant.contains(&label) && !specified.contains(&label));
    let aimed_at = among(&|label| target.contains(&label));
    let elsewhere = among(&|label| !target.contains(&label));

    let sum = |values: &[f64]| values.iter().sum::<f64>();
    let turned =
        || among(&|label| specified.contains(&label)).iter().map(|f| f.exp().ln_1p()).sum();
    let mut all = vec![
        hinge(largest(&relevant_scores) - smallest(&irrelevant)),
        hinge(largest(&irrelevant) - smallest(&relevant_scores)),
        *k as f64 * mean_of_largest(scores.clone(), *k) - sum(&aimed_at),
        hinge(largest(&elsewhere) - smallest(&aimed_at)),
        turned(),
        turned(),
    ];
    let out = scores.len() - k;
    for hinged in [true, false] {
        let margin = |gap: f64| if hinged { gap.max(0.0) } else { gap };
        let above = |best: f64| scores.iter().map(|score| margin(best - score)).collect();
        let best = largest(&among(&|label| specified.contains(&label)));
        let worst = smallest(&others);
        let kept = scores.iter().map(|score| margin(score - worst)).collect();
        let kept = if others.is_empty() { 0.0 } else { mean_of_largest(kept, *k) };
        all.push(mean_of_largest(above(best), out) + kept);
        all.push(mean_of_largest(above(largest(&relevant_scores)), out));
    }
    all.push(distance_to_order(scores, target));
    all
}
