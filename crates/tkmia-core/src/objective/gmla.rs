//! The objectives of CLASS and GMLA, the latter by Mahmood & Elhamifar, "Semantic-Aware Multi-Label Adversarial Attacks", CVPR 2024.

use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Bool, Tensor};

use super::Objective;
use crate::Goal;

/// The specified labels' decisions are turned over, those of all others kept: two losses, binary cross-entropies, whose
/// gradients the attack [combines](Objective::kept).
///
/// ```text
/// Σ_{S} log(1 + e^f),   and of what is kept   Σ_{R} log(1 + e^−f) + Σ_{Y_n} log(1 + e^f)
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Gmla;

/// The specified labels' decisions are turned over, by the first of these losses alone: that of CLASS, which
/// chooses among the labels ("Champagne Taste on a Beer Budget: Better Budget Utilisation in Multi-label Adversarial
/// Attacks").
#[derive(Debug, Clone, Copy)]
pub struct Class;

impl Objective for Class {
    fn loss(&self, scores: Tensor<2>, goal: &Goal) -> Tensor<1> {
        Gmla.loss(scores, goal)
    }
}

/// The second of the losses.
#[derive(Debug)]
struct Others;

impl Objective for Gmla {
    fn loss(&self, scores: Tensor<2>, goal: &Goal) -> Tensor<1> {
        cross_entropy(scores, goal, goal.specified_mask())
    }

    fn kept(&self) -> Option<&dyn Objective> {
        Some(&Others)
    }
}

impl Objective for Others {
    fn loss(&self, scores: Tensor<2>, goal: &Goal) -> Tensor<1> {
        cross_entropy(scores, goal, goal.specified_mask().bool_not())
    }
}

/// That of these labels, where only relevant labels that aren't specified are to be predicted.
fn cross_entropy(scores: Tensor<2>, goal: &Goal, among: Tensor<2, Bool>) -> Tensor<1> {
    let wanted = scores.clone().mask_where(goal.others_mask().bool_not(), scores.neg());
    log_sigmoid(wanted).neg().mask_fill(among.bool_not(), 0.0).sum_dim(1).squeeze_dim(1)
}
