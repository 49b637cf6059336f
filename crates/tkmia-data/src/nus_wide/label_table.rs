//! NUS-WIDE's labels as one table, the form in which they circulate.

use std::collections::HashMap;
use std::path::Path;

use csv::StringRecord;

use super::Row;
use crate::DataError;
use crate::text::Table;

/// The rows of a table: a column for each concept, told by its name, 1 where an image has it and
/// -1 where not.
///
/// A first column of another name says which image of the list a row is about: by its place,
/// counted from 0, or by its path. Without one, rows are in the list's order.
pub(super) fn parse(
    text: &str,
    path: &Path,
    concepts: &[String],
    images: &[String],
) -> Result<Vec<Row>, DataError> {
    let mut table = Table::new(text, path);
    let columns = Columns::of(&table.header()?, concepts, path)?;
    let places: HashMap<_, _> = (0..).zip(images).map(|(at, image)| (image.as_str(), at)).collect();

    let mut rows = Vec::new();
    let mut lines = vec![None; images.len()];
    for row in table {
        let (line, row) = row?;
        let image = if columns.image {
            let place = match row[0].parse() {
                Ok(place) => Some(place),
                Err(_) => places.get(row[0].replace('\\', "/").as_str()).copied(),
            };
            place.filter(|&place| place < images.len()).ok_or_else(|| DataError::Line {
                path: path.into(),
                line,
                expected: "an image of the list, by its place from 0 or its path",
                found: row[0].into(),
            })?
        } else {
            rows.len()
        };
        if let Some(seen) = lines.get_mut(image)
            && let Some(first) = seen.replace(line)
        {
            let image = images[image].clone();
            return Err(DataError::DuplicateImage { path: path.into(), line, first, image });
        }
        let cells = row.iter().skip(usize::from(columns.image));
        let mut labels = Vec::new();
        for (&label, cell) in columns.labels.iter().zip(cells) {
            match cell.parse() {
                Ok(1.0) => labels.push(label),
                Ok(-1.0) => {}
                _ => {
                    return Err(DataError::Cell {
                        path: path.into(),
                        line,
                        class: concepts[label].clone(),
                        expected: "1 or -1",
                        found: cell.into(),
                    });
                }
            }
        }
        labels.sort_unstable();
        rows.push(Row { image, labels });
    }
    if !columns.image && rows.len() != images.len() {
        return Err(DataError::LineCount {
            path: path.into(),
            expected: images.len(),
            of: "image of the list",
            found: rows.len(),
        });
    }
    Ok(rows)
}

/// What the columns of a table are about.
struct Columns {
    /// Whether the first one says which image a row is about.
    image: bool,
    /// The label of each of the others.
    labels: Vec<usize>,
}

impl Columns {
    fn of(header: &StringRecord, concepts: &[String], path: &Path) -> Result<Self, DataError> {
        let label_of = |name: &str| concepts.iter().position(|concept| concept == name);
        let image = header.get(0).and_then(label_of).is_none();
        let mut labels = Vec::new();
        for (at, name) in header.iter().enumerate().skip(usize::from(image)) {
            let expected = match label_of(name) {
                None => "one of NUS-WIDE's 81 concepts",
                Some(label) if labels.contains(&label) => {
                    "a concept that isn't in an earlier column"
                }
                Some(label) => {
                    labels.push(label);
                    continue;
                }
            };
            let (column, found) = (at + 1, name.into());
            return Err(DataError::Header { path: path.into(), column, expected, found });
        }
        match (0..concepts.len()).find(|label| !labels.contains(label)) {
            Some(label) => {
                let concept = concepts[label].clone();
                Err(DataError::MissingConcept { path: path.into(), concept })
            }
            None => Ok(Self { image, labels }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of three concepts over three images.
    fn table(text: &str) -> Result<Vec<Row>, DataError> {
        let concepts = ["bear", "cat", "sun"].map(String::from);
        let images = ["zoo/1.jpg", "zoo/2.jpg", "a/1.jpg"].map(String::from);
        parse(text, Path::new("t.csv"), &concepts, &images)
    }

    fn message(text: &str) -> String {
        table(text).unwrap_err().to_string()
    }

    #[test]
    fn columns_are_told_by_name_and_rows_by_place_or_path() {
        let expected = |images: [usize; 2]| {
            let labels = [vec![0, 2], vec![]];
            images
                .into_iter()
                .zip(labels)
                .map(|(image, labels)| Row { image, labels })
                .collect::<Vec<_>>()
        };
        let by_place = "image,sun,cat,bear\n2,1,-1,1\n0,-1,-1,-1\n";
        assert_eq!(table(by_place).unwrap(), expected([2, 0]));
        let by_path = ",sun,cat,bear\r\na\\1.jpg, 1, -1.0, +1\r\nzoo/1.jpg,-1,-1,-1\r\n";
        assert_eq!(table(by_path).unwrap(), expected([2, 0]));
        let rows = table("sun,cat,bear\n1,-1,1\n-1,-1,-1\n-1,1,-1\n").unwrap();
        assert_eq!(rows[..2], expected([0, 1]));
        assert_eq!(rows[2], Row { image: 2, labels: vec![1] });
    }

    #[test]
    fn a_bad_header_is_named_by_its_column() {
        let expected = "t.csv column 3: expected one of NUS-WIDE's 81 concepts, found `dog`";
        assert_eq!(message("image,cat,dog,sun\n"), expected);
        assert_eq!(
            message("cat,bear,cat\n"),
            "t.csv column 3: expected a concept that isn't in an earlier column, found `cat`"
        );
        let error = table("image,sun,bear\n").unwrap_err();
        assert!(matches!(&error, DataError::MissingConcept { concept, .. } if concept == "cat"));
        assert!(matches!(table(""), Err(DataError::MissingConcept { .. })));
    }

    #[test]
    fn a_bad_row_is_named_by_its_line() {
        let rows = |rows: &str| message(&format!("image,bear,cat,sun\n0,1,1,1\n{rows}"));
        assert_eq!(rows("1,1,0,1\n"), "t.csv line 3, column `cat`: expected 1 or -1, found `0`");
        for place in ["3", "-1", "zoo/3.jpg", ""] {
            let expected = "an image of the list, by its place from 0 or its path";
            assert_eq!(
                rows(&format!("{place},1,1,1\n")),
                format!("t.csv line 3: expected {expected}, found `{place}`")
            );
        }
        assert_eq!(
            rows("1,1,1,1\nzoo\\1.jpg,1,1,1\n"),
            "t.csv line 4: `zoo/1.jpg` is on line 2 already"
        );
        assert!(rows("1,1,1\n").starts_with("t.csv line 3: expected as many cells"));
    }

    #[test]
    fn without_a_column_for_it_every_image_needs_its_row() {
        for rows in [2, 4] {
            let text = format!("bear,cat,sun\n{}", "1,1,1\n".repeat(rows));
            let expected = "t.csv: expected 3 lines, one for each image of the list, found ";
            assert_eq!(message(&text), format!("{expected}{rows}"));
        }
    }
}
