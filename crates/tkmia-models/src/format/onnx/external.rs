//! Tensor data kept in a file beside the model.
//!
//! Source: <https://onnx.ai/onnx/repo-docs/ExternalData.html>: `location` is a path relative to the
//! model's folder, `offset` and `length` are bytes in decimal.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::proto::TensorProto;
use crate::ModelError;

const EXTERNAL: i32 = 1;

pub fn is_external(proto: &TensorProto) -> bool {
    proto.data_location == EXTERNAL
}

/// The `expected` bytes of a tensor's data.
///
/// The location must stay within `folder`: a model from elsewhere can't read other files, not
/// through `..`, an absolute path or a symbolic link.
///
/// # Errors
/// [`ModelError::ExternalLocation`], [`ModelError::ExternalRead`], and
/// [`ModelError::TensorLength`] where `length` or the file isn't as long as the dimensions ask.
pub fn read(
    proto: &TensorProto,
    name: &str,
    folder: Option<&Path>,
    expected: usize,
) -> Result<Vec<u8>, ModelError> {
    let entry = |key| proto.external_data.iter().find(|e| e.key == key).map(|e| e.value.as_str());
    let location = entry("location").unwrap_or_default();
    let refuse = |expected| ModelError::ExternalLocation {
        tensor: name.to_owned(),
        location: location.to_owned(),
        expected,
    };
    let number = |key| match entry(key) {
        None => Ok(None),
        Some(value) => {
            value.parse::<u64>().map(Some).map_err(|_| refuse("an offset and a length in bytes"))
        }
    };
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    let folder = folder.ok_or_else(|| refuse("a model that is loaded from its file"))?;
    let path =
        inside(folder, location).ok_or_else(|| refuse("a path within the model's folder"))?;

    let wrong_length = |found| ModelError::TensorLength {
        tensor: name.to_owned(),
        expected,
        found,
        unit: "bytes",
    };
    if let Some(length) = length.filter(|&length| length != expected as u64) {
        return Err(wrong_length(length));
    }
    let unreadable =
        |source| ModelError::ExternalRead { tensor: name.to_owned(), path: path.clone(), source };
    let mut file = File::open(&path).map_err(unreadable)?;
    let available = file.metadata().map_err(unreadable)?.len().saturating_sub(offset);
    if available < expected as u64 {
        return Err(wrong_length(available));
    }
    let mut bytes = vec![0; expected];
    file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
    file.read_exact(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// `folder/location`, unless that leads out of the folder. A file that isn't there is the caller's.
fn inside(folder: &Path, location: &str) -> Option<PathBuf> {
    let relative = Path::new(location);
    let plain =
        relative.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if location.is_empty() || !plain {
        return None;
    }
    let path = folder.join(relative);
    match (path.canonicalize(), folder.canonicalize()) {
        (Ok(target), Ok(root)) if !target.starts_with(&root) => None,
        _ => Some(path),
    }
}

#[cfg(test)]
mod tests {
    use super::super::proto::StringStringEntryProto;
    use super::*;

    fn at(entries: &[(&str, &str)]) -> TensorProto {
        let external_data = entries
            .iter()
            .map(|&(key, value)| StringStringEntryProto { key: key.into(), value: value.into() })
            .collect();
        TensorProto { external_data, data_location: EXTERNAL, ..Default::default() }
    }

    #[test]
    fn the_bytes_at_the_offset_are_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("m.data"), [1, 2, 3, 4, 5]).unwrap();
        let tensor = at(&[("location", "m.data"), ("offset", "1"), ("length", "3")]);
        assert_eq!(read(&tensor, "w", Some(folder.path()), 3).unwrap(), [2, 3, 4]);
        let to_the_end = at(&[("location", "./m.data"), ("offset", "2")]);
        assert_eq!(read(&to_the_end, "w", Some(folder.path()), 3).unwrap(), [3, 4, 5]);
    }

    #[test]
    fn a_location_outside_the_folder_is_refused() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("model");
        std::fs::create_dir(&folder).unwrap();
        let secret = outer.path().join("secret");
        std::fs::write(&secret, [0; 4]).unwrap();
        let absolute = secret.to_str().unwrap();
        for location in ["../secret", "a/../../secret", "", absolute] {
            let error = read(&at(&[("location", location)]), "w", Some(&folder), 4).unwrap_err();
            assert!(matches!(error, ModelError::ExternalLocation { .. }), "{location}: {error}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&secret, folder.join("link")).unwrap();
            let error = read(&at(&[("location", "link")]), "w", Some(&folder), 4).unwrap_err();
            assert!(matches!(error, ModelError::ExternalLocation { .. }), "{error}");
        }
    }

    #[test]
    fn a_short_or_missing_file_is_an_error_that_names_the_tensor() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("m.data"), [0; 6]).unwrap();
        let beyond = at(&[("location", "m.data"), ("offset", "4")]);
        let message = read(&beyond, "w", Some(folder.path()), 4).unwrap_err().to_string();
        assert_eq!(message, "tensor `w`: expected 4 bytes of data, found 2");
        let error = read(&at(&[("location", "none")]), "w", Some(folder.path()), 4).unwrap_err();
        assert!(matches!(error, ModelError::ExternalRead { .. }), "{error}");
        let error =
            read(&at(&[("location", "m.data"), ("offset", "-1")]), "w", Some(folder.path()), 4);
        assert!(matches!(error, Err(ModelError::ExternalLocation { .. })));
        let error = read(&at(&[("location", "m.data")]), "w", None, 4);
        assert!(matches!(error, Err(ModelError::ExternalLocation { .. })));
    }
}
