//! [`Indicator`]: signs that an attack failed for reasons of its own.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter, IntoStaticStr};

/// A sign that an attack, not the classifier's robustness, is why there is no success.
///
/// After Pintor et al., "Indicators of Attack Failure: Debugging and Improving Optimization of
/// Adversarial Examples", NeurIPS 2022.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumIter,
    IntoStaticStr,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Indicator {
    /// A step's gradient was 0 everywhere.
    ZeroGradient,
    /// A step's gradient had a value that isn't finite, or a norm too large for `f32`; the attack on the
    /// image ended there.
    NonFiniteGradient,
    /// The attack ran out, and its loss had stayed where it was, to one part in a million, for the last
    /// ten passes or more.
    FlatLoss,
    /// The attack ended in success, but the returned image, evaluated again, isn't one.
    SuccessLost,
}

/// Passes over which a loss must stay where it is to be called flat.
const FLAT: usize = 10;
/// By how much it may move, relative to its size, or to 1 where it is smaller.
const STILL: f32 = 1e-6;

/// What was seen of one image on its way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trail {
    zero: bool,
    non_finite: bool,
    /// A loss, and the number of passes since it was left.
    resting: Option<(f32, usize)>,
}

impl Trail {
    /// Takes note of a pass: its loss, and the norm of the gradient of the step that led to it.
    pub fn note(&mut self, loss: Option<f32>, slope: Option<f32>) {
        self.zero |= slope == Some(0.0);
        self.non_finite |= slope.is_some_and(|slope| !slope.is_finite());
        if let Some(loss) = loss {
            self.resting = match self.resting {
                Some((at, passes)) if (loss - at).abs() <= STILL * at.abs().max(1.0) => {
                    Some((at, passes + 1))
                }
                _ => Some((loss, 1)),
            };
        }
    }

    /// Whether there is no going on.
    pub fn is_lost(&self) -> bool {
        self.non_finite
    }

    /// The indicators, given whether the attack ran out without success.
    pub fn indicators(&self, exhausted: bool) -> Vec<Indicator> {
        let flat = exhausted && self.resting.is_some_and(|(_, passes)| passes >= FLAT);
        let signs = [
            (self.zero, Indicator::ZeroGradient),
            (self.non_finite, Indicator::NonFiniteGradient),
            (flat, Indicator::FlatLoss),
        ];
        signs.into_iter().filter_map(|(shows, indicator)| shows.then_some(indicator)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_flat_if_it_rests_until_the_end() {
        let flat = |losses: &[f32]| {
            let mut trail = Trail::default();
            losses.iter().for_each(|&loss| trail.note(Some(loss), None));
            trail.indicators(true)
        };
        assert_eq!(flat(&[3.0; 10]), [Indicator::FlatLoss]);
        assert_eq!(flat(&[3.0; 9]), []);
        assert_eq!(flat(&[[3.0; 10], [2.0; 10]].concat()), [Indicator::FlatLoss]);
        assert_eq!(flat(&[&[3.0_f32; 10][..], &[2.0]].concat()), []);
        // Small steps add up.
        assert_eq!(flat(&(0..20).map(|at| 1.0 - 1e-3 * at as f32).collect::<Vec<_>>()), []);
    }

    #[test]
    fn gradients_leave_their_signs() {
        let mut trail = Trail::default();
        trail.note(None, None);
        assert!(!trail.is_lost() && trail.indicators(true).is_empty());
        trail.note(None, Some(0.0));
        trail.note(None, Some(f32::NAN));
        assert!(trail.is_lost());
        assert_eq!(
            trail.indicators(false),
            [Indicator::ZeroGradient, Indicator::NonFiniteGradient]
        );
    }
}
