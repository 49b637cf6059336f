//! [`refuse_changes`]: whether a folder was begun with the same as now.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::error::ExperimentError;

/// Refuses `now` if it isn't what the folder was begun with, and names the first differences.
///
/// # Errors
/// [`ExperimentError::Changed`].
pub(crate) fn refuse_changes(
    folder: &Path,
    was: &impl Serialize,
    now: &impl Serialize,
) -> Result<(), ExperimentError> {
    const SHOWN: usize = 5;
    let value =
        |of: &dyn Fn() -> serde_json::Result<Value>| of().expect("plain values can be written");
    let (was, now) = (value(&|| serde_json::to_value(was)), value(&|| serde_json::to_value(now)));
    let mut found = Vec::new();
    differences("", &was, &now, &mut found);
    if found.is_empty() {
        return Ok(());
    }
    let more = found.len().saturating_sub(SHOWN);
    let mut differences = found.into_iter().take(SHOWN).collect::<Vec<_>>().join("; ");
    if more > 0 {
        differences += &format!("; and {more} more");
    }
    Err(ExperimentError::Changed { path: folder.to_owned(), differences })
}

fn differences(place: &str, was: &Value, now: &Value, found: &mut Vec<String>) {
    let inner = |key: &str| match place {
        "" => key.to_owned(),
        _ => format!("{place}.{key}"),
    };
    match (was, now) {
        (Value::Object(was), Value::Object(now)) => {
            let mut keys: Vec<&String> = was.keys().chain(now.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let at = |map: &serde_json::Map<String, Value>| map.get(key).cloned();
                let (was, now) = (at(was).unwrap_or_default(), at(now).unwrap_or_default());
                differences(&inner(key), &was, &now, found);
            }
        }
        (Value::Array(was), Value::Array(now)) if was.len() == now.len() => {
            for (number, (was, now)) in (1..).zip(was.iter().zip(now)) {
                differences(&format!("{place} {number}"), was, now, found);
            }
        }
        (Value::Array(was), Value::Array(now)) => {
            found.push(format!("{place}: {} were recorded, now {}", was.len(), now.len()));
        }
        _ if was == now => {}
        _ => found.push(format!("{place}: {was} was recorded, now {now}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named_by_their_place() {
        let was = serde_json::json!({ "seed": 1, "tables": [{ "k": [1, 2] }], "title": "x" });
        let now =
            serde_json::json!({ "seed": 2, "tables": [{ "k": [1, 3] }], "title": "x", "new": 1 });
        let error = refuse_changes(Path::new("out"), &was, &now).unwrap_err().to_string();
        for expected in [
            "seed: 1 was recorded, now 2",
            "tables 1.k 2: 2 was recorded, now 3",
            "new: null was recorded, now 1",
        ] {
            assert!(error.contains(expected), "{error}");
        }
        assert!(!error.contains("title"));
        assert!(refuse_changes(Path::new("out"), &was, &was).is_ok());
    }
}
