//! [`AttackSettings`]: an attack with all its knobs.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{
    Attack, AttackError, AttackName, Auto, Descent, Family, Geometric, Limits, MinNorm, Norm,
    Optimiser, OptimiserName, Solver, Square, Stop, TargetChoice, Universal, Variant, View,
};

/// Knobs by their names, as a table of an experiment's file or a command line's flags give them.
pub type Knobs = Map<String, Value>;

/// An attack with all its knobs; [`init`](Self::init) checks them and gives the runnable attack.
///
/// Serialised it is one table of [`Knobs`]: the method's own, its limits and its criterion. That is a
/// `[[method]]` of an experiment's file, and each knob is a flag of the command line.
///
/// # Example
///
/// ```
/// use tkmia_attacks::{AttackSettings, Descent, Optimiser, PenalisedSgd};
///
/// let optimiser = Optimiser::Sgd(PenalisedSgd { lr: 5e-4, ..PenalisedSgd::default() });
/// let settings = AttackSettings::from(Descent { optimiser, ..Descent::default() });
/// assert!(settings.init().is_ok());
///
/// // The same, as a file has it; and what doesn't go together.
/// let knobs = |json| serde_json::from_str(json).expect("it is a table");
/// assert_eq!(AttackSettings::from_knobs(&knobs(r#"{"name": "tkmia", "lr": 5e-4}"#))?, settings);
/// let error = AttackSettings::from_knobs(&knobs(r#"{"name": "kfool", "lr": 5}"#)).unwrap_err();
/// assert!(error.to_string().starts_with("kfool (corrected) has no `lr`"));
///
/// // The paper's objective, descended by Auto-PGD within 8 of 255 levels of each pixel.
/// let knobs = knobs(r#"{"optimiser": "auto-pgd", "norm": "linf", "radius": 0.0627}"#);
/// assert!(AttackSettings::from_knobs(&knobs)?.init().is_ok());
/// # Ok::<(), tkmia_attacks::AttackError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(into = "Knobs", try_from = "Knobs")]
pub struct AttackSettings {
    /// What is done; TkMIA's descent by default.
    pub method: Method,
    /// How far it may go.
    pub limits: Limits,
    /// When an image is done, and what counts as success; by default all specified labels that were in the
    /// top-k must leave it.
    pub stop: Stop,
}

/// An attack's settings, by their family.
#[derive(Debug, Clone, PartialEq)]
pub enum Method {
    /// An objective is descended.
    Descent(Descent),
    /// Steps follow from rows of the Jacobian.
    Geometric(Geometric),
    /// The smallest perturbation is searched for.
    MinNorm(MinNorm),
    /// One perturbation for all images.
    Universal(Universal),
    /// A random search by scores alone.
    Square(Square),
    /// Several attacks in turn.
    Auto(Auto),
}

impl Default for Method {
    fn default() -> Self {
        Self::Descent(Descent::default())
    }
}

macro_rules! from_family {
    ($($family:ident),*) => {$(
        impl From<$family> for AttackSettings {
            fn from(family: $family) -> Self {
                Self { method: Method::$family(family), ..Self::default() }
            }
        }
    )*};
}

from_family!(Descent, Geometric, MinNorm, Universal, Square, Auto);

impl AttackSettings {
    /// What the attack is after.
    pub fn name(&self) -> AttackName {
        match &self.method {
            Method::Descent(descent) => descent.name,
            Method::Geometric(geometric) => geometric.name,
            Method::MinNorm(_) => AttackName::Tkmia,
            Method::Universal(universal) => universal.name(),
            Method::Square(_) => AttackName::Square,
            Method::Auto(_) => AttackName::Auto,
        }
    }

    /// Which form of it.
    pub fn variant(&self) -> Variant {
        match &self.method {
            Method::Descent(descent) => descent.variant,
            Method::Geometric(geometric) => geometric.variant,
            Method::MinNorm(_) => Variant::MinNorm,
            Method::Universal(universal) => universal.variant,
            Method::Square(square) => square.variant,
            Method::Auto(auto) => auto.variant,
        }
    }

