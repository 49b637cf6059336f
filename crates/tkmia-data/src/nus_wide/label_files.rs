//! NUS-WIDE's labels as they were published: a file for each concept, a line for each image.

use std::path::Path;

use rayon::prelude::*;

use super::Row;
use crate::DataError;
use crate::text::read_text;

/// The labels of the `images` images of a part, `Train` or `Test`.
pub(super) fn read(
    folder: &Path,
    part: &str,
    concepts: &[String],
    images: usize,
) -> Result<Vec<Row>, DataError> {
    let read = |concept| {
        let path = folder.join(format!("Labels_{concept}_{part}.txt"));
        positives(&read_text(&path, "0 or 1 for each image")?, &path, images)
    };
    // Collected before the errors are looked at, so that the first in order is the one named.
    let positives: Vec<_> = concepts.par_iter().map(read).collect();
    let mut rows: Vec<_> = (0..images).map(|image| Row { image, labels: Vec::new() }).collect();
    for (label, positives) in positives.into_iter().enumerate() {
        for image in positives? {
            rows[image].labels.push(label);
        }
    }
    Ok(rows)
}

/// The images, counted from 0, that have a concept.
fn positives(text: &str, path: &Path, images: usize) -> Result<Vec<usize>, DataError> {
    let mut positives = Vec::new();
    let mut found = 0;
    for flag in text.trim_end().lines().map(str::trim) {
        match flag {
            "0" => {}
            "1" => positives.push(found),
            other => {
                return Err(DataError::Line {
                    path: path.into(),
                    line: found as u64 + 1,
                    expected: "0 or 1",
                    found: other.into(),
                });
            }
        }
        found += 1;
    }
    if found != images {
        let (expected, of) = (images, "image of the list");
        return Err(DataError::LineCount { path: path.into(), expected, of, found });
    }
    Ok(positives)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_images() {
        assert_eq!(positives("1\r\n0\r\n1\r\n", Path::new("l.txt"), 3).unwrap(), [0, 2]);
    }

    #[test]
    fn a_bad_line_or_number_of_lines_is_named() {
        let message = |text| positives(text, Path::new("l.txt"), 2).unwrap_err().to_string();
        assert_eq!(message("1\n-1\n"), "l.txt line 2: expected 0 or 1, found `-1`");
        assert_eq!(message("\n1\n"), "l.txt line 1: expected 0 or 1, found ``");
        for (text, found) in [("", 0), ("1\n", 1), ("1\n0\n0\n", 3)] {
            let expected = "l.txt: expected 2 lines, one for each image of the list, found ";
            assert_eq!(message(text), format!("{expected}{found}"));
        }
    }

    #[test]
    fn the_first_concept_without_a_file_is_named() {
        let concepts = ["bear", "cat"].map(String::from);
        match read(Path::new("nowhere"), "Test", &concepts, 1) {
            Err(DataError::Read { path, .. }) => assert!(path.ends_with("Labels_bear_Test.txt")),
            other => panic!("{other:?}"),
        }
    }
}
