//! The losses that attacks descend, one file each.

mod gmla;
mod ml_cw_u;
mod quadattack;
mod targeted;
mod tkmia;
mod tkml_ap_u;

use std::fmt::Debug;

use burn::tensor::Tensor;

use crate::Goal;
pub use gmla::{Class, Gmla};
pub use ml_cw_u::{MlCwU, MlCwUPrinted};
pub use quadattack::QuadAttack;
pub use targeted::{MlCwT, TkmlApT};
pub use tkmia::{Lambdas, TkmiaObjective, eq3, eq6};
pub use tkml_ap_u::TkmlApU;

use crate::relaxation::hinge;

/// A loss per sample, as a function of the scores alone.
///
/// A penalty on the perturbation's norm isn't part of it: the attack adds that.
pub trait Objective: Debug + Send + Sync {
    /// The loss of each row; rows never influence each other. Auxiliary variables, where the
    /// objective has some, are at their minimisers.
    ///
    /// # Shapes
    /// - scores: `[batch, classes]`, rows as in `goal`
    /// - output: `[batch]`
    fn loss(&self, scores: Tensor<2>, goal: &Goal) -> Tensor<1>;

    /// How many auxiliary variables λ a row has.
    fn lambdas(&self) -> usize {
        0
    }

    /// The loss at given auxiliary variables, for solvers that move them too; the same as
    /// [`loss`](Self::loss) where there are none.
    ///
    /// # Shapes
    /// - lambdas: `[batch, self.lambdas()]`, not below [`lambda_floor`](Self::lambda_floor)
    fn loss_at(&self, scores: Tensor<2>, goal: &Goal, _lambdas: Tensor<2>) -> Tensor<1> {
        self.loss(scores, goal)
    }

    /// The smallest value of an auxiliary variable: 0 where hinges were joined by Lemma 4.2, `−∞`
    /// where none were.
    fn lambda_floor(&self) -> f64 {
        0.0
    }

    /// The loss of what is to stay as it is, where a step goes by the gradients of both.
    fn kept(&self) -> Option<&dyn Objective> {
        None
    }

    /// Whether it needs a [target](Goal::target).
    fn needs_target(&self) -> bool {
        false
    }
}

/// Whether a gap that is closed already still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Margins {
    /// The paper's: `[gap]_+`, nothing is gained beyond rank k.
    Hinged,
    /// The published code's: the gaps as they are, negative ones too, so that the loss goes on
    /// pushing past the constraint.
    Signed,
}

impl Margins {
    /// See [`Objective::lambda_floor`].
    fn lambda_floor(self) -> f64 {
        match self {
            Self::Hinged => 0.0,
            Self::Signed => f64::NEG_INFINITY,
        }
    }

    fn of(self, gaps: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Hinged => hinge(gaps),
            Self::Signed => gaps,
        }
    }
}
