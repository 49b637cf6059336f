//! [`Settings`]: an attack by the name of its method and variant.

use std::sync::Arc;

use tkmia_core::Bounds;
use tkmia_core::objective::{Keep, Margins};

use crate::names::{Lambda, Method, OptimiserKind, Variant};
use crate::{
    Attack, AttackError, AutoPgd, Ball, Budget, Criterion, GradientAttack, KFool, MiFgsm, MinNorm,
    MlDp, Optimiser, Pgd, ScoreKind, Sgd, Solver, Space, SpecifiedOut, Universal,
};

/// An attack's settings; [`init`](Self::init) checks them and gives the runnable attack.
///
/// # Example
///
/// ```
/// use tkmia_attacks::{Ball, Method, Norm, OptimiserKind, Settings, Variant};
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
///
/// // The paper's objective, descended by Auto-PGD within 8 of 255 levels of each pixel.
/// let settings = Settings {
///     optimiser: OptimiserKind::AutoPgd,
///     ball: Some(Ball { norm: Norm::Linf, radius: 8.0 / 127.5 }),
///     ..Settings::default()
/// };
/// assert!(settings.init(Bounds::SYMMETRIC).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the attack is after; TkMIA by default.
    pub method: Method,
    /// Which form of it; corrected by default.
    pub variant: Variant,
    /// How a method with an objective steps; by SGD in all its authors' forms.
    pub optimiser: OptimiserKind,
    /// η of SGD, in the paper one of 1e-3, 5e-4, 1e-4, 5e-5; by default 1e-3.
    pub learning_rate: f64,
    /// Weight of the norm's penalty with SGD, in the paper one of 1e-3, 5e-4, 1e-4 (the default), 5e-5.
    pub alpha: f64,
    /// μ of SGD (by default 0.9) and MI-FGSM (1 in its authors' form).
    pub momentum: f64,
    /// What the minimum-norm form keeps of the clean ranking.
    pub keep: Keep,
    /// How the minimum-norm form gets to its constraints.
    pub solver: Solver,
    /// How the auxiliary variables λ are set; by default as the variant has it.
    pub lambda: Option<Lambda>,
    /// Where PGD, MI-FGSM, Auto-PGD and universal attacks stay, in the variant's own unit; they need one.
    pub ball: Option<Ball>,
    /// The length of a step of PGD and MI-FGSM, in the ball's norm; by default 2.5 times the radius over the
    /// iterations for PGD, the radius over the iterations for MI-FGSM.
    pub step: Option<f64>,
    /// Iterations at most: forward passes inside the loop, for kFool and ML-DP steps, for min-norm all
    /// passes; in the paper 100, 300 (the default) or 500.
    pub max_iterations: usize,
    /// Forward passes for each image at most, whatever they are for; by default as many as iterations
    /// take. A universal attack counts anew each time that it comes to the image.
    pub max_forward: Option<usize>,
    /// Backward passes for each image at most.
    pub max_backward: Option<usize>,
    /// Rounds of a universal attack over the images at most; 10 by default.
    pub rounds: usize,
    /// Share of the images at which a universal attack is content; 0.8 by default, as in the first one
    /// (Moosavi-Dezfooli et al. 2017).
    pub enough: f64,
    /// When an image is done; by default all specified labels that were in the top-k must leave it.
    pub criterion: Arc<dyn Criterion>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            method: Method::default(),
            variant: Variant::default(),
            optimiser: OptimiserKind::default(),
            learning_rate: 1e-3,
            alpha: 1e-4,
            momentum: 0.9,
            keep: Keep::default(),
            solver: Solver::default(),
            lambda: None,
            ball: None,
            step: None,
            max_iterations: 300,
            max_forward: None,
            max_backward: None,
            rounds: 10,
            enough: 0.8,
            criterion: Arc::new(SpecifiedOut::default()),
        }
    }
}

impl Settings {
    /// The name for records and tables: `tkmia (corrected)`, `tkmia (corrected, pgd)`.
    pub fn name(&self) -> String {
        let (method, variant) = (self.method.name(), self.variant.name());
        match self.optimiser {
            OptimiserKind::Sgd => format!("{method} ({variant})"),
            other => format!("{method} ({variant}, {})", other.name()),
        }
    }

