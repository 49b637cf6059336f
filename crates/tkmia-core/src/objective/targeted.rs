//! Objectives of targeted attacks: the top-k is to be a given set `T` of `k` labels.

use burn::tensor::Tensor;

use super::Objective;
use crate::Goal;
use crate::relaxation::{average_top_k, hinge, max_over, min_over, relaxed_average};

/// TkML-AP-T: Hu et al., "TkML-AP: Adversarial Attacks to Top-k Multi-Label Learning", ICCV 2021, the
/// targeted attack.
///
/// ```text
/// Σ_{j∈T} [λ − f_j]_+ + Σ_{j∉T} [f_j − λ]_+  =  kλ + Σ_j [f_j − λ]_+ − Σ_{j∈T} f_j
/// ```
///
/// at its minimiser `λ = f_[k]` the sum of the `k` largest scores − the sum over the target: 0 if and
/// only if the target has the `k` largest scores. In this form the published code's loss and its
/// gradient, without the term against ties that it adds on request.
///
/// 0, without gradient, in rows without a target.
#[derive(Debug, Clone, Copy)]
pub struct TkmlApT;

impl TkmlApT {
    fn gap(scores: Tensor<2>, goal: &Goal, average_of_largest: Tensor<2>) -> Tensor<1> {
        let Some(target) = goal.target_mask() else {
            return scores.sum_dim(1).zeros_like().squeeze_dim(1);
        };
        let none = target.clone().any_dim(1).bool_not();
        let within = scores.mask_fill(target.bool_not(), 0.0).sum_dim(1);
        let gap = average_of_largest.mul_scalar(goal.k() as f64) - within;
        gap.mask_fill(none, 0.0).squeeze_dim(1)
    }
}

impl Objective for TkmlApT {
    fn loss(&self, scores: Tensor<2>, goal: &Goal) -> Tensor<1> {
        let largest = average_top_k(scores.clone(), goal.k());
        Self::gap(scores, goal, largest)
    }

    fn lambdas(&self) -> usize {
        1
    }

    fn lambda_floor(&self) -> f64 {
        f64::NEG_INFINITY
    }

    fn loss_at(&self, scores: Tensor<2>, goal: &Goal, lambdas: Tensor<2>) -> Tensor<1> {
        let largest = relaxed_average(scores.clone(), goal.k(), lambdas);
        Self::gap(scores, goal, largest)
    }

    fn needs_target(&self) -> bool {
        true
    }
}

/// ML-CW-T: Carlini & Wagner, "Towards Evaluating the Robustness of Neural Networks", S&P 2017, with
/// a target set as Song et al. 2018 and Hu et al. 2021 have it.
///
/// `[max_{j∉T} f_j − min_{j∈T} f_j]_+`: 0 once the target has the `k` largest scores. 0, without
/// gradient, in rows without a target.
#[derive(Debug, Clone, Copy)]
pub struct MlCwT;

impl Objective for MlCwT {
    fn loss(&self, scores: Tensor<2>, goal: &Goal) -> Tensor<1> {
        let Some(target) = goal.target_mask() else {
            return scores.sum_dim(1).zeros_like().squeeze_dim(1);
        };
        let none = target.clone().any_dim(1).bool_not();
        let outside = max_over(scores.clone(), target.clone().bool_not());
        let gap = outside - min_over(scores, target);
        hinge(gap.mask_fill(none, 0.0)).squeeze_dim(1)
    }

    fn needs_target(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::{CoreError, LabelSet};

    // c = 4, k = 2: the target is labels 1 and 3, then the top-2 itself, then nothing.
    fn example() -> Result<(Tensor<2>, Goal), CoreError> {
        let device = Device::default();
        let scores = Tensor::<2>::from_floats([[3.0, 2.0, 1.0, -1.0]; 3], &device);
        let one = |label| LabelSet::from_indices(&[[label]; 3], 4);
        let target = vec![vec![1, 3], vec![0, 1], vec![]];
        Ok((scores, Goal::new(one(0)?, one(0)?, 2, &device)?.with_target(target)?))
    }

    fn values(loss: Tensor<1>) -> Vec<f32> {
        loss.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn both_are_zero_at_the_target_alone() -> Result<(), CoreError> {
        let (scores, goal) = example()?;
        // 3 + 2 − (2 − 1), and 3 − (−1).
        assert_eq!(values(TkmlApT.loss(scores.clone(), &goal)), [4.0, 0.0, 0.0]);
        assert_eq!(values(MlCwT.loss(scores, &goal)), [4.0, 0.0, 0.0]);
        Ok(())
    }

    #[test]
    fn the_kth_largest_score_is_the_minimiser_of_the_hinges() -> Result<(), CoreError> {
        let (scores, goal) = example()?;
        let at = |lambda: f32| {
            let lambdas = Tensor::from_floats([[lambda]; 3], &Device::default());
            values(TkmlApT.loss_at(scores.clone(), &goal, lambdas))
        };
        assert_eq!(at(2.0), values(TkmlApT.loss(scores.clone(), &goal)));
        // Σ_T [λ − f]_+ + Σ_¬T [f − λ]_+ by hand, at λ = 0 and λ = 3.
        assert_eq!(at(0.0)[..2], [1.0 + 3.0 + 1.0, 1.0]);
        assert_eq!(at(3.0)[..2], [1.0 + 4.0, 1.0]);
        Ok(())
    }

    #[test]
    fn the_gradient_raises_the_target_and_lowers_the_top_k() -> Result<(), CoreError> {
        let (scores, goal) = example()?;
        let scores = scores.autodiff().require_grad();
        let mut gradients = TkmlApT.loss(scores.clone(), &goal).sum().backward();
        let gradient = scores.grad_remove(&mut gradients).unwrap();
        let gradient = gradient.into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(gradient[..4], [1.0, 0.0, 0.0, -1.0]);
        assert_eq!(gradient[4..], [0.0; 8]);
        Ok(())
    }
}
