//! [`Model`]: the scores of a few labels as linear functions of the image, kept up to date.

use std::collections::{BTreeMap, BTreeSet};

use super::constraints::Pair;

use crate::geometry::{Gram, dot, gram, least_norm};

/// Rows of the Jacobian of the scores, exact where they were fetched and corrected on the way.
///
/// Each pass tells two things for nothing: the scores at the new point, that is the model's change
/// along the last step, and the gradient of one combination of them. Both are put into the rows by the
/// smallest change that makes the model agree: the tangent and the adjoint Broyden update
/// (Schlenkrich, Griewank & Walther 2010, "On the local convergence of adjoint Broyden methods").
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    rows: BTreeMap<usize, Vec<f32>>,
    exact: BTreeSet<usize>,
}

impl Model {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn knows(&self, label: usize) -> bool {
        self.rows.contains_key(&label)
    }

    pub fn fetched(&mut self, label: usize, row: &[f32]) {
        self.rows.insert(label, row.to_vec());
        self.exact.insert(label);
    }

    pub fn is_exact(&self, label: usize) -> bool {
        self.exact.contains(&label)
    }

    /// A label of which nothing is known yet.
    pub fn meet(&mut self, label: usize, elements: usize) {
        self.rows.entry(label).or_insert_with(|| vec![0.0; elements]);
    }

    pub fn row(&self, label: usize) -> &[f32] {
        &self.rows[&label]
    }

    /// By how much the label's score changes along a step; 0 of a label that isn't modelled.
    pub fn change(&self, label: usize, step: &[f32]) -> f64 {
        self.rows.get(&label).map_or(0.0, |row| dot(row, step))
    }