    /// The runnable attack, for a classifier on these bounds.
    ///
    /// # Errors
    /// [`AttackError::BadSetting`] if a setting is out of range, [`AttackError::NotSymmetric`] if a
    /// released variant is to attack a classifier that isn't on `[-1, 1]`; [`AttackError::NoVariant`],
    /// [`AttackError::OwnSteps`] and [`AttackError::NoBall`] for what doesn't go together.
    pub fn init(&self, bounds: Bounds) -> Result<Box<dyn Attack>, AttackError> {
        let budget = self.budget()?;
        self.check_variant()?;
        let criterion = self.criterion.clone();
        if self.variant == Variant::MinNorm {
            let caps = [budget.forward, budget.backward].into_iter().flatten();
            let max_passes = caps.fold(budget.iterations, usize::min);
            check("max backward passes", "at least 1", max_passes as f64, max_passes > 0)?;
            let (keep, solver) = (self.keep, self.solver);
            return Ok(Box::new(MinNorm { bounds, criterion, keep, solver, max_passes }));
        }
        let space = self.space(bounds)?;
        if let Some(inner) = self.method.repeated() {
            let ball = self.ball(self.method.name())?;
            let inner = Self { method: inner, ..self.clone() }.init(bounds)?;
            let (rounds, enough) = (self.rounds, self.enough);
            check("rounds", "at least 1", rounds as f64, rounds > 0)?;
            check("share that is enough", "in [0, 1]", enough, (0.0..=1.0).contains(&enough))?;
            return Ok(Box::new(Universal { inner, ball, space, criterion, rounds, enough }));
        }
        let released = self.variant == Variant::Released;
        let margins = if released { Margins::Signed } else { Margins::Hinged };
        let Some(objective) = self.method.objective(margins) else {
            return Ok(match self.method {
                Method::MlDp => Box::new(MlDp { space, criterion, budget }),
                _ => Box::new(KFool { space, criterion, budget }),
            });
        };
        let literal = self.variant == Variant::Literal;
        let by_gradient = match self.lambda {
            None => literal,
            Some(lambda) => lambda == Lambda::Gradient,
        };
        let (learning_rate, momentum) = (self.learning_rate, self.momentum);
        let sgd = Sgd { learning_rate, momentum, weight_decay: 0.0 };
        if by_gradient {
            self.check_descent()?;
        }
        let penalised = self.optimiser == OptimiserKind::Sgd && !released;
        Ok(Box::new(GradientAttack {
            objective,
            scores: if literal { ScoreKind::Sigmoid } else { ScoreKind::Logits },
            lambda: by_gradient.then_some(sgd),
            norm_penalty: if penalised { self.alpha } else { 0.0 },
            space,
            optimiser: self.optimiser()?,
            criterion,
            budget,
        }))
    }

    fn budget(&self) -> Result<Budget, AttackError> {
        let iterations = self.max_iterations;
        check("max iterations", "at least 1", iterations as f64, iterations > 0)?;
        let forward = self.max_forward;
        let enough = forward.is_none_or(|forward| forward > 0);
        check("max forward passes", "at least 1", forward.unwrap_or_default() as f64, enough)?;
        Ok(Budget { iterations, forward, backward: self.max_backward })
    }

    /// Whether method, variant and optimiser go together.
    fn check_variant(&self) -> Result<(), AttackError> {
        let (method, optimiser) = (self.method.name(), self.optimiser);
        let none = |what, variants: &[Variant]| {
            let expected = variants.iter().map(|variant| variant.name()).collect::<Vec<_>>();
            let (variant, expected) = (self.variant.name(), expected.join(" or "));
            Err(AttackError::NoVariant { what, variant, expected })
        };
        let variants = self.method.variants();
        if !variants.contains(&self.variant) {
            return none(method, variants);
        }
        if optimiser == OptimiserKind::Sgd {
            return Ok(());
        }
        if !self.method.descends() {
            return Err(AttackError::OwnSteps { method, optimiser: optimiser.name() });
        }
        // The published code has no such steps, and its variable no box to be projected to; min-norm has
        // steps of its own.
        match self.variant {
            Variant::Released | Variant::MinNorm => {
                none(optimiser.name(), &[Variant::Corrected, Variant::Literal])
            }
            _ => Ok(()),
        }
    }

