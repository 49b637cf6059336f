//! [`AttackName`]: every attack by its name.

use tkmia_core::objective::{
    Class, Gmla, Margins, MlCwT, MlCwU, MlCwUPrinted, Objective, QuadAttack, TkmiaObjective,
    TkmlApT, TkmlApU,
};

use crate::OptimiserName;

named! {
    /// What an attack is after.
    #[derive(Default)]
    pub enum AttackName {
        /// Specified labels out of the top-k, other relevant ones into it: Sun et al. 2023, Eq. 6
        #[default]
        Tkmia,
        /// All relevant labels out of the top-k: Hu et al. 2021
        TkmlApU,
        /// A target set as the top-k: Hu et al. 2021
        TkmlApT,
        /// One perturbation for all images, each step of it that of tkml-ap-u: Hu et al. 2021
        TkmlApUv,
        /// The best relevant label out of the top-k, by its nearest facets: Tursynbek et al. 2022
        #[serde(rename = "kfool")]
        #[strum(serialize = "kfool")]
        KFool,
        /// One perturbation for all images, each step of it that of kfool: Tursynbek et al. 2022
        #[serde(rename = "kuap")]
        #[strum(serialize = "kuap")]
        KUap,
        /// A perturbation of each label, whose sum takes specified labels out: Mahmood & Elhamifar 2025
        Cmlu,
        /// All relevant labels below all irrelevant ones: Carlini & Wagner 2017, multi-label
        MlCwU,
        /// The formula that Sun et al. 2023 print for ml-cw-u, which doesn't attack a good prediction
        MlCwUPrinted,
        /// A target set as the top-k, by the margin of its worst label: Carlini & Wagner 2017, multi-label
        MlCwT,
        /// A target list as the top-k in its order, by the nearest scores there: Paniagua et al. 2023
        #[serde(rename = "quadattack")]
        #[strum(serialize = "quadattack")]
        QuadAttack,
        /// Specified labels below the decision threshold, all others as they are: Song et al. 2018
        MlDp,
        /// As many of the specified labels as must leave, chosen by how they help each other, below the threshold: CLASS
        Class,
        /// Specified labels' scores down along gradients that don't harm the others: Mahmood & Elhamifar 2024
        Gmla,
        /// Specified labels below the k best others, by the step of least norm to there: Tondi et al. 2024
        Jma,
        /// Whatever --stop asks, by scores alone, with random squares in a ball: Andriushchenko et al. 2020
        Square,
        /// The smallest success of min-norm, jma and, where neither succeeds, square: as Croce & Hein 2020
        Auto,
    }
}

named! {
    /// Which form of an attack is meant.
    #[derive(Default)]
    pub enum Variant {
        /// `x* = clip(x + ε)`, logits, hinged margins at exact λ ≥ 0, `α/2 ‖ε‖²` in the loss
        #[default]
        Corrected,
        /// As the published code: `x* = tanh(m + x)`, logits, signed margins, weight decay `α` on `m`
        Released,
        /// The paper to the letter: sigmoid scores, `x* = clip(x + ε)`, and λ moved by the same gradient descent as
        /// ε, from 0 and within `[0, 1]`
        Literal,
        /// The smallest perturbation under the tight constraints; of tkmia alone
        MinNorm,
    }
}

/// What settings an attack has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Those of a gradient descent: [`Descent`](crate::Descent).
    Descent,
    /// Steps by rows of the Jacobian: [`Geometric`](crate::Geometric).
    Geometric(Steps),
    /// One perturbation for all images: [`Universal`](crate::Universal).
    Universal(Repeats),
    /// A random search: [`Square`](crate::Square).
    Square,
    /// Several attacks in turn: [`Auto`](crate::Auto).
    Auto,
}

/// How an attack steps by rows of the Jacobian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// Towards the facets of the labels ahead: kFool.
    KFool,
    /// Towards the decisions wanted: ML-DP.
    MlDp,
    /// Towards the order wanted: JMA.
    Jma,
}

/// What a universal attack does with one image after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// The descent of TkML-AP-U.
    TkmlApU,
    /// The steps of kFool.
    KFool,
    /// The descent of CMLU, with a perturbation of each label.
    Cmlu,
}

