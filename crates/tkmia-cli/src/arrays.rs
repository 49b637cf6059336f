//! [`Npz`] and [`Npy`]: NumPy's files, checked before they are read.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use half::f16;
use ndarray::{ArrayD, ShapeBuilder};
use ndarray_npy::npy::header::Header;
use ndarray_npy::{ReadableElement, WritableElement};
use zip::ZipArchive;
use zip::result::ZipError;

use crate::error::{CliError, Place};

/// What the elements of an array may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elements {
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

    /// The elements, each by its number, in row-major order whatever the order in the file.
    pub fn read<T: Copy>(
        mut self,
        elements: Elements,
        of: impl Fn(f64) -> T,
    ) -> Result<Vec<T>, CliError> {
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
        Err(CliError::Dtype { place: self.place, expected, found, to })
    }

    /// The elements of the type that the file has.
    fn values<S: ReadableElement + Copy, T: Copy>(
        self,
        of: impl Fn(S) -> T,
    ) -> Result<Vec<T>, CliError> {
        let Self { place, header, bytes, reader } = self;
        // A header is believed only as far as the file goes.
        let elements =
            header.shape.iter().try_fold(1_usize, |all, &length| all.checked_mul(length));
        let fits = |elements: &usize| *elements as u64 <= bytes / size_of::<S>() as u64;
        let Some(elements) = elements.filter(fits) else {
            let expected =
                header.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
            return Err(CliError::CutShort { place, expected, bytes });
        };
        let values = S::read_to_end_exact_vec(reader, &header.type_descriptor, elements)
            .map_err(|source| CliError::Data { place, source })?;
        if !header.layout.is_fortran() {
            return Ok(values.into_iter().map(of).collect());
        }
        let array = ArrayD::from_shape_vec(header.shape.f(), values)
            .expect("as many values as the shape says were read");
        Ok(array.iter().copied().map(of).collect())
    }

    /// The elements, each 0 or 1, as flags.
    pub fn read_flags(self) -> Result<Vec<bool>, CliError> {
        let (place, labels) = (self.place.clone(), self.shape().last().copied().unwrap_or(1));
        let flags = self.read(Elements::Flags, |flag| flag)?;
        match flags.iter().position(|&flag| flag != 0.0 && flag != 1.0) {
            None => Ok(flags.into_iter().map(|flag| flag == 1.0).collect()),
            Some(at) => {
                let (row, label, found) = (at / labels, at % labels, flags[at]);
                Err(CliError::Flag { place, row, label, found })
            }
        }
    }
}
