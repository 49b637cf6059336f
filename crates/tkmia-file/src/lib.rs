//! Files that are written whole or not at all, files that are what they should be, text in whichever
//! encoding, arrays, and fingerprints.
//!
//! [`write_whole`] writes bytes that are at hand; [`WholeFile`] is a handle, for what is written piece
//! by piece. [`open`] and [`read`] refuse what merely stands in for a file, [`read_text`] and [`open_text`]
//! read text, [`Npz`] and [`Npy`] arrays. [`memory_limit`] is what a file may ask for, and [`within`] where the files are that
//! it names. [`overwritten`] says whether an output is an input. [`sha256`] and [`sha256_read`] are fingerprints.

mod limit;
mod npz;
mod open;
mod overwrite;
mod sha256;
mod text;
mod whole_file;
mod within;

/// As which files arrays are read from the standard input, and whole files written to the standard output.
pub const STANDARD_STREAM: &str = "-";

pub use limit::{check_memory_limit, memory_limit};
pub use npz::{ArrayError, Axis, Elements, Npy, Npz, Place};
pub use open::{open, read};
pub use overwrite::overwritten;
pub use sha256::{sha256, sha256_read};
pub use text::{decode, open_text, read_text};
pub use whole_file::{WholeFile, is_standard_output, write_whole};
pub use within::within;
