//! Files that are written whole or not at all, and fingerprints of files.
//!
//! [`write_whole`] writes bytes that are at hand; [`WholeFile`] is a handle, for what is written piece
//! by piece. [`sha256`], [`sha256_read`] and [`sha256_file`] are fingerprints.

mod sha256;
mod whole_file;

pub use sha256::{sha256, sha256_file, sha256_read};
pub use whole_file::{WholeFile, write_whole};
