//! Writing results: whole files by renaming, records line by line.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::{EvalError, Record};

/// Writes a file under a temporary name beside it, then renames it: whole or not at all, even if the
/// power goes.
///
/// # Errors
/// [`EvalError::Write`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), EvalError> {
    let failed = |source| EvalError::Write { path: path.to_owned(), source };
    let partial = partial(path);
    let mut file = File::create(&partial).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&partial, path).map_err(failed)
}

/// A JSON-lines file of records, under a temporary name until it is finished.
#[derive(Debug)]
pub struct RecordFile {
    path: PathBuf,
    partial: PathBuf,
    file: File,
}

impl RecordFile {
    /// Starts `path` with `.partial` added to its name; a file of that name is replaced.
    ///
    /// # Errors
    /// [`EvalError::Write`].
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, EvalError> {
        let path = path.into();
        let partial = partial(&path);
        match File::create(&partial) {
            Ok(file) => Ok(Self { path, partial, file }),
            Err(source) => Err(EvalError::Write { path: partial, source }),
        }
    }

    /// Adds one record as a line.
    ///
    /// # Errors
    /// [`EvalError::Encode`] or [`EvalError::Write`].
    pub fn append(&mut self, record: &Record) -> Result<(), EvalError> {
        let mut line = serde_json::to_vec(record).map_err(|error| EvalError::Encode {
            path: self.path.clone(),
            reason: error.to_string(),
        })?;
        line.push(b'\n');
        // One write a line: a run that is killed leaves at most one line unfinished, the last.
        let written = self.file.write_all(&line);
        written.map_err(|source| EvalError::Write { path: self.partial.clone(), source })
    }

    /// Gives the file its name, in place of one that is there.
    ///
    /// # Errors
    /// [`EvalError::Write`].
    pub fn finish(self) -> Result<(), EvalError> {
        let renamed = self.file.sync_all().and_then(|()| fs::rename(&self.partial, &self.path));
        renamed.map_err(|source| EvalError::Write { path: self.path, source })
    }
}

fn partial(path: &Path) -> PathBuf {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    partial.into()
}
