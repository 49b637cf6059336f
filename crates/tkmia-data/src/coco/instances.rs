//! What classification needs of a COCO instances file, read as a stream.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::Number;

use crate::DataError;

/// The lists of an instances file. Serde passes over the fields that aren't here, segmentations
/// above all, without keeping them.
#[derive(Debug, Deserialize)]
pub(super) struct Instances {
    pub images: Vec<Image>,
    pub annotations: Vec<Annotation>,
    pub categories: Vec<Category>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Image {
    #[serde(deserialize_with = "id")]
    pub id: u64,
    pub file_name: String,
}

/// An annotated object, or a crowd of them.
#[derive(Debug, Deserialize)]
pub(super) struct Annotation {
    #[serde(deserialize_with = "id")]
    pub id: u64,
    #[serde(deserialize_with = "id")]
    pub image_id: u64,
    #[serde(deserialize_with = "id")]
    pub category_id: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Category {
    #[serde(deserialize_with = "id")]
    pub id: u64,
    pub name: String,
}

/// A whole number, which pandas may have written as `11.0`.
fn id<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    /// Up to here floats have every whole number.
    const EXACT: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;
    let found = Number::deserialize(from)?;
    let as_float = || found.as_f64().filter(|id| id.fract() == 0.0 && (0.0..=EXACT).contains(id));
    let id = found.as_u64().or_else(|| as_float().map(|id| id as u64));
    id.ok_or_else(|| D::Error::custom(format!("expected a whole number from 0, found {found}")))
}

/// The lists of an instances file; the path only serves the errors.
pub(super) fn parse(reader: impl Read, path: &Path) -> Result<Instances, DataError> {
    let mut json = serde_json::Deserializer::from_reader(reader);
    let malformed = |at: String, source| DataError::Json { path: path.into(), at, source };
    let instances = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| malformed(error.path().to_string(), error.into_inner()))?;
    json.end().map_err(|source| malformed("end".into(), source))?;
    Ok(instances)
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    const WHOLE: &str = r#"{"images": [{"id": 1, "file_name": "a.jpg"}],
"annotations": [{"id": 1, "segmentation": {"counts": [1, 2]}, "image_id": 1, "category_id": 3}],
"categories": [{"id": 3, "name": "car"}]}"#;

    /// The message of an error and that of its source.
    fn messages(json: &str) -> [String; 2] {
        let error = parse(json.as_bytes(), Path::new("a.json")).unwrap_err();
        [error.to_string(), error.source().unwrap().to_string()]
    }

    #[test]
    fn a_file_cut_short_anywhere_is_an_error() {
        assert!(parse(WHOLE.as_bytes(), Path::new("a.json")).is_ok());
        for length in 0..WHOLE.len() {
            assert!(parse(&WHOLE.as_bytes()[..length], Path::new("a.json")).is_err(), "{length}");
        }
        let cut = WHOLE.find("1, 2]").unwrap();
        let [message, source] = messages(&WHOLE[..cut]);
        assert_eq!(
            message,
            "a.json annotations[0].segmentation: expected COCO's instances format, JSON in UTF-8 or UTF-16"
        );
        assert!(source.starts_with("EOF while parsing a list at line 2"), "{source}");
    }

    #[test]
    fn ids_may_be_floats_of_whole_numbers() {
        let floats = WHOLE.replace(r#"id": 1"#, r#"id": 1.0"#).replace(r#"id": 3"#, r#"id": 3e0"#);
        let instances = parse(floats.as_bytes(), Path::new("a.json")).unwrap();
        let Annotation { id, image_id, category_id } = instances.annotations[0];
        assert_eq!((instances.images[0].id, id, image_id, category_id), (1, 1, 1, 3));
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_named_with_its_place() {
        let [message, source] = messages(&WHOLE.replace(r#""image_id": 1, "#, ""));
        assert!(message.starts_with("a.json annotations[0]: expected COCO's instances format"));
        assert!(source.starts_with("missing field `image_id` at line 2"), "{source}");

        let [message, source] = messages(&WHOLE.replace(r#""id": 3"#, r#""id": "3""#));
        assert!(message.starts_with("a.json categories[0].id: "), "{message}");
        assert!(
            source.starts_with(r#"invalid type: string "3", expected a JSON number"#),
            "{source}"
        );
        for bad in ["3.5", "-3", "1e300"] {
            let [message, source] =
                messages(&WHOLE.replace(r#""id": 3"#, &format!(r#""id": {bad}"#)));
            assert!(message.starts_with("a.json categories[0].id: "), "{message}");
            assert!(source.starts_with("expected a whole number from 0, found"), "{source}");
        }

        assert!(messages("[]")[0].starts_with("a.json .: "));
        assert!(messages(&format!("{WHOLE}]"))[0].starts_with("a.json end: "));
    }
}
