//! [`Output`]: an npz file that is written whole or not at all; [`refuse_overwriting`]: that none is an input.

use std::io::{Seek, Write};
use std::mem;
use std::path::{Path, PathBuf};

use ndarray::{ArrayView, Dimension, IntoDimension};
use ndarray_npy::{NpzWriter, WritableElement, WriteNpzError};
use tkmia_file::{WholeFile, overwritten};
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use crate::error::CliError;

/// Refuses outputs that are among the inputs, by whatever name.
pub fn refuse_overwriting(outputs: &[PathBuf], inputs: &[PathBuf]) -> Result<(), CliError> {
    match overwritten(outputs, inputs) {
        Some(input) => Err(CliError::Overwrites { path: input.to_owned() }),
        None => Ok(()),
    }
}

/// The output file, under a temporary name until it is finished.
///
/// It is opened before the work begins: a place that can't be written to shows at once.
pub struct Output {
    path: PathBuf,
    file: WholeFile,
}

impl Output {
    /// Begins the file, which may be none of the inputs.
    pub fn create(path: &Path, inputs: &[PathBuf]) -> Result<Self, CliError> {
        refuse_overwriting(&[path.to_owned()], inputs)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.exists()) {
            return Err(CliError::NoFolder { path: path.to_owned(), folder: folder.to_owned() });
        }
        let path = path.to_owned();
        match WholeFile::create(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(CliError::Write { path, source: source.into() }),
        }
    }

    /// Writes the arrays that are added and gives the file its name, in place of one that is there.
    pub fn finish(
        mut self,
        arrays: impl FnOnce(&mut NpzWriter<&mut WholeFile>) -> Result<(), WriteNpzError>,
    ) -> Result<(), CliError> {
        // Like NumPy: stored, and without the limit of 4 GiB for an array.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(true);
        let mut npz = NpzWriter::new_with_options(&mut self.file, options);
        let written = match arrays(&mut npz) {
            Ok(()) => npz.finish().map(|_| ()),
            Err(error) => {
                // Dropped, it would try again and print what is wrong.
                mem::forget(npz);
                Err(error)
            }
        };
        let finished = match written {
            Ok(()) => self.file.finish().map_err(Into::into),
            Err(error) => Err(error.into()),
        };
        finished.map_err(|source| CliError::Write { path: self.path, source })
    }
}

/// Adds an array of as many values as its shape says.
pub fn add<W: Write + Seek, T: WritableElement, D: IntoDimension>(
    npz: &mut NpzWriter<W>,
    name: &str,
    shape: D,
    values: &[T],
) -> Result<(), WriteNpzError>
where
    D::Dim: Dimension,
{
    let array = ArrayView::from_shape(shape.into_dimension(), values)
        .expect("there are as many values as the shape says");
    npz.add_array(name, &array)
}