    /// How it steps, where it descends.
    pub fn optimiser(&self) -> OptimiserName {
        match &self.method {
            Method::Descent(descent) => descent.optimiser.name(),
            Method::Geometric(_)
            | Method::MinNorm(_)
            | Method::Universal(_)
            | Method::Square(_)
            | Method::Auto(_) => OptimiserName::Sgd,
        }
    }

    /// What the classifier is given where there is no perturbation.
    pub fn view(&self) -> View {
        match self.variant() {
            Variant::Released => View::Tanh,
            Variant::Corrected | Variant::Literal | Variant::MinNorm => View::Image,
        }
    }

    /// How it measures what it keeps small, or within a radius.
    pub fn norm(&self) -> Norm {
        selected(&self.knobs(), "norm").expect("settings are read as they are written")
    }

    /// What it makes the top-k, if it is targeted.
    pub fn target(&self) -> Option<TargetChoice> {
        match &self.method {
            Method::Descent(descent) => descent.aims_at(),
            Method::Geometric(_)
            | Method::MinNorm(_)
            | Method::Universal(_)
            | Method::Square(_)
            | Method::Auto(_) => None,
        }
    }

    /// Whether another attack takes the same steps as long as neither is at its limits: the two differ in
    /// [`Limits::max_iterations`] alone, and no step depends on how many may follow.
    pub fn steps_like(&self, other: &Self) -> bool {
        let is_open = match &self.method {
            Method::Descent(Descent { optimiser: Optimiser::Sgd(sgd), .. }) => {
                sgd.bisections.is_none()
            }
            // What ended after its bisections and what was cut off look the same.
            Method::Geometric(geometric) => geometric.name != AttackName::Jma,
            Method::Descent(_)
            | Method::MinNorm(_)
            | Method::Universal(_)
            | Method::Square(_)
            | Method::Auto(_) => false,
        };
        let limits = Limits { max_iterations: other.limits.max_iterations, ..self.limits };
        is_open && Self { limits, ..self.clone() } == *other
    }

    /// `tkmia (corrected)`, `tkmia (corrected, pgd)`.
    pub fn short_name(&self) -> String {
        let (name, variant) = (self.name(), self.variant());
        match self.optimiser() {
            OptimiserName::Sgd => format!("{name} ({variant})"),
            other => format!("{name} ({variant}, {other})"),
        }
    }

    /// The runnable attack.
    ///
    /// # Errors
    /// [`AttackError::BadSetting`] if a setting is out of range; [`AttackError::NoVariant`],
    /// [`AttackError::OwnSteps`], [`AttackError::NoSuchKnob`] and [`AttackError::NotSearched`] for what
    /// doesn't go together.
    pub fn init(&self) -> Result<Box<dyn Attack>, AttackError> {
        let (name, variant) = (self.name(), self.variant());
        if !name.variants().contains(&variant) {
            let expected = name.variants().iter().map(ToString::to_string).collect::<Vec<_>>();
            let (what, variant, expected) = (name.into(), variant.into(), expected.join(" or "));
            return Err(AttackError::NoVariant { what, variant, expected });
        }
        self.limits.check()?;
        if let Method::Descent(descent) = &self.method {
            for (knob, given) in
                [("target", descent.target.is_some()), ("lambda", descent.lambda.is_some())]
            {
                if given && !self.knobs().contains_key(knob) {
                    return Err(self.no_such_knob(knob));
                }
            }
        }
        let (limits, stop) = (self.limits, &self.stop);
        Ok(match &self.method {
            Method::Descent(descent) => Box::new(descent.init(limits, stop)?),
            Method::Geometric(geometric) => Box::new(geometric.init(limits, stop)?),
            Method::MinNorm(min_norm) => Box::new(min_norm.init(limits, stop)?),
            Method::Universal(universal) => Box::new(universal.init(limits, stop)?),
            Method::Square(square) => Box::new(square.init(limits, stop)?),
            Method::Auto(auto) => Box::new(auto.init(limits, stop)),
        })
    }

