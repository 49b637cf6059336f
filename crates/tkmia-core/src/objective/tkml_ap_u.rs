//! TkML-AP-U's objective: Hu et al., "TkML-AP: Adversarial Attacks to Top-k Multi-Label Learning",
//! ICCV 2021, the untargeted attack.

use burn::tensor::Tensor;

use super::{Margins, Objective};
use crate::Goal;
use crate::relaxation::{average_top_k, max_over, relaxed_average};

/// Push every relevant label out of the top-k:
///
/// ```text
/// λ + 1/(c−k) Σ_i [max_{Y_p} f − f_i − λ]_+
/// ```
///
/// at its minimiser the mean of the `c−k` largest gaps `max_{Y_p} f − f_i`.
#[derive(Debug, Clone, Copy)]
pub struct TkmlApU {
    /// Hinged, or signed as in the published code.
    pub margins: Margins,
}

fn gaps(scores: Tensor<2>, goal: &Goal) -> Tensor<2> {
    max_over(scores.clone(), goal.relevant_mask()) - scores
}

impl Objective for TkmlApU {
    fn loss(&self, scores: Tensor<2>, goal: &Goal) -> Tensor<1> {
        let classes = scores.dims()[1];
        let gaps = self.margins.of(gaps(scores, goal));
        average_top_k(gaps, classes - goal.k()).squeeze_dim(1)
    }

    fn lambdas(&self) -> usize {
        1
    }

    fn lambda_floor(&self) -> f64 {
        self.margins.lambda_floor()
    }

    fn loss_at(&self, scores: Tensor<2>, goal: &Goal, lambdas: Tensor<2>) -> Tensor<1> {
        let classes = scores.dims()[1];
        relaxed_average(gaps(scores, goal), classes - goal.k(), lambdas).squeeze_dim(1)
    }
}
