//! NUS-WIDE's labels.

use std::path::Path;

use crate::DataError;
use crate::text::read_text;

/// NUS-WIDE's concepts in the order of `Concepts81.txt`, which is alphabetical.
#[rustfmt::skip]
pub const NUS_WIDE_CONCEPTS: [&str; 81] = [
    "airport", "animal", "beach", "bear", "birds", "boats", "book", "bridge", "buildings", "cars",
    "castle", "cat", "cityscape", "clouds", "computer", "coral", "cow", "dancing", "dog",
    "earthquake", "elk", "fire", "fish", "flags", "flowers", "food", "fox", "frost", "garden",
    "glacier", "grass", "harbor", "horses", "house", "lake", "leaf", "map", "military", "moon",
    "mountain", "nighttime", "ocean", "person", "plane", "plants", "police", "protest", "railroad",
    "rainbow", "reflection", "road", "rocks", "running", "sand", "sign", "sky", "snow", "soccer",
    "sports", "statue", "street", "sun", "sunset", "surf", "swimmers", "tattoo", "temple", "tiger",
    "tower", "town", "toy", "train", "tree", "valley", "vehicle", "water", "waterfall", "wedding",
    "whales", "window", "zebra",
];

/// The concepts in the order of a list, if there is one.
pub(super) fn read(list: Option<&Path>) -> Result<Vec<String>, DataError> {
    match list {
        Some(path) => parse(&read_text(path, "one concept a line")?, path),
        None => Ok(NUS_WIDE_CONCEPTS.map(String::from).into()),
    }
}

fn parse(text: &str, path: &Path) -> Result<Vec<String>, DataError> {
    let mut concepts: Vec<String> = Vec::new();
    for (line, concept) in (1..).zip(text.trim_end().lines().map(str::trim)) {
        let expected = match concept {
            _ if !NUS_WIDE_CONCEPTS.contains(&concept) => "one of NUS-WIDE's 81 concepts",
            _ if concepts.iter().any(|earlier| earlier == concept) => {
                "a concept that isn't on an earlier line"
            }
            _ => {
                concepts.push(concept.into());
                continue;
            }
        };
        let found = concept.into();
        return Err(DataError::Line { path: path.into(), line, expected, found });
    }
    let (expected, found) = (NUS_WIDE_CONCEPTS.len(), concepts.len());
    if found != expected {
        let of = "concept";
        return Err(DataError::LineCount { path: path.into(), expected, of, found });
    }
    Ok(concepts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_must_have_each_concept_once() {
        let parse = |text: &str| parse(text, Path::new("c.txt"));
        let whole = NUS_WIDE_CONCEPTS.join(" \r\n");
        assert_eq!(parse(&whole).unwrap(), NUS_WIDE_CONCEPTS);

        let message = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(
            message(&whole.replace("bear", "boar")),
            "c.txt line 4: expected one of NUS-WIDE's 81 concepts, found `boar`"
        );
        assert_eq!(
            message(&whole.replace("bear", "airport")),
            "c.txt line 4: expected a concept that isn't on an earlier line, found `airport`"
        );
        assert_eq!(
            message(whole.trim_end_matches("zebra")),
            "c.txt: expected 81 lines, one for each concept, found 80"
        );
    }
}
