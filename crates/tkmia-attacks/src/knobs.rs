//! [`all_knobs`]: every knob of every attack with its help, for command lines.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::Value;

use crate::min_norm::MinNorm;
use crate::{
    AttackName, Lambda, Limits, MiFgsmSteps, OptimiserName, PenalisedSgd, TargetChoice, Variant,
};

/// A knob as its field's documentation and type describe it.
#[derive(Debug, Clone, PartialEq)]
pub struct Knob {
    /// Its name in files and, after two dashes, on the command line.
    pub name: String,
    /// What it does.
    pub help: String,
    /// What it may be.
    pub kind: KnobKind,
    /// Its value where it isn't given, if that is always the same.
    pub default: Option<String>,
}

/// What a knob's value may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnobKind {
    /// A number.
    Number,
    /// A whole number of at least 0.
    Count,
    /// One of these names, each with what it stands for.
    Name(Vec<(String, String)>),
}

/// Knobs that aren't fields of one family's settings.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its description is used")]
struct Selectors {
    /// The attack
    method: AttackName,
    /// Its form: corrected, as the published code is, as the paper is printed, or of the smallest norm
    variant: Variant,
    /// How a method with an objective steps: sgd, or within a ball of --radius
    optimiser: OptimiserName,
    /// How the objective's λ are set [default: exact; gradient in the literal variant]
    lambda: Option<Lambda>,
    /// What targeted methods make the top-k: the irrelevant labels nearest to it, farthest, or any
    target: TargetChoice,
}

/// Every knob of every attack, each once, and the attack itself as `method`; `stop` is left to the caller.
pub fn all_knobs() -> Vec<Knob> {
    let mut knobs: Vec<Knob> = Vec::new();
    let of_types = [
        described::<Selectors>(),
        described::<PenalisedSgd>(),
        described::<MiFgsmSteps>(),
        described::<MinNorm>(),
        described::<Limits>(),
    ];
    for knob in of_types.into_iter().flatten() {
        if !knobs.iter().any(|known| known.name == knob.name) {
            knobs.push(knob);
        }
    }
    knobs
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
}

/// The fields of a struct, in alphabetical order.
fn described<T: JsonSchema>() -> Vec<Knob> {
    let schema = generator().into_root_schema_for::<T>();
    let properties = schema.get("properties").and_then(Value::as_object).cloned();
    let knob = |(name, schema): (String, Value)| {
        let text = |field: &str| schema[field].as_str().unwrap_or_default().replace('\n', " ");
        let default = match &schema["default"] {
            Value::Null => None,
            Value::String(name) => Some(name.clone()),
            other => Some(other.to_string()),
        };
        Knob { name, help: text("description"), kind: kind(&schema), default }
    };
    properties.into_iter().flatten().map(knob).collect()
}

fn kind(schema: &Value) -> KnobKind {
    let is = |name: &str| match &schema["type"] {
        Value::String(found) => found == name,
        Value::Array(found) => found.iter().any(|found| found == name),
        _ => false,
    };
    match names(schema) {
        Some(names) => KnobKind::Name(names),
        None if is("integer") => KnobKind::Count,
        None => KnobKind::Number,
    }
}

/// The values of an enum, possibly one that may be absent.
fn names(schema: &Value) -> Option<Vec<(String, String)>> {
    if let Some(Value::Array(choices)) = schema.get("oneOf") {
        let name = |choice: &Value| {
            let help = choice["description"].as_str().unwrap_or_default().replace('\n', " ");
            Some((choice["const"].as_str()?.to_owned(), help))
        };
        return choices.iter().map(name).collect();
    }
    schema.get("anyOf")?.as_array()?.iter().find_map(names)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strum::IntoEnumIterator;

    use super::*;
    use crate::AttackSettings;

    fn knob(name: &str) -> Knob {
        all_knobs().into_iter().find(|knob| knob.name == name).unwrap()
    }

    #[test]
    fn knobs_are_described_as_their_fields_are() {
        let lr = knob("lr");
        assert_eq!((lr.kind, lr.default.as_deref()), (KnobKind::Number, Some("0.001")));
        assert!(lr.help.contains("1e-3, 5e-4, 1e-4, 5e-5"), "{}", lr.help);
        assert_eq!(
            (knob("max-forward").kind, knob("max-forward").default),
            (KnobKind::Count, None)
        );
        let KnobKind::Name(norms) = knob("norm").kind else { panic!("norms have names") };
        assert_eq!(norms[1], ("linf".to_owned(), "The largest absolute value".to_owned()));
        assert!(matches!(knob("solver").kind, KnobKind::Name(names) if names.len() == 3));
    }

    #[test]
    fn every_knob_of_every_attack_is_described() {
        let known: Vec<String> = all_knobs().into_iter().map(|knob| knob.name).collect();
        for name in AttackName::iter() {
            for &variant in name.variants() {
                for optimiser in OptimiserName::iter() {
                    let all = json!({
                        "name": name, "variant": variant, "optimiser": optimiser, "radius": 1.0,
                    });
                    // Without a ball, or steps to choose, where there are none.
                    for without in [&[][..], &["optimiser"], &["radius"], &["optimiser", "radius"]]
                    {
                        let mut knobs = all.as_object().unwrap().clone();
                        knobs.retain(|name, _| !without.contains(&name.as_str()));
                        let Ok(made) = AttackSettings::from_knobs(&knobs) else { continue };
                        let own = made.knobs().into_iter().map(|(name, _)| name);
                        let own = own.filter(|name| !["name", "stop"].contains(&name.as_str()));
                        own.for_each(|name| assert!(known.contains(&name), "{name}"));
                    }
                }
            }
        }
    }
}
