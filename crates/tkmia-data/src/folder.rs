//! [`Folder`]: images of one's own, tagged in a table.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use csv::StringRecord;
use rayon::prelude::*;
use tkmia_core::LabelSet;
use tkmia_file::within;

use crate::decode::read_rgb;
use crate::text::{self, read_text};
use crate::{DataError, Dataset, Listing};

/// A directory of images with a table `labels.csv`:
///
/// ```text
/// image,cat,dog
/// garden/one.jpg,1,0
/// two.png,1,1
/// ```
///
/// The header names the classes, in label order; each row is an image, by its path within the
/// directory, and 1 for each class that it shows, else 0. Images keep the table's order. Cells may have semicolons,
/// tabs or bars between them, and paths backslashes. The dataset is named after the directory.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
    listing: Listing,
}

impl Folder {
    /// The name of the table in the directory.
    const TABLE: &str = "labels.csv";

    /// Reads the directory's `labels.csv`, and checks that every image it names is there.
    ///
    /// # Errors
    /// A [`DataError`] naming the table, the line and what was expected there.
    ///
    /// # Example
    ///
    /// ```
    /// use tkmia_data::{Dataset, Folder};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path();
    /// std::fs::write(dir.join("labels.csv"), "image,cat,dog\none.png,1,0\n")?;
    /// image::RgbImage::new(5, 4).save(dir.join("one.png"))?;
    ///
    /// let folder = Folder::open(dir)?;
    /// assert_eq!(folder.classes(), ["cat", "dog"]);
    /// assert_eq!(folder.labels().indices(0), [0]);
    /// assert_eq!(folder.image(0)?.dimensions(), (5, 4));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, DataError> {
        let root = root.into();
        let table = root.join(Self::TABLE);
        Self::labelled(root, table)
    }

    /// The same by a table that may lie elsewhere.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn labelled(
        root: impl Into<PathBuf>,
        table: impl Into<PathBuf>,
    ) -> Result<Self, DataError> {
        let (root, path) = (root.into(), table.into());
        let text = read_text(&path, "a table of images and their labels")?;
        let Table { classes, images, lines, labels } = Table::parse(&text, &path)?;
        for (image, line) in images.iter().zip(lines) {
            let image = root.join(image);
            if !image.is_file() {
                return Err(DataError::MissingImage { path, line, image });
            }
        }
        Ok(Self::tagged(root, images, classes, labels))
    }

    /// A directory whose images have labels: in a table that may lie elsewhere, or else in its own `labels.csv`; nothing where
    /// there is neither.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn found(
        root: impl Into<PathBuf>,
        table: Option<PathBuf>,
    ) -> Result<Option<Self>, DataError> {
        let root = root.into();
        let own = root.join(Self::TABLE);
        let table = table.or(own.exists().then_some(own));
        table.map(|table| Self::labelled(root, table)).transpose()
    }

    /// Images by their paths within a directory, and what is known of them; nothing is read.
    ///
    /// # Panics
    /// Unless there are labels of each image, and a class for each label.
    pub fn tagged(
        root: impl Into<PathBuf>,
        ids: Vec<String>,
        classes: Vec<String>,
        labels: LabelSet,
    ) -> Self {
        assert_eq!(
            (labels.rows(), labels.classes()),
            (ids.len(), classes.len()),
            "images and classes"
        );
        let root = root.into();
        let name = named(&root);
        Self { root, listing: Listing { name, classes, ids, labels, left_out: 0 } }
    }
}

/// The name of a directory; one such as `.` has a name only as an absolute path.
fn named(root: &Path) -> String {
    let absolute = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    absolute.file_name().unwrap_or(root.as_os_str()).to_string_lossy().into_owned()
}