impl AttackName {
    /// What it is called in papers and tables.
    pub fn title(self) -> &'static str {
        self.row().0
    }

    /// What settings it has, but for the [minimum-norm form](Variant::MinNorm), which has its own.
    pub fn family(self) -> Family {
        self.row().1
    }

    /// The variants that it comes in.
    pub fn variants(self) -> &'static [Variant] {
        self.row().2
    }

    /// Title, family and variants.
    fn row(self) -> (&'static str, Family, &'static [Variant]) {
        use Family::{Auto, Descent, Geometric, Square, Universal};
        use Variant::{Corrected, Literal, MinNorm, Released};
        const LITERAL_TOO: &[Variant] = &[Corrected, Released, Literal];
        const RELEASED_TOO: &[Variant] = &[Corrected, Released];
        const CORRECTED: &[Variant] = &[Corrected];
        match self {
            Self::Tkmia => ("TkMIA", Descent, &[Corrected, Released, Literal, MinNorm]),
            Self::TkmlApU => ("TkML-AP-U", Descent, LITERAL_TOO),
            Self::TkmlApT => ("TkML-AP-T", Descent, LITERAL_TOO),
            Self::TkmlApUv => ("TkML-AP-Uv", Universal(Repeats::TkmlApU), RELEASED_TOO),
            Self::KFool => ("kFool", Geometric(Steps::KFool), RELEASED_TOO),
            Self::KUap => ("kUAP", Universal(Repeats::KFool), RELEASED_TOO),
            Self::Cmlu => ("CMLU", Universal(Repeats::Cmlu), CORRECTED),
            Self::MlCwU => ("ML-CW-U", Descent, LITERAL_TOO),
            Self::MlCwUPrinted => ("ML-CW-U as printed", Descent, LITERAL_TOO),
            Self::MlCwT => ("ML-CW-T", Descent, LITERAL_TOO),
            Self::QuadAttack => ("QuadAttacK", Descent, CORRECTED),
            Self::MlDp => ("ML-DP", Geometric(Steps::MlDp), CORRECTED),
            Self::Class => ("CLASS", Descent, CORRECTED),
            Self::Gmla => ("GMLA", Descent, CORRECTED),
            Self::Jma => ("JMA", Geometric(Steps::Jma), CORRECTED),
            Self::Square => ("Square", Square, CORRECTED),
            Self::Auto => ("Auto", Auto, CORRECTED),
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
            Self::QuadAttack => Box::new(QuadAttack),
            Self::Class => Box::new(Class),
            Self::Gmla => Box::new(Gmla),
            Self::TkmlApUv
            | Self::KFool
            | Self::KUap
            | Self::Cmlu
            | Self::MlDp
            | Self::Jma
            | Self::Square
            | Self::Auto => {
                return None;
            }
        })
    }

    /// How it steps where nothing else is said.
    pub(crate) fn optimiser(self) -> OptimiserName {
        if self == Self::QuadAttack { OptimiserName::Adamw } else { OptimiserName::Sgd }
    }

    /// Whether it needs a [target](tkmia_core::Goal::target) for each image.
    pub fn is_targeted(self) -> bool {
        self.objective(Margins::Hinged).is_some_and(|objective| objective.needs_target())
    }

    /// Whether it finds one perturbation for all images, or one for each label.
    pub fn is_universal(self) -> bool {
        matches!(self.family(), Family::Universal(_))
    }

    /// Whether it moves within a ball, whatever the optimiser.
    pub fn is_in_a_ball(self) -> bool {
        matches!(self.family(), Family::Universal(_) | Family::Square)
    }

    /// Whether its objective has auxiliary variables λ.
    pub(crate) fn has_lambdas(self) -> bool {
        self.objective(Margins::Hinged).is_some_and(|objective| objective.lambdas() > 0)
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in AttackName::iter() {
            assert_eq!(name.to_string().parse(), Ok(name));
            assert_eq!(serde_json::json!(name), serde_json::json!(name.to_string()));
        }
        assert!("pgd".parse::<AttackName>().is_err());
    }

    #[test]
    fn targeted_and_universal_attacks_are_known() {
        let all = |is: fn(AttackName) -> bool| -> Vec<&str> {
            AttackName::iter().filter(|&name| is(name)).map(Into::into).collect()
        };
        assert_eq!(all(AttackName::is_targeted), ["tkml-ap-t", "ml-cw-t", "quadattack"]);
        assert_eq!(all(AttackName::is_universal), ["tkml-ap-uv", "kuap", "cmlu"]);
    }
}
