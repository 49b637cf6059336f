//! TkMIA's objective: Sun et al. 2023, Eq. 3 (hinge form) and Eq. 6 (its relaxation).
//!
//! Notation: `f` the scores, `S` the specified labels, `R` the other relevant labels, `f_[i]` the
//! i-th largest score. The norm term `α/2 ‖ε‖²` is left to the solver. Where `R` is empty every
//! term with it is absent.

use burn::tensor::Tensor;

use super::{Margins, Objective};
use crate::Goal;
use crate::relaxation::{average_top_k, hinge, kth_largest, max_over, min_over, relaxed_average};

/// The two gaps that the objective closes, label by label.
struct Gaps {
    /// `max_S f − f_i`: how far the best specified label is above label i. `[batch, classes]`
    specified_above: Tensor<2>,
    /// `f_j − min_R f`: how far label j is above the worst other relevant label.
    /// `[batch, classes]`, 0 in rows where `R` is empty
    above_others: Tensor<2>,
}

impl Gaps {
    fn new(scores: Tensor<2>, goal: &Goal) -> Self {
        let specified = max_over(scores.clone(), goal.specified_mask());
        let others = min_over(scores.clone(), goal.others_mask());
        let no_others = goal.others_mask().any_dim(1).bool_not().expand(scores.dims());
        Self {
            specified_above: specified - scores.clone(),
            above_others: (scores - others).mask_fill(no_others, 0.0),
        }
    }
}

/// Eq. 3 without its norm term: `[max_S f − f_[k+1]]_+ + [f_[k] − min_R f]_+`.
///
/// Zero if and only if no specified label is above rank k + 1 and every other relevant label has
/// at least the k-th score. [`eq6`] is the form that can be optimised well.
///
/// # Shapes
/// - scores: `[batch, classes]`
/// - output: `[batch]`, without gradient
pub fn eq3(scores: Tensor<2>, goal: &Goal) -> Tensor<1> {
    let Lambdas { specified, others } = Lambdas::minimisers(scores, goal);
    (specified + others).squeeze_dim(1)
}

/// The auxiliary variables `λ1` and `λ2` of Eq. 6, one pair for each row.
#[derive(Debug, Clone)]
pub struct Lambdas {
    /// `λ1`, of the specified labels. `[batch, 1]`
    pub specified: Tensor<2>,
    /// `λ2`, of the other relevant labels. `[batch, 1]`
    pub others: Tensor<2>,
}

impl Lambdas {
    /// The minimisers of Eq. 6 for fixed scores (Lemma 4.1):
    /// `λ1* = [max_S f − f_[k+1]]_+`, `λ2* = [f_[k] − min_R f]_+`; without gradient.
    pub fn minimisers(scores: Tensor<2>, goal: &Goal) -> Self {
        let classes = scores.dims()[1];
        let gaps = Gaps::new(scores.detach(), goal);
        Self {
            specified: hinge(kth_largest(gaps.specified_above, classes - goal.k())),
            others: hinge(kth_largest(gaps.above_others, goal.k())),
        }
    }
}

/// Eq. 6 without its norm term, at given `λ1, λ2 ≥ 0`:
///
/// ```text
/// λ1 + 1/(c−k) Σ_i [max_S f − f_i − λ1]_+  +  λ2 + 1/k Σ_j [f_j − min_R f − λ2]_+
/// ```
///
/// # Shapes
/// - scores: `[batch, classes]`
/// - output: `[batch]`
pub fn eq6(scores: Tensor<2>, goal: &Goal, lambdas: Lambdas) -> Tensor<1> {
    let classes = scores.dims()[1];
    let gaps = Gaps::new(scores, goal);
    let out = relaxed_average(gaps.specified_above, classes - goal.k(), lambdas.specified);
    let kept = relaxed_average(gaps.above_others, goal.k(), lambdas.others);
    (out + kept).squeeze_dim(1)
}

/// Eq. 6 at its minimisers, with the gradient of the two averages.
///
/// At `λ*` each `λ` plus its sum is a mean: of the `c−k` largest gaps `max_S f − f_i` and of the
/// `k` largest gaps `f_j − min_R f`.
#[derive(Debug, Clone, Copy)]
pub struct TkmiaObjective {
    /// Hinged as in the paper, or signed as in its code.
    pub margins: Margins,
}

impl Objective for TkmiaObjective {
    fn loss(&self, scores: Tensor<2>, goal: &Goal) -> Tensor<1> {
        let classes = scores.dims()[1];
        let gaps = Gaps::new(scores, goal);
        let margins = self.margins;
        let out = average_top_k(margins.of(gaps.specified_above), classes - goal.k());
        let kept = average_top_k(margins.of(gaps.above_others), goal.k());
        (out + kept).squeeze_dim(1)
    }

    fn lambdas(&self) -> usize {
        2
    }

    fn lambda_floor(&self) -> f64 {
        self.margins.lambda_floor()
    }

    fn loss_at(&self, scores: Tensor<2>, goal: &Goal, lambdas: Tensor<2>) -> Tensor<1> {
        let (specified, others) = (lambdas.clone().narrow(1, 0, 1), lambdas.narrow(1, 1, 1));
        eq6(scores, goal, Lambdas { specified, others })
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::{CoreError, LabelSet};

    // c = 4, k = 2, S = {0}, R = {2}: f_[2] = 2, f_[3] = 1.
    fn example(specified: &[usize]) -> Result<(Tensor<2>, Goal), CoreError> {
        let device = Device::default();
        let scores = Tensor::<2>::from_floats([[3.0, 2.0, 1.0, -1.0]], &device);
        let relevant = LabelSet::from_indices(&[[0, 2]], 4)?;
        let specified = LabelSet::from_indices(&[specified], 4)?;
        Ok((scores, Goal::new(relevant, specified, 2, &device)?))
    }

    #[test]
    fn eq3_adds_the_two_hinges() -> Result<(), CoreError> {
        let (scores, goal) = example(&[0])?;
        // [3 − 1]_+ + [2 − 1]_+
        assert_eq!(eq3(scores, &goal).into_scalar::<f32>(), 3.0);
        Ok(())
    }

    #[test]
    fn objective_is_the_mean_of_the_largest_gaps() -> Result<(), CoreError> {
        let (scores, goal) = example(&[0])?;
        let objective = TkmiaObjective { margins: Margins::Hinged };
        // Gaps of S: 0, 1, 2, 4 → mean of the two largest 3; gaps above R: 2, 1, 0, −2 → 1.5.
        assert_eq!(objective.loss(scores.clone(), &goal).into_scalar::<f32>(), 4.5);
        let minimum = eq6(scores.clone(), &goal, Lambdas::minimisers(scores, &goal));
        assert_eq!(minimum.into_scalar::<f32>(), 4.5);
        Ok(())
    }

    #[test]
    fn the_terms_of_an_empty_r_are_absent() -> Result<(), CoreError> {
        let (scores, goal) = example(&[0, 2])?;
        for margins in [Margins::Hinged, Margins::Signed] {
            let loss = TkmiaObjective { margins }.loss(scores.clone(), &goal);
            assert_eq!(loss.into_scalar::<f32>(), 3.0);
        }
        assert_eq!(eq3(scores, &goal).into_scalar::<f32>(), 2.0);
        Ok(())
    }
}
