//! [`open`]: whichever data set a [`DatasetSpec`] names.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Coco2014, DataError, Dataset, Folder, NusWide, Voc2012};

/// Which data set, where it is, and which part of it: what an experiment's file says of its data.
///
/// # Example
///
/// ```
/// use tkmia_data::{DatasetSpec, open};
///
/// # let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/mini-voc");
/// let spec = serde_json::json!({ "kind": "voc-2012", "root": root, "split": "val" });
/// let spec: DatasetSpec = serde_json::from_value(spec)?;
/// assert_eq!(open(&spec)?.len(), 300);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetSpec {
    /// The layout.
    pub kind: DatasetKind,
    /// The folder that the reader of this layout takes.
    pub root: PathBuf,
    /// The part, by the data set's own name for it; empty for [`DatasetKind::Folder`], which has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub split: String,
}

/// The layouts that can be read.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
#[non_exhaustive]
pub enum DatasetKind {
    /// `voc-2012`: [`Voc2012`].
    #[serde(rename = "voc-2012")]
    #[strum(serialize = "voc-2012")]
    Voc2012,
    /// `coco-2014`: [`Coco2014`].
    #[serde(rename = "coco-2014")]
    #[strum(serialize = "coco-2014")]
    Coco2014,
    /// `nus-wide`: [`NusWide`].
    NusWide,
    /// `folder`: [`Folder`].
    Folder,
}

/// Opens the data set that a specification names.
///
/// # Errors
/// Those of the layout's reader; [`DataError::SplitOfFolder`] if a folder is to have a split.
pub fn open(spec: &DatasetSpec) -> Result<Box<dyn Dataset>, DataError> {
    let DatasetSpec { kind, root, split } = spec;
    Ok(match kind {
        DatasetKind::Voc2012 => Box::new(Voc2012::open(root, split)?),
        DatasetKind::Coco2014 => Box::new(Coco2014::open(root, split)?),
        DatasetKind::NusWide => Box::new(NusWide::open(root, split)?),
        DatasetKind::Folder if split.is_empty() => Box::new(Folder::open(root)?),
        DatasetKind::Folder => {
            return Err(DataError::SplitOfFolder { path: root.clone(), found: split.clone() });
        }
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use strum::VariantNames;

    use super::*;

    fn spec(json: &str) -> Result<DatasetSpec, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_specification_is_read_back_as_it_was_written() {
        for json in [
            r#"{"kind":"voc-2012","root":"VOCdevkit","split":"val"}"#,
            r#"{"kind":"coco-2014","root":"coco","split":"val"}"#,
            r#"{"kind":"nus-wide","root":"NUS-WIDE","split":"test"}"#,
            r#"{"kind":"folder","root":"photos"}"#,
        ] {
            assert_eq!(serde_json::to_string(&spec(json).unwrap()).unwrap(), json);
        }
    }

    #[test]
    fn a_kind_has_one_name_everywhere() {
        for &name in DatasetKind::VARIANTS {
            let kind: DatasetKind = name.parse().unwrap();
            assert_eq!((kind.to_string(), <&str>::from(kind)), (name.to_owned(), name));
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
        }
    }

    #[test]
    fn an_unknown_kind_or_field_is_named() {
        let error = spec(r#"{"kind":"voc-2013","root":"."}"#).unwrap_err().to_string();
        assert!(error.contains("`voc-2013`") && error.contains("`voc-2012`"), "{error}");
        let error = spec(r#"{"kind":"folder","root":".","part":"val"}"#).unwrap_err().to_string();
        assert!(error.contains("`part`") && error.contains("`split`"), "{error}");
    }

    #[test]
    fn a_folder_opens_without_a_split_only() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("labels.csv"), "image,cat\na.png,1\n").unwrap();
        fs::write(dir.path().join("a.png"), "").unwrap();
        let mut spec = DatasetSpec {
            kind: DatasetKind::Folder,
            root: dir.path().into(),
            split: String::new(),
        };
        assert_eq!(open(&spec).unwrap().classes(), ["cat"]);
        spec.split = "val".into();
        assert!(
            matches!(open(&spec), Err(DataError::SplitOfFolder { found, .. }) if found == "val")
        );
    }

    #[test]
    fn a_missing_split_is_answered_with_the_splits_there_are() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/mini-voc").into();
        let spec = DatasetSpec { kind: DatasetKind::Voc2012, root, split: String::new() };
        let error = open(&spec).unwrap_err().to_string();
        assert!(error.ends_with("no split ``, expected one of: train, trainval, val"), "{error}");
    }
}
