//! [`DataError`]: what can be wrong with a dataset's files, or with what is asked of them.

use std::path::PathBuf;

/// A file that isn't what its dataset promises, or a request that the data can't meet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    // Any file.
    /// A file is missing or unreadable.
    #[error("`{}`: can't be read, expected {expected}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What it should have held.
        expected: &'static str,
        /// Why it can't be read.
        source: std::io::Error,
    },
    /// A list names no image.
    #[error("`{}`: names no image, expected at least one line with one", path.display())]
    NoImages {
        /// The list.
        path: PathBuf,
    },
    /// A list names an image twice.
    #[error("`{}` line {line}: `{image}` is on line {first} already", path.display())]
    DuplicateImage {
        /// The list.
        path: PathBuf,
        /// The line of the repetition, from 1.
        line: u64,
        /// The line that named it first.
        first: u64,
        /// The image.
        image: String,
    },

    // VOC.
    /// A folder isn't in VOC 2012's layout.
    #[error(
        "`{}`: expected VOC 2012's folders `Annotations`, `ImageSets/Main` and `JPEGImages` in it, in its `VOC2012` or in its `VOCdevkit/VOC2012`",
        path.display()
    )]
    NotVoc {
        /// The folder.
        path: PathBuf,
    },
    /// The dataset has no split of that name.
    #[error("`{}`: no split `{found}`, expected one of: {}", path.display(), known.join(", "))]
    UnknownSplit {
        /// The folder of split lists.
        path: PathBuf,
        /// The split that was asked for.
        found: String,
        /// The splits that exist.
        known: Vec<String>,
    },
    /// A line of a split list is more than an image id.
    #[error("`{}` line {line}: expected one image id, found `{found}`", path.display())]
    SplitLine {
        /// The split list.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What stands there.
        found: String,
    },
    /// An annotation isn't well-formed XML.
    #[error("`{}` byte {position}: expected an XML annotation", path.display())]
    Xml {
        /// The annotation.
        path: PathBuf,
        /// Where the offending markup begins, from 0.
        position: u64,
        /// What the XML reader objects to.
        source: quick_xml::Error,
    },
    /// An annotation ends too early.
    #[error("`{}`: the annotation ends before `{missing}`", path.display())]
    TruncatedXml {
        /// The annotation.
        path: PathBuf,
        /// The tag that is missing.
        missing: String,
    },
    /// An element of an annotation is absent or holds something else.
    #[error("`{}`: {field}: expected {expected}, found {found}", path.display())]
    Annotation {
        /// The annotation.
        path: PathBuf,
        /// Which part of it.
        field: &'static str,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// An annotation names a class that the dataset doesn't have.
    #[error("`{}`: object/name: expected one of VOC 2012's 20 classes, found `{found}`", path.display())]
    UnknownClass {
        /// The annotation.
        path: PathBuf,
        /// The class that it names.
        found: String,
    },

    // Tagged folders.
    /// The first line of a label table isn't a header.
    #[error("`{}` column {column}: expected {expected}, found `{found}`", path.display())]
    Header {
        /// The table.
        path: PathBuf,
        /// The column, from 1.
        column: usize,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A row of a label table can't be split into the header's columns.
    #[error("`{}` line {line}: expected as many cells as the header has", path.display())]
    Csv {
        /// The table.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What the CSV reader objects to.
        source: csv::Error,
    },
    /// A cell of a label table is neither 0 nor 1.
    #[error("`{}` line {line}, column `{class}`: expected 0 or 1, found `{found}`", path.display())]
    Cell {
        /// The table.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The class of the column.
        class: String,
        /// What is there.
        found: String,
    },
    /// A label table names an image that isn't there.
    #[error("`{}` line {line}: expected an image file, found none at `{}`", path.display(), image.display())]
    MissingImage {
        /// The table.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Where the image should be.
        image: PathBuf,
    },

    // Images.
    /// A file isn't an image that can be decoded.
    #[error("`{}`: expected a whole JPEG or PNG image", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What the decoder objects to.
        source: image::ImageError,
    },
    /// A JPEG file is cut short: a decoder would make up the missing part in grey.
    #[error("`{}`: the JPEG data ends before its end-of-image marker (ff d9)", path.display())]
    TruncatedJpeg {
        /// The file.
        path: PathBuf,
    },
    /// An image or the size asked for has no pixel.
    #[error(
        "can't resize {width}x{height} pixels to a side of {side}: expected at least 1 of each"
    )]
    NoPixels {
        /// Width of the image.
        width: u32,
        /// Height of the image.
        height: u32,
        /// The side that was asked for.
        side: u32,
    },
    /// A list of values doesn't fill an image.
    #[error("expected {expected} values for a picture, found {found}")]
    ValueCount {
        /// 3 × height × width.
        expected: usize,
        /// How many there are.
        found: usize,
    },

    // Requests.
    /// The dataset has fewer images.
    #[error("image {index} was asked for, but {dataset} has {len} here (counted from 0)")]
    ImageOutOfRange {
        /// The dataset's name.
        dataset: String,
        /// The image that was asked for.
        index: usize,
        /// How many images there are.
        len: usize,
    },
    /// A split was asked for of a folder, which is one whole.
    #[error("`{}`: a folder has no splits, found `{found}`", path.display())]
    SplitOfFolder {
        /// The folder.
        path: PathBuf,
        /// The split that was asked for.
        found: String,
    },
    /// The dataset has neither a type nor a class of that name.
    #[error("{dataset}: no type or class `{found}`, expected one of: {}", known.join(", "))]
    UnknownType {
        /// The dataset's name.
        dataset: String,
        /// The name that was asked for.
        found: String,
        /// The names that exist: types first, then classes.
        known: Vec<String>,
    },
}
