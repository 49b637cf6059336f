//! [`DataError`]: what can be wrong with a dataset's files, or with what is asked of them.

use std::io;
use std::path::{Path, PathBuf};

/// A file that isn't what its dataset promises, or a request that the data can't meet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    // Any file.
    /// A file is missing or unreadable.
    #[error("{}: can't be read, expected {expected}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What it should have held.
        expected: &'static str,
        /// Why it can't be read.
        source: io::Error,
    },
    /// A file or folder can't be written.
    #[error("{}: can't be written", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why it can't be written, or put into the file's form.
        source: io::Error,
    },
    /// A list names no image.
    #[error("{}: names no image, expected at least one line with one", path.display())]
    NoImages {
        /// The list.
        path: PathBuf,
    },
    /// A line of a list or label file holds something else.
    #[error("{} line {line}: expected {expected}, found `{found}`", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What should stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A file has too few or too many lines.
    #[error("{}: expected {expected} lines, one for each {of}, found {found}", path.display())]
    LineCount {
        /// The file.
        path: PathBuf,
        /// How many lines there should be.
        expected: usize,
        /// What each line is about.
        of: &'static str,
        /// How many lines there are.
        found: usize,
    },
    /// The network's input isn't one that images can be brought to.
    #[error(
        "the model takes {takes}, and images become squares: expected an `input-size` that fits, found {}",
        given.map_or("none".to_owned(), |side| side.to_string())
    )]
    InputSize {
        /// The sizes that the model takes.
        takes: String,
        /// The size that is given.
        given: Option<u32>,
    },
    /// Images are scaled to less than what is cut out of them.
    #[error("`resize-to`: expected at least {side}, the side of what is cut out, found {found}")]
    ResizeTo {
        /// The side of the square.
        side: u32,
        /// What images are scaled to.
        found: u32,
    },
    /// No image has a label.
    #[error("{}: expected an image with a label, found none", path.display())]
    NoLabels {
        /// The file with the images or labels.
        path: PathBuf,
    },
    /// A list names an image twice.
    #[error("{} line {line}: `{image}` is on line {first} already", path.display())]
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
        "{}: expected VOC 2012's folders `Annotations`, `ImageSets/Main` and `JPEGImages` in it, in its `VOC2012` or in its `VOCdevkit/VOC2012`",
        path.display()
    )]
    NotVoc {
        /// The folder.
        path: PathBuf,
    },
    /// The dataset has no split of that name.
    #[error("{}: no split `{found}`, expected one of: {}", path.display(), known.join(", "))]
    UnknownSplit {
        /// The folder of split lists.
        path: PathBuf,
        /// The split that was asked for.
        found: String,
        /// The splits that exist.
        known: Vec<String>,
    },
    /// An annotation isn't well-formed XML.
    #[error("{} byte {position}: expected an XML annotation", path.display())]
    Xml {
        /// The annotation.
        path: PathBuf,
        /// Where the offending markup begins, from 0.
        position: u64,
        /// What the XML reader objects to.
        source: quick_xml::Error,
    },
    /// An annotation ends too early.
    #[error("{}: the annotation ends before `{missing}`", path.display())]
    TruncatedXml {
        /// The annotation.
        path: PathBuf,
        /// The tag that is missing.
        missing: String,
    },
    /// An element of an annotation is absent or holds something else.
    #[error("{}: {field}: expected {expected}, found {found}", path.display())]
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
    #[error("{}: object/name: expected one of VOC 2012's 20 classes, found `{found}`", path.display())]
    UnknownClass {
        /// The annotation.
        path: PathBuf,
        /// The class that it names.
        found: String,
    },

    // COCO.
    /// A file isn't JSON in COCO's format, or ends too early.
    #[error("{} {at}: expected COCO's instances format, JSON in UTF-8 or UTF-16", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The record and its field: `annotations[17].image_id`.
        at: String,
        /// What the JSON reader objects to, with line and column.
        source: serde_json::Error,
    },
    /// Two records of a list have the same id.
    #[error("{} {list}[{at}].id: {id} is that of {list}[{first}] already", path.display())]
    DuplicateId {
        /// The file.
        path: PathBuf,
        /// The list.
        list: &'static str,
        /// Which record repeats the id, from 0.
        at: usize,
        /// Which record had it first.
        first: usize,
        /// The id.
        id: u64,
    },
    /// Two categories have the same name.
    #[error("{} categories[{at}].name: `{name}` is that of categories[{first}] already", path.display())]
    DuplicateCategory {
        /// The file.
        path: PathBuf,
        /// Which category repeats the name, from 0.
        at: usize,
        /// Which category had it first.
        first: usize,
        /// The name.
        name: String,
    },
    /// An image's file is outside the folder of images.
    #[error("{} images[{at}].file_name: expected a path within the folder of images, found `{found}`", path.display())]
    ImageOutside {
        /// The file.
        path: PathBuf,
        /// Which image, from 0.
        at: usize,
        /// The path.
        found: String,
    },
    /// Images times categories are more than fit into memory.
    #[error("{}: expected at most {most} images times categories (TKMIA_MAX_MEMORY), found {images} × {categories}", path.display())]
    ManyLabels {
        /// The file.
        path: PathBuf,
        /// Images with an annotation, or some of them.
        images: usize,
        /// Categories.
        categories: usize,
        /// The largest product.
        most: u64,
    },
    /// An annotation refers to an image or category that isn't in the file.
    #[error("{} annotations[{at}].{field}: expected an id of `{list}`, found {found}", path.display())]
    UnknownId {
        /// The file.
        path: PathBuf,
        /// Which annotation, from 0.
        at: usize,
        /// Its field.
        field: &'static str,
        /// The list that the field refers to.
        list: &'static str,
        /// The id that isn't there.
        found: u64,
    },

    // NUS-WIDE.
    /// A folder isn't in one of NUS-WIDE's layouts.
    #[error(
        "{}: expected NUS-WIDE's labels in its `TrainTestLabels`, `Groundtruth/TrainTestLabels` or `classification_labels`",
        path.display()
    )]
    NotNusWide {
        /// The folder.
        path: PathBuf,
    },
    /// A label table has no column for a concept.
    #[error("{}: expected a column for each of NUS-WIDE's 81 concepts, found none for `{concept}`", path.display())]
    MissingConcept {
        /// The table.
        path: PathBuf,
        /// The concept.
        concept: String,
    },

    // Label tables.
    /// The first line of a label table isn't a header.
    #[error("{} column {column}: expected {expected}, found `{found}`", path.display())]
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
    #[error("{} line {line}: expected as many cells as the header has", path.display())]
    Csv {
        /// The table.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What the CSV reader objects to.
        source: csv::Error,
    },
    /// A cell of a label table is neither of the two values that it may be.
    #[error("{} line {line}, column `{class}`: expected {expected}, found `{found}`", path.display())]
    Cell {
        /// The table.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The class of the column.
        class: String,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A label table names an image that isn't there.
    #[error("{} line {line}: expected an image file, found none at `{}`", path.display(), image.display())]
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
    #[error("{}: expected a whole JPEG or PNG image", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What the decoder objects to.
        source: image::ImageError,
    },
    /// A file holds another kind of image, or none.
    #[error("{}: expected a baseline or progressive JPEG image or a PNG image, found {found}", path.display())]
    OtherImage {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: &'static str,
    },
    /// An image has more pixels than are decoded.
    #[error("{}: expected an image of at most {most} pixels (TKMIA_MAX_MEMORY), found {width}×{height}", path.display())]
    ManyPixels {
        /// The file.
        path: PathBuf,
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
        /// Pixels that are decoded.
        most: u64,
    },
    /// A JPEG file is cut short: a decoder would make up the missing part in grey.
    #[error("{}: the JPEG data ends before its end-of-image marker (ff d9)", path.display())]
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
    /// A batch has no such image, or its images haven't three channels.
    #[error(
        "expected image {row} of a batch [images, 3, height, width], found the dimensions {found:?}"
    )]
    NoSuchImage {
        /// The image that was asked for, from 0.
        row: usize,
        /// The batch's dimensions.
        found: [usize; 4],
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
    #[error("{}: a folder has no splits, found `{found}`", path.display())]
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

impl DataError {
    /// Whether an image's file is there and is no image that can be decoded: the next one may well be.
    pub fn is_of_decoding(&self) -> bool {
        matches!(
            self,
            Self::Decode { .. }
                | Self::OtherImage { .. }
                | Self::ManyPixels { .. }
                | Self::TruncatedJpeg { .. }
        )
    }

    /// What a failure to read this file is.
    pub(crate) fn read<'p>(
        path: &'p Path,
        expected: &'static str,
    ) -> impl Fn(io::Error) -> Self + 'p {
        move |source| Self::Read { path: path.into(), expected, source }
    }

    /// What a failure to write this file is.
    pub(crate) fn write(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        |source| Self::Write { path: path.into(), source }
    }
}
