//! Random numbers that are keyed by what they are for: [`generator`].

use chacha20::ChaCha8Rng;
use rand::SeedableRng;

/// What random numbers are for.
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    /// The order of an epoch's images.
    Order,
    /// The augmentation of an image, by its id.
    Augmentation,
    /// The noise of an image, by its id.
    Noise,
}

/// Numbers that depend on the seed, the epoch and the key alone, on every machine and for ever.
pub fn generator(seed: u64, epoch: usize, purpose: Purpose, key: &str) -> ChaCha8Rng {
    let words = [seed, epoch as u64, purpose as u64, fnv(key)];
    let mut bytes = [0; 32];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(bytes)
}

/// FNV-1a in 64 bits: <http://www.isthe.com/chongo/tech/comp/fnv/>
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn every_part_of_the_key_matters_and_nothing_else() {
        let first = |seed, epoch, purpose, key| generator(seed, epoch, purpose, key).next_u64();
        let number = first(1, 2, Purpose::Order, "a");
        assert_eq!(first(1, 2, Purpose::Order, "a"), number);
        for other in [
            first(2, 2, Purpose::Order, "a"),
            first(1, 3, Purpose::Order, "a"),
            first(1, 2, Purpose::Augmentation, "a"),
            first(1, 2, Purpose::Order, "b"),
        ] {
            assert_ne!(other, number);
        }
    }

    #[test]
    fn keys_are_hashed_as_published() {
        assert_eq!(fnv(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv("foobar"), 0x8594_4171_f739_67e8);
    }
}
