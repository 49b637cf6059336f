//! [`MethodSpec`], an attack and its grid as an experiment file has them, and [`Run`], one point of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use tkmia_attacks::{
    Ball, Lambda, Method, Norm, OptimiserKind, Passes, Settings, Solver, TargetChoice,
    UnknownCriterion, Variant, criterion,
};
use tkmia_core::objective::Keep;

use super::ExperimentError;

/// One value, or a list of values to try: `lr = 1e-3` or `lr = [1e-3, 5e-4]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a value or a list of values")]
pub enum Values<T> {
    /// A value.
    One(T),
    /// A list, in the order in which it is tried.
    Many(Vec<T>),
}

impl<T> Values<T> {
    /// The values as a list.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

/// A `[[method]]` of an experiment file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MethodSpec {
    /// The attack.
    pub name: Method,
    /// Its form; `corrected` by default.
    #[serde(default)]
    pub variant: Variant,
    /// How it steps; `sgd` by default.
    #[serde(default)]
    pub optimiser: OptimiserKind,
    /// Learning rates η of `sgd`; by default 1e-3.
    pub lr: Option<Values<f64>>,
    /// Weights α of the norm with `sgd`; by default 1e-4.
    pub alpha: Option<Values<f64>>,
    /// Momentum of `sgd` and `mi-fgsm`; by default 0.9.
    pub momentum: Option<f64>,
    /// Norm of the ball that universal attacks and the other optimisers stay in; `l2` by default.
    pub norm: Option<Norm>,
    /// Radii of the ball, in the variant's own unit.
    pub radius: Option<Values<f64>>,
    /// What targeted attacks make the top-k; `best` by default.
    pub target: Option<Values<TargetChoice>>,
    /// What the minimum-norm form keeps of the clean ranking; `order` by default.
    pub keep: Option<Keep>,
    /// How the minimum-norm form gets to its constraints; `sequential` by default.
    pub solver: Option<Solver>,
    /// How λ is set, if not as the variant has it.
    pub lambda: Option<Lambda>,
    /// Iterations at most, if others than the table's.
    pub max_iterations: Option<usize>,
    /// Forward passes for each sample at most, judging it aside.
    pub max_forward: Option<usize>,
    /// Backward passes for each sample at most.
    pub max_backward: Option<usize>,
    /// The criterion, if another one than the table's: for attacks in their original form.
    pub stop: Option<String>,
}

impl MethodSpec {
    /// Every point of the grid; η varies slowest.
    ///
    /// # Errors
    /// [`ExperimentError::Unused`] for hyper-parameters that the attack hasn't,
    /// [`ExperimentError::Empty`] for a list without a value, [`ExperimentError::Missing`] for a ball
    /// without a radius.
    pub(super) fn runs(
        &self,
        max_iterations: usize,
        stop: &str,
    ) -> Result<Vec<Run>, ExperimentError> {
        self.check_unused()?;
        let run = Run {
            method: self.name,
            variant: self.variant,
            optimiser: self.optimiser,
            descent: None,
            ball: None,
            target: None,
            keep: self.keep,
            solver: self.solver,
            lambda: self.lambda,
            max_iterations: self.max_iterations.unwrap_or(max_iterations),
            max_forward: self.max_forward,
            max_backward: self.max_backward,
            stop: self.stop.clone().unwrap_or_else(|| stop.to_owned()),
        };
        let (descents, balls, targets) = (self.descents()?, self.balls()?, self.targets()?);
        let mut runs = Vec::new();
        for &descent in &descents {
            for &ball in &balls {
                let point = |&target| Run { descent, ball, target, ..run.clone() };
                runs.extend(targets.iter().map(point));
            }
        }
        Ok(runs)
    }

    fn descents(&self) -> Result<Vec<Option<Descent>>, ExperimentError> {
        if !self.steps_by_sgd() {
            return Ok(vec![None]);
        }
        let defaults = Settings::default();
        let momentum = self.momentum.unwrap_or(defaults.momentum);
        let alphas = self.values("alpha", &self.alpha, Some(defaults.alpha))?;
        let mut descents = Vec::new();
        for lr in self.values("lr", &self.lr, Some(defaults.learning_rate))? {
            descents.extend(alphas.iter().map(|&alpha| Some(Descent { lr, alpha, momentum })));
        }
        Ok(descents)
    }