    /// A step was made, and the scores of these labels have changed by `change`.
    pub fn stepped(&mut self, labels: &[usize], step: &[f32], change: impl Fn(usize) -> f64) {
        let squared = dot(step, step);
        for &label in labels {
            let row = self.rows.get_mut(&label).expect("all labels are known");
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
    /// the image within limits; `gram` is of the pairs' labels.
    ///
    /// `gaps` are the pairs' values at `at`, and `limits` the least and the greatest value that each
    /// element may have. Where the step would go further it ends there, and the other elements make up
    /// for it.
    pub fn repair(
        &self,
        mut gram: LabelGram,
        pairs: &[Pair],
        gaps: &[f64],
        at: &[f32],
        limits: impl Fn(usize) -> [f32; 2],
    ) -> Repair {
        let squares = |gram: &LabelGram| -> Vec<f64> {
            let pairs = gram.of_pairs(pairs);
            (0..pairs.places.len()).map(|pair| pairs.product(pair, pair)).collect()
        };
        let whole = squares(&gram);
        let rows: Vec<&[f32]> = gram.labels.iter().map(|&label| self.row(label)).collect();
        let mut step = vec![0.0_f32; at.len()];
        let (mut multipliers, mut unlimited) = (Vec::new(), None);
        let mut fixed = vec![false; at.len()];
        // What the fixed elements do to the scores is done; the others see the rest.
        let mut done = vec![0.0; rows.len()];
        for _ in 0..ROUNDS {
            let rest = pairs.iter().zip(gaps).map(|(pair, gap)| {
                -(gap + done[gram.place(pair.sinks)] - done[gram.place(pair.rises)])
            });
            // What hardly an element can change any more is left as it is.
            let bounds = rest.zip(squares(&gram)).zip(&whole).map(|((rest, left), whole)| {
                if left > EXHAUSTED * whole { rest } else { rest.abs() }
            });
            let bounds: Vec<f64> = bounds.collect();
            let of_pairs = gram.of_pairs(pairs);
            multipliers = least_norm(&of_pairs, &bounds).multipliers;
            unlimited.get_or_insert_with(|| multipliers.clone());
            let weights = of_pairs.weights(&multipliers);
            let mut free = vec![0.0_f32; at.len()];
            for (row, &weight) in rows.iter().zip(&weights) {
                if weight != 0.0 {
                    add(&mut free, -weight, row);
                }
            }
            let mut outside = Vec::new();
            for (index, (&move_by, &value)) in free.iter().zip(at).enumerate() {
                if fixed[index] {
                    continue;
                }
                step[index] = move_by;
                let [least, greatest] = limits(index);
                let to = value + move_by;
                if to < least || to > greatest {
                    step[index] = to.clamp(least, greatest) - value;
                    fixed[index] = true;
                    outside.push(index);
                }
            }
            if outside.is_empty() {
                break;
            }
            for (a, row) in rows.iter().enumerate() {
                done[a] += outside.iter().map(|&i| f64::from(row[i] * step[i])).sum::<f64>();
                for (b, other) in rows[..=a].iter().enumerate() {
                    let product = outside.iter().map(|&i| f64::from(row[i] * other[i]));
                    gram.lose(a, b, product.sum());
                }
            }
        }
        Repair { step, multipliers, unlimited: unlimited.unwrap_or_default() }
    }

    /// Inner products of the rows of known labels, which are in their order.
    pub fn gram(&self, labels: Vec<usize>) -> LabelGram {
        let rows: Vec<&[f32]> = labels.iter().map(|&label| self.row(label)).collect();
        LabelGram { products: gram(&rows), labels }
    }
}

/// How often a step is cut off at the bounds and made up for; elements that are still outside then
/// are cut off only.
const ROUNDS: usize = 6;
/// Where so little of a pair's square is left to elements that can still move, they make up for nothing.
const EXHAUSTED: f64 = 1e-3;

/// A step, and the multipliers of the pairs that asked for it, within limits and without.
#[derive(Debug)]
pub(super) struct Repair {
    pub step: Vec<f32>,
    pub multipliers: Vec<f64>,
    pub unlimited: Vec<f64>,
}

/// The labels of pairs, each once, in their order.
pub(super) fn labels_of(pairs: &[Pair]) -> Vec<usize> {
    let labels: BTreeSet<usize> = pairs.iter().flat_map(|p| [p.sinks, p.rises]).collect();
    labels.into_iter().collect()
}

/// Inner products of Jacobian rows, by label.
#[derive(Debug, Clone)]
pub(super) struct LabelGram {
    labels: Vec<usize>,
    products: Vec<f64>,
}

impl LabelGram {
    fn place(&self, label: usize) -> usize {
        self.labels.binary_search(&label).expect("one of the labels")
    }

    /// Takes from the product of the rows at two places.
    fn lose(&mut self, a: usize, b: usize, product: f64) {
        let size = self.labels.len();
        self.products[a * size + b] -= product;
        if a != b {
            self.products[b * size + a] -= product;
        }
    }

    fn of_pairs(&self, pairs: &[Pair]) -> PairGram<'_> {
        let place = |pair: &Pair| [self.place(pair.sinks), self.place(pair.rises)];
        PairGram { labels: self, places: pairs.iter().map(place).collect() }
    }

    /// The squared norm of the smallest step to where the pairs hold, the box left aside, and the pairs'
    /// multipliers.
    pub fn solve(&self, pairs: &[Pair], gaps: &[f64]) -> (f64, Vec<f64>) {
        let bounds: Vec<f64> = gaps.iter().map(|gap| -gap).collect();
        let solution = least_norm(&self.of_pairs(pairs), &bounds);
        let worst = gaps.iter().fold(0.0_f64, |most, gap| most.max(gap.abs()));
        let cost = match solution.excess > 1e-3 * worst {
            true => f64::INFINITY,
            false => solution.squared_norm,
        };
        (cost, solution.multipliers)
    }
}

/// Inner products of pairs' gradients, each the difference of two rows.
struct PairGram<'a> {
    labels: &'a LabelGram,
    places: Vec<[usize; 2]>,
}

impl PairGram<'_> {
    /// The weights of the rows in `Nᵀλ`.
    fn weights(&self, multipliers: &[f64]) -> Vec<f64> {
        let mut weights = vec![0.0; self.labels.labels.len()];
        for ([sinks, rises], multiplier) in self.places.iter().zip(multipliers) {
            weights[*sinks] += multiplier;
            weights[*rises] -= multiplier;
        }
        weights
    }
}

impl Gram for PairGram<'_> {
    fn product(&self, a: usize, b: usize) -> f64 {
        let ([a, b], [c, d]) = (self.places[a], self.places[b]);
        let of = |a: usize, b: usize| self.labels.products[a * self.labels.labels.len() + b];
        of(a, c) - of(a, d) - of(b, c) + of(b, d)
    }

    fn times(&self, multipliers: &[f64]) -> Vec<f64> {
        let along = self.labels.products.times(&self.weights(multipliers));
        self.places.iter().map(|&[sinks, rises]| along[sinks] - along[rises]).collect()
    }
}

/// `to ← to + weight · by`.
pub(super) fn add(to: &mut [f32], weight: f64, by: &[f32]) {
    let weight = weight as f32;
    for (to, &by) in to.iter_mut().zip(by) {
        *to += weight * by;
    }
}
