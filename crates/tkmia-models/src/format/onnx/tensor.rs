//! A stored tensor's shape and values: [`read`].

use std::path::Path;

use half::{bf16, f16};

use super::external;
use super::proto::TensorProto;
use crate::format::float_type::each;
use crate::{FloatType, ModelError};

/// A constant of the graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub values: Values,
}

/// Elements in row-major order: every float type as `f32`, every integer type as `i64`.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    Floats(Vec<f32>),
    Ints(Vec<i64>),
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Ints(values) => values.len(),
        }
    }

    /// The elements at the given places.
    pub fn pick(&self, places: impl Iterator<Item = usize>) -> Self {
        match self {
            Self::Floats(values) => Self::Floats(places.map(|at| values[at]).collect()),
            Self::Ints(values) => Self::Ints(places.map(|at| values[at]).collect()),
        }
    }

    /// One element, repeated; `None` where there are more.
    pub fn repeated(&self, count: usize) -> Option<Self> {
        (self.len() == 1).then(|| self.pick(std::iter::repeat_n(0, count)))
    }
}

impl Tensor {
    pub fn ints(values: Vec<i64>) -> Self {
        Self { shape: vec![values.len()], values: Values::Ints(values) }
    }

    pub fn floats(values: Vec<f32>) -> Self {
        Self { shape: vec![values.len()], values: Values::Floats(values) }
    }
}

/// The numbers of the types in `TensorProto.DataType`.
const FLOAT: i32 = 1;
const UINT8: i32 = 2;
const INT8: i32 = 3;
const UINT16: i32 = 4;
const INT16: i32 = 5;
const INT32: i32 = 6;
const INT64: i32 = 7;
const BOOL: i32 = 9;
const FLOAT16: i32 = 10;
const DOUBLE: i32 = 11;
const UINT32: i32 = 12;
const UINT64: i32 = 13;
const BFLOAT16: i32 = 16;

/// The float type of that number, or `None` if it's another type.
pub fn float_type(data_type: i32) -> Option<FloatType> {
    match data_type {
        FLOAT => Some(FloatType::F32),
        FLOAT16 => Some(FloatType::F16),
        DOUBLE => Some(FloatType::F64),
        BFLOAT16 => Some(FloatType::Bf16),
        _ => None,
    }
}

/// Whether images, and what is computed from them, can be of this type.
pub fn is_float(data_type: i32) -> bool {
    float_type(data_type).is_some()
}

/// Whether it is the type of flags.
pub fn is_bool(data_type: i32) -> bool {
    data_type == BOOL
}

/// Whether it is one of the types of integers.
pub fn is_int(data_type: i32) -> bool {
    !is_float(data_type) && !is_bool(data_type) && element_bytes(data_type).is_some()
}

/// The dimensions, whose product is known to fit.
pub fn dims(proto: &TensorProto, name: &str) -> Result<Vec<usize>, ModelError> {
    shape(&proto.dims, name).map(|(shape, _)| shape)
}

/// Checked dimensions and their product.
///
/// The product over the non-zero dimensions must fit too, so that no later product can overflow.
pub fn shape(dims: &[i64], name: &str) -> Result<(Vec<usize>, usize), ModelError> {
    let checked = || -> Option<(Vec<usize>, usize)> {
        let shape: Vec<usize> =
            dims.iter().map(|&d| usize::try_from(d).ok()).collect::<Option<_>>()?;
        shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d.max(1)))?.checked_mul(8)?;
        let count = shape.iter().product();
        Some((shape, count))
    };
    checked()
        .ok_or_else(|| ModelError::TensorShape { tensor: name.to_owned(), dims: dims.to_vec() })
}

/// Reads a tensor's shape and values, from the message or from the file beside the model's that it points at.
///
/// `name` is what errors call it: the value's name in the graph.
///
/// # Errors
/// [`ModelError::TensorShape`], [`ModelError::TensorType`], [`ModelError::TensorLength`], and those
/// of external data.
pub fn read(proto: &TensorProto, name: &str, model: Option<&Path>) -> Result<Tensor, ModelError> {
    let (shape, count) = shape(&proto.dims, name)?;
    let bytes = element_bytes(proto.data_type).ok_or_else(|| ModelError::TensorType {
        tensor: name.to_owned(),
        found: proto.data_type,
    })? * count;
    let values = if external::is_external(proto) {
        from_bytes(&external::read(proto, name, model, bytes)?, proto.data_type)
    } else if let Some(raw) = &proto.raw_data {
        check_length(name, bytes, raw.len(), "bytes")?;
        from_bytes(raw, proto.data_type)
    } else {
        let values = from_fields(proto);
        check_length(name, count, values.len(), "elements")?;
        values
    };
    Ok(Tensor { shape, values })
}

/// Bytes of a tensor's data by its dimensions and type, as far as these make sense.
pub fn bytes(proto: &TensorProto) -> u64 {
    let count = shape(&proto.dims, "").map_or(0, |(_, count)| count);
    element_bytes(proto.data_type).map_or(0, |bytes| bytes as u64 * count as u64)
}

fn check_length(
    name: &str,
    expected: usize,
    found: usize,
    unit: &'static str,
) -> Result<(), ModelError> {
    if expected == found {
        return Ok(());
    }
    Err(ModelError::TensorLength { tensor: name.to_owned(), expected, found: found as u64, unit })
}

/// The size of an element in `raw_data`, or `None` for a type that isn't read.
fn element_bytes(data_type: i32) -> Option<usize> {
    match data_type {
        BOOL | UINT8 | INT8 => Some(1),
        UINT16 | INT16 => Some(2),
        INT32 | UINT32 => Some(4),
        INT64 | UINT64 => Some(8),
        _ => float_type(data_type).map(FloatType::size),
    }
}

