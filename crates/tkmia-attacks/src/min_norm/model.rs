//! [`Model`]: the scores of a few labels as linear functions of the image, kept up to date.

use std::collections::BTreeMap;

use super::constraints::Pair;

use crate::geometry::{LeastNorm, dot, least_norm};

/// Rows of the Jacobian of the scores, exact where they were fetched and corrected on the way.
///
/// Each pass tells two things for nothing: the scores at the new point, that is the model's change
/// along the last step, and the gradient of one combination of them. Both are put into the rows by the
/// smallest change that makes the model agree: the tangent and the adjoint Broyden update
/// (Schlenkrich, Griewank & Walther 2010, "On the local convergence of adjoint Broyden methods").
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    rows: BTreeMap<usize, Vec<f32>>,
}

impl Model {
    pub fn knows(&self, label: usize) -> bool {
        self.rows.contains_key(&label)
    }

    pub fn fetched(&mut self, label: usize, row: &[f32]) {
        self.rows.insert(label, row.to_vec());
    }

    pub fn labels(&self) -> impl Iterator<Item = usize> + '_ {
        self.rows.keys().copied()
    }

    pub fn row(&self, label: usize) -> &[f32] {
        &self.rows[&label]
    }

    /// By how much the label's score changes along a step; 0 of a label that isn't modelled.
    pub fn change(&self, label: usize, step: &[f32]) -> f64 {
        self.rows.get(&label).map_or(0.0, |row| dot(row, step))
    }

    /// A step was made, and the scores have changed by `change`.
    pub fn stepped(&mut self, step: &[f32], change: impl Fn(usize) -> f64) {
        let squared = dot(step, step);
        if squared == 0.0 {
            return;
        }
        for (&label, row) in &mut self.rows {
            let missing = (change(label) - dot(row, step)) / squared;
            add(row, missing, step);
        }
    }

    /// The combination of scores with these weights has this gradient here.
    pub fn combined(&mut self, weights: &[(usize, f64)], gradient: &[f32]) {
        let known = |label: &usize| self.rows.contains_key(label);
        if !weights.iter().all(|(label, _)| known(label)) {
            return;
        }
        let squared: f64 = weights.iter().map(|(_, weight)| weight * weight).sum();
        if squared == 0.0 {
            return;
        }
        let mut missing = gradient.to_vec();
        for (label, weight) in weights {
            add(&mut missing, -weight, &self.rows[label]);
        }
        for (label, weight) in weights {
            let row = self.rows.get_mut(label).expect("all labels are known");
            add(row, weight / squared, &missing);
        }
    }

    /// The smallest step from `at` that makes all pairs hold, as far as the model goes, and keeps
    /// the image within limits.
    ///
    /// `gaps` are the pairs' values at `at`, and `limits` the least and the greatest value that each
    /// element may have. Where the step would go further it ends there, and the other elements make up
    /// for it.
    pub fn repair(&self, pairs: &[Pair], gaps: &[f64], at: &[f32], limits: &[[f32; 2]]) -> Repair {
        let mut labels: Vec<usize> = pairs.iter().flat_map(|p| [p.sinks, p.rises]).collect();
        labels.sort_unstable();
        labels.dedup();
        let place = |label: usize| labels.binary_search(&label).expect("collected above");
        let mut rows: Vec<Vec<f32>> =
            labels.iter().map(|&label| self.row(label).to_vec()).collect();
        let mut gaps = gaps.to_vec();
        let mut step = vec![0.0_f32; at.len()];
        let mut fixed = vec![false; at.len()];
        let mut solution =
            LeastNorm { multipliers: vec![0.0; pairs.len()], excess: 0.0, squared_norm: 0.0 };
        for _ in 0..ROUNDS {
            let named = labels.iter().copied().zip(rows.iter().map(Vec::as_slice));
            let gram = LabelGram::new(named).of_pairs(pairs);
            let bounds_of: Vec<f64> = gaps.iter().map(|gap| -gap).collect();
            solution = least_norm(&gram, &bounds_of);
            let mut weights = vec![0.0; labels.len()];
            for (pair, multiplier) in pairs.iter().zip(&solution.multipliers) {
                weights[place(pair.sinks)] -= multiplier;
                weights[place(pair.rises)] += multiplier;
            }
            let mut free = vec![0.0_f32; at.len()];
            for (row, &weight) in rows.iter().zip(&weights) {
                if weight != 0.0 {
                    add(&mut free, weight, row);
                }
            }
            let mut outside = Vec::new();
            for (index, (&move_by, &value)) in free.iter().zip(at).enumerate() {
                if fixed[index] {
                    continue;
                }
                let to = value + move_by;
                let [least, greatest] = limits[index];
                if to < least || to > greatest {
                    step[index] = to.clamp(least, greatest) - value;
                    fixed[index] = true;
                    outside.push(index);
                } else {
                    step[index] = move_by;
                }
            }
            if outside.is_empty() {
                break;
            }
            // What the fixed elements do is done; the others see the rest.
            for (pair, gap) in pairs.iter().zip(&mut gaps) {
                let (sinks, rises) = (place(pair.sinks), place(pair.rises));
                for &index in &outside {
                    let slope = f64::from(rows[sinks][index]) - f64::from(rows[rises][index]);
                    *gap += slope * f64::from(step[index]);
                }
            }
            for row in &mut rows {
                for &index in &outside {
                    row[index] = 0.0;
                }
            }
        }
        Repair { step, multipliers: solution.multipliers }
    }

    /// Inner products of all rows.
    pub fn gram(&self) -> LabelGram {
        LabelGram::new(self.rows.iter().map(|(&label, row)| (label, row.as_slice())))
    }
}