    fn balls(&self) -> Result<Vec<Option<InBall>>, ExperimentError> {
        if !self.stays_in_a_ball() {
            return Ok(vec![None]);
        }
        let norm = self.norm.unwrap_or(Norm::L2);
        let momentum = if self.steps_by_sgd() { None } else { self.momentum };
        let ball = |radius| Some(InBall { norm, radius, momentum });
        Ok(self.values("radius", &self.radius, None)?.into_iter().map(ball).collect())
    }

    fn targets(&self) -> Result<Vec<Option<TargetChoice>>, ExperimentError> {
        if !self.name.is_targeted() {
            return Ok(vec![None]);
        }
        let choices = self.values("target", &self.target, Some(TargetChoice::default()))?;
        Ok(choices.into_iter().map(Some).collect())
    }

    /// Whether the attack descends an objective, rather than step in a way of its own.
    fn descends(&self) -> bool {
        self.name.descends() && self.variant != Variant::MinNorm
    }

    fn steps_by_sgd(&self) -> bool {
        self.descends() && self.optimiser == OptimiserKind::Sgd
    }

    fn stays_in_a_ball(&self) -> bool {
        self.name.is_universal() || self.descends() && !self.steps_by_sgd()
    }

    /// Refuses what the attack has no use for.
    fn check_unused(&self) -> Result<(), ExperimentError> {
        let (by_sgd, in_ball) = (self.steps_by_sgd(), self.stays_in_a_ball());
        let with_momentum = by_sgd || self.optimiser == OptimiserKind::MiFgsm;
        let unused = [
            ("lr", self.lr.is_some() && !by_sgd),
            ("alpha", self.alpha.is_some() && !by_sgd),
            ("momentum", self.momentum.is_some() && !with_momentum),
            ("norm", self.norm.is_some() && !in_ball),
            ("radius", self.radius.is_some() && !in_ball),
            ("target", self.target.is_some() && !self.name.is_targeted()),
            ("keep", self.keep.is_some() && self.variant != Variant::MinNorm),
            ("solver", self.solver.is_some() && self.variant != Variant::MinNorm),
            ("lambda", self.lambda.is_some() && !self.descends()),
        ];
        match unused.into_iter().find(|(_, unused)| *unused) {
            Some((field, _)) => Err(ExperimentError::Unused {
                place: self.place(),
                field,
                why: "this attack has none",
            }),
            None => Ok(()),
        }
    }

    fn values<T: Copy>(
        &self,
        field: &'static str,
        values: &Option<Values<T>>,
        default: Option<T>,
    ) -> Result<Vec<T>, ExperimentError> {
        match (values, default) {
            (None, Some(default)) => Ok(vec![default]),
            (None, None) => {
                let why = "the attack stays in a ball";
                Err(ExperimentError::Missing { place: self.place(), field, why })
            }
            (Some(values), _) if values.as_slice().is_empty() => {
                Err(ExperimentError::Empty { place: self.place(), field })
            }
            (Some(values), _) => Ok(values.as_slice().to_vec()),
        }
    }

    fn place(&self) -> String {
        format!("method `{}`", self.name.name())
    }
}

/// An attack with all its hyper-parameters: what a record's `method` names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The attack.
    pub method: Method,
    /// Its form.
    pub variant: Variant,
    /// How it steps.
    pub optimiser: OptimiserKind,
    /// The hyper-parameters of `sgd`, where it steps by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descent: Option<Descent>,
    /// Where it stays, where it steps within a ball.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ball: Option<InBall>,
    /// What it makes the top-k, where it is targeted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetChoice>,
    /// What the minimum-norm form keeps of the clean ranking, if not the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    /// How the minimum-norm form gets to its constraints, if not by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solver: Option<Solver>,
    /// How λ is set, if not as the variant has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lambda: Option<Lambda>,
    /// Iterations at most.
    pub max_iterations: usize,
    /// Forward passes for each sample at most, judging it aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_forward: Option<usize>,
    /// Backward passes for each sample at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_backward: Option<usize>,
    /// When a sample is done, and what counts as success; a name that
    /// [`criterion`](tkmia_attacks::criterion()) knows.
    pub stop: String,
}

