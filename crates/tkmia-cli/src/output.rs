//! [`Output`]: a file that is written whole or not at all.

use std::path::{Path, PathBuf};

use tkmia_file::WholeFile;

use crate::error::CliError;
use crate::results::Results;

/// The output file, under a temporary name until it is finished.
///
/// It is opened before the work begins: a place that can't be written to shows at once.
pub struct Output {
    path: PathBuf,
    file: WholeFile,
}

impl Output {
    pub fn create(path: &Path) -> Result<Self, CliError> {
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

    /// Writes the results and gives the file its name, in place of one that is there.
    pub fn finish(mut self, results: &Results) -> Result<(), CliError> {
        let written = match results.write(&mut self.file) {
            Ok(_) => self.file.finish().map_err(Into::into),
            Err(error) => Err(error.into()),
        };
        written.map_err(|source| CliError::Write { path: self.path, source })
    }
}
