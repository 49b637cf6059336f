//! [`MethodSpec`], an attack and its grid as an experiment file has them, and [`Run`], one point of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use tkmia_attacks::{Method, Passes, Settings, UnknownCriterion, Variant, criterion};

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
    /// Learning rates η; by default 1e-3. kFool has none.
    pub lr: Option<Values<f64>>,
    /// Weights α of the norm; by default 1e-4. kFool has none.
    pub alpha: Option<Values<f64>>,
    /// Momentum of the gradient descent; by default 0.9. kFool has none.
    pub momentum: Option<f64>,
    /// Iterations at most, if others than the table's.
    pub max_iterations: Option<usize>,
    /// The criterion, if another one than the table's: for attacks in their original form.
    pub stop: Option<String>,
}

impl MethodSpec {
    /// Every point of the grid; η varies slowest.
    ///
    /// # Errors
    /// [`ExperimentError::Unused`] for hyper-parameters that the attack hasn't,
    /// [`ExperimentError::Empty`] for a list without a value.
    pub(super) fn runs(
        &self,
        max_iterations: usize,
        stop: &str,
    ) -> Result<Vec<Run>, ExperimentError> {
        let run = Run {
            method: self.name,
            variant: self.variant,
            descent: None,
            max_iterations: self.max_iterations.unwrap_or(max_iterations),
            stop: self.stop.clone().unwrap_or_else(|| stop.to_owned()),
        };
        if !descends(self.name) {
            let given = [
                ("lr", self.lr.is_some()),
                ("alpha", self.alpha.is_some()),
                ("momentum", self.momentum.is_some()),
            ];
            return match given.into_iter().find(|(_, given)| *given) {
                Some((field, _)) => Err(ExperimentError::Unused {
                    place: format!("method `{}`", self.name.name()),
                    field,
                    why: "this attack has none",
                }),
                None => Ok(vec![run]),
            };
        }
        let defaults = Settings::default();
        let values = |field, values: &Option<Values<f64>>, default| match values {
            None => Ok(vec![default]),
            Some(values) if values.as_slice().is_empty() => Err(ExperimentError::Empty {
                place: format!("method `{}`", self.name.name()),
                field,
            }),
            Some(values) => Ok(values.as_slice().to_vec()),
        };
        let alphas = values("alpha", &self.alpha, defaults.alpha)?;
        let momentum = self.momentum.unwrap_or(defaults.momentum);
        let mut runs = Vec::new();
        for lr in values("lr", &self.lr, defaults.learning_rate)? {
            for &alpha in &alphas {
                runs.push(Run { descent: Some(Descent { lr, alpha, momentum }), ..run.clone() });
            }
        }
        Ok(runs)
    }
}

/// Whether an attack has a learning rate, a weight of the norm and a momentum.
fn descends(method: Method) -> bool {
    method != Method::KFool
}

/// An attack with all its hyper-parameters: what a record's `method` names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The attack.
    pub method: Method,
    /// Its form.
    pub variant: Variant,
    /// The hyper-parameters of the gradient descent, where the attack is one.
    #[serde(flatten)]
    pub descent: Option<Descent>,
    /// Iterations at most.
    pub max_iterations: usize,
    /// When a sample is done, and what counts as success; a name that
    /// [`criterion`](tkmia_attacks::criterion()) knows.
    pub stop: String,
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
        write!(f, "{} ({})", self.method.name(), self.variant.name())?;
        if let Some(Descent { lr, alpha, momentum }) = self.descent {
            write!(f, ", lr {lr}, alpha {alpha}, momentum {momentum}")?;
        }
        write!(f, ", {} within {}", self.stop, self.max_iterations)
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
            learning_rate: descent.map_or(defaults.learning_rate, |descent| descent.lr),
            alpha: descent.map_or(defaults.alpha, |descent| descent.alpha),
            momentum: descent.map_or(defaults.momentum, |descent| descent.momentum),
            max_iterations: self.max_iterations,
            criterion: criterion(&self.stop, delta)?,
        })
    }

    /// What this attack shows the classifier without a perturbation.
    pub fn view(&self) -> View {
        match self.variant {
            Variant::Released => View::Tanh,
            Variant::Corrected | Variant::Literal => View::Image,
        }
    }

    /// Passes that one sample takes at most, those of judging it included.
    pub fn passes_at_most(&self, k: usize) -> Passes {
        const JUDGED: usize = 3;
        let limit = self.max_iterations;
        match descends(self.method) {
            true => Passes { forward: limit + JUDGED, backward: limit.saturating_sub(1) },
            // A look at every iterate, and at each step a forward and a backward pass for every label of
            // the Jacobian.
            false => Passes { forward: limit * (k + 3) + 1 + JUDGED, backward: limit * (k + 2) },
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
                let run = spec.runs(300, "excluded").unwrap().remove(0);
                assert_eq!((run.max_iterations, run.stop.as_str()), (7, "imperceptible"));
                let attack = run.settings(None).unwrap().init(Bounds::SYMMETRIC);
                assert_eq!(attack.is_err(), method == Method::KFool && variant == Variant::Literal);
                let json = serde_json::to_string(&run).unwrap();
                assert_eq!(serde_json::from_str::<Run>(&json).unwrap(), run, "{json}");
            }
        }
    }

    #[test]
    fn hyper_parameters_that_an_attack_has_not_are_refused() {
        let error = spec("name = \"kfool\"\nlr = 1e-3").runs(300, "excluded").unwrap_err();
        assert_eq!(error.to_string(), "method `kfool`: `lr` makes no sense: this attack has none");
        let error = spec("name = \"tkmia\"\nalpha = []").runs(300, "excluded").unwrap_err();
        assert_eq!(error.to_string(), "method `tkmia`: `alpha` is an empty list");
    }
}