/// Hyper-parameters of steps within a ball.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct InBall {
    /// The ball's norm.
    pub norm: Norm,
    /// Its radius, in the variant's own unit.
    pub radius: f64,
    /// Momentum, where it isn't the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
}

/// Hyper-parameters of a gradient descent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Descent {
    /// Learning rate η.
    pub lr: f64,
    /// Weight α of the norm.
    pub alpha: f64,
    /// Momentum.
    pub momentum: f64,
}

/// The name in records: `tkmia (corrected), lr 0.001, alpha 0.0001, momentum 0.9, excluded within 300`.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, variant, optimiser, .. } = self;
        write!(f, "{} ({}", method.name(), variant.name())?;
        match optimiser {
            OptimiserKind::Sgd => write!(f, ")")?,
            other => write!(f, ", {})", other.name())?,
        }
        if let Some(Descent { lr, alpha, momentum }) = self.descent {
            write!(f, ", lr {lr}, alpha {alpha}, momentum {momentum}")?;
        }
        if let Some(InBall { norm, radius, momentum }) = self.ball {
            write!(f, ", {} {radius}", norm.name())?;
            momentum.map_or(Ok(()), |momentum| write!(f, ", momentum {momentum}"))?;
        }
        self.target.map_or(Ok(()), |target| write!(f, ", target {}", target.name()))?;
        self.keep.map_or(Ok(()), |keep| write!(f, ", keep {}", keep.name()))?;
        self.solver.map_or(Ok(()), |solver| write!(f, ", {}", solver.name()))?;
        self.lambda.map_or(Ok(()), |lambda| write!(f, ", lambda {}", lambda.name()))?;
        write!(f, ", {} within {}", self.stop, self.max_iterations)?;
        self.max_forward.map_or(Ok(()), |most| write!(f, ", at most {most} forward"))?;
        self.max_backward.map_or(Ok(()), |most| write!(f, ", at most {most} backward"))
    }
}

/// Forward passes of judging a sample: unattacked, attacked, and rounded.
pub(crate) const JUDGED: usize = 3;

/// What the classifier is given where there is no perturbation. Eligibility and `S` follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// The image.
    Image,
    /// `tanh` of the image, as in the published code.
    Tanh,
}

impl Run {
    /// The settings that this is short for. `delta` only counts where the criterion is `excluded`.
    ///
    /// # Errors
    /// [`UnknownCriterion`].
    pub fn settings(&self, delta: Option<usize>) -> Result<Settings, UnknownCriterion> {
        let defaults = Settings::default();
        let descent = self.descent.as_ref();
        Ok(Settings {
            method: self.method,
            variant: self.variant,
            optimiser: self.optimiser,
            learning_rate: descent.map_or(defaults.learning_rate, |descent| descent.lr),
            alpha: descent.map_or(defaults.alpha, |descent| descent.alpha),
            momentum: descent
                .map(|descent| descent.momentum)
                .or(self.ball.and_then(|ball| ball.momentum))
                .unwrap_or(defaults.momentum),
            keep: self.keep.unwrap_or_default(),
            solver: self.solver.unwrap_or_default(),
            lambda: self.lambda,
            ball: self.ball.map(|InBall { norm, radius, .. }| Ball { norm, radius }),
            max_iterations: self.max_iterations,
            max_forward: self.max_forward,
            max_backward: self.max_backward,
            criterion: criterion(&self.stop, delta)?,
            ..defaults
        })
    }

    /// What this attack shows the classifier without a perturbation.
    pub fn view(&self) -> View {
        match self.variant {
            Variant::Released => View::Tanh,
            Variant::Corrected | Variant::Literal | Variant::MinNorm => View::Image,
        }
    }

