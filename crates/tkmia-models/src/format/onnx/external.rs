//! Tensor data kept in a file beside the model.
//!
//! Source: <https://onnx.ai/onnx/repo-docs/ExternalData.html>: `location` is a path relative to the
//! model's folder, `offset` and `length` are bytes in decimal.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tkmia_file::{open, within};

use super::proto::TensorProto;
use crate::ModelError;

const EXTERNAL: i32 = 1;

pub fn is_external(proto: &TensorProto) -> bool {
    proto.data_location == EXTERNAL
}

fn entry<'p>(proto: &'p TensorProto, key: &str) -> Option<&'p str> {
    proto.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
}

fn refusal(proto: &TensorProto, name: &str, expected: &'static str) -> ModelError {
    let location = entry(proto, "location").unwrap_or_default().to_owned();
    ModelError::ExternalLocation { tensor: name.to_owned(), location, expected }
}

/// The file of a tensor's data, which may not be there.
///
/// The location must stay within the folder of the model's file: a model from elsewhere can't read other files,
/// not through `..`, an absolute path or a symbolic link. A link may lead to where the model's own file is a link
/// to, as all links of a model hub's cache do.
///
/// # Errors
/// [`ModelError::ExternalLocation`].
pub fn file(proto: &TensorProto, name: &str, model: Option<&Path>) -> Result<PathBuf, ModelError> {
    let refuse = |expected| Err(refusal(proto, name, expected));
    let Some(model) = model else {
        return refuse("a model that is loaded from its file");
    };
    let folder = model.parent().unwrap_or(Path::new(""));
    let Some(path) = within(folder, entry(proto, "location").unwrap_or_default()) else {
        return refuse("a path within the model's folder");
    };
    let Ok(target) = path.canonicalize() else {
        return match path.is_symlink() {
            true => refuse("a file, found a symbolic link that leads nowhere"),
            false => Ok(path),
        };
    };
    let folder = Some(folder).filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize();
    let real = model.canonicalize();
    let homes = [folder.ok(), real.ok().and_then(|real| Some(real.parent()?.to_owned()))];
    match homes.iter().flatten().any(|home| target.starts_with(home)) {
        true => Ok(path),
        false => refuse(
            "a file in the model's folder, found a symbolic link that leads out of it: put a copy of the file there",
        ),
    }
}

/// The `expected` bytes of a tensor's data.
///
/// # Errors
/// [`ModelError::ExternalLocation`], [`ModelError::ExternalRead`], and
/// [`ModelError::TensorLength`] where `length` or the file isn't as long as the dimensions ask.
pub fn read(
    proto: &TensorProto,
    name: &str,
    model: Option<&Path>,
    expected: usize,
) -> Result<Vec<u8>, ModelError> {
    let number = |key| match entry(proto, key).map(str::parse::<u64>) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(refusal(proto, name, "an offset and a length in bytes")),
    };
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    let path = file(proto, name, model)?;

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
    let mut file = open(&path).map_err(unreadable)?;
    let available = file.metadata().map_err(unreadable)?.len().saturating_sub(offset);
    if available < expected as u64 {
        return Err(wrong_length(available));
    }
    let mut bytes = vec![0; expected];
    file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
    file.read_exact(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::proto::StringStringEntryProto;
    use super::*;

    fn at(entries: &[(&str, &str)]) -> TensorProto {
        let external_data = entries
            .iter()
            .map(|&(key, value)| StringStringEntryProto { key: key.into(), value: value.into() })
            .collect();
        TensorProto { external_data, data_location: EXTERNAL, ..Default::default() }
    }

    /// A folder with a model's file in it.
    fn model() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model.onnx");
        fs::write(&model, []).unwrap();
        (folder, model)
    }

    #[test]
    fn the_bytes_at_the_offset_are_read() {
        let (folder, model) = model();
        fs::write(folder.path().join("m.data"), [1, 2, 3, 4, 5]).unwrap();
        let tensor = at(&[("location", "m.data"), ("offset", "1"), ("length", "3")]);
        assert_eq!(read(&tensor, "w", Some(&model), 3).unwrap(), [2, 3, 4]);
        let to_the_end = at(&[("location", "./m.data"), ("offset", "2")]);
        assert_eq!(read(&to_the_end, "w", Some(&model), 3).unwrap(), [3, 4, 5]);
    }

    #[test]
    fn a_location_outside_the_folder_is_refused() {
        let outer = tempfile::tempdir().unwrap();
        let model = outer.path().join("model/model.onnx");
        fs::create_dir(model.parent().unwrap()).unwrap();
        let secret = outer.path().join("secret");
        fs::write(&secret, [0; 4]).unwrap();
        let absolute = secret.to_str().unwrap();
        for location in ["../secret", "a/../../secret", "", ".", absolute] {
            let error = read(&at(&[("location", location)]), "w", Some(&model), 4).unwrap_err();
            assert!(matches!(error, ModelError::ExternalLocation { .. }), "{location}: {error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_may_lead_to_where_the_model_is_a_link_to_and_nowhere_else() {
        use std::os::unix::fs::symlink;

        // As a model hub's cache: `blobs/` has the files, `snapshot/` links to them.
        let cache = tempfile::tempdir().unwrap();
        let path = |name: &str| cache.path().join(name);
        for folder in ["blobs", "snapshot", "other"] {
            fs::create_dir(path(folder)).unwrap();
        }
        for file in ["blobs/aa11", "blobs/bb22", "other/model.onnx"] {
            fs::write(path(file), [1; 4]).unwrap();
        }
        symlink("../blobs/aa11", path("snapshot/model.onnx")).unwrap();
        symlink("../blobs/bb22", path("snapshot/m.data")).unwrap();
        symlink("../blobs/bb22", path("other/m.data")).unwrap();
        symlink("../blobs/cc33", path("other/none")).unwrap();
        let read = |model: &str, location| {
            read(&at(&[("location", location)]), "w", Some(&path(model)), 4)
        };
        assert_eq!(read("snapshot/model.onnx", "m.data").unwrap(), [1; 4]);
        let message = |location| read("other/model.onnx", location).unwrap_err().to_string();
        assert!(message("m.data").contains("a symbolic link that leads out of it"));
        assert!(message("none").contains("a symbolic link that leads nowhere"));
    }

    #[test]
    fn a_short_or_missing_file_is_an_error_that_names_the_tensor() {
        let (folder, model) = model();
        fs::write(folder.path().join("m.data"), [0; 6]).unwrap();
        let beyond = at(&[("location", "m.data"), ("offset", "4")]);
        let message = read(&beyond, "w", Some(&model), 4).unwrap_err().to_string();
        assert_eq!(message, "tensor `w`: expected 4 bytes of data, found 2");
        let error = read(&at(&[("location", "none")]), "w", Some(&model), 4).unwrap_err();
        assert!(matches!(error, ModelError::ExternalRead { .. }), "{error}");
        let negative = at(&[("location", "m.data"), ("offset", "-1")]);
        for (tensor, model) in [(negative, Some(&*model)), (at(&[("location", "m.data")]), None)] {
            let error = read(&tensor, "w", model, 4);
            assert!(matches!(error, Err(ModelError::ExternalLocation { .. })));
        }
    }
}
