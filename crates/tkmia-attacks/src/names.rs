//! The names of methods, variants and optimisers, for command lines, configurations and records.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tkmia_core::objective::{
    Margins, MlCwT, MlCwU, MlCwUPrinted, Objective, TkmiaObjective, TkmlApT, TkmlApU,
};

/// What an attack is after.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Specified labels out of the top-k, other relevant ones into it: Sun et al. 2023, Eq. 6.
    #[default]
    Tkmia,
    /// All relevant labels out of the top-k: Hu et al. 2021.
    TkmlApU,
    /// A target set as the top-k: Hu et al. 2021.
    TkmlApT,
    /// One perturbation for all images, each step of it that of TkML-AP-U: Hu et al. 2021.
    TkmlApUv,
    /// The best relevant label out of the top-k, by its nearest facets: Tursynbek et al. 2022.
    #[serde(rename = "kfool")]
    KFool,
    /// One perturbation for all images, each step of it that of kFool: Tursynbek et al. 2022.
    #[serde(rename = "kuap")]
    KUap,
    /// All relevant labels below all irrelevant ones: Carlini & Wagner 2017, multi-label.
    MlCwU,
    /// The formula that Sun et al. 2023 print for ML-CW-U, which doesn't attack a good prediction.
    MlCwUPrinted,
    /// A target set as the top-k, by the margin of its worst label: Carlini & Wagner 2017, multi-label.
    MlCwT,
    /// Specified labels below the decision threshold, all others as they are: Song et al. 2018.
    MlDp,
}

/// Which form of an attack is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// `x* = clip(x + ε)`, logits, hinged margins at exact λ ≥ 0, `α/2 ‖ε‖²` in the loss.
    #[default]
    Corrected,
    /// As the published code: `x* = tanh(m + x)`, logits, signed margins, weight decay `α` on `m`.
    Released,
    /// The paper to the letter: sigmoid scores, `x* = clip(x + ε)`, and λ moved by the same gradient
    /// descent as ε, from 0 and within `[0, 1]`. What has no objective has no such form.
    Literal,
    /// The smallest perturbation under the tight constraints, see [`MinNorm`](crate::MinNorm); of TkMIA
    /// alone. It has no learning rate, no `α` and no momentum.
    MinNorm,
}

/// How a method with an objective steps along its gradient.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimiserKind {
    /// [`Sgd`](crate::Sgd) with a penalty on the norm: of any size, as the paper has it.
    #[default]
    Sgd,
    /// [`Pgd`](crate::Pgd) within a ball.
    Pgd,
    /// [`MiFgsm`](crate::MiFgsm) within a ball.
    MiFgsm,
    /// [`AutoPgd`](crate::AutoPgd) within a ball.
    AutoPgd,
}

/// How an objective's auxiliary variables λ are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lambda {
    /// At their minimisers, in closed form (Lemma 4.1).
    Exact,
    /// By the same gradient descent as the perturbation, from 0 (Algorithm 1).
    Gradient,
}

/// A name that isn't one of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{found}`: expected one of {}", known.join(", "))]
pub struct UnknownName {
    what: &'static str,
    found: String,
    known: Vec<&'static str>,
}