    /// Passes that one sample of so many labels takes at most, those of judging it included.
    pub fn passes_at_most(&self, k: usize, classes: usize) -> Passes {
        let limit = self.max_iterations;
        let cap = |passes: usize, most: Option<usize>| most.map_or(passes, |most| passes.min(most));
        let rounds = Settings::default().rounds;
        // Forward and backward passes of the loop; a step by geometry has a row of the Jacobian for each
        // label that it looks at, and there is one look more than steps.
        let inner = self.method.repeated().unwrap_or(self.method);
        let (forward, backward) = match inner {
            _ if self.variant == Variant::MinNorm => (limit, limit),
            Method::KFool => (limit * (k + 3) + 1, limit * (k + 2)),
            Method::MlDp => (limit * (classes + 1) + 1, limit * classes),
            _ => (limit, limit.saturating_sub(1)),
        };
        let (forward, backward) =
            (cap(forward, self.max_forward), cap(backward, self.max_backward));
        // A universal attack scores each image first, and after each round.
        let (forward, backward) = match self.method.repeated() {
            Some(_) => (1 + rounds * (forward + 1), rounds * backward),
            None => (forward, backward),
        };
        Passes { forward: forward + JUDGED, backward }
    }
}

#[cfg(test)]
mod tests {
    use tkmia_core::Bounds;

    use super::*;

