//! [`Output`]: a file that is written whole or not at all.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use crate::error::CliError;
use crate::results::Results;

/// The output file, under a temporary name until it is finished.
///
/// It is opened before the work begins: a place that can't be written to shows at once.
pub struct Output {
    path: PathBuf,
    file: File,
    /// The temporary name; devices and pipes are written to as they are, and have none.
    partial: Option<PathBuf>,
}

impl Output {
    pub fn create(path: &Path) -> Result<Self, CliError> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.exists()) {
            return Err(CliError::NoFolder { path: path.to_owned(), folder: folder.to_owned() });
        }
        let special = fs::metadata(path).is_ok_and(|found| !found.is_file());
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = (!special).then(|| PathBuf::from(partial));
        let file = match &partial {
            Some(partial) => File::create(partial),
            None => OpenOptions::new().write(true).open(path),
        };
        match file {
            Ok(file) => Ok(Self { path: path.to_owned(), file, partial }),
            Err(source) => Err(CliError::Write { path: path.to_owned(), source: source.into() }),
        }
    }

    /// Writes the results and gives the file its name, in place of one that is there.
    pub fn finish(mut self, results: &Results) -> Result<(), CliError> {
        self.write(results)
            .map_err(|source| CliError::Write { path: self.path.clone(), source })?;
        self.partial = None;
        Ok(())
    }

    fn write(&mut self, results: &Results) -> Result<(), Box<dyn Error + Send + Sync>> {
        match &self.partial {
            Some(partial) => {
                results.write(&mut self.file)?;
                self.file.sync_all()?;
                fs::rename(partial, &self.path)?;
            }
            // An archive is written back and forth, which these don't allow.
            None => {
                let bytes = results.write(Cursor::new(Vec::new()))?.into_inner();
                self.file.write_all(&bytes)?;
            }
        }
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(partial) = &self.partial {
            // There is nobody left to tell.
            let _ = fs::remove_file(partial);
        }
    }
}
