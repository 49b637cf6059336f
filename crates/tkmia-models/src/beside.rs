//! What files beside a model's say of how it sees images: [`Beside`].

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tkmia_core::{Bounds, Filter, Fit, Tagger};
use tkmia_file::read_text;

use crate::ModelError;
use crate::format::label_names;

/// Reads the text of a file.
type Reader = fn(&str) -> Result<Tagger, ModelError>;

/// The files that are read, those that count more first.
const FILES: [(&str, Reader); 4] = [
    ("tagger.toml", tagger),
    ("preprocessor_config.json", preprocessor),
    ("selected_tags.csv", selected_tags),
    ("config.json", id2label),
];

/// The files of [`FILES`] that lie beside a model's.
///
/// A pipe has nothing beside it.
pub fn files(model: &Path) -> impl Iterator<Item = PathBuf> {
    existing(model).map(|(path, _)| path)
}

fn existing(model: &Path) -> impl Iterator<Item = (PathBuf, Reader)> {
    let beside = model.is_file().then_some(FILES).into_iter().flatten();
    let beside = beside.map(|(name, read)| (model.with_file_name(name), read));
    beside.filter(|(path, _)| path.is_file())
}

/// What is said of a tagger in all.
#[derive(Debug)]
pub struct Beside {
    pub tagger: Tagger,
    /// What was taken from which file.
    pub notes: Vec<String>,
    /// The file that the names of the labels are from.
    pub labels: Option<PathBuf>,
}

impl Beside {
    /// Completes what is given by the files beside the model's.
    ///
    /// # Errors
    /// [`ModelError::Read`], and [`ModelError::InFile`] for a file that doesn't say what it should.
    pub fn read(model: &Path, given: &Tagger) -> Result<Self, ModelError> {
        let mut all = Self { tagger: given.clone(), notes: Vec::new(), labels: None };
        for (path, read) in existing(model) {
            let unreadable = |source| ModelError::Read { path: path.clone(), source };
            let found = read(&read_text(&path).map_err(unreadable)?);
            let found =
                found.and_then(|tagger| tagger.check().map(|()| tagger).map_err(Into::into));
            let found = found.map_err(|fault| ModelError::in_file(&path, fault))?;
            let (whole, taken) = all.tagger.over(found);
            if taken != Tagger::default() {
                all.notes.push(format!("{} says {taken}", path.display()));
            }
            all.tagger = whole;
            all.labels = all.labels.or(taken.labels.map(|_| path));
        }
        Ok(all)
    }
}

fn tagger(text: &str) -> Result<Tagger, ModelError> {
    toml::from_str(text).map_err(|source| described("a tagger's description in TOML", source))
}

