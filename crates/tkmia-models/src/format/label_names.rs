//! The names of a network's labels, from what a file says besides: [`find`].

use std::collections::BTreeMap;

use serde_json::Value;

/// The keys under which people keep them, in the order in which they are looked at.
const KEYS: [&str; 6] = ["labels", "label_names", "classes", "class_names", "names", "id2label"];

/// The names under the first key that has one for each of `classes`; `get` gives the text of a key.
///
/// A text is a JSON list (`["cat", "dog"]`), a JSON object (`{"0": "cat"}`, as Hugging Face writes it, or
/// `{"cat": 0}`, torchvision's `class_to_idx`), or names with line ends or commas between them.
pub fn find<'m>(get: impl Fn(&str) -> Option<&'m str>, classes: usize) -> Option<Vec<String>> {
    KEYS.iter().filter_map(|key| parse(get(key)?)).find(|names| names.len() == classes)
}

/// The names in a text of any of the forms.
pub fn parse(text: &str) -> Option<Vec<String>> {
    match serde_json::from_str(text) {
        Ok(Value::Array(names)) => names.into_iter().map(string).collect(),
        Ok(Value::Object(entries)) => {
            let pair = |(key, value): (String, Value)| match value {
                Value::Number(index) => Some((usize::try_from(index.as_u64()?).ok()?, key)),
                name => Some((key.parse().ok()?, string(name)?)),
            };
            let names: BTreeMap<usize, String> =
                entries.into_iter().map(pair).collect::<Option<_>>()?;
            names.keys().copied().eq(0..names.len()).then(|| names.into_values().collect())
        }
        // A number of labels, or a list in another language.
        Ok(_) => None,
        Err(_) if text.trim_start().starts_with(['{', '[']) => None,
        Err(_) => {
            let between = if text.trim().contains('\n') { '\n' } else { ',' };
            Some(text.trim().split(between).map(|name| name.trim().to_owned()).collect())
        }
    }
}

fn string(value: Value) -> Option<String> {
    match value {
        Value::String(name) => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_every_form_that_people_keep_them_in() {
        for text in [
            r#"["cat", "hot dog", "cow"]"#,
            r#"{"2": "cow", "0": "cat", "1": "hot dog"}"#,
            r#"{"cat": 0, "cow": 2, "hot dog": 1}"#,
            "cat,hot dog, cow",
            "cat\r\nhot dog\r\ncow\r\n",
        ] {
            let expected = ["cat", "hot dog", "cow"].map(String::from).to_vec();
            assert_eq!(find(|key| (key == "classes").then_some(text), 3), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_does_not_name_every_label_is_passed_over() {
        for text in [
            "cat,dog",
            "[1, 2, 3]",
            r#"{"0": "a", "1": "b", "3": "c"}"#,
            "3",
            "",
            "{0: 'a', 1: 'b', 2: 'c'}",
        ] {
            assert_eq!(find(|_| Some(text), 3), None, "{text}");
        }
        let get = |key: &str| match key {
            "labels" => Some("3"),
            "names" => Some("a, b, c"),
            _ => None,
        };
        assert_eq!(find(get, 3).unwrap(), ["a", "b", "c"]);
    }
}