    fn spec(text: &str) -> MethodSpec {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_grid_is_run_point_by_point() {
        let spec = spec("name = \"tkmia\"\nlr = [1e-3, 5e-5]\nalpha = [1e-3, 1e-4]");
        let runs = spec.runs(300, "excluded").unwrap();
        let points: Vec<_> = runs.iter().map(|run| run.descent.unwrap()).collect();
        assert_eq!(
            points.iter().map(|point| (point.lr, point.alpha)).collect::<Vec<_>>(),
            [(1e-3, 1e-3), (1e-3, 1e-4), (5e-5, 1e-3), (5e-5, 1e-4)]
        );
        assert_eq!(
            runs[3].to_string(),
            "tkmia (corrected), lr 0.00005, alpha 0.0001, momentum 0.9, excluded within 300"
        );
    }

    #[test]
    fn what_is_left_out_is_as_in_the_settings_by_default() {
        let runs = spec("name = \"tkml-ap-u\"").runs(300, "excluded").unwrap();
        let (found, expected) = (runs[0].settings(None).unwrap(), Settings::default());
        assert_eq!(
            (found.learning_rate, found.alpha, found.momentum, found.max_iterations),
            (expected.learning_rate, expected.alpha, expected.momentum, expected.max_iterations)
        );
    }

    #[test]
    fn every_method_and_variant_can_be_written_and_started() {
        for method in Method::ALL {
            for variant in Variant::ALL {
                let ball = if method.is_universal() { "radius = 8" } else { "" };
                let spec = spec(&format!(
                    "name = \"{}\"\nvariant = \"{}\"\nmax-iterations = 7\nstop = \"imperceptible\"\n{ball}",
                    method.name(),
                    variant.name()
                ));
                let run = spec.runs(300, "excluded").unwrap().remove(0);
                assert_eq!((run.max_iterations, run.stop.as_str()), (7, "imperceptible"));
                let attack = run.settings(None).unwrap().init(Bounds::SYMMETRIC);
                assert_eq!(attack.is_ok(), method.variants().contains(&variant));
                let json = serde_json::to_string(&run).unwrap();
                assert_eq!(serde_json::from_str::<Run>(&json).unwrap(), run, "{json}");
            }
        }
    }

    #[test]
    fn every_optimiser_can_be_written_and_started() {
        for optimiser in OptimiserKind::ALL {
            let ball = if optimiser == OptimiserKind::Sgd { "" } else { "radius = [0.5, 1.0]" };
            let text = format!(
                "name = \"tkmia\"\noptimiser = \"{}\"\nlambda = \"exact\"\nmax-forward = 9\n{ball}",
                optimiser.name()
            );
            let runs = spec(&text).runs(300, "excluded").unwrap();
            assert_eq!(runs.len(), if ball.is_empty() { 1 } else { 2 });
            for run in runs {
                assert!(run.settings(None).unwrap().init(Bounds::SYMMETRIC).is_ok(), "{run}");
                assert_eq!(run.passes_at_most(3, 20), Passes { forward: 12, backward: 299 });
                let json = serde_json::to_string(&run).unwrap();
                assert_eq!(serde_json::from_str::<Run>(&json).unwrap(), run, "{json}");
            }
        }
        let spec = spec("name = \"tkmia\"\noptimiser = \"pgd\"\nnorm = \"linf\"\nradius = 0.03");
        assert_eq!(
            spec.runs(300, "excluded").unwrap()[0].to_string(),
            "tkmia (corrected, pgd), linf 0.03, excluded within 300"
        );
    }

    #[test]
    fn targets_are_a_grid_of_their_own() {
        let runs = spec("name = \"ml-cw-t\"\ntarget = [\"best\", \"worst\"]").runs(300, "excluded");
        let names: Vec<String> = runs.unwrap().iter().map(Run::to_string).collect();
        assert_eq!(
            names,
            ["best", "worst"].map(|target| format!(
                "ml-cw-t (corrected), lr 0.001, alpha 0.0001, momentum 0.9, target {target}, excluded within 300"
            ))
        );
        let default = &spec("name = \"ml-cw-t\"").runs(300, "excluded").unwrap()[0];
        assert_eq!(default.target, Some(TargetChoice::Best));
    }

    #[test]
    fn the_minimum_norm_form_has_a_solver_and_what_it_keeps() {
        let text = "name = \"tkmia\"\nvariant = \"min-norm\"\nmax-iterations = 40\nsolver = \"first-order\"\nkeep = \"count\"";
        let run = &spec(text).runs(300, "excluded").unwrap()[0];
        assert_eq!(
            run.to_string(),
            "tkmia (min-norm), keep count, first-order, excluded within 40"
        );
        let settings = run.settings(None).unwrap();
        assert_eq!((settings.solver, settings.keep), (Solver::FirstOrder, Keep::Count));
        for keep in Keep::ALL {
            assert_eq!(serde_json::to_value(keep).unwrap(), keep.name());
        }
        for solver in Solver::ALL {
            assert_eq!(serde_json::to_value(solver).unwrap(), solver.name());
        }
    }

    #[test]
    fn a_universal_attack_comes_to_each_image_again_and_again() {
        let passes = |name: &str| {
            let spec = spec(&format!("name = \"{name}\"\nmax-iterations = 5"));
            let spec =
                MethodSpec { radius: spec.name.is_universal().then_some(Values::One(8.0)), ..spec };
            spec.runs(300, "excluded").unwrap()[0].passes_at_most(3, 20)
        };
        let (universal, alone) = (passes("kuap"), passes("kfool"));
        assert_eq!(universal.backward, 10 * alone.backward);
        assert_eq!(universal.forward - 3, 1 + 10 * (alone.forward - 3 + 1));
    }

    #[test]
    fn hyper_parameters_that_an_attack_has_not_are_refused() {
        let error = |text: &str| spec(text).runs(300, "excluded").unwrap_err().to_string();
        assert_eq!(
            error("name = \"kfool\"\nlr = 1e-3"),
            "method `kfool`: `lr` makes no sense: this attack has none"
        );
        assert_eq!(
            error("name = \"tkmia\"\noptimiser = \"pgd\"\nalpha = 1e-3"),
            "method `tkmia`: `alpha` makes no sense: this attack has none"
        );
        assert_eq!(
            error("name = \"tkmia\"\noptimiser = \"pgd\""),
            "method `tkmia`: `radius` is missing: the attack stays in a ball"
        );
        assert_eq!(
            error("name = \"kuap\""),
            "method `kuap`: `radius` is missing: the attack stays in a ball"
        );
        assert_eq!(
            error("name = \"tkmia\"\ntarget = \"best\""),
            "method `tkmia`: `target` makes no sense: this attack has none"
        );
        assert_eq!(
            error("name = \"tkmia\"\nsolver = \"first-order\""),
            "method `tkmia`: `solver` makes no sense: this attack has none"
        );
        assert_eq!(
            error("name = \"tkmia\"\nalpha = []"),
            "method `tkmia`: `alpha` is an empty list"
        );
    }
}