    fn space(&self, bounds: Bounds) -> Result<Space, AttackError> {
        let projects = self.optimiser != OptimiserKind::Sgd || self.method == Method::MlDp;
        match self.variant {
            Variant::Released if bounds == Bounds::SYMMETRIC => Ok(Space::TanhOfImage),
            Variant::Released => {
                let Bounds { low, high } = bounds;
                Err(AttackError::NotSymmetric { low, high })
            }
            _ if projects => Ok(Space::Project(bounds)),
            _ => Ok(Space::Clip(bounds)),
        }
    }

    fn optimiser(&self) -> Result<Box<dyn Optimiser>, AttackError> {
        let (momentum, iterations) = (self.momentum, self.max_iterations);
        let ball = || self.ball(self.optimiser.name());
        let step = |of_radius: f64, ball: Ball| {
            let step = self.step.unwrap_or(of_radius * ball.radius / iterations as f64);
            check("step", "a number above 0", step, step > 0.0 && step.is_finite())?;
            Ok::<_, AttackError>(step)
        };
        Ok(match self.optimiser {
            OptimiserKind::Sgd => {
                self.check_descent()?;
                let released = self.variant == Variant::Released;
                let weight_decay = if released { self.alpha } else { 0.0 };
                let learning_rate = self.learning_rate;
                Box::new(Sgd { learning_rate, momentum, weight_decay })
            }
            OptimiserKind::Pgd => {
                let ball = ball()?;
                Box::new(Pgd { ball, step: step(2.5, ball)? })
            }
            OptimiserKind::MiFgsm => {
                let ball = ball()?;
                check("momentum", "in [0, 1]", momentum, (0.0..=1.0).contains(&momentum))?;
                Box::new(MiFgsm { ball, step: step(1.0, ball)?, momentum })
            }
            // One step less than passes.
            OptimiserKind::AutoPgd => Box::new(AutoPgd { ball: ball()?, steps: iterations - 1 }),
        })
    }

    fn ball(&self, what: &'static str) -> Result<Ball, AttackError> {
        let ball = self.ball.ok_or(AttackError::NoBall { what })?;
        let radius = ball.radius;
        check("radius", "a number above 0", radius, radius > 0.0 && radius.is_finite())?;
        Ok(ball)
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
    use crate::Norm;

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
        let variant = Variant::Released;
        let released =
            Method::ALL.into_iter().filter(|method| method.variants().contains(&variant));
        for method in released {
            let settings = Settings { method, variant, ball: BALL, ..Settings::default() };
            assert!(matches!(settings.init(unit), Err(AttackError::NotSymmetric { .. })));
            assert!(settings.init(Bounds::SYMMETRIC).is_ok());
        }
    }

    const BALL: Option<Ball> = Some(Ball { norm: Norm::L2, radius: 1.0 });

    #[test]
    fn what_does_not_go_together_is_named() {
        let message =
            |settings: Settings| settings.init(Bounds::SYMMETRIC).unwrap_err().to_string();
        let settings = || Settings { ball: BALL, ..Settings::default() };
        assert_eq!(
            message(Settings { method: Method::KFool, variant: Variant::Literal, ..settings() }),
            "kfool has no literal variant: expected corrected or released"
        );
        for optimiser in [OptimiserKind::Pgd, OptimiserKind::MiFgsm, OptimiserKind::AutoPgd] {
            let with = |method, variant| Settings { method, variant, optimiser, ..settings() };
            assert!(with(Method::Tkmia, Variant::Corrected).init(Bounds::SYMMETRIC).is_ok());
            assert!(message(with(Method::Tkmia, Variant::Released)).contains("no released"));
            assert!(message(with(Method::KFool, Variant::Corrected)).contains("steps of its own"));
            let no_ball = Settings { ball: None, ..with(Method::Tkmia, Variant::Corrected) };
            assert!(message(no_ball).contains("moves within a ball"));
        }
        let no_ball = Settings { method: Method::KUap, ball: None, ..settings() };
        assert!(message(no_ball).contains("kuap moves within a ball"));
        let radius = Some(Ball { norm: Norm::L2, radius: 0.0 });
        assert!(
            message(Settings { method: Method::KUap, ball: radius, ..settings() })
                .contains("radius")
        );
    }
}
