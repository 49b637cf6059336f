//! [`Settings`]: an attack by the name of its method and variant.

use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tkmia_core::Bounds;
use tkmia_core::objective::{
    Keep, Margins, MlCwU, MlCwUPrinted, Objective, TkmiaObjective, TkmlApU,
};

use crate::{
    Attack, AttackError, Criterion, GradientAttack, KFool, Lambda, MinNorm, ScoreKind, Sgd, Solver,
    Space, SpecifiedOut,
};

/// What an attack is after.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Specified labels out of the top-k, other relevant ones into it: Sun et al. 2023, Eq. 6.
    #[default]
    Tkmia,
    /// All relevant labels out of the top-k: Hu et al. 2021.
    TkmlApU,
    /// The best relevant label out of the top-k, by its nearest facets: Tursynbek et al. 2022.
    #[serde(rename = "kfool")]
    KFool,
    /// All relevant labels below all irrelevant ones: Carlini & Wagner 2017, multi-label.
    MlCwU,
    /// The formula that Sun et al. 2023 print for ML-CW-U, which doesn't attack a good prediction.
    MlCwUPrinted,
}

/// Which form of an attack is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// `x* = clip(x + ε)`, logits, hinged margins at exact λ ≥ 0, `α/2 ‖ε‖²` in the loss.
    #[default]
    Corrected,
    /// As the published code: `x* = tanh(m + x)`, logits, signed margins, weight decay `α` on `m`.
    Released,
    /// The paper to the letter: sigmoid scores, `x* = clip(x + ε)`, and λ moved by the same gradient
    /// descent as ε, from 0 and within `[0, 1]`. kFool has no objective and so no such form.
    Literal,
    /// The smallest perturbation under the tight constraints, see [`MinNorm`]; of TkMIA alone. It has no
    /// learning rate, no `α` and no momentum.
    MinNorm,
}

/// A name that isn't one of a method's or a variant's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{found}`: expected one of {}", known.join(", "))]
pub struct UnknownName {
    what: &'static str,
    found: String,
    known: Vec<&'static str>,
}

fn by_name<T: Copy>(
    what: &'static str,
    all: &[T],
    name: fn(T) -> &'static str,
    found: &str,
) -> Result<T, UnknownName> {
    all.iter().copied().find(|&one| name(one) == found).ok_or_else(|| UnknownName {
        what,
        found: found.to_owned(),
        known: all.iter().map(|&one| name(one)).collect(),
    })
}

impl Method {
    /// Every method, the default first.
    pub const ALL: [Self; 5] =
        [Self::Tkmia, Self::TkmlApU, Self::KFool, Self::MlCwU, Self::MlCwUPrinted];

    /// The name as it is written in commands and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tkmia => "tkmia",
            Self::TkmlApU => "tkml-ap-u",
            Self::KFool => "kfool",
            Self::MlCwU => "ml-cw-u",
            Self::MlCwUPrinted => "ml-cw-u-printed",
        }
    }

    fn objective(self, margins: Margins) -> Option<Box<dyn Objective>> {
        Some(match self {
            Self::Tkmia => Box::new(TkmiaObjective { margins }),
            Self::TkmlApU => Box::new(TkmlApU { margins }),
            Self::MlCwU => Box::new(MlCwU),
            Self::MlCwUPrinted => Box::new(MlCwUPrinted),
            Self::KFool => return None,
        })
    }
}

impl FromStr for Method {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        by_name("method", &Self::ALL, Self::name, name)
    }
}

impl Variant {
    /// Every variant, the default first.
    pub const ALL: [Self; 4] = [Self::Corrected, Self::Released, Self::Literal, Self::MinNorm];

    /// The name as it is written in commands and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Corrected => "corrected",
            Self::Released => "released",
            Self::Literal => "literal",
            Self::MinNorm => "min-norm",
        }
    }
}

impl FromStr for Variant {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        by_name("variant", &Self::ALL, Self::name, name)
    }
}

/// An attack's settings; [`init`](Self::init) checks them and gives the runnable attack.
///
/// # Example
///
/// ```
/// use tkmia_attacks::{Method, Settings, Variant};
/// use tkmia_core::Bounds;
///
/// let settings = Settings {
///     method: "tkml-ap-u".parse()?,
///     variant: Variant::Released,
///     ..Settings::default()
/// };
/// assert!(settings.init(Bounds::SYMMETRIC).is_ok());
/// let settings = Settings { learning_rate: -1.0, ..Settings::default() };
/// assert!(settings.init(Bounds::SYMMETRIC).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the attack is after; TkMIA by default.
    pub method: Method,
    /// Which form of it; corrected by default.
    pub variant: Variant,
    /// η, in the paper one of 1e-3, 5e-4, 1e-4, 5e-5; by default 1e-3. Not used by kFool.
    pub learning_rate: f64,
    /// α, the weight of the norm, in the paper one of the same; by default 1e-4. Not used by kFool.
    pub alpha: f64,
    /// Of the gradient descent; 0.9 in the paper. Not used by kFool.
    pub momentum: f64,
    /// Forward passes at most, for kFool steps; for min-norm all passes; in the paper 100, 300 (the default) or 500.
    pub max_iterations: usize,
    /// When an image is done; by default all specified labels that were in the top-k must leave it.
    pub criterion: Arc<dyn Criterion>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            method: Method::default(),
            variant: Variant::default(),
            learning_rate: 1e-3,
            alpha: 1e-4,
            momentum: 0.9,
            max_iterations: 300,
            criterion: Arc::new(SpecifiedOut::default()),
        }
    }
}

