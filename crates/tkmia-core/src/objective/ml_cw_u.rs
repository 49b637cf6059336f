//! ML-CW-U's objective: Carlini & Wagner, "Towards Evaluating the Robustness of Neural Networks",
//! S&P 2017, with the margin of a multi-label prediction.

use burn::tensor::Tensor;

use super::Objective;
use crate::Goal;
use crate::relaxation::{hinge, max_over, min_over};

/// Push every relevant label below every irrelevant one: `[max_{Y_p} f − min_{Y_n} f]_+`.
///
/// 0, without gradient, where every label is relevant.
#[derive(Debug, Clone, Copy)]
pub struct MlCwU;

impl Objective for MlCwU {
    fn loss(&self, scores: Tensor<2>, goal: &Goal) -> Tensor<1> {
        let relevant = max_over(scores.clone(), goal.relevant_mask());
        let irrelevant = min_over(scores, goal.irrelevant_mask());
        between(relevant - irrelevant, goal)
    }
}

/// The formula as Sun et al. 2023 print it, `[max_{Y_n} f − min_{Y_p} f]_+`.
///
/// It is 0 for a prediction that ranks all relevant labels first and improves every other one: no
/// attack, offered for comparison with the print.
#[derive(Debug, Clone, Copy)]
pub struct MlCwUPrinted;

impl Objective for MlCwUPrinted {
    fn loss(&self, scores: Tensor<2>, goal: &Goal) -> Tensor<1> {
        let irrelevant = max_over(scores.clone(), goal.irrelevant_mask());
        let relevant = min_over(scores, goal.relevant_mask());
        between(irrelevant - relevant, goal)
    }
}

/// The hinge of a gap between relevant and irrelevant labels; 0 where one kind is missing.
fn between(gap: Tensor<2>, goal: &Goal) -> Tensor<1> {
    let all = goal.relevant_mask().all_dim(1);
    hinge(gap.mask_fill(all, 0.0)).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::{CoreError, LabelSet};

    #[test]
    fn the_attacking_direction_and_the_printed_one() -> Result<(), CoreError> {
        let device = Device::default();
        let scores = Tensor::<2>::from_floats([[3.0, 2.0, 1.0, -1.0]; 3], &device);
        let relevant = LabelSet::from_indices(&[vec![0, 1], vec![0, 2], vec![0, 1, 2, 3]], 4)?;
        let specified = LabelSet::from_indices(&[[0]; 3], 4)?;
        let goal = Goal::new(relevant, specified, 1, &device)?;
        let values = |loss: Tensor<1>| loss.into_data().try_to_vec::<f32>().unwrap();
        // 3 − (−1) twice, and nothing irrelevant in the last row.
        assert_eq!(values(MlCwU.loss(scores.clone(), &goal)), [4.0, 4.0, 0.0]);
        // A good prediction, label 1 above label 2, and again nothing irrelevant.
        assert_eq!(values(MlCwUPrinted.loss(scores, &goal)), [0.0, 1.0, 0.0]);
        Ok(())
    }
}