/// Little-endian elements, whatever the machine.
fn from_bytes(bytes: &[u8], data_type: i32) -> Values {
    if let Some(float) = float_type(data_type) {
        return Values::Floats(float.values(bytes));
    }
    match data_type {
        INT8 => Values::Ints(each(bytes, |b| i8::from_le_bytes(b).into())),
        INT16 => Values::Ints(each(bytes, |b| i16::from_le_bytes(b).into())),
        UINT16 => Values::Ints(each(bytes, |b| u16::from_le_bytes(b).into())),
        INT32 => Values::Ints(each(bytes, |b| i32::from_le_bytes(b).into())),
        UINT32 => Values::Ints(each(bytes, |b| u32::from_le_bytes(b).into())),
        BOOL | UINT8 => Values::Ints(each(bytes, |[b]| b.into())),
        _ => Values::Ints(each(bytes, i64::from_le_bytes)),
    }
}

/// Elements in the typed fields; the 16-bit floats are bit patterns in `int32_data`.
fn from_fields(proto: &TensorProto) -> Values {
    let bits = || proto.int32_data.iter().map(|&i| i as u16);
    match proto.data_type {
        FLOAT => Values::Floats(proto.float_data.clone()),
        DOUBLE => Values::Floats(proto.double_data.iter().map(|&v| v as f32).collect()),
        FLOAT16 => Values::Floats(bits().map(|b| f16::from_bits(b).to_f32()).collect()),
        BFLOAT16 => Values::Floats(bits().map(|b| bf16::from_bits(b).to_f32()).collect()),
        UINT8 | INT8 | UINT16 | INT16 | INT32 | BOOL => {
            Values::Ints(proto.int32_data.iter().map(|&i| i.into()).collect())
        }
        UINT32 | UINT64 => Values::Ints(proto.uint64_data.iter().map(|&i| i as i64).collect()),
        _ => Values::Ints(proto.int64_data.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proto(dims: &[i64], data_type: i32) -> TensorProto {
        TensorProto { dims: dims.to_vec(), data_type, ..Default::default() }
    }

    fn floats(proto: &TensorProto) -> Vec<f32> {
        match read(proto, "w", None).unwrap().values {
            Values::Floats(values) => values,
            Values::Ints(_) => panic!("expected floats"),
        }
    }

    #[test]
    fn every_float_type_is_read_from_raw_and_from_typed_data() {
        let raw = |data_type, bytes: &[u8]| TensorProto {
            raw_data: Some(bytes.to_vec()),
            ..proto(&[1], data_type)
        };
        assert_eq!(floats(&raw(FLOAT, &1.5_f32.to_le_bytes())), [1.5]);
        assert_eq!(floats(&raw(DOUBLE, &1.5_f64.to_le_bytes())), [1.5]);
        assert_eq!(floats(&raw(FLOAT16, &0x3E00_u16.to_le_bytes())), [1.5]);
        assert_eq!(floats(&raw(BFLOAT16, &0x3FC0_u16.to_le_bytes())), [1.5]);

        let one = |data_type| proto(&[1], data_type);
        assert_eq!(floats(&TensorProto { float_data: vec![1.5], ..one(FLOAT) }), [1.5]);
        assert_eq!(floats(&TensorProto { double_data: vec![1.5], ..one(DOUBLE) }), [1.5]);
        assert_eq!(floats(&TensorProto { int32_data: vec![0x3E00], ..one(FLOAT16) }), [1.5]);
        assert_eq!(floats(&TensorProto { int32_data: vec![0x3FC0], ..one(BFLOAT16) }), [1.5]);
    }

    #[test]
    fn integers_and_booleans_are_read_as_i64() {
        let raw = TensorProto { raw_data: Some(vec![1, 0]), ..proto(&[2], BOOL) };
        assert_eq!(read(&raw, "b", None).unwrap().values, Values::Ints(vec![1, 0]));
        let typed = TensorProto { int64_data: vec![-1], ..proto(&[], INT64) };
        assert_eq!(read(&typed, "i", None).unwrap().values, Values::Ints(vec![-1]));
        let narrow = TensorProto { raw_data: Some(vec![254, 255, 255, 255]), ..proto(&[1], INT32) };
        assert_eq!(read(&narrow, "n", None).unwrap().values, Values::Ints(vec![-2]));
    }

    #[test]
    fn data_that_does_not_fill_the_dimensions_is_an_error_that_names_the_tensor() {
        let short = TensorProto { raw_data: Some(vec![0; 7]), ..proto(&[2], FLOAT) };
        let message = read(&short, "conv1.weight", None).unwrap_err().to_string();
        assert_eq!(message, "tensor `conv1.weight`: expected 8 bytes of data, found 7");
        let missing = read(&proto(&[3], FLOAT), "w", None).unwrap_err().to_string();
        assert_eq!(missing, "tensor `w`: expected 3 elements of data, found 0");
    }

    #[test]
    fn absurd_dimensions_are_an_error_and_allocate_nothing() {
        for dims in [&[-1][..], &[i64::MAX, 2], &[i64::MAX, i64::MAX, 0], &[1 << 61]] {
            let error = read(&proto(dims, FLOAT), "w", None).unwrap_err();
            assert!(matches!(error, ModelError::TensorShape { .. }), "{dims:?}: {error}");
        }
    }

    #[test]
    fn a_type_that_is_not_read_is_an_error() {
        let error = read(&proto(&[1], 8), "w", None).unwrap_err();
        assert!(matches!(error, ModelError::TensorType { found: 8, .. }), "{error}");
    }
}
