//! What is drawn: labels by seed and sample, signs, numbers, and orders, all from SHA-256.

use sha2::{Digest, Sha256};

/// `count` of the labels, without replacement; all of them where there are no more. Ascending.
///
/// A function of the seed, the sample's id and the labels alone, on any machine: the first ones
/// [`shuffled`]. A label keeps its digest whatever else could be drawn, so that draws of one seed
/// differ only where the candidates do.
pub(crate) fn draw(
    labels: impl IntoIterator<Item = usize>,
    count: usize,
    seed: u64,
    id: &str,
) -> Vec<usize> {
    let mut drawn = shuffled(labels, seed, id);
    drawn.truncate(count);
    drawn.sort_unstable();
    drawn
}

/// So many signs, as many of one as of the other, in the order of [`shuffled`] places.
pub(crate) fn signs(count: usize, seed: u64, id: &str) -> impl Iterator<Item = f64> {
    let sign = |place: usize| if place.is_multiple_of(2) { 1.0 } else { -1.0 };
    shuffled(0..count, seed, id).into_iter().map(sign)
}

/// A number in [0, 1): the first 8 bytes of the SHA-256, big-endian.
pub(crate) fn uniform(seed: u64, number: usize, id: &str) -> f64 {
    let bytes: [u8; 8] = digest(seed, number, id)[..8].try_into().expect("eight bytes");
    // As many bits as an f64 holds.
    (u64::from_be_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64
}

/// SHA-256 of (seed, number, id); seed and number are 8 bytes each, little-endian, and the id is its UTF-8.
fn digest(seed: u64, number: usize, id: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update((number as u64).to_le_bytes());
    hash.update(id);
    hash.finalize().into()
}

/// Numbers in the order of their SHA-256, as bytes.
pub(crate) fn shuffled(
    numbers: impl IntoIterator<Item = usize>,
    seed: u64,
    id: &str,
) -> Vec<usize> {
    let mut shuffled: Vec<usize> = numbers.into_iter().collect();
    shuffled.sort_by_cached_key(|&number| digest(seed, number, id));
    shuffled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_the_recipe() {
        // By hashlib: sorted(sorted(range(6), key=lambda label: sha256(
        //     struct.pack("<QQ", 2023, label) + id.encode()).digest())[:3])
        let ids = ["2008_000002", "2008_000003", "2008_000007", "garden/é.jpg", "", "000000000042"];
        let expected = [[3, 4, 5], [0, 2, 4], [0, 1, 3], [1, 3, 4], [2, 3, 5], [1, 2, 4]];
        for (id, expected) in ids.iter().zip(expected) {
            assert_eq!(draw(0..6, 3, 2023, id), expected, "{id}");
        }
    }
}
