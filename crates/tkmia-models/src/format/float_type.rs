//! The float types that files hold weights in: [`FloatType`].

use half::{bf16, f16};
use serde::{Deserialize, Serialize};

/// A float type in which a file holds weights; passes compute with 32 bits.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, strum::Display,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum FloatType {
    /// IEEE 754's 16 bits.
    F16,
    /// 16 bits with the exponent of 32.
    Bf16,
    /// 32 bits.
    F32,
    /// 64 bits, rounded to 32.
    F64,
}

impl FloatType {
    /// Bytes of one value.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Little-endian values, whatever the machine; bytes that fill no value are left out.
    pub(crate) fn values(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F16 => each(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => each(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Self::F32 => each(bytes, f32::from_le_bytes),
            Self::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
        }
    }
}

/// A value of every `N` bytes; bytes that fill none are left out.
pub(crate) fn each<const N: usize, T>(bytes: &[u8], value: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|&chunk| value(chunk)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_little_endian() {
        assert_eq!(FloatType::F16.values(&0x3E00_u16.to_le_bytes()), [1.5]);
        assert_eq!(FloatType::Bf16.values(&0x3FC0_u16.to_le_bytes()), [1.5]);
        assert_eq!(FloatType::F32.values(&1.5_f32.to_le_bytes()), [1.5]);
        assert_eq!(FloatType::F64.values(&1.5_f64.to_le_bytes()), [1.5]);
    }
}