pub(crate) fn by_name<T: Copy>(
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
    pub const ALL: [Self; 10] = [
        Self::Tkmia,
        Self::TkmlApU,
        Self::TkmlApT,
        Self::TkmlApUv,
        Self::KFool,
        Self::KUap,
        Self::MlCwU,
        Self::MlCwUPrinted,
        Self::MlCwT,
        Self::MlDp,
    ];

    /// The name as it is written in commands and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tkmia => "tkmia",
            Self::TkmlApU => "tkml-ap-u",
            Self::TkmlApT => "tkml-ap-t",
            Self::TkmlApUv => "tkml-ap-uv",
            Self::KFool => "kfool",
            Self::KUap => "kuap",
            Self::MlCwU => "ml-cw-u",
            Self::MlCwUPrinted => "ml-cw-u-printed",
            Self::MlCwT => "ml-cw-t",
            Self::MlDp => "ml-dp",
        }
    }

    /// The variants that it comes in.
    pub fn variants(self) -> &'static [Variant] {
        match self {
            Self::KFool | Self::KUap | Self::TkmlApUv => &[Variant::Corrected, Variant::Released],
            Self::MlDp => &[Variant::Corrected],
            Self::Tkmia => &Variant::ALL,
            _ => &[Variant::Corrected, Variant::Released, Variant::Literal],
        }
    }

    /// Whether it needs a [target](tkmia_core::Goal::target) for each image.
    pub fn is_targeted(self) -> bool {
        self.objective(Margins::Hinged).is_some_and(|objective| objective.needs_target())
    }

    /// Whether it finds one perturbation for all images.
    pub fn is_universal(self) -> bool {
        self.repeated().is_some()
    }

    /// Whether it, or what it repeats, descends an objective.
    pub fn descends(self) -> bool {
        self.repeated().unwrap_or(self).objective(Margins::Hinged).is_some()
    }

    /// What a universal attack does with one image after the other; none for others.
    pub fn repeated(self) -> Option<Self> {
        match self {
            Self::TkmlApUv => Some(Self::TkmlApU),
            Self::KUap => Some(Self::KFool),
            _ => None,
        }
    }

    /// What it descends, where it does.
    pub(crate) fn objective(self, margins: Margins) -> Option<Box<dyn Objective>> {
        Some(match self {
            Self::Tkmia => Box::new(TkmiaObjective { margins }),
            Self::TkmlApU => Box::new(TkmlApU { margins }),
            Self::TkmlApT => Box::new(TkmlApT),
            Self::MlCwU => Box::new(MlCwU),
            Self::MlCwUPrinted => Box::new(MlCwUPrinted),
            Self::MlCwT => Box::new(MlCwT),
            Self::TkmlApUv | Self::KFool | Self::KUap | Self::MlDp => return None,
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

impl OptimiserKind {
    /// Every optimiser, the default first.
    pub const ALL: [Self; 4] = [Self::Sgd, Self::Pgd, Self::MiFgsm, Self::AutoPgd];

    /// The name as it is written in commands and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sgd => "sgd",
            Self::Pgd => "pgd",
            Self::MiFgsm => "mi-fgsm",
            Self::AutoPgd => "auto-pgd",
        }
    }
}

impl FromStr for OptimiserKind {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        by_name("optimiser", &Self::ALL, Self::name, name)
    }
}

impl Lambda {
    /// Both ways.
    pub const ALL: [Self; 2] = [Self::Exact, Self::Gradient];

    /// The name as it is written in commands and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Gradient => "gradient",
        }
    }
}

impl FromStr for Lambda {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        by_name("lambda", &Self::ALL, Self::name, name)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        fn check<T>(all: &[T], name: fn(T) -> &'static str)
        where
            T: Copy + PartialEq + Debug + FromStr<Err = UnknownName>,
        {
            for &one in all {
                assert_eq!(name(one).parse(), Ok(one));
            }
        }
        check(&Method::ALL, Method::name);
        check(&Variant::ALL, Variant::name);
        check(&OptimiserKind::ALL, OptimiserKind::name);
        check(&Lambda::ALL, Lambda::name);
        let message = "pgd".parse::<Method>().unwrap_err().to_string();
        assert!(message.contains("`pgd`") && message.contains("tkml-ap-u"), "{message}");
    }

    #[test]
    fn targeted_and_universal_methods_are_known() {
        let all = |is: fn(Method) -> bool| -> Vec<&str> {
            Method::ALL.into_iter().filter(|&method| is(method)).map(Method::name).collect()
        };
        assert_eq!(all(Method::is_targeted), ["tkml-ap-t", "ml-cw-t"]);
        assert_eq!(all(Method::is_universal), ["tkml-ap-uv", "kuap"]);
    }
}