/// How often a step is cut off at the bounds and made up for; elements that are still outside then
/// are cut off only.
const ROUNDS: usize = 6;

/// A step, and the multipliers of the pairs that asked for it.
#[derive(Debug)]
pub(super) struct Repair {
    pub step: Vec<f32>,
    pub multipliers: Vec<f64>,
}

/// Inner products of Jacobian rows, by label.
#[derive(Debug)]
pub(super) struct LabelGram {
    products: BTreeMap<(usize, usize), f64>,
}

impl LabelGram {
    fn new<'a>(rows: impl Iterator<Item = (usize, &'a [f32])> + Clone) -> Self {
        let mut products = BTreeMap::new();
        for (done, (a, row_a)) in rows.clone().enumerate() {
            for (b, row_b) in rows.clone().take(done + 1) {
                let product = dot(row_a, row_b);
                products.insert((a, b), product);
                products.insert((b, a), product);
            }
        }
        Self { products }
    }

    /// The Gram matrix of the pairs' gradients, row-major.
    fn of_pairs(&self, pairs: &[Pair]) -> Vec<f64> {
        let of = |a, b| self.products[&(a, b)];
        let product = |a: Pair, b: Pair| {
            of(a.sinks, b.sinks) - of(a.sinks, b.rises) - of(a.rises, b.sinks)
                + of(a.rises, b.rises)
        };
        pairs.iter().flat_map(|&a| pairs.iter().map(move |&b| product(a, b))).collect()
    }

    /// The squared norm of the smallest step to where the pairs hold, the box left aside.
    pub fn cost(&self, pairs: &[Pair], gaps: &[f64]) -> f64 {
        let bounds: Vec<f64> = gaps.iter().map(|gap| -gap).collect();
        let solution = least_norm(&self.of_pairs(pairs), &bounds);
        let worst = gaps.iter().fold(0.0_f64, |most, gap| most.max(gap.abs()));
        match solution.excess > 1e-3 * worst {
            true => f64::INFINITY,
            false => solution.squared_norm,
        }
    }
}

/// `to ← to + weight · by`.
pub(super) fn add(to: &mut [f32], weight: f64, by: &[f32]) {
    let weight = weight as f32;
    for (to, &by) in to.iter_mut().zip(by) {
        *to += weight * by;
    }
}
