//! Text as people have it: [`read_text`], [`open_text`], [`decode`].

use std::io::{self, BufRead, BufReader, Cursor, ErrorKind};
use std::path::Path;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::open::{LARGEST, open, read, read_at_most};

/// The whole of a text file: see [`decode`].
///
/// # Errors
/// Those of [`read`](crate::read) and [`decode`].
pub fn read_text(path: impl AsRef<Path>) -> io::Result<String> {
    decode(&read(path)?, None)
}

/// The bytes of a text file in UTF-8 and without a mark, for a parser that takes them piece by piece.
///
/// A file in UTF-16 is held in memory. Lines end as they do in the file.
///
/// # Errors
/// Those of [`open`](crate::open), and for UTF-16 of [`decode`].
pub fn open_text(path: impl AsRef<Path>) -> io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::with_capacity(1 << 16, open(path)?);
    match marked(file.fill_buf()?) {
        None => Ok(Box::new(file)),
        Some((encoding, mark)) if encoding == UTF_8 => {
            file.consume(mark);
            Ok(Box::new(file))
        }
        Some(_) => Ok(Box::new(Cursor::new(decode(&read_at_most(file, 0, LARGEST)?, None)?))),
    }
}

/// The text that bytes stand for, each line ended by `\n`.
///
/// They are UTF-8, with or without a byte-order mark, or UTF-16 of either order, which shows by its mark or by the
/// zero byte in its first character. Where neither shows, the encoding is that which the text declares of itself.
///
/// # Errors
/// [`ErrorKind::InvalidData`] with the first line that isn't of the encoding.
///
/// # Example
///
/// ```
/// assert_eq!(tkmia_file::decode(b"\xff\xfea\0\r\0\n\0", None)?, "a\n");
/// let latin_1 = tkmia_file::decode(b"caf\xe9", None).unwrap_err();
/// assert!(latin_1.to_string().starts_with("line 1 isn't in UTF-8"));
/// # std::io::Result::Ok(())
/// ```
pub fn decode(bytes: &[u8], declared: Option<&'static Encoding>) -> io::Result<String> {
    // A declaration that could be read byte by byte isn't in UTF-16, whatever it says.
    let declared = declared.filter(|encoding| encoding.is_ascii_compatible());
    let (encoding, mark) = marked(bytes).unwrap_or((declared.unwrap_or(UTF_8), 0));
    let bytes = &bytes[mark..];
    match encoding.decode_without_bom_handling_and_without_replacement(bytes) {
        // No text has zeros: UTF-32 and files that are none have.
        Some(text) if !text.contains('\0') => Ok(text.replace("\r\n", "\n").replace('\r', "\n")),
        _ => Err(undecodable(bytes, encoding)),
    }
}

/// The encoding that first bytes tell, and how many of them are its mark.
fn marked(bytes: &[u8]) -> Option<(&'static Encoding, usize)> {
    Encoding::for_bom(bytes).or(match *bytes {
        [0, second, ..] if second != 0 => Some((UTF_16BE, 0)),
        [first, 0, ..] if first != 0 => Some((UTF_16LE, 0)),
        _ => None,
    })
}

fn undecodable(bytes: &[u8], encoding: &'static Encoding) -> io::Error {
    let name = encoding.name();
    let message = match std::str::from_utf8(bytes) {
        _ if bytes.starts_with(b"PK\x03\x04") => {
            "it is a zip archive, as spreadsheets are".to_owned()
        }
        Err(error) if encoding == UTF_8 => {
            let at = error.valid_up_to();
            let line = 1 + bytes[..at].iter().filter(|&&byte| byte == b'\n').count();
            let byte = bytes[at];
            format!("line {line} isn't in UTF-8 (byte {byte:02x}): save it in this encoding")
        }
        _ => format!("it isn't text in {name} throughout: save it in the encoding UTF-8"),
    };
    io::Error::new(ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const TEXT: &str = "b\r\né\r\r\n€";

    fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    /// One text in every form that is read.
    fn forms() -> Vec<Vec<u8>> {
        let marked = format!("\u{feff}{TEXT}");
        vec![
            TEXT.into(),
            marked.clone().into(),
            utf_16(TEXT, u16::to_le_bytes),
            utf_16(TEXT, u16::to_be_bytes),
            utf_16(&marked, u16::to_le_bytes),
            utf_16(&marked, u16::to_be_bytes),
        ]
    }

    #[test]
    fn text_is_the_same_in_every_form() {
        let path = tempfile::NamedTempFile::new().unwrap();
        for bytes in forms() {
            assert_eq!(decode(&bytes, None).unwrap(), "b\né\n\n€");
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(read_text(&path).unwrap(), "b\né\n\n€");
            let mut streamed = String::new();
            open_text(&path).unwrap().read_to_string(&mut streamed).unwrap();
            assert_eq!(streamed.replace("\r\n", "\n").replace('\r', "\n"), "b\né\n\n€");
        }
        for short in ["", "a", "é"] {
            assert_eq!(decode(short.as_bytes(), None).unwrap(), short);
        }
    }

    #[test]
    fn a_declared_encoding_counts_where_the_bytes_leave_it_open() {
        let latin_1 = Encoding::for_label(b"iso-8859-1");
        assert_eq!(decode(b"caf\xe9", latin_1).unwrap(), "café");
        assert_eq!(decode("\u{feff}café".as_bytes(), latin_1).unwrap(), "café");
        assert_eq!(decode("café".as_bytes(), Some(UTF_16LE)).unwrap(), "café");
    }

    #[test]
    fn what_is_not_of_its_encoding_is_an_error() {
        let says = |bytes: &[u8]| decode(bytes, None).unwrap_err().to_string();
        let expected = "line 2 isn't in UTF-8 (byte e9): save it in this encoding";
        assert_eq!(says(b"a\ncaf\xe9\n"), expected);
        assert!(says(b"\xff\xfea\0b").starts_with("it isn't text in UTF-16LE"));
        assert!(says(b"\xff\xfe\0\0a\0\0\0").starts_with("it isn't text in UTF-16LE"));
        assert!(says(b"a\0\0\0").starts_with("it isn't text in UTF-16LE"));
        assert!(says(b"ab\0").starts_with("it isn't text in UTF-8"));
        assert!(says(b"PK\x03\x04\x14\0").starts_with("it is a zip archive"));
        assert!(says(b"\xfe\xff\xd8\0\0a").starts_with("it isn't text in UTF-16BE"));
    }
}
