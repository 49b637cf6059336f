//! [`MethodSpec`], an attack and its grid as an experiment file has them, and [`Run`], one point of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use tkmia_attacks::{
    Ball, Lambda, Method, Norm, OptimiserKind, Passes, Settings, UnknownCriterion, Variant,
    criterion,
};

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
    /// Norm of the ball that the other optimisers stay in; `l2` by default.
    pub norm: Option<Norm>,
    /// Radii of the ball, in the variant's own unit.
    pub radius: Option<Values<f64>>,
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
    /// without a radius, and [`ExperimentError::NotBySample`].
    pub(super) fn runs(
        &self,
        max_iterations: usize,
        stop: &str,
    ) -> Result<Vec<Run>, ExperimentError> {
        if self.name.is_targeted() || self.name.is_universal() {
            return Err(ExperimentError::NotBySample { method: self.name.name() });
        }
        self.check_unused()?;
        let run = Run {
            method: self.name,
            variant: self.variant,
            optimiser: self.optimiser,
            descent: None,
            ball: None,
            lambda: self.lambda,
            max_iterations: self.max_iterations.unwrap_or(max_iterations),
            max_forward: self.max_forward,
            max_backward: self.max_backward,
            stop: self.stop.clone().unwrap_or_else(|| stop.to_owned()),
        };
        let mut runs = Vec::new();
        if !self.descends() {
            runs.push(run);
        } else if self.optimiser == OptimiserKind::Sgd {
            let defaults = Settings::default();
            let alphas = self.values("alpha", &self.alpha, Some(defaults.alpha))?;
            let momentum = self.momentum.unwrap_or(defaults.momentum);
            for lr in self.values("lr", &self.lr, Some(defaults.learning_rate))? {
                for &alpha in &alphas {
                    runs.push(Run {
                        descent: Some(Descent { lr, alpha, momentum }),
                        ..run.clone()
                    });
                }
            }
        } else {
            let norm = self.norm.unwrap_or(Norm::L2);
            for radius in self.values("radius", &self.radius, None)? {
                let ball = Some(InBall { norm, radius, momentum: self.momentum });
                runs.push(Run { ball, ..run.clone() });
            }
        }
        Ok(runs)
    }

    /// Whether the attack descends an objective, rather than step in a way of its own.
    fn descends(&self) -> bool {
        self.name.descends() && self.variant != Variant::MinNorm
    }

    /// Refuses what the attack has no use for.
    fn check_unused(&self) -> Result<(), ExperimentError> {
        let descends = self.descends();
        let by_sgd = descends && self.optimiser == OptimiserKind::Sgd;
        let in_ball = descends && !by_sgd;
        let with_momentum = by_sgd || self.optimiser == OptimiserKind::MiFgsm;
        let unused = [
            ("lr", self.lr.is_some() && !by_sgd),
            ("alpha", self.alpha.is_some() && !by_sgd),
            ("momentum", self.momentum.is_some() && !with_momentum),
            ("norm", self.norm.is_some() && !in_ball),
            ("radius", self.radius.is_some() && !in_ball),
            ("lambda", self.lambda.is_some() && !descends),
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

    fn values(
        &self,
        field: &'static str,
        values: &Option<Values<f64>>,
        default: Option<f64>,
    ) -> Result<Vec<f64>, ExperimentError> {
        match (values, default) {
            (None, Some(default)) => Ok(vec![default]),
            (None, None) => {
                let why = "the optimiser stays in a ball";
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
        self.lambda.map_or(Ok(()), |lambda| write!(f, ", lambda {}", lambda.name()))?;
        write!(f, ", {} within {}", self.stop, self.max_iterations)?;
        self.max_forward.map_or(Ok(()), |most| write!(f, ", at most {most} forward"))?;
        self.max_backward.map_or(Ok(()), |most| write!(f, ", at most {most} backward"))
    }
}

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
        const JUDGED: usize = 3;
        let limit = self.max_iterations;
        // Forward and backward passes of the loop; a step by geometry has a row of the Jacobian for each
        // label that it looks at, and there is one look more than steps.
        let (forward, backward) = match self.method {
            _ if self.variant == Variant::MinNorm => (limit, limit),
            Method::KFool => (limit * (k + 3) + 1, limit * (k + 2)),
            Method::MlDp => (limit * (classes + 1) + 1, limit * classes),
            _ => (limit, limit.saturating_sub(1)),
        };
        let cap = |passes: usize, most: Option<usize>| most.map_or(passes, |most| passes.min(most));
        Passes {
            forward: cap(forward, self.max_forward) + JUDGED,
            backward: cap(backward, self.max_backward),
        }
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
                let spec = spec(&format!(
                    "name = \"{}\"\nvariant = \"{}\"\nmax-iterations = 7\nstop = \"imperceptible\"",
                    method.name(),
                    variant.name()
                ));
                if method.is_targeted() || method.is_universal() {
                    let error = spec.runs(300, "excluded").unwrap_err();
                    assert!(matches!(error, ExperimentError::NotBySample { .. }));
                    continue;
                }
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
            "method `tkmia`: `radius` is missing: the optimiser stays in a ball"
        );
        assert_eq!(
            error("name = \"tkmia\"\nalpha = []"),
            "method `tkmia`: `alpha` is an empty list"
        );
    }
}
