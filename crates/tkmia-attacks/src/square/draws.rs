//! [`Draws`]: random numbers that follow from an image.

use sha2::{Digest, Sha256};

/// The bytes of SHA-256(key, 0), SHA-256(key, 1), …, the counter as 8 bytes, little-endian; the key is the SHA-256
/// of the image's values, as little-endian `f32`.
///
/// Whatever batch an image is in, and wherever, it has the same numbers.
#[derive(Debug, Clone)]
pub(super) struct Draws {
    key: [u8; 32],
    blocks: u64,
    left: Vec<u8>,
}

impl Draws {
    /// Those of an image.
    pub fn of(image: &[f32]) -> Self {
        let bytes: Vec<u8> = image.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { key: Sha256::digest(bytes).into(), blocks: 0, left: Vec::new() }
    }

    fn byte(&mut self) -> u8 {
        if self.left.is_empty() {
            let block =
                Sha256::new().chain_update(self.key).chain_update(self.blocks.to_le_bytes());
            self.left = block.finalize().into_iter().rev().collect();
            self.blocks += 1;
        }
        self.left.pop().expect("a block has bytes")
    }

    /// Any number below this one, by the remainder of 8 bytes.
    pub fn below(&mut self, end: usize) -> usize {
        let bytes = std::array::from_fn(|_| self.byte());
        (u64::from_le_bytes(bytes) % end as u64) as usize
    }

    /// 1 or −1, by whether the next byte is even.
    pub fn sign(&mut self) -> f64 {
        if self.byte().is_multiple_of(2) { 1.0 } else { -1.0 }
    }
}
