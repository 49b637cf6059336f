//! [`Output`]: an npz file that is written whole or not at all; [`refuse_overwriting`]: that none is an input.

use std::error::Error;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::{iter, mem};

use ndarray::{ArrayView, Dimension, IntoDimension};
use ndarray_npy::npy::header::{Header, Layout};
use ndarray_npy::{NpzWriter, WritableElement, WriteNpyError, WriteNpyExt, WriteNpzError};
use tkmia_file::{WholeFile, is_standard_output, overwritten};
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use crate::error::CliError;
use crate::progress::say;

/// Refuses outputs that are among the inputs, by whatever name.
pub fn refuse_overwriting(outputs: &[PathBuf], inputs: &[PathBuf]) -> Result<(), CliError> {
    match overwritten(outputs, inputs) {
        Some(input) => Err(CliError::Overwrites { path: input.to_owned() }),
        None => Ok(()),
    }
}

/// Prints what is to be read of results that are written to `output`, but not among them.
pub fn tell(output: &Path, text: &str) -> Result<(), Box<dyn Error>> {
    match is_standard_output(output) {
        true => say(text.trim_end()),
        false => crate::print(text)?,
    }
    Ok(())
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

/// Texts as an array, which NumPy reads as one of type `<U`: as many code points as the longest has, of 4 bytes each.
pub struct Names(pub Vec<String>);

impl WriteNpyExt for Names {
    fn write_npy<W: Write>(&self, mut writer: W) -> Result<(), WriteNpyError> {
        let longest = self.0.iter().map(|name| name.chars().count()).max().unwrap_or(1);
        let header = Header {
            type_descriptor: format!("'<U{longest}'").parse().expect("a text in Python"),
            layout: Layout::Standard,
            shape: vec![self.0.len()],
        };
        header.write(&mut writer)?;
        for name in &self.0 {
            for point in name.chars().map(u32::from).chain(iter::repeat(0)).take(longest) {
                writer.write_all(&point.to_le_bytes())?;
            }
        }
        Ok(())
    }
}