fn described(
    expected: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> ModelError {
    ModelError::Description { expected, source: Box::new(source) }
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, ModelError> {
    let mut json = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut json)
        .map_err(|source| described("a configuration of Hugging Face in JSON", source))
}

/// The keys of `preprocessor_config.json` that change what a network sees.
///
/// Source: <https://huggingface.co/docs/transformers/main_classes/image_processor>; what is absent is as the image
/// processors have it by default.
#[derive(Debug, Deserialize)]
struct Preprocessor {
    do_rescale: Option<bool>,
    rescale_factor: Option<f64>,
    do_normalize: Option<bool>,
    image_mean: Option<[f32; 3]>,
    image_std: Option<[f32; 3]>,
    do_resize: Option<bool>,
    size: Option<Size>,
    resample: Option<u32>,
    do_center_crop: Option<bool>,
    crop_size: Option<Size>,
    /// Of ConvNeXt: what the short side is divided by before the crop, below 384 pixels.
    crop_pct: Option<f64>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a number, {\"shortest_edge\": number}, or {\"height\": number, \"width\": number}"
)]
enum Size {
    Side(u32),
    ShortestEdge { shortest_edge: u32 },
    Sides { height: u32, width: u32 },
}

impl Size {
    fn side(self) -> Result<u32, ModelError> {
        match self {
            Self::Side(side) | Self::ShortestEdge { shortest_edge: side } => Ok(side),
            Self::Sides { height, width } if height == width => Ok(height),
            Self::Sides { height, width } => {
                Err(field("size", "a height that is the width", format!("{height} and {width}")))
            }
        }
    }
}

fn field(field: &'static str, expected: &'static str, found: impl ToString) -> ModelError {
    ModelError::Field { field, expected, found: found.to_string() }
}

fn preprocessor(text: &str) -> Result<Tagger, ModelError> {
    let found: Preprocessor = json(text)?;
    let factor = match found.do_rescale {
        Some(false) => 1.0,
        _ => found.rescale_factor.unwrap_or(1.0 / 255.0),
    };
    let high = (255.0 * factor) as f32;
    if !(high.is_finite() && high > 0.0) {
        return Err(field("rescale_factor", "a number above 0", factor));
    }
    let normalises = found.do_normalize != Some(false);
    let tagger = Tagger {
        range: Some(Bounds { low: 0.0, high }),
        mean: found.image_mean.filter(|_| normalises),
        std: found.image_std.filter(|_| normalises),
        ..Tagger::default()
    };
    let Some(size) = found.size.filter(|_| found.do_resize != Some(false)) else {
        return Ok(tagger);
    };
    let crops = found.do_center_crop.unwrap_or(found.crop_size.is_some());
    let scaled = size.side()?;
    let (resize, scaled, side) = match (size, found.crop_pct) {
        (Size::ShortestEdge { .. }, Some(share)) if scaled < 384 && share > 0.0 => {
            (Fit::ShortSide, (f64::from(scaled) / share) as u32, scaled)
        }
        (Size::ShortestEdge { .. }, Some(_)) => (Fit::Square, scaled, scaled),
        _ => {
            let square =
                matches!(size, Size::Sides { .. }) || matches!(size, Size::Side(_)) && !crops;
            let crop = found.crop_size.filter(|_| crops).unwrap_or(size);
            (if square { Fit::Square } else { Fit::ShortSide }, scaled, crop.side()?)
        }
    };
    let filter = match found.resample {
        None => None,
        Some(1) => Some(Filter::Lanczos),
        Some(2) => Some(Filter::Bilinear),
        Some(3) => Some(Filter::Bicubic),
        Some(other) => {
            return Err(field("resample", "1 (Lanczos), 2 (bilinear) or 3 (bicubic)", other));
        }
    };
    let resize_to = (scaled != side).then_some(scaled);
    Ok(Tagger { input_size: Some(side), resize: Some(resize), resize_to, filter, ..tagger })
}

/// The names of a WD tagger's labels: the column `name`.
fn selected_tags(text: &str) -> Result<Tagger, ModelError> {
    let csv = |source| described("a table of tags in CSV", source);
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let header = rows.headers().map_err(csv)?;
    let column = header.iter().position(|name| name.trim() == "name").ok_or_else(|| {
        field("name", "a column of that name", header.iter().collect::<Vec<_>>().join(", "))
    })?;
    let name = |row: csv::Result<csv::StringRecord>| Ok(row.map_err(csv)?[column].to_owned());
    let labels = rows.records().map(name).collect::<Result<_, ModelError>>()?;
    Ok(Tagger { labels: Some(labels), ..Tagger::default() })
}

/// The names of the labels in Hugging Face's `config.json`, if it has some.
fn id2label(text: &str) -> Result<Tagger, ModelError> {
    let config: Value = json(text)?;
    let Some(names) = config.get("id2label") else { return Ok(Tagger::default()) };
    let labels = label_names::parse(&names.to_string());
    let labels = labels.ok_or_else(|| field("id2label", "names of the labels 0, 1, …", names))?;
    Ok(Tagger { labels: Some(labels), ..Tagger::default() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn said(read: Reader, text: &str) -> String {
        match read(text) {
            Ok(tagger) => tagger.to_string(),
            Err(ModelError::Description { expected, source }) => format!("{expected}: {source}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_preprocessor_is_read_as_hugging_face_means_it() {
        for (json, expected) in [
            // ViT
            (
                r#"{"do_normalize": true, "do_rescale": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5],
                    "image_std": [0.5, 0.5, 0.5], "resample": 2, "rescale_factor": 0.00392156862745098,
                    "size": {"height": 224, "width": 224}}"#,
                "filter bilinear, input-size 224, mean 0.5,0.5,0.5, range 0..1, resize square, std 0.5,0.5,0.5",
            ),
            // CLIP, by an old feature extractor
            (
                r#"{"crop_size": 224, "do_center_crop": true, "image_mean": [0.48, 0.45, 0.4],
                    "image_std": [0.26, 0.26, 0.27], "resample": 3, "size": 256}"#,
                "filter bicubic, input-size 224, mean 0.48,0.45,0.4, range 0..1, resize short-side, resize-to 256, std 0.26,0.26,0.27",
            ),
            // ConvNeXt
            (
                r#"{"crop_pct": 0.875, "size": {"shortest_edge": 224}, "resample": 3, "do_normalize": false,
                    "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}"#,
                "filter bicubic, input-size 224, range 0..1, resize short-side, resize-to 256",
            ),
            (
                r#"{"crop_pct": 0.95, "size": {"shortest_edge": 384}}"#,
                "input-size 384, range 0..1, resize square",
            ),
            (r#"{"do_rescale": false, "do_resize": false, "size": 9}"#, "range 0..255"),
            (
                r#"{"rescale_factor": 0.00784313725490196, "size": 64}"#,
                "input-size 64, range 0..2, resize square",
            ),
        ] {
            assert_eq!(said(preprocessor, json), expected);
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (read, text, expected) in [
            (preprocessor as Reader, "{", "a configuration of Hugging Face in JSON: "),
            (
                preprocessor,
                r#"{"size": "large"}"#,
                "a configuration of Hugging Face in JSON: size: expected a number, {",
            ),
            (
                preprocessor,
                r#"{"image_mean": [1]}"#,
                "a configuration of Hugging Face in JSON: image_mean: ",
            ),
            (
                preprocessor,
                r#"{"size": {"height": 3, "width": 4}}"#,
                "`size`: expected a height that is the width, found `3 and 4`",
            ),
            (
                preprocessor,
                r#"{"size": 3, "resample": 0}"#,
                "`resample`: expected 1 (Lanczos), 2 (bilinear) or 3 (bicubic), found `0`",
            ),
            (
                preprocessor,
                r#"{"rescale_factor": 0}"#,
                "`rescale_factor`: expected a number above 0, found `0`",
            ),
            (
                tagger,
                "range = \"0..1\"\nmeen = [0, 0, 0]",
                "a tagger's description in TOML: TOML parse error at line 2",
            ),
            (
                selected_tags,
                "tag_id,tag\n1,cat",
                "`name`: expected a column of that name, found `tag_id, tag`",
            ),
            (
                selected_tags,
                "tag_id,name\n1",
                "a table of tags in CSV: CSV error: record 1 (line: 2",
            ),
            (
                id2label,
                r#"{"id2label": {"1": "a"}}"#,
                "`id2label`: expected names of the labels 0, 1, …",
            ),
        ] {
            let found = said(read, text);
            assert!(found.starts_with(expected), "{found}");
        }
        assert_eq!(said(id2label, r#"{"model_type": "vit"}"#), "");
    }

    #[test]
    fn files_count_in_their_order_and_notes_say_what_was_taken_from_which() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let model = folder.path().join("model.onnx");
        assert_eq!(files(&model).count(), 0);
        write("model.onnx", "");
        // In UTF-16, with a mark.
        let toml = "\u{feff}channels = \"bgr\"\nkeep-sigmoid = true\n".encode_utf16();
        fs::write(
            folder.path().join("tagger.toml"),
            toml.flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
        )
        .unwrap();
        write("preprocessor_config.json", r#"{"image_mean": [0, 0, 0], "image_std": [1, 1, 1]}"#);
        write("selected_tags.csv", "tag_id,name,category,count\n7,\"a, b\",0,1\n9,c,0,1\n");
        write("config.json", r#"{"id2label": {"0": "x"}}"#);
        assert_eq!(files(&model).count(), 4);

        let given = Tagger { range: Some(Bounds::SYMMETRIC), ..Tagger::default() };
        let Beside { tagger, notes, labels } = Beside::read(&model, &given).unwrap();
        assert_eq!(
            tagger.to_string(),
            "channels bgr, keep-sigmoid true, 2 label names, range -1..1"
        );
        assert_eq!(tagger.labels.unwrap(), ["a, b", "c"]);
        assert_eq!(labels.unwrap(), folder.path().join("selected_tags.csv"));
        let said: Vec<&str> =
            notes.iter().map(|note| note.split_once(" says ").unwrap().1).collect();
        assert_eq!(said, ["channels bgr, keep-sigmoid true", "2 label names"]);

        write("tagger.toml", "mean = [0, 0, 0]");
        let error = Beside::read(&model, &given).unwrap_err().to_string();
        assert!(
            error.ends_with(
                "tagger.toml: `std`: expected three numbers beside `mean`, found `none`"
            ),
            "{error}"
        );
    }
}
