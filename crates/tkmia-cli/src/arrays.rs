//! [`Npz`] and [`Npy`]: NumPy's files, checked before they are read.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use ndarray::{ArrayD, ShapeBuilder};
use ndarray_npy::ReadableElement;
use ndarray_npy::npy::header::Header;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::error::{CliError, Place};

/// An element type by NumPy's name.
pub trait Dtype: ReadableElement + Copy {
    const NAME: &'static str;
}

impl Dtype for f32 {
    const NAME: &'static str = "float32";
}

impl Dtype for f64 {
    const NAME: &'static str = "float64";
}

impl Dtype for u8 {
    const NAME: &'static str = "uint8";
}

/// The expected length of an axis.
#[derive(Clone, Copy)]
pub enum Axis {
    /// This one.
    Is(usize),
    /// Any but 0, written as this letter.
    Any(&'static str),
}

/// An npz file: a zip of npy arrays, compressed or not.
pub struct Npz {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
}

impl Npz {
    pub fn open(path: &Path) -> Result<Self, CliError> {
        let archive = ZipArchive::new(BufReader::new(open(path)?));
        let path = path.to_owned();
        match archive {
            Ok(archive) => Ok(Self { path, archive }),
            Err(ZipError::Io(source)) => Err(CliError::Read { path, source }),
            Err(source) => Err(CliError::NotNpz { path, source }),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.archive.index_for_name(&format!("{name}.npy")).is_some()
    }

    pub fn array(&mut self, name: &'static str) -> Result<Npy<impl Read + '_>, CliError> {
        let place = Place::array(&self.path, name);
        let entry = format!("{name}.npy");
        if self.archive.index_for_name(&entry).is_none() {
            let names = self.archive.file_names().map(|name| name.trim_end_matches(".npy"));
            let found = match self.archive.len() {
                0 => "none".to_owned(),
                _ => names.collect::<Vec<_>>().join(", "),
            };
            return Err(CliError::MissingArray { path: place.path, array: name, found });
        }
        match self.archive.by_name(&entry) {
            Ok(entry) => Npy::new(place, entry.size(), entry),
            Err(source) => Err(CliError::Unpack { place, source }),
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

impl Npy<BufReader<File>> {
    pub fn open(path: &Path) -> Result<Self, CliError> {
        let file = open(path)?;
        let unreadable = |source| CliError::Read { path: path.to_owned(), source };
        let bytes = file.metadata().map_err(unreadable)?.len();
        Self::new(Place::file(path), bytes, BufReader::new(file))
    }
}

fn open(path: &Path) -> Result<File, CliError> {
    tkmia_file::open(path).map_err(|source| CliError::Read { path: path.to_owned(), source })
}

impl<R: Read> Npy<R> {
    fn new(place: Place, bytes: u64, mut reader: R) -> Result<Self, CliError> {
        match Header::from_reader(&mut reader) {
            Ok(header) => Ok(Self { place, header, bytes, reader }),
            Err(source) => Err(CliError::NotNpy { place, source }),
        }
    }

    pub fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    /// The shape, if it is as expected; no axis may be empty. `why` says where that is from.
    pub fn expect_shape<const D: usize>(
        &self,
        expected: [Axis; D],
        why: &str,
    ) -> Result<[usize; D], CliError> {
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
                Err(CliError::Shape {
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

    /// The elements in row-major order, whatever the order in the file.
    pub fn read<T: Dtype>(self) -> Result<Vec<T>, CliError> {
        let found = self.dtype();
        let Self { place, header, bytes, reader } = self;
        if found != T::NAME {
            return Err(CliError::Dtype { place, expected: T::NAME, found });
        }
        // A header is believed only as far as the file goes.
        let elements =
            header.shape.iter().try_fold(1_usize, |all, &length| all.checked_mul(length));
        let fits = |elements: &usize| *elements as u64 <= bytes / size_of::<T>() as u64;
        let Some(elements) = elements.filter(fits) else {
            let expected =
                header.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
            return Err(CliError::CutShort { place, expected, bytes });
        };
        let values = T::read_to_end_exact_vec(reader, &header.type_descriptor, elements)
            .map_err(|source| CliError::Data { place, source })?;
        if !header.layout.is_fortran() {
            return Ok(values);
        }
        let array = ArrayD::from_shape_vec(header.shape.f(), values)
            .expect("as many values as the shape says were read");
        Ok(array.iter().copied().collect())
    }

    /// The elements, each 0 or 1, as flags.
    pub fn read_flags(self) -> Result<Vec<bool>, CliError> {
        let (place, labels) = (self.place.clone(), self.shape().last().copied().unwrap_or(1));
        let flags = self.read::<u8>()?;
        match flags.iter().position(|&flag| flag > 1) {
            None => Ok(flags.into_iter().map(|flag| flag == 1).collect()),
            Some(at) => {
                let (row, label, found) = (at / labels, at % labels, flags[at]);
                Err(CliError::Flag { place, row, label, found })
            }
        }
    }
}
