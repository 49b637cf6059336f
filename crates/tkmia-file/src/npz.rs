//! [`Npz`] and [`Npy`]: NumPy's files, checked before they are read.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};

use half::f16;
use ndarray::{ArrayD, ShapeBuilder};
use ndarray_npy::npy::header::{Header, ReadHeaderError};
use ndarray_npy::{ReadDataError, ReadableElement, WritableElement};
use zip::ZipArchive;
use zip::result::ZipError;

use crate::{STANDARD_STREAM, memory_limit};

/// The longest header of an array: more than NumPy's first version can have.
const LONGEST_HEADER: usize = 1 << 16;
/// How deep a header's brackets go at most: its parser takes twice as long for each pair around others.
const DEEPEST_HEADER: usize = 4;

/// What is wrong with an npz or npy file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArrayError {
    /// The file can't be opened or read.
    #[error("{path}: can't be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file isn't a zip archive.
    #[error("{path}: expected an npz file, as numpy.savez writes it")]
    NotNpz {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        #[source]
        source: ZipError,
    },
    /// The archive hasn't that array.
    #[error("{path}: expected an array `{array}`, found {found}")]
    MissingArray {
        /// The file.
        path: PathBuf,
        /// The array.
        array: &'static str,
        /// The arrays that there are.
        found: String,
    },
    /// The archive's entry can't be unpacked.
    #[error("{place}: can't be unpacked")]
    Unpack {
        /// The array.
        place: Place,
        /// What the reader said.
        #[source]
        source: ZipError,
    },
    /// The file doesn't begin as an npy file does.
    #[error("{place}: expected an npy array, as numpy.save writes it")]
    NotNpy {
        /// The array.
        place: Place,
        /// What the reader said.
        #[source]
        source: ReadHeaderError,
    },
    /// The elements are of another type.
    #[error("{place}: expected {expected}, found {found}: convert it by .astype(\"{to}\")")]
    Dtype {
        /// The array.
        place: Place,
        /// Types that it may have.
        expected: &'static str,
        /// Its type.
        found: String,
        /// The type to convert it to.
        to: &'static str,
    },
    /// The array is of another shape.
    #[error("{place}: expected shape {expected}, found {found:?}")]
    Shape {
        /// The array.
        place: Place,
        /// The shape that it may have, and why.
        expected: String,
        /// Its shape.
        found: Vec<usize>,
    },
    /// The header promises more than the file holds.
    #[error("{place}: expected {expected} elements by its header, found {bytes} bytes in all")]
    CutShort {
        /// The array.
        place: Place,
        /// The shape.
        expected: String,
        /// Bytes of header and data.
        bytes: u64,
    },
    /// The array takes more memory than one may.
    #[error(
        "{place}: expected at most {limit} bytes (TKMIA_MAX_MEMORY), found an array that takes {found}"
    )]
    TooLarge {
        /// The array.
        place: Place,
        /// Bytes that it may take.
        limit: u64,
        /// Bytes that it takes.
        found: u64,
    },
    /// The elements can't be read.
    #[error("{place}: can't be read")]
    Data {
        /// The array.
        place: Place,
        /// What the reader said.
        #[source]
        source: ReadDataError,
    },
    /// A flag is neither 0 nor 1.
    #[error("{place}, row {row}, label {label}: expected 0 or 1, found {found}")]
    Flag {
        /// The array.
        place: Place,
        /// The flag's row.
        row: usize,
        /// Its place in the row.
        label: usize,
        /// What it is.
        found: f64,
    },
}

/// A file, or an array in it.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The array, of an npz file.
    pub array: Option<&'static str>,
}

impl Place {
    /// An npy file.
    pub fn file(path: &Path) -> Self {
        Self { path: named(path), array: None }
    }

    /// An array of an npz file.
    pub fn array(path: &Path, array: &'static str) -> Self {
        Self { path: named(path), array: Some(array) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.array.map_or(Ok(()), |array| write!(f, ", array `{array}`"))
    }
}

/// What the elements of an array may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elements {
    /// Floats of 16, 32 or 64 bits.
    Floats,
    /// Floats, or the 256 levels of a pixel.
    Pixels,
    /// 0 and 1 of any type.
    Flags,
}