    /// The attack's identity: the version of this rule, and the SHA-256 of its knobs as JSON, sorted by
    /// name, without those that aren't set.
    pub fn key(&self) -> String {
        let mut knobs = self.knobs();
        knobs.retain(|_, value| !value.is_null());
        let json = Value::Object(knobs).to_string();
        format!("1:{}", hex::encode(Sha256::digest(json)))
    }

    /// The table of knobs; those that aren't set are null.
    pub fn knobs(&self) -> Knobs {
        let mut knobs = Knobs::new();
        let mut set = |name: &str, value: Value| drop(knobs.insert(name.to_owned(), value));
        set("name", self.name().to_string().into());
        set("variant", self.variant().to_string().into());
        set("stop", self.stop.to_string().into());
        let mut parts = vec![table(&self.limits)];
        match &self.method {
            Method::Descent(descent) => {
                if descent.name.has_lambdas() {
                    set("lambda", value(&descent.lambda));
                }
                if let Some(target) = descent.aims_at() {
                    set("target", value(&target));
                }
                parts.push(table(&descent.optimiser));
            }
            Method::Geometric(_) => {}
            Method::MinNorm(min_norm) => parts.push(table(min_norm)),
            Method::Universal(universal) => parts.push(table(&universal.steps)),
            Method::Square(square) => parts.push(table(&square.ball)),
            Method::Auto(auto) => parts.push(table(auto)),
        }
        parts.into_iter().for_each(|part| knobs.extend(part));
        knobs
    }

    /// Reads a table of knobs; those that are missing have their defaults.
    ///
    /// # Errors
    /// [`AttackError::NoSuchKnob`] for a knob that the attack doesn't have, [`AttackError::BadKnob`] for a value
    /// that can't be one, [`AttackError::NoBall`] for a missing radius, [`AttackError::OwnSteps`].
    pub fn from_knobs(knobs: &Knobs) -> Result<Self, AttackError> {
        // Another spelling of first-order steps in L∞.
        if knobs.get("solver").is_some_and(|solver| solver == "first-order-linf") {
            let mut spelled = knobs.clone();
            spelled.insert("solver".to_owned(), Solver::FirstOrder.to_string().into());
            spelled.insert("norm".to_owned(), Norm::Linf.to_string().into());
            return Self::from_knobs(&spelled);
        }
        let name: AttackName = selected(knobs, "name")?;
        let variant: Variant = selected(knobs, "variant")?;
        let by = knob(knobs, "optimiser")?.unwrap_or(name.optimiser());
        let min_norm = name == AttackName::Tkmia && variant == Variant::MinNorm;
        let stays_in_a_ball = name.is_in_a_ball() || by.is_in_a_ball();
        if by != OptimiserName::Sgd && (min_norm || name.family() != Family::Descent) {
            return Err(AttackError::OwnSteps { method: name.into(), optimiser: by.into() });
        }
        if stays_in_a_ball && !knobs.contains_key("radius") {
            let what = if name.is_in_a_ball() { name.into() } else { by.into() };
            return Err(AttackError::NoBall { what });
        }
        let method = match name.family() {
            Family::Descent if min_norm => Method::MinNorm(part(knobs)?),
            Family::Descent => Method::Descent(Descent {
                name,
                variant,
                optimiser: match by {
                    OptimiserName::Sgd => Optimiser::Sgd(part(knobs)?),
                    OptimiserName::Pgd => Optimiser::Pgd(part(knobs)?),
                    OptimiserName::MiFgsm => Optimiser::MiFgsm(part(knobs)?),
                    OptimiserName::AutoPgd => Optimiser::AutoPgd(part(knobs)?),
                    OptimiserName::Ddn => Optimiser::Ddn(part(knobs)?),
                    OptimiserName::Fmn => Optimiser::Fmn(part(knobs)?),
                    OptimiserName::Adamw => Optimiser::Adamw(part(knobs)?),
                },
                lambda: knob(knobs, "lambda")?.filter(|_| name.has_lambdas()),
                target: name.is_targeted().then(|| selected(knobs, "target")).transpose()?,
            }),
            Family::Geometric(_) => Method::Geometric(Geometric { name, variant }),
            Family::Universal(repeats) => {
                Method::Universal(Universal { repeats, variant, steps: part(knobs)? })
            }
            Family::Square => Method::Square(Square { variant, ball: part(knobs)? }),
            Family::Auto => Method::Auto(Auto { variant, ..part(knobs)? }),
        };
        let stop = selected(knobs, "stop")?;
        let settings = Self { method, limits: part(knobs)?, stop };
        let own = settings.knobs();
        match knobs.keys().find(|knob| !own.contains_key(*knob)) {
            None => Ok(settings),
            Some(knob) => Err(settings.no_such_knob(knob)),
        }
    }

