//! What the readers of text files share.

use std::fs;
use std::path::{Path, PathBuf};

use csv::Position;

use crate::DataError;

/// The whole of a text file; `expected` says what it should hold.
pub(crate) fn read_text(path: &Path, expected: &'static str) -> Result<String, DataError> {
    fs::read_to_string(path).map_err(|source| DataError::Read {
        path: path.into(),
        expected,
        source,
    })
}

/// The first of some folders or files below `root` that is there.
pub(crate) fn first_existing(root: &Path, candidates: &[&str]) -> Option<PathBuf> {
    candidates.iter().map(|below| root.join(below)).find(|path| path.exists())
}

/// The line on which a row of a table begins: its position is before the line ends that the CSV
/// reader skipped.
pub(crate) fn line_at(position: Option<&Position>, text: &str) -> u64 {
    let (byte, line) = position.map_or((0, 1), |position| (position.byte(), position.line()));
    let rest = text.bytes().skip(byte as usize);
    let skipped = rest.take_while(|byte| matches!(byte, b'\r' | b'\n'));
    line + skipped.filter(|byte| *byte == b'\n').count() as u64
}
