//! [`Source`]: where a network is.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use tkmia_core::Tagger;
use tkmia_file::{open, sha256_read};

use crate::{Loaded, ModelError, ScoringCommand, load_with, model_files};

/// Where a network is.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// In a file, as [`load`](crate::load) reads it.
    File(PathBuf),
    /// Behind a command.
    Command(ScoringCommand),
}

impl Source {
    /// The network, with what isn't said of it where it is.
    ///
    /// # Errors
    /// Those of [`load_with`] and of [`ScoringCommand::load`].
    pub fn load(&self, given: &Tagger, device: &Device) -> Result<Loaded, ModelError> {
        match self {
            Self::File(path) => load_with(path, given, device),
            Self::Command(command) => command.load(given, device),
        }
    }

    /// The files that it is read from: [`model_files`], or those among a command's words.
    ///
    /// # Errors
    /// Those of [`model_files`].
    pub fn files(&self) -> Result<Vec<PathBuf>, ModelError> {
        match self {
            Self::File(path) => model_files(path),
            Self::Command(command) => {
                let words = command.words.iter().map(PathBuf::from);
                Ok(words.filter(|word| word.is_file()).collect())
            }
        }
    }

    /// SHA-256 of the [files](Self::files) that it is read from, in hexadecimal digits, one hash of one after the other; of a
    /// command, after its words. What an address in it stands for is not in it.
    ///
    /// # Errors
    /// Those of [`model_files`], and [`ModelError::Read`].
    pub fn fingerprint(&self) -> Result<String, ModelError> {
        let words = match self {
            Self::File(_) => String::new(),
            Self::Command(command) => command.words.join("\n") + "\n",
        };
        let mut content: Box<dyn Read> = Box::new(words.as_bytes());
        for path in self.files()? {
            let file = open(&path).map_err(|source| ModelError::Read { path, source })?;
            content = Box::new(content.chain(file));
        }
        sha256_read(content)
            .map_err(|source| ModelError::Read { path: self.to_string().into(), source })
    }
}

impl Source {
    /// Refuses a network whose files are others now than those of this [fingerprint](Self::fingerprint): asked before and after
    /// a network is loaded, it is that of what was loaded.
    ///
    /// # Errors
    /// [`ModelError::Changed`], and those of [`fingerprint`](Self::fingerprint).
    pub fn expect_unchanged(&self, fingerprint: &str) -> Result<(), ModelError> {
        let found = self.fingerprint()?;
        match found == fingerprint {
            true => Ok(()),
            false => Err(ModelError::Changed {
                place: self.to_string(),
                expected: fingerprint.to_owned(),
                found,
            }),
        }
    }
}

/// As it is given.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Command(command) => write!(f, "{command}"),
        }
    }
}

/// [`Source::fingerprint`] of a file.
///
/// # Errors
/// Those of [`model_files`].
pub fn fingerprint(path: impl AsRef<Path>) -> Result<String, ModelError> {
    Source::File(path.as_ref().to_owned()).fingerprint()
}