impl Elements {
    fn may_be(self, dtype: &str) -> bool {
        dtype.starts_with("float")
            || self == Self::Flags
            || self == Self::Pixels && dtype == "uint8"
    }

    /// The types, and the one to convert others to.
    fn expected(self) -> [&'static str; 2] {
        match self {
            Self::Floats => ["float16, float32 or float64", "float32"],
            Self::Pixels => ["float16, float32, float64 or uint8", "float32"],
            Self::Flags => ["bool, integers or floats", "uint8"],
        }
    }
}

/// The expected length of an axis.
#[derive(Debug, Clone, Copy)]
pub enum Axis {
    /// This one.
    Is(usize),
    /// Any but 0, written as this letter.
    Any(&'static str),
}

/// An npz file: a zip of npy arrays, compressed or not.
#[derive(Debug)]
pub struct Npz {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
}

impl Npz {
    /// Opens a file, or the standard input as `-`.
    ///
    /// # Errors
    /// [`ArrayError::Read`] and [`ArrayError::NotNpz`].
    pub fn open(path: &Path) -> Result<Self, ArrayError> {
        let archive = ZipArchive::new(BufReader::new(open(path)?));
        let path = named(path);
        match archive {
            Ok(archive) => Ok(Self { path, archive }),
            Err(ZipError::Io(source)) => Err(ArrayError::Read { path, source }),
            Err(source) => Err(ArrayError::NotNpz { path, source }),
        }
    }

    /// Whether it has an array.
    pub fn has(&self, name: &str) -> bool {
        self.archive.index_for_name(&format!("{name}.npy")).is_some()
    }

    /// An array, its header read.
    ///
    /// # Errors
    /// [`ArrayError::MissingArray`], [`ArrayError::Unpack`] and [`ArrayError::NotNpy`].
    pub fn array(&mut self, name: &'static str) -> Result<Npy<impl Read + '_>, ArrayError> {
        let place = Place::array(&self.path, name);
        let entry = format!("{name}.npy");
        if self.archive.index_for_name(&entry).is_none() {
            let names = self.archive.file_names().map(|name| name.trim_end_matches(".npy"));
            let found = match self.archive.len() {
                0 => "none".to_owned(),
                _ => names.collect::<Vec<_>>().join(", "),
            };
            return Err(ArrayError::MissingArray { path: place.path, array: name, found });
        }
        match self.archive.by_name(&entry) {
            Ok(entry) => Npy::new(place, entry.size(), entry),
            Err(source) => Err(ArrayError::Unpack { place, source }),
        }
    }
}

/// An npy array whose header is read.
pub struct Npy<R> {
    place: Place,
    header: Header,
    /// Of header and data.
    bytes: u64,
    reader: R,
}

impl<R> fmt::Debug for Npy<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Npy")
            .field("place", &self.place)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl Npy<BufReader<File>> {
    /// Opens an npy file, or the standard input as `-`.
    ///
    /// # Errors
    /// [`ArrayError::Read`] and [`ArrayError::NotNpy`].
    pub fn open(path: &Path) -> Result<Self, ArrayError> {
        let file = open(path)?;
        let unreadable = |source| ArrayError::Read { path: named(path), source };
        let bytes = file.metadata().map_err(unreadable)?.len();
        Self::new(Place::file(path), bytes, BufReader::new(file))
    }
}

fn open(path: &Path) -> Result<File, ArrayError> {
    let file =
        if path == Path::new(STANDARD_STREAM) { standard_input() } else { crate::open(path) };
    file.map_err(|source| ArrayError::Read { path: named(path), source })
}

/// What comes through the standard input, in a file without a name: arrays are not read from front to back.
fn standard_input() -> io::Result<File> {
    let (limit, mut file) = (memory_limit(), tempfile::tempfile()?);
    if io::copy(&mut io::stdin().take(limit.saturating_add(1)), &mut file)? > limit {
        let message = format!("expected at most {limit} bytes (TKMIA_MAX_MEMORY), found more");
        return Err(io::Error::new(ErrorKind::FileTooLarge, message));
    }
    file.rewind()?;
    Ok(file)
}

/// As errors name it.
fn named(path: &Path) -> PathBuf {
    if path == Path::new(STANDARD_STREAM) { "standard input".into() } else { path.to_owned() }
}

impl<R: Read> Npy<R> {
    fn new(place: Place, bytes: u64, mut reader: R) -> Result<Self, ArrayError> {
        match header(&mut reader) {
            Ok(header) => Ok(Self { place, header, bytes, reader }),
            Err(source) => Err(ArrayError::NotNpy { place, source }),
        }
    }

    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    /// The shape, if it is as expected; no axis may be empty. `why` says where that is from.
    ///
    /// # Errors
    /// [`ArrayError::Shape`].
    pub fn expect_shape<const D: usize>(
        &self,
        expected: [Axis; D],
        why: &str,
    ) -> Result<[usize; D], ArrayError> {
        let fits = |(&found, axis): (&usize, Axis)| match axis {
            Axis::Is(length) => found == length && found > 0,
            Axis::Any(_) => found > 0,
        };
        match <[usize; D]>::try_from(self.shape()) {
            Ok(shape) if shape.iter().zip(expected).all(fits) => Ok(shape),
            _ => {
                let axes = expected.map(|axis| match axis {
                    Axis::Is(length) => length.to_string(),
                    Axis::Any(name) => name.to_owned(),
                });
                Err(ArrayError::Shape {
                    place: self.place.clone(),
                    expected: format!("[{}] {why}", axes.join(", ")),
                    found: self.shape().to_owned(),
                })
            }
        }
    }