    /// Every point of a grid: a knob whose value is a list is tried at each. `lr` varies slowest, then the
    /// others by their names.
    ///
    /// # Errors
    /// As [`from_knobs`](Self::from_knobs), and [`AttackError::BadKnob`] for an empty list.
    pub fn grid(knobs: &Knobs) -> Result<Vec<Self>, AttackError> {
        let mut axes: Vec<(&String, &Vec<Value>)> =
            knobs.iter().filter_map(|(name, value)| Some((name, value.as_array()?))).collect();
        axes.sort_by_key(|&(name, _)| (name != "lr", name));
        let mut points = vec![knobs.clone()];
        for (name, values) in axes {
            if values.is_empty() {
                let reason = "an empty list".to_owned();
                return Err(AttackError::BadKnob { knob: name.clone(), reason });
            }
            let at = |point: &Knobs, value: &Value| {
                let mut point = point.clone();
                point.insert(name.clone(), value.clone());
                point
            };
            points = (points.iter())
                .flat_map(|point| values.iter().map(|value| at(point, value)))
                .collect();
        }
        points.iter().map(Self::from_knobs).collect()
    }

    fn no_such_knob(&self, knob: &str) -> AttackError {
        let knobs: Vec<String> = self.knobs().into_iter().map(|(name, _)| name).collect();
        let (attack, knob) = (self.short_name(), knob.to_owned());
        AttackError::NoSuchKnob { attack, knob, knobs: knobs.join(", ") }
    }
}

/// What records and reports call it:
/// `tkmia (corrected), lr 0.001, alpha 0.0001, momentum 0.9, excluded within 300`.
impl fmt::Display for AttackSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.short_name())?;
        match &self.method {
            Method::Descent(descent) => write!(f, ", {descent}")?,
            Method::Geometric(_) => {}
            Method::MinNorm(min_norm) => write!(f, "{min_norm}")?,
            Method::Universal(universal) => write!(f, ", {}", universal.steps)?,
            Method::Square(square) => write!(f, ", {}", square.ball)?,
            Method::Auto(auto) => write!(f, "{auto}")?,
        }
        let Limits { max_iterations, max_forward, max_backward } = self.limits;
        write!(f, ", {} within {max_iterations}", self.stop)?;
        max_forward.map_or(Ok(()), |most| write!(f, ", at most {most} forward"))?;
        max_backward.map_or(Ok(()), |most| write!(f, ", at most {most} backward"))
    }
}

impl From<AttackSettings> for Knobs {
    fn from(settings: AttackSettings) -> Self {
        settings.knobs()
    }
}

impl TryFrom<Knobs> for AttackSettings {
    type Error = AttackError;

    fn try_from(knobs: Knobs) -> Result<Self, AttackError> {
        Self::from_knobs(&knobs)
    }
}

fn value(knob: &impl Serialize) -> Value {
    serde_json::to_value(knob).expect("plain values can be written")
}

