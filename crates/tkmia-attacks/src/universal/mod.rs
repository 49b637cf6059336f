//! [`UniversalAttack`]: one perturbation for all images.

mod compositional;
mod controls;
mod fit;
mod perturbation;
mod settings;

use crate::descent::MiFgsm;
use crate::geometry::GeometricAttack;
use crate::{Attack, AttackError, GradientAttack, Limits, Passes, Perturbed, Run, Stop, View};

pub use controls::Controls;
pub use fit::Fitted;
pub use perturbation::{Applied, UniversalPerturbation};
pub use settings::Universal;

/// Fits one perturbation `v` to many images: TkML-AP-Uv (Hu et al. 2021) with the gradient of TkML-AP-U's
/// objective, kUAP (Tursynbek et al. 2022) with kFool's step.
///
/// ```text
/// m ← μ m + Δ/‖Δ‖₁,   v ← Π(v + s · d(m)),   Δ the mean step of a mini-batch's images from x + v on
/// ```
///
/// that is [`MiFgsm`] on mini-batches (as Shafahi et al., "Universal Adversarial Training", AAAI 2020, where
/// Moosavi-Dezfooli et al., "Universal adversarial perturbations", CVPR 2017, go image by image). An image
/// that succeeds at `v` has no part in `Δ`, unless all of its mini-batch do. The last quarter of the images never has: after each round over
/// the others `v` is judged on it, and the best `v` is the result; fewer than four images are all stepped and judged on. Five rounds that bring nothing better end a
/// search; while rounds are left, another follows from a random point of the ball, three at most.
///
/// CMLU (Mahmood & Elhamifar 2025) fits one of each label, which compose. `Δ` of a label is the mean over the images for which it is
/// specified, in [the same](UniversalPerturbation::of_labels) ball.
///
/// An iteration is a round. All that is drawn is drawn by the numbers of round and search: the same batch
/// gives the same `v`.
///
/// What [`run`](Attack::run) returns are the images that `v` was fitted to, marked as
/// [fitted](Perturbed::fitted). How good `v` is shows on other images, beside its [`Controls`]:
/// [`fit`](Self::fit) it, and run [`UniversalPerturbation::attack`] on them.
#[derive(Debug)]
pub struct UniversalAttack {
    inner: Inner,
    /// How `v` moves, and the ball it stays in.
    pub rule: MiFgsm,
    /// When an image is done.
    pub stop: Stop,
    /// How far the fit may go with each image.
    pub limits: Limits,
}

/// Whose steps are averaged.
#[derive(Debug)]
enum Inner {
    Descent(GradientAttack),
    Geometric(GeometricAttack),
    /// [`Cmlu`](compositional::Cmlu): one perturbation of each label.
    Compositional,
}

impl Inner {
    /// Passes of a step at most.
    fn cost(&self, k: usize, classes: usize) -> Passes {
        match self {
            Self::Descent(_) | Self::Compositional => Passes { forward: 0, backward: 1 },
            Self::Geometric(geometric) => {
                let rows = geometric.steps.gradients_at_most(k, classes);
                Passes { forward: rows, backward: rows }
            }
        }
    }
}

impl Attack for UniversalAttack {
    fn perturb(&self, Run { classifier, batch, watch }: Run<'_>) -> Result<Perturbed, AttackError> {
        let fitted = self.fit(classifier, batch, watch)?;
        fitted.on_its_images(&self.stop, Run { classifier, batch, watch })
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Those of the fit: a first and a last look at each image, and a look and a step in each round.
    fn passes_at_most(&self, k: usize, classes: usize) -> Passes {
        let (rounds, step) = (self.limits.max_iterations, self.inner.cost(k, classes));
        let forward = 2 + rounds * (step.forward + 1);
        self.limits.cap(Passes { forward, backward: rounds * step.backward })
    }

    fn view(&self) -> View {
        match &self.inner {
            Inner::Descent(descent) => descent.view(),
            Inner::Geometric(geometric) => geometric.view(),
            Inner::Compositional => View::Image,
        }
    }

    fn universal(&self) -> Option<&UniversalAttack> {
        Some(self)
    }
}