/// The JPEG and PNG images right in a directory, in the order of their names.
///
/// # Errors
/// [`DataError::Read`], and [`DataError::NoImages`] if there is none.
pub fn photographs(root: impl AsRef<Path>) -> Result<Vec<PathBuf>, DataError> {
    let root = root.as_ref();
    let read = || {
        let entries = fs::read_dir(root)?;
        entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()
    };
    let mut paths = read().map_err(DataError::read(root, "a folder of photographs"))?;
    paths.retain(|path| is_photograph(path));
    paths.sort();
    match paths.is_empty() {
        true => Err(DataError::NoImages { path: root.to_owned() }),
        false => Ok(paths),
    }
}

/// Whether a file is called as JPEG and PNG images are.
pub fn is_photograph(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|e| ["jpg", "jpeg", "png"].contains(&e.to_lowercase().as_str()))
}

/// Those of some images that can be decoded, and what is wrong with the others; in parallel on the rayon pool of the caller.
pub fn decodable(images: Vec<PathBuf>) -> (Vec<PathBuf>, Vec<DataError>) {
    let decoded: Vec<_> =
        images.into_par_iter().map(|path| read_rgb(&path).map(|_| path)).collect();
    let (whole, broken): (Vec<_>, Vec<_>) = decoded.into_iter().partition(Result::is_ok);
    (whole.into_iter().flatten().collect(), broken.into_iter().filter_map(Result::err).collect())
}

impl Dataset for Folder {
    fn listing(&self) -> &Listing {
        &self.listing
    }

    fn image_path(&self, index: usize) -> PathBuf {
        self.root.join(self.id(index))
    }
}

/// What `labels.csv` says.
#[derive(Debug, Clone)]
struct Table {
    classes: Vec<String>,
    images: Vec<String>,
    /// The line of each image.
    lines: Vec<u64>,
    labels: LabelSet,
}

impl Table {
    fn parse(text: &str, path: &Path) -> Result<Self, DataError> {
        let mut rows = text::Table::new(text, path);
        let classes = class_names(&rows.header()?, path)?;

        let mut images = Vec::new();
        let mut lines = Vec::new();
        let mut flags = Vec::new();
        let mut first_lines = HashMap::new();
        for row in rows {
            let (line, row) = row?;
            let image = row[0].replace('\\', "/");
            if within(Path::new(""), &image).is_none() {
                return Err(DataError::Line {
                    path: path.into(),
                    line,
                    expected: "an image by its path within the folder",
                    found: image,
                });
            }
            if let Some(first) = first_lines.insert(image.clone(), line) {
                return Err(DataError::DuplicateImage { path: path.into(), line, first, image });
            }
            for (class, cell) in classes.iter().zip(row.iter().skip(1)) {
                flags.push(flag(cell).ok_or_else(|| DataError::Cell {
                    path: path.into(),
                    line,
                    class: class.clone(),
                    expected: "0 or 1",
                    found: cell.into(),
                })?);
            }
            images.push(image);
            lines.push(line);
        }
        if images.is_empty() {
            return Err(DataError::NoImages { path: path.into() });
        }
        let labels = LabelSet::new(flags, classes.len())
            .expect("every row has as many cells as the header, which names a class");
        Ok(Self { classes, images, lines, labels })
    }
}

/// 0 or 1, which pandas may have written as a float or as a truth value.
fn flag(cell: &str) -> Option<bool> {
    match cell.parse() {
        Ok(0.0) => Some(false),
        Ok(1.0) => Some(true),
        _ => cell.to_lowercase().parse().ok(),
    }
}

