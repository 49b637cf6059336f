//! How much memory a file may ask for: [`memory_limit`].

use std::env::{VarError, var};
use std::io::{self, ErrorKind};
use std::sync::OnceLock;

const VARIABLE: &str = "TKMIA_MAX_MEMORY";
const DEFAULT: u64 = 8 << 30;

/// Bytes that what one file holds may take: 8 GiB, or as many as the environment variable `TKMIA_MAX_MEMORY` says.
///
/// A few bytes of a file can declare an image, an array or a network of any size. Readers compare with this, or with a
/// share of it, before they ask for memory.
pub fn memory_limit() -> u64 {
    static LIMIT: OnceLock<u64> = OnceLock::new();
    *LIMIT.get_or_init(|| configured().unwrap_or(DEFAULT))
}

/// Checks that the environment variable, if it is there, is a number of bytes.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] with what was found.
pub fn check_memory_limit() -> io::Result<()> {
    configured().map(drop)
}

fn configured() -> io::Result<u64> {
    match var(VARIABLE) {
        Err(VarError::NotPresent) => Ok(DEFAULT),
        found => bytes(&found.unwrap_or_default()),
    }
}

fn bytes(text: &str) -> io::Result<u64> {
    text.parse().ok().filter(|&bytes| bytes > 0).ok_or_else(|| {
        let message = format!("{VARIABLE}: expected a number of bytes, found `{text}`");
        io::Error::new(ErrorKind::InvalidInput, message)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_limit_is_a_number_of_bytes() {
        assert_eq!(super::bytes("1000").unwrap(), 1000);
        for text in ["", "0", "8G", "-1"] {
            let error = super::bytes(text).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("TKMIA_MAX_MEMORY: expected a number of bytes, found `{text}`")
            );
        }
    }
}
