//! SHA-256 in hexadecimal digits: [`sha256`], [`sha256_read`].

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// SHA-256 of bytes, as 64 lower-case hexadecimal digits.
///
/// # Example
///
/// ```
/// // echo -n ab | sha256sum
/// let expected = "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603";
/// assert_eq!(tkmia_file::sha256("ab"), expected);
/// ```
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// [`sha256`] of all that a reader still gives, without holding it in memory.
///
/// # Errors
/// Those of the reader.
pub fn sha256_read(mut reader: impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut reader, &mut hash)?;
    Ok(hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_readers_have_one_fingerprint() {
        // echo -n abc | sha256sum
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256("abc"), expected);
        assert_eq!(sha256_read("ab".as_bytes().chain("c".as_bytes())).unwrap(), expected);
    }
}