impl Settings {
    /// The name for records and tables: `tkmia (corrected)`.
    pub fn name(&self) -> String {
        format!("{} ({})", self.method.name(), self.variant.name())
    }

    /// The runnable attack, for a classifier on these bounds.
    ///
    /// # Errors
    /// [`AttackError::BadSetting`] if a setting is out of range, [`AttackError::NotSymmetric`] if a
    /// released variant is to attack a classifier that isn't on `[-1, 1]`, [`AttackError::NoLiteral`]
    /// for a literal kFool, [`AttackError::NoMinNorm`] for another method's minimum-norm form.
    pub fn init(&self, bounds: Bounds) -> Result<Box<dyn Attack>, AttackError> {
        let iterations = self.max_iterations;
        check("max iterations", "at least 1", iterations as f64, iterations > 0)?;
        if self.variant == Variant::MinNorm {
            return self.min_norm(bounds);
        }
        let space = match self.variant {
            Variant::Corrected | Variant::Literal | Variant::MinNorm => Space::Clip(bounds),
            Variant::Released if bounds == Bounds::SYMMETRIC => Space::TanhOfImage,
            Variant::Released => {
                let Bounds { low, high } = bounds;
                return Err(AttackError::NotSymmetric { low, high });
            }
        };
        let released = self.variant == Variant::Released;
        let literal = self.variant == Variant::Literal;
        let (criterion, max_iterations) = (self.criterion.clone(), self.max_iterations);
        let margins = if released { Margins::Signed } else { Margins::Hinged };
        let Some(objective) = self.method.objective(margins) else {
            if literal {
                return Err(AttackError::NoLiteral);
            }
            return Ok(Box::new(KFool { space, criterion, max_steps: max_iterations }));
        };
        self.check_descent()?;
        let (norm_penalty, weight_decay) =
            if released { (0.0, self.alpha) } else { (self.alpha, 0.0) };
        Ok(Box::new(GradientAttack {
            objective,
            scores: if literal { ScoreKind::Sigmoid } else { ScoreKind::Logits },
            lambda: if literal { Lambda::Gradient } else { Lambda::Exact },
            norm_penalty,
            space,
            optimiser: Sgd {
                learning_rate: self.learning_rate,
                momentum: self.momentum,
                weight_decay,
            },
            criterion,
            max_iterations,
        }))
    }

    fn min_norm(&self, bounds: Bounds) -> Result<Box<dyn Attack>, AttackError> {
        if self.method != Method::Tkmia {
            return Err(AttackError::NoMinNorm { method: self.method.name() });
        }
        Ok(Box::new(MinNorm {
            bounds,
            criterion: self.criterion.clone(),
            keep: Keep::default(),
            solver: Solver::default(),
            max_passes: self.max_iterations,
        }))
    }

    /// Checks what only the gradient descent uses.
    fn check_descent(&self) -> Result<(), AttackError> {
        let (rate, alpha, momentum) = (self.learning_rate, self.alpha, self.momentum);
        let positive = rate > 0.0 && rate.is_finite();
        check("learning rate", "a number above 0", rate, positive)?;
        check("alpha", "a number of at least 0", alpha, alpha >= 0.0 && alpha.is_finite())?;
        check("momentum", "in [0, 1)", momentum, (0.0..1.0).contains(&momentum))
    }
}

fn check(
    setting: &'static str,
    expected: &'static str,
    found: f64,
    holds: bool,
) -> Result<(), AttackError> {
    match holds {
        true => Ok(()),
        false => Err(AttackError::BadSetting { setting, expected, found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_setting_is_named() {
        let name = |settings: Settings| settings.init(Bounds::SYMMETRIC).unwrap_err().to_string();
        let settings = Settings::default;
        assert!(name(Settings { learning_rate: f64::NAN, ..settings() }).contains("learning rate"));
        assert!(name(Settings { alpha: -1.0, ..settings() }).contains("alpha"));
        assert!(name(Settings { momentum: 1.0, ..settings() }).contains("momentum"));
        assert!(name(Settings { max_iterations: 0, ..settings() }).contains("max iterations"));
    }

    #[test]
    fn released_variants_are_for_symmetric_bounds() {
        let unit = Bounds { low: 0.0, high: 1.0 };
        for method in Method::ALL {
            let settings = Settings { method, variant: Variant::Released, ..Settings::default() };
            assert!(matches!(settings.init(unit), Err(AttackError::NotSymmetric { .. })));
            assert!(settings.init(Bounds::SYMMETRIC).is_ok());
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for method in Method::ALL {
            assert_eq!(method.name().parse(), Ok(method));
        }
        for variant in Variant::ALL {
            assert_eq!(variant.name().parse(), Ok(variant));
        }
        let message = "pgd".parse::<Method>().unwrap_err().to_string();
        assert!(message.contains("`pgd`") && message.contains("tkml-ap-u"), "{message}");
    }
}
