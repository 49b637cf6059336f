//! QuadAttacK's objective: Paniagua, Grainger & Wu, "QuadAttacK: A Quadratic Programming Approach to Learning Ordered
//! Top-K Adversarial Attacks", NeurIPS 2023.

use burn::tensor::{Tensor, TensorData};

use super::Objective;
use crate::Goal;

/// The squared distance to the nearest scores at which the target `t_1 … t_k` is the top-k in its order, with a margin
/// `m` of 0.2, that of the published code:
///
/// ```text
/// min over z of ‖f − z‖²   subject to   z_{t_i} − z_{t_{i+1}} ≥ m,   z_{t_k} − z_j ≥ m  for j ∉ T
/// ```
///
/// The paper's programme is among the features below the last layer, `z = A h + b`; this one among the scores is a
/// projection onto a chain of inequalities, which isotonic regression solves exactly. The gradient is `2 (f − z)`.
///
/// 0, without gradient, in rows without a target.
#[derive(Debug, Clone, Copy)]
pub struct QuadAttack;

/// `m`, in the unit of the scores.
const MARGIN: f64 = 0.2;

impl Objective for QuadAttack {
    fn loss(&self, scores: Tensor<2>, goal: &Goal) -> Tensor<1> {
        let dims = scores.dims();
        let Some(targets) = goal.target() else {
            return scores.sum_dim(1).zeros_like().squeeze_dim(1);
        };
        let values = scores.clone().detach().try_to_vec_as::<f64>();
        let values = values.expect("float tensors convert to f64");
        let nearest = values.chunks_exact(dims[1]).zip(targets);
        let nearest: Vec<f64> =
            nearest.flat_map(|(row, target)| nearest_in_order(row, target)).collect();
        let nearest = TensorData::new(nearest, dims);
        let nearest = Tensor::<2>::from_data(nearest, (&scores.device(), scores.dtype()));
        (scores - nearest).powi_scalar(2).sum_dim(1).squeeze_dim(1)
    }

    fn needs_target(&self) -> bool {
        true
    }
}

/// The projection of a row; the row itself without a target.
///
/// The labels outside the target keep their order among themselves, so that all of them make one chain. Less the sum of
/// the margins below a label it only has to fall: pools of adjacent violators take their mean.
fn nearest_in_order(scores: &[f64], target: &[usize]) -> Vec<f64> {
    let mut nearest = scores.to_vec();
    if target.is_empty() {
        return nearest;
    }
    let mut chain = target.to_vec();
    chain.extend((0..scores.len()).filter(|label| !target.contains(label)));
    chain[target.len()..].sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let margins = |place: usize| MARGIN * target.len().saturating_sub(place) as f64;

    let mut pools: Vec<(f64, usize)> = Vec::with_capacity(chain.len());
    for (place, &label) in chain.iter().enumerate() {
        let mut pool = (scores[label] - margins(place), 1);
        while let Some((sum, count)) =
            pools.pop_if(|&mut (sum, count)| sum / count as f64 <= pool.0 / pool.1 as f64)
        {
            pool = (sum + pool.0, count + pool.1);
        }
        pools.push(pool);
    }
    let levels =
        pools.iter().flat_map(|&(sum, count)| std::iter::repeat_n(sum / count as f64, count));
    for ((place, &label), level) in chain.iter().enumerate().zip(levels) {
        nearest[label] = level + margins(place);
    }
    nearest
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use proptest::prelude::*;

    use super::*;
    use crate::{CoreError, LabelSet};

    fn close(found: &[f64], expected: &[f64]) -> bool {
        found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-9)
    }

    #[test]
    fn the_nearest_scores_are_those_by_hand() {
        // Above all others already, and 0.2 apart.
        assert_eq!(nearest_in_order(&[1.0, 0.5, 0.0], &[0, 1]), [1.0, 0.5, 0.0]);
        // Labels 2 and 0 meet, 0.2 apart; label 1 is below.
        assert!(close(&nearest_in_order(&[1.0, 0.0, 0.0], &[2]), &[0.4, 0.0, 0.6]));
        // All three: their mean is 0.4 once the margins of 0.4 and 0.2 are off.
        assert!(close(&nearest_in_order(&[1.0, 0.5, 0.3], &[2, 1]), &[0.4, 0.6, 0.8]));
        assert_eq!(nearest_in_order(&[1.0, 0.5], &[]), [1.0, 0.5]);
    }

    #[test]
    fn the_loss_is_the_distance_of_each_row() -> Result<(), CoreError> {
        let device = Device::default();
        let scores =
            Tensor::<2>::from_floats([[1.0, 0.0, 0.0]; 2], &device).autodiff().require_grad();
        let one = |label| LabelSet::from_indices(&[[label]; 2], 3);
        let goal = Goal::new(one(0)?, one(0)?, 1, &device)?.with_target(vec![vec![2], vec![]])?;
        let loss = QuadAttack.loss(scores.clone(), &goal);
        let mut gradients = loss.clone().sum().backward();
        let values = loss.into_data().try_to_vec::<f32>().unwrap();
        assert!((values[0] - 0.72).abs() < 1e-6 && values[1] == 0.0);
        let gradient = scores.grad_remove(&mut gradients).unwrap();
        let gradient = gradient.into_data().try_to_vec_as::<f64>().unwrap();
        assert!(close(
            &gradient.iter().map(|g| (g * 1e6).round() / 1e6).collect::<Vec<_>>(),
            &[1.2, 0.0, -1.2, 0.0, 0.0, 0.0]
        ));
        Ok(())
    }

    proptest! {
        #[test]
        fn it_is_a_projection(
            scores in prop::collection::vec(-2.0_f64..2.0, 7),
            others in prop::collection::vec(-2.0_f64..2.0, 7),
            order in Just((0..7).collect::<Vec<usize>>()).prop_shuffle(),
            k in 1..7_usize,
        ) {
            let target = &order[..k];
            let is_met = |scores: &[f64], by: f64| {
                target.windows(2).all(|pair| scores[pair[0]] - scores[pair[1]] >= by)
                    && order[k..].iter().all(|&j| scores[target[k - 1]] - scores[j] >= by)
            };
            let nearest = nearest_in_order(&scores, target);
            prop_assert!(is_met(&nearest, MARGIN - 1e-9), "{nearest:?}");
            // Of a projection onto a convex set: (f − z)·(y − z) ≤ 0 for each y in it.
            let elsewhere = nearest_in_order(&others, target);
            let along = (0..7).map(|i| (scores[i] - nearest[i]) * (elsewhere[i] - nearest[i]));
            prop_assert!(along.sum::<f64>() < 1e-9);
        }
    }
}
