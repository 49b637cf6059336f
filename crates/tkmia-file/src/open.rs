//! Files that are what they are said to be: [`open`], [`read`].

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek};
use std::path::Path;

/// As many bytes as tell what stands in for a file.
const HEAD: u64 = 512;
/// The largest file that is read as a whole.
pub const LARGEST: u64 = 2 << 30;

/// Opens a file, unless something else stands in its place: a folder, a pointer of Git LFS or git-annex,
/// an HTML page, a compressed file.
///
/// # Errors
/// Those of opening and reading it; one that says what it is and what to do.
pub fn open(path: impl AsRef<Path>) -> io::Result<File> {
    let mut file = File::open(path)?;
    let found = file.metadata()?;
    if found.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    // A pipe can't be read twice.
    if found.is_file() {
        let mut head = Vec::new();
        (&mut file).take(HEAD).read_to_end(&mut head)?;
        file.rewind()?;
        if let Some(it) = stand_in(&head) {
            return Err(io::Error::new(ErrorKind::InvalidData, it));
        }
    }
    Ok(file)
}

/// All bytes of a file that [`open`] opens, at most 2 GiB.
///
/// # Errors
/// Those of [`open`] and of reading it, and [`ErrorKind::FileTooLarge`].
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata()?.len();
    read_at_most(file, size, LARGEST)
}

/// All that a reader gives, if that is at most so much; `declared` is how much it says to be.
pub fn read_at_most(reader: impl Read, declared: u64, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if declared <= most {
        // A device says nothing of its size.
        reader.take(most + 1).read_to_end(&mut bytes)?;
    }
    match declared.max(bytes.len() as u64) <= most {
        true => Ok(bytes),
        false => {
            let message = format!("expected at most {most} bytes, found more");
            Err(io::Error::new(ErrorKind::FileTooLarge, message))
        }
    }
}

/// What files begin with that no reader of ours takes, what they are, and what to do.
const STAND_INS: [(&[u8], &str); 9] = [
    (
        b"version https://git-lfs.github.com/spec/",
        "it is a Git LFS pointer and not the file itself, which `git lfs pull` fetches",
    ),
    (
        b"/annex/objects/",
        "it is a git-annex pointer and not the file itself, which `git annex get` fetches",
    ),
    (b"\x1f\x8b\x08", "it is compressed by gzip: unpack it first"),
    (b"BZh", "it is compressed by bzip2: unpack it first"),
    (b"\xfd7zXZ\0", "it is compressed by xz: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "it is compressed by zstd: unpack it first"),
    (b"\x04\x22\x4d\x18", "it is compressed by lz4: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "it is a 7z archive: unpack it first"),
    (b"Rar!\x1a\x07", "it is a RAR archive: unpack it first"),
];

const HTML: &str =
    "it is an HTML page, as a server sends in place of a file: download the file again";

/// What a file really is that begins like this, and what to do; `None` if it may be what it should be.
fn stand_in(head: &[u8]) -> Option<&'static str> {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let begins = |tag: &[u8]| text.get(..tag.len()).is_some_and(|t| t.eq_ignore_ascii_case(tag));
    if begins(b"<!doctype html") || begins(b"<html") {
        return Some(HTML);
    }
    STAND_INS.iter().find(|(start, _)| head.starts_with(start)).map(|(_, it)| *it)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_stands_in_for_a_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        let says = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            open(&path).err().map(|error| error.to_string())
        };
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n";
        assert!(says(pointer).unwrap().contains("Git LFS pointer"));
        assert!(says(b"/annex/objects/MD5E-s9--ab.onnx\n").unwrap().contains("git-annex"));
        for page in ["<!DOCTYPE html>\n<html>", "\u{feff}\r\n  <HTML lang=en>"] {
            assert!(says(page.as_bytes()).unwrap().contains("an HTML page"));
        }
        assert!(says(b"\x1f\x8b\x08\0").unwrap().contains("gzip"));
        for file in [&b""[..], b"\x08\x08", b"PK\x03\x04", b"<annotation/>", b"image,cat\n"] {
            assert_eq!(says(file), None);
            assert_eq!(read(&path).unwrap(), file);
        }
        assert_eq!(open(folder.path()).unwrap_err().kind(), ErrorKind::IsADirectory);
    }

    #[test]
    fn what_has_no_end_is_not_read_on_and_on() {
        assert_eq!(read_at_most(&b"ab"[..], 2, 2).unwrap(), b"ab");
        for (endless, declared) in [(io::repeat(0), 0), (io::repeat(0), u64::MAX)] {
            let error = read_at_most(endless, declared, 9).unwrap_err();
            assert_eq!(error.to_string(), "expected at most 9 bytes, found more");
        }
    }
}
