//! [`least_step`]: the smallest step that fulfils constraints on scores, to first order.

use super::{gram, least_norm};

/// `Σ w · change of a score ≤ bound`, the scores by the rows that are their gradients.
pub(super) struct Constraint {
    pub weights: Vec<(usize, f64)>,
    pub bound: f64,
}

/// The step for these rows of the Jacobian.
pub(super) fn least_step(rows: &[&[f32]], size: usize, constraints: &[Constraint]) -> Vec<f64> {
    let (products, count) = (gram(rows), rows.len());
    let product = |a: &Constraint, b: &Constraint| -> f64 {
        let pairs = a.weights.iter().flat_map(|a| b.weights.iter().map(move |b| (a, b)));
        pairs.map(|(&(i, v), &(j, w))| v * w * products[i * count + j]).sum()
    };
    let products: Vec<f64> =
        constraints.iter().flat_map(|a| constraints.iter().map(|b| product(a, b))).collect();
    let bounds: Vec<f64> = constraints.iter().map(|constraint| constraint.bound).collect();
    let multipliers = least_norm(&products, &bounds).multipliers;

    let mut factors = vec![0.0; count];
    for (constraint, multiplier) in constraints.iter().zip(multipliers) {
        constraint.weights.iter().for_each(|&(row, weight)| factors[row] -= multiplier * weight);
    }
    let mut step = vec![0.0; size];
    for (row, factor) in rows.iter().zip(factors).filter(|&(_, factor)| factor != 0.0) {
        step.iter_mut().zip(*row).for_each(|(s, &g)| *s += factor * f64::from(g));
    }
    step
}