fn table(part: &impl Serialize) -> Knobs {
    match value(part) {
        Value::Object(knobs) => knobs,
        other => unreachable!("settings are structs, found {other}"),
    }
}

/// A knob that is there and not null.
fn knob<T: DeserializeOwned>(knobs: &Knobs, name: &str) -> Result<Option<T>, AttackError> {
    let given = knobs.get(name).filter(|value| !value.is_null());
    given.map(|value| T::deserialize(value)).transpose().map_err(|error| bad(name, &error))
}

/// A knob with a default.
fn selected<T: DeserializeOwned + Default>(knobs: &Knobs, name: &str) -> Result<T, AttackError> {
    Ok(knob(knobs, name)?.unwrap_or_default())
}

/// The settings that are a part of a table; its other knobs are left alone.
fn part<T: DeserializeOwned>(knobs: &Knobs) -> Result<T, AttackError> {
    let read = |knobs: &Knobs| T::deserialize(&Value::Object(knobs.clone()));
    let mut set = knobs.clone();
    set.retain(|_, value| !value.is_null());
    read(&set).map_err(|error| {
        // The one without which the error is another, or none.
        let culprit = set.keys().find(|name| {
            let mut others = set.clone();
            others.remove(*name);
            read(&others).err().is_none_or(|other| other.to_string() != error.to_string())
        });
        bad(culprit.map_or("settings", String::as_str), &error)
    })
}

