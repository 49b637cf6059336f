//! [`Tkmia`]: the settings of TkMIA, Sun et al. 2023.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tkmia_core::Bounds;
use tkmia_core::objective::{Margins, TkmiaObjective};

use crate::{AttackError, Criterion, Excluded, GradientAttack, Sgd, Space};

/// Which form of the attack is meant: as corrected here, or as published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// `x* = clip(x + ε)`, hinged margins (λ ≥ 0), `α/2 ‖ε‖²` in the loss.
    #[default]
    Corrected,
    /// What the published code computes: `x* = tanh(m + x)`, signed margins, weight decay `α` on `m`.
    Released,
}

impl Variant {
    /// Every variant, the default first.
    pub const ALL: [Self; 2] = [Self::Corrected, Self::Released];

    /// The name as it is written in commands and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Corrected => "corrected",
            Self::Released => "released",
        }
    }
}

/// A variant name that isn't one.
#[derive(Debug, thiserror::Error)]
#[error("unknown variant `{0}`: expected corrected or released")]
pub struct UnknownVariant(String);

impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let variant = Self::ALL.into_iter().find(|variant| variant.name() == name);
        variant.ok_or_else(|| UnknownVariant(name.to_owned()))
    }
}

/// Settings of TkMIA: push the specified labels out of the top-k while raising the other relevant
/// ones (Sun et al. 2023, Eq. 6 and Algorithm 1).
///
/// # Example
///
/// ```
/// use tkmia_attacks::{Tkmia, Variant};
/// use tkmia_core::Bounds;
///
/// let settings = Tkmia { variant: Variant::Released, ..Tkmia::default() };
/// assert!(settings.init(Bounds::SYMMETRIC).is_ok());
/// let settings = Tkmia { learning_rate: -1.0, ..Tkmia::default() };
/// assert!(settings.init(Bounds::SYMMETRIC).is_err());
/// ```
#[derive(Debug)]
pub struct Tkmia {
    /// Corrected (the default) or released.
    pub variant: Variant,
    /// η, in the paper one of 1e-3, 5e-4, 1e-4, 5e-5; by default 1e-3.
    pub learning_rate: f64,
    /// α, the weight of the norm, in the paper one of the same; by default 1e-4.
    pub alpha: f64,
    /// Of the gradient descent; 0.9 in the paper.
    pub momentum: f64,
    /// Forward passes at most; in the paper 100, 300 (the default) or 500.
    pub max_iterations: usize,
    /// When an image is done; by default all specified labels that were in the top-k must leave it.
    pub criterion: Box<dyn Criterion>,
}

impl Default for Tkmia {
    fn default() -> Self {
        Self {
            variant: Variant::default(),
            learning_rate: 1e-3,
            alpha: 1e-4,
            momentum: 0.9,
            max_iterations: 300,
            criterion: Box::new(Excluded::default()),
        }
    }
}

impl Tkmia {
    /// The runnable attack, for a classifier on these bounds.
    ///
    /// # Errors
    /// [`AttackError::BadSetting`] if a setting is out of range, [`AttackError::NotSymmetric`] if the
    /// released variant is to attack a classifier that isn't on `[-1, 1]`.
    pub fn init(self, bounds: Bounds) -> Result<GradientAttack, AttackError> {
        let check = |setting, expected, found: f64, holds: bool| match holds {
            true => Ok(()),
            false => Err(AttackError::BadSetting { setting, expected, found }),
        };
        let (rate, alpha, momentum) = (self.learning_rate, self.alpha, self.momentum);
        let iterations = self.max_iterations;
        let positive = rate > 0.0 && rate.is_finite();
        check("learning rate", "a number above 0", rate, positive)?;
        check("alpha", "a number of at least 0", alpha, alpha >= 0.0 && alpha.is_finite())?;
        check("momentum", "in [0, 1)", momentum, (0.0..1.0).contains(&momentum))?;
        check("max iterations", "at least 1", iterations as f64, iterations > 0)?;

        let (margins, space, norm_penalty, weight_decay) = match self.variant {
            Variant::Corrected => (Margins::Hinged, Space::Clip(bounds), alpha, 0.0),
            Variant::Released if bounds == Bounds::SYMMETRIC => {
                (Margins::Signed, Space::TanhOfImage, 0.0, alpha)
            }
            Variant::Released => {
                let Bounds { low, high } = bounds;
                return Err(AttackError::NotSymmetric { low, high });
            }
        };
        Ok(GradientAttack {
            objective: Box::new(TkmiaObjective { margins }),
            norm_penalty,
            space,
            optimiser: Sgd { learning_rate: rate, momentum, weight_decay },
            criterion: self.criterion,
            max_iterations: iterations,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_setting_is_named() {
        let name = |settings: Tkmia| settings.init(Bounds::SYMMETRIC).unwrap_err().to_string();
        let settings = Tkmia::default;
        assert!(name(Tkmia { learning_rate: f64::NAN, ..settings() }).contains("learning rate"));
        assert!(name(Tkmia { alpha: -1.0, ..settings() }).contains("alpha"));
        assert!(name(Tkmia { momentum: 1.0, ..settings() }).contains("momentum"));
        assert!(name(Tkmia { max_iterations: 0, ..settings() }).contains("max iterations"));
    }

    #[test]
    fn the_released_variant_is_for_symmetric_bounds() {
        let settings = Tkmia { variant: Variant::Released, ..Tkmia::default() };
        let result = settings.init(Bounds { low: 0.0, high: 1.0 });
        assert!(matches!(result, Err(AttackError::NotSymmetric { .. })));
        assert!("literal".parse::<Variant>().unwrap_err().to_string().contains("`literal`"));
    }
}