    /// NumPy's name of the element type, as in `float64`; its own code where the type is no number.
    pub fn dtype(&self) -> String {
        let code = self.header.type_descriptor.to_string();
        let plain = code.trim_matches('\'').trim_start_matches(['<', '>', '|', '=']);
        let kind = match plain.get(..1) {
            Some("f") => "float",
            Some("i") => "int",
            Some("u") => "uint",
            Some("c") => "complex",
            Some("b") => return "bool".to_owned(),
            Some("O") => return "object".to_owned(),
            _ => return code,
        };
        match plain[1..].parse::<usize>() {
            Ok(bytes) => format!("{kind}{}", 8 * bytes),
            Err(_) => code,
        }
    }

    /// The elements, each by its number, in row-major order whatever the order in the file.
    ///
    /// # Errors
    /// [`ArrayError::Dtype`], [`ArrayError::CutShort`], [`ArrayError::TooLarge`] and [`ArrayError::Data`].
    pub fn read<T: Copy>(
        mut self,
        elements: Elements,
        of: impl Fn(f64) -> T,
    ) -> Result<Vec<T>, ArrayError> {
        let found = self.dtype();
        match found.as_str() {
            found if !elements.may_be(found) => {}
            "float16" => {
                // Read as the bits that they are, in this machine's order.
                let is_big = self.header.type_descriptor.to_string().contains('>');
                self.header.type_descriptor = u16::type_descriptor();
                let value =
                    move |bits| if is_big { u16::from_be(bits) } else { u16::from_le(bits) };
                return self.values(|bits: u16| of(f16::from_bits(value(bits)).into()));
            }
            "float32" => return self.values(|value: f32| of(value.into())),
            "float64" => return self.values(|value: f64| of(value)),
            "bool" => return self.values(|value: bool| of(u8::from(value).into())),
            "uint8" => return self.values(|value: u8| of(value.into())),
            "int8" => return self.values(|value: i8| of(value.into())),
            "uint16" => return self.values(|value: u16| of(value.into())),
            "int16" => return self.values(|value: i16| of(value.into())),
            "uint32" => return self.values(|value: u32| of(value.into())),
            "int32" => return self.values(|value: i32| of(value.into())),
            "uint64" => return self.values(|value: u64| of(value as f64)),
            "int64" => return self.values(|value: i64| of(value as f64)),
            _ => {}
        }
        let [expected, to] = elements.expected();
        Err(ArrayError::Dtype { place: self.place, expected, found, to })
    }