fn bad(knob: &str, error: &serde_json::Error) -> AttackError {
    AttackError::BadKnob { knob: knob.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strum::IntoEnumIterator;

    use super::*;

    fn read(knobs: Value) -> Result<AttackSettings, AttackError> {
        AttackSettings::from_knobs(knobs.as_object().expect("a table"))
    }

    fn message(knobs: Value) -> String {
        let made = read(knobs).and_then(|settings| settings.init());
        made.expect_err("it is refused").to_string()
    }

    #[test]
    fn each_bad_setting_is_named() {
        assert!(message(json!({"lr": -4})).contains("learning rate must be a number above 0"));
        assert!(message(json!({"alpha": -1})).contains("alpha"));
        assert!(message(json!({"momentum": 1})).contains("momentum must be in [0, 1), found 1"));
        assert!(message(json!({"max-iterations": 0})).contains("max iterations"));
        assert!(message(json!({"variant": "min-norm", "rounds": 0})).contains("rounds"));
        let border = message(json!({"variant": "min-norm", "border-margin": -1}));
        assert!(
            border.contains("border margin must be a number of at least 0, found -1"),
            "{border}"
        );
        assert!(message(json!({"name": "kuap", "radius": 0})).contains("radius"));
        for optimiser in ["ddn", "fmn"] {
            let with = |knob: &str, value| message(json!({"optimiser": optimiser, knob: value}));
            assert!(with("gamma", 1).contains("gamma must be in (0, 1), found 1"));
            assert!(with("step", 0).contains("step must be a number above 0, found 0"));
            assert!(with("radius", 1).contains("has no `radius`: its knobs are gamma,"));
            let released = message(json!({"optimiser": optimiser, "variant": "released"}));
            assert!(released.contains("has no released variant"), "{released}");
        }
    }

    #[test]
    fn first_order_steps_in_linf_have_two_spellings() {
        let one = read(json!({"variant": "min-norm", "solver": "first-order-linf"}));
        let other = read(json!({"variant": "min-norm", "solver": "first-order", "norm": "linf"}));
        assert_eq!(one.expect("settings"), other.expect("settings"));
    }

    #[test]
    fn a_value_of_another_kind_is_named_with_its_knob() {
        assert!(message(json!({"lr": "fast"})).starts_with("`lr`: invalid type: string"));
        assert!(message(json!({"variant": "new"})).starts_with("`variant`: unknown variant `new`"));
        assert!(message(json!({"stop": "never"})).starts_with("`stop`: unknown criterion `never`"));
        let ball = json!({"optimiser": "pgd", "norm": "l3", "radius": 1});
        assert!(message(ball).starts_with("`norm`: unknown variant `l3`"));
    }

    #[test]
    fn what_does_not_go_together_is_named() {
        let literal = json!({"name": "kfool", "variant": "literal"});
        assert_eq!(
            message(literal),
            "kfool has no literal variant: expected corrected or released"
        );
        for optimiser in ["pgd", "mi-fgsm", "auto-pgd"] {
            let with = |name: &str, variant: &str| json!({"name": name, "variant": variant, "optimiser": optimiser, "radius": 1});
            assert!(read(with("tkmia", "corrected")).is_ok_and(|made| made.init().is_ok()));
            assert!(message(with("tkmia", "released")).contains("has no released variant"));
            assert!(message(with("kfool", "corrected")).contains("steps of its own"));
            assert!(message(json!({"optimiser": optimiser})).contains("moves within a ball"));
        }
        assert!(message(json!({"name": "kuap"})).contains("kuap moves within a ball"));
    }

    #[test]
    fn a_knob_that_the_attack_lacks_is_refused_in_the_library_too() {
        let target = Some(TargetChoice::Worst);
        let error = AttackSettings::from(Descent { target, ..Descent::default() }).init();
        assert!(error.unwrap_err().to_string().starts_with("tkmia (corrected) has no `target`"));
    }

    #[test]
    fn settings_are_read_as_they_are_written() {
        for name in AttackName::iter() {
            for &variant in name.variants() {
                let mut knobs = json!({"name": name, "variant": variant, "max-backward": 7});
                if name.is_in_a_ball() {
                    knobs["radius"] = json!(2.5);
                }
                let settings = read(knobs).expect("it is one");
                let json = serde_json::to_string(&settings).expect("it is written");
                assert_eq!(
                    serde_json::from_str::<AttackSettings>(&json).expect("it is read"),
                    settings
                );
                assert!(settings.init().is_ok(), "{settings}");
            }
        }
    }

    #[test]
    fn a_list_is_an_axis_of_a_grid_and_lr_varies_slowest() {
        let knobs = json!({"alpha": [1e-3, 1e-4], "lr": [2e-3, 1e-3], "momentum": 0.5});
        let grid = AttackSettings::grid(knobs.as_object().expect("a table")).expect("a grid");
        let points: Vec<String> = grid.iter().map(ToString::to_string).collect();
        let point = |lr: &str, alpha: &str| {
            format!("tkmia (corrected), lr {lr}, alpha {alpha}, momentum 0.5, excluded within 300")
        };
        assert_eq!(
            points,
            [
                point("0.002", "0.001"),
                point("0.002", "0.0001"),
                point("0.001", "0.001"),
                point("0.001", "0.0001"),
            ]
        );
        let empty = json!({"lr": []});
        let error = AttackSettings::grid(empty.as_object().expect("a table")).unwrap_err();
        assert_eq!(error.to_string(), "`lr`: an empty list");
    }

    #[test]
    fn a_key_depends_on_the_knobs_and_not_on_how_they_were_given() {
        let key = |knobs| read(knobs).expect("settings").key();
        assert_eq!(key(json!({})), key(json!({"name": "tkmia", "lr": 1e-3, "stop": " excluded"})));
        assert_ne!(key(json!({})), key(json!({"lr": 2e-3})));
        assert!(key(json!({})).starts_with("1:"));
        // Whoever changes this has to count the version up, or no folder of records goes on.
        let expected = "1:cf2407024f2dc01cec8da71149fecd94c34e3c3b51e641b06665861936a1e104";
        assert_eq!(key(json!({})), expected);
        // A knob that isn't set is no part of it.
        let expected = "1:2a192ad4bf0d4620dc4014c06cb7d042037bcb58f52ebd6cc82d346dd1c08b30";
        assert_eq!(key(json!({"variant": "min-norm", "max-iterations": 100})), expected);
    }
}