/// The class names of a header: at least one, none empty, no two alike.
fn class_names(header: &StringRecord, path: &Path) -> Result<Vec<String>, DataError> {
    let wrong = |column: usize, expected| {
        let found = header.get(column).unwrap_or_default().into();
        Err(DataError::Header { path: path.into(), column: column + 1, expected, found })
    };
    if header.get(0) != Some("image") {
        return wrong(0, "`image`");
    }
    let classes: Vec<String> = header.iter().skip(1).map(String::from).collect();
    if classes.is_empty() {
        return wrong(1, "a class");
    }
    let mut earlier = HashSet::new();
    for (at, class) in classes.iter().enumerate() {
        if class.is_empty() {
            return wrong(at + 1, "a class");
        }
        if !earlier.insert(class) {
            return wrong(at + 1, "a class that isn't in an earlier column");
        }
    }
    Ok(classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Table, DataError> {
        Table::parse(text, Path::new("labels.csv"))
    }

    fn message(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn rows_are_images_and_columns_are_classes() {
        let text = "image, dog, cat\n\nb.png, 0, 1.0\n\"a, 2.png\", True, 1\n";
        let semicolons = "image;dog;cat\n\nb.png;0;1\na, 2.png;1;1\n";
        for text in [text, &text.replace('\n', "\r\n"), semicolons, &semicolons.replace(';', "\t")]
        {
            let table = parse(text).unwrap();
            assert_eq!(table.classes, ["dog", "cat"]);
            assert_eq!(table.images, ["b.png", "a, 2.png"]);
            assert_eq!(table.lines, [3, 4]);
            assert_eq!(table.labels.indices(0), [1]);
            assert_eq!(table.labels.indices(1), [0, 1]);
        }
    }

    #[test]
    fn a_bad_header_is_named_by_its_column() {
        for (header, column) in
            [("", 1), ("file,cat", 1), ("image", 2), ("image,cat,", 3), ("image,cat,cat", 3)]
        {
            let error = parse(&format!("{header}\na.png,1\n")).unwrap_err();
            assert!(
                matches!(error, DataError::Header { column: at, .. } if at == column),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_bad_row_is_named_by_its_line() {
        assert_eq!(
            message("image,cat\na.png,1\nb.png,maybe\n"),
            "labels.csv line 3, column `cat`: expected 0 or 1, found `maybe`"
        );
        assert_eq!(
            message("image,cat\na.png,1\nb.png,1\na.png,0\n"),
            "labels.csv line 4: `a.png` is on line 2 already"
        );
        for outside in ["../b.png", "/etc/passwd", "a/../../b.png", ""] {
            assert_eq!(
                message(&format!("image,cat\na.png,1\n{outside},1\n")),
                format!(
                    "labels.csv line 3: expected an image by its path within the folder, found `{outside}`"
                )
            );
        }
        for row in ["b.png", "b.png,1,0"] {
            let error = parse(&format!("image,cat\na.png,1\n{row}\n")).unwrap_err();
            assert!(matches!(error, DataError::Csv { line: 3, .. }), "{error:?}");
        }
        assert!(matches!(parse("image,cat\n"), Err(DataError::NoImages { .. })));
    }

    #[test]
    fn photographs_are_found_by_their_names_and_a_table_may_lie_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(photographs(dir.path()), Err(DataError::NoImages { .. })));
        for name in ["b.JPG", "a.png", "notes.txt"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let found = photographs(dir.path()).unwrap();
        assert_eq!(found, ["a.png", "b.JPG"].map(|name| dir.path().join(name)));
        let table = tempfile::NamedTempFile::new().unwrap();
        fs::write(table.path(), "image,cat\nb.JPG,1\n").unwrap();
        let folder = Folder::labelled(dir.path(), table.path()).unwrap();
        assert_eq!(folder.image_path(0), dir.path().join("b.JPG"));
        let error = photographs(dir.path().join("none")).unwrap_err();
        assert!(matches!(error, DataError::Read { .. }));
    }

    #[test]
    fn the_table_and_its_images_must_be_there() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Folder::open(dir.path()), Err(DataError::Read { .. })));

        fs::write(dir.path().join("labels.csv"), "image,cat\na.png,1\n").unwrap();
        match Folder::open(dir.path()) {
            Err(DataError::MissingImage { line: 2, image, .. }) => {
                assert!(image.ends_with("a.png"))
            }
            other => panic!("{other:?}"),
        }
    }
}
