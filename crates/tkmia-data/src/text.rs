//! What the readers of text files share: whole texts, lists of images, tables.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use csv::{Position, Reader, ReaderBuilder, StringRecord, Trim};

use crate::DataError;

/// The whole of a text file in whichever encoding; `expected` says what it should hold.
pub(crate) fn read_text(path: &Path, expected: &'static str) -> Result<String, DataError> {
    tkmia_file::read_text(path).map_err(DataError::read(path, expected))
}

/// The first of some folders or files below `root` that is there.
pub(crate) fn first_existing(root: &Path, candidates: &[&str]) -> Option<PathBuf> {
    candidates.iter().map(|below| root.join(below)).find(|path| path.exists())
}

/// The images of a list, one a line, none twice.
///
/// `read` gives the image of a line without the spaces around it, `None` for a line that is passed over, or
/// what was expected there.
pub(crate) fn image_list(
    text: &str,
    path: &Path,
    read: impl Fn(&str) -> Result<Option<String>, &'static str>,
) -> Result<Vec<String>, DataError> {
    let mut images = Vec::new();
    let mut lines = HashMap::new();
    for (line, found) in (1..).zip(text.lines().map(str::trim)) {
        let image = read(found).map_err(|expected| DataError::Line {
            path: path.into(),
            line,
            expected,
            found: found.into(),
        })?;
        let Some(image) = image else { continue };
        if let Some(first) = lines.insert(image.clone(), line) {
            return Err(DataError::DuplicateImage { path: path.into(), line, first, image });
        }
        images.push(image);
    }
    if images.is_empty() {
        return Err(DataError::NoImages { path: path.into() });
    }
    Ok(images)
}

/// A table: its header, and as an iterator its rows, each with the line on which it begins.
pub(crate) struct Table<'t> {
    text: &'t str,
    path: &'t Path,
    reader: Reader<&'t [u8]>,
}

impl<'t> Table<'t> {
    /// Of a CSV file's text, whose cells have commas, semicolons, tabs or bars between them, as the header shows; the
    /// path only serves the errors.
    pub fn new(text: &'t str, path: &'t Path) -> Self {
        let mut builder = ReaderBuilder::new();
        builder.trim(Trim::All).delimiter(delimiter(text));
        Self { text, path, reader: builder.from_reader(text.as_bytes()) }
    }

    pub fn header(&mut self) -> Result<StringRecord, DataError> {
        self.reader.headers().cloned().map_err(|source| self.malformed(source))
    }

    fn malformed(&self, source: csv::Error) -> DataError {
        DataError::Csv { path: self.path.into(), line: self.line_at(source.position()), source }
    }

    /// The line on which a row begins: its position is before the line ends that the reader skipped.
    fn line_at(&self, position: Option<&Position>) -> u64 {
        let (byte, line) = position.map_or((0, 1), |position| (position.byte(), position.line()));
        let rest = self.text.bytes().skip(byte as usize);
        let skipped = rest.take_while(|byte| matches!(byte, b'\r' | b'\n'));
        line + skipped.filter(|byte| *byte == b'\n').count() as u64
    }
}

/// The separator that the header has most of, outside quotes.
fn delimiter(text: &str) -> u8 {
    let header = text.trim_start().lines().next().unwrap_or_default();
    let plain: String = header.split('"').step_by(2).collect();
    let count = |delimiter: &u8| plain.bytes().filter(|byte| byte == delimiter).count();
    // Of equals the last is taken.
    [b'|', b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

impl Iterator for Table<'_> {
    type Item = Result<(u64, StringRecord), DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.reader.records().next()?;
        Some(row.map(|row| (self.line_at(row.position()), row)).map_err(|e| self.malformed(e)))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_header_shows_what_stands_between_cells() {
        for (text, delimiter) in [
            ("image,cat;dog\n", ','),
            ("image;cat;\"dog, small, brown\"\n", ';'),
            ("\n\nimage\tcat\n", '\t'),
            ("image\n", ','),
            ("", ','),
        ] {
            assert_eq!(char::from(super::delimiter(text)), delimiter, "{text}");
        }
    }
}
