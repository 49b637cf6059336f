//! [`Missed`]: images that could not be attacked.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::record::Record;

/// Images, by id, that the labels let through and that could not be attacked, or not to the end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// The classifier gives a score that isn't finite.
    pub lost: BTreeSet<String>,
    /// The file is no image that can be decoded.
    pub undecodable: BTreeSet<String>,
}

impl Missed {
    /// Adds the image of a record that is [lost](Record::is_lost).
    pub fn add(&mut self, record: &Record) {
        if record.is_lost() {
            self.lost.insert(record.id.clone());
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lost.is_empty() && self.undecodable.is_empty()
    }

    /// A line for each image.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let lost = self.lost.iter().map(|id| format!("not attacked: a score of {id} isn't finite"));
        let undecodable =
            self.undecodable.iter().map(|id| format!("not attacked: {id} can't be decoded"));
        lost.chain(undecodable)
    }
}
