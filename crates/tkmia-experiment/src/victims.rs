//! [`Victims`]: the folder of an experiment on several victims.

use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use tkmia_file::read_text;

use crate::error::{ExperimentError, corrupt, read_failed};
use crate::folder::{make, write_json};

const VICTIMS: &str = "victims.json";

/// An experiment on several victims. Its folder has one for each of them, which is that of an experiment on one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Victims {
    /// What the whole is called.
    pub title: String,
    /// The names of victims and folders, in the order of the experiment's file.
    pub names: Vec<String>,
}

impl Victims {
    /// Those of a folder; none if it isn't one of several victims.
    ///
    /// # Errors
    /// [`ExperimentError::File`], [`ExperimentError::Corrupt`].
    pub fn read(folder: &Path) -> Result<Option<Self>, ExperimentError> {
        let path = folder.join(VICTIMS);
        if !path.is_file() {
            return Ok(None);
        }
        let text = read_text(&path).map_err(read_failed(&path))?;
        let found: Self = serde_json::from_str(&text).map_err(corrupt(&path))?;
        // No name leads out of the folder.
        match found.names.iter().find(|name| !is_folder_name(name)) {
            None => Ok(Some(found)),
            Some(name) => {
                let fault = format!("names: expected names of folders, found {name:?}");
                Err(corrupt(&path)(serde_json::Error::custom(fault)))
            }
        }
    }

    /// Makes the folder one of these victims.
    ///
    /// # Errors
    /// [`ExperimentError::File`].
    pub fn write(&self, folder: &Path) -> Result<(), ExperimentError> {
        make(folder)?;
        write_json(&folder.join(VICTIMS), self, true).map(drop)
    }

    /// The folder of each, in their order.
    pub fn folders(&self, folder: &Path) -> Vec<PathBuf> {
        self.names.iter().map(|name| folder.join(name)).collect()
    }
}

/// Whether it is fit to be a folder's name on any system.
pub(crate) fn is_folder_name(name: &str) -> bool {
    let known = |c: char| c.is_alphanumeric() || " -_.()+".contains(c);
    name.starts_with(char::is_alphanumeric)
        && !name.ends_with([' ', '.'])
        && name.chars().all(known)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_says_which_victims_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("out");
        assert_eq!(Victims::read(&folder).unwrap(), None);
        let victims =
            Victims { title: "t".to_owned(), names: ["a", "b 2"].map(str::to_owned).to_vec() };
        victims.write(&folder).unwrap();
        assert_eq!(Victims::read(&folder).unwrap(), Some(victims.clone()));
        assert_eq!(victims.folders(&folder), [folder.join("a"), folder.join("b 2")]);
        for names in ["[\"../a\"]", "[\"/a\"]", "[\"\"]", "3"] {
            let text = format!("{{\"title\": \"t\", \"names\": {names}}}");
            fs::write(folder.join(VICTIMS), text).unwrap();
            let error = Victims::read(&folder).unwrap_err();
            assert!(matches!(error, ExperimentError::Corrupt { .. }), "{error}");
        }
    }
}