    /// The elements of the type that the file has.
    fn values<S: ReadableElement + Copy, T: Copy>(
        self,
        of: impl Fn(S) -> T,
    ) -> Result<Vec<T>, ArrayError> {
        let Self { place, header, bytes, reader } = self;
        // A header is believed only as far as the file goes.
        let elements =
            header.shape.iter().try_fold(1_usize, |all, &length| all.checked_mul(length));
        let fits = |elements: &usize| *elements as u64 <= bytes / size_of::<S>() as u64;
        let Some(elements) = elements.filter(fits) else {
            let expected =
                header.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
            return Err(ArrayError::CutShort { place, expected, bytes });
        };
        // Nor is the size of what is compressed.
        let limit = memory_limit();
        let found = (elements as u64).saturating_mul((size_of::<S>() + size_of::<T>()) as u64);
        if found > limit {
            return Err(ArrayError::TooLarge { place, limit, found });
        }
        let values = S::read_to_end_exact_vec(reader, &header.type_descriptor, elements)
            .map_err(|source| ArrayError::Data { place, source })?;
        if !header.layout.is_fortran() {
            return Ok(values.into_iter().map(of).collect());
        }
        let array = ArrayD::from_shape_vec(header.shape.f(), values)
            .expect("as many values as the shape says were read");
        Ok(array.iter().copied().map(of).collect())
    }

    /// The elements, each 0 or 1, as flags.
    ///
    /// # Errors
    /// Those of [`read`](Self::read), and [`ArrayError::Flag`].
    pub fn read_flags(self) -> Result<Vec<bool>, ArrayError> {
        let (place, labels) = (self.place.clone(), self.shape().last().copied().unwrap_or(1));
        let flags = self.read(Elements::Flags, |flag| flag)?;
        match flags.iter().position(|&flag| flag != 0.0 && flag != 1.0) {
            None => Ok(flags.into_iter().map(|flag| flag == 1.0).collect()),
            Some(at) => {
                let (row, label, found) = (at / labels, at % labels, flags[at]);
                Err(ArrayError::Flag { place, row, label, found })
            }
        }
    }
}

/// The header of an array, if it is one that arrays of numbers can have.
fn header(reader: &mut impl Read) -> Result<Header, ReadHeaderError> {
    let refuse = |message: String| Err(io::Error::new(ErrorKind::InvalidData, message).into());
    let mut head = vec![0; 10];
    reader.read_exact(&mut head)?;
    let mut length = [head[8], head[9], 0, 0];
    if head[6] > 1 {
        // Since its second version the length has four bytes.
        reader.read_exact(&mut length[2..])?;
        head.extend(&length[2..]);
    }
    let (start, length) = (head.len(), u32::from_le_bytes(length) as usize);
    if length > LONGEST_HEADER {
        return refuse(format!(
            "expected a header of at most {LONGEST_HEADER} bytes, found {length}"
        ));
    }
    head.resize(start + length, 0);
    reader.read_exact(&mut head[start..])?;
    let mut depth = 0_usize;
    for byte in &head[start..] {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST_HEADER {
            return refuse(format!(
                "expected brackets at most {DEEPEST_HEADER} deep in its header"
            ));
        }
    }
    Header::from_reader(&mut &head[..])
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// The beginning of an array, with this in its header.
    fn npy(header: &str) -> Vec<u8> {
        let length = (header.len() as u32 + 1).to_le_bytes();
        [b"\x93NUMPY\x02\0", &length[..], header.as_bytes(), b"\n"].concat()
    }

    fn says(bytes: &[u8]) -> String {
        let error = Npy::new(Place::file(Path::new("a.npy")), u64::MAX, bytes)
            .and_then(|array| array.read(Elements::Floats, |value| value));
        let error = error.unwrap_err();
        let cause = std::error::Error::source(&error).map(|source| format!(": {source}"));
        format!("{error}{}", cause.unwrap_or_default())
    }

    #[test]
    fn a_header_is_neither_long_nor_deep() {
        let started = Instant::now();
        let deep = format!("{{'descr': {}'<f4'{}}}", "[".repeat(60), "]".repeat(60));
        assert!(says(&npy(&deep)).ends_with("expected brackets at most 4 deep in its header"));
        let long = says(b"\x93NUMPY\x02\0\xff\xff\xff\xff{");
        assert!(
            long.ends_with("expected a header of at most 65536 bytes, found 4294967295"),
            "{long}"
        );
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn no_memory_is_asked_for_that_a_header_alone_promises() {
        let huge = |shape: &str| {
            says(&npy(&format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}")))
        };
        assert!(huge("4294967296, 4294967296, 2").contains("elements by its header"));
        let message = huge("1152921504606846976,");
        assert!(
            message.contains("expected at most 8589934592 bytes (TKMIA_MAX_MEMORY)"),
            "{message}"
        );
    }
}
