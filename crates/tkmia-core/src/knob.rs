//! [`described`]: the fields of settings as their documentation has them, for command lines.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

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
    /// Several numbers, or texts.
    List,
    /// A text.
    Text,
    /// Whether, or not.
    Switch,
    /// One of these names, each with what it stands for.
    Name(Vec<(String, String)>),
}

/// The fields of a struct, in alphabetical order.
pub fn described<T: JsonSchema>() -> Vec<Knob> {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<T>();
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
    let names = names(schema).map(KnobKind::Name);
    names.unwrap_or(match () {
        () if is("integer") => KnobKind::Count,
        () if is("array") => KnobKind::List,
        () if is("string") => KnobKind::Text,
        () if is("boolean") => KnobKind::Switch,
        () => KnobKind::Number,
    })
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
    use super::*;
    use crate::Tagger;

    #[test]
    fn fields_are_described_by_their_types_and_documentation() {
        let knobs = described::<Tagger>();
        let kind = |name: &str| &knobs.iter().find(|knob| knob.name == name).unwrap().kind;
        assert_eq!((kind("range"), kind("mean")), (&KnobKind::Text, &KnobKind::List));
        assert_eq!(
            (kind("input-size"), kind("keep-sigmoid")),
            (&KnobKind::Count, &KnobKind::Switch)
        );
        let KnobKind::Name(orders) = kind("channels") else { panic!("orders have names") };
        assert_eq!(orders[0], ("rgb".to_owned(), "Red, green, blue".to_owned()));
        assert!(knobs.iter().all(|knob| !knob.help.is_empty()));
    }
}
