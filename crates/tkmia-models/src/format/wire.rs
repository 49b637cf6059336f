//! Protobuf's wire format, as far as it takes to look into a file before its messages are built: [`Fields`].
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>

/// The fields of a message that have a length: their numbers and their bytes.
///
/// Others are passed over. Where the bytes are no message it ends early, and [`whole`](Self::whole) says so.
#[derive(Debug, Clone)]
pub struct Fields<'b> {
    rest: &'b [u8],
}

impl<'b> Fields<'b> {
    pub fn of(message: &'b [u8]) -> Self {
        Self { rest: message }
    }

    /// The bytes of each field of that number.
    pub fn numbered(self, number: u64) -> impl Iterator<Item = &'b [u8]> {
        self.filter(move |(own, _)| *own == number).map(|(_, bytes)| bytes)
    }

    /// Whether the bytes are a message to their end.
    pub fn whole(mut self) -> bool {
        self.by_ref().for_each(drop);
        self.rest.is_empty()
    }

    fn read(&mut self) -> Option<(u64, Option<&'b [u8]>)> {
        let mut rest = self.rest;
        let key = varint(&mut rest)?;
        let length = match key & 7 {
            0 => {
                varint(&mut rest)?;
                0
            }
            1 => 8,
            2 => usize::try_from(varint(&mut rest)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let (bytes, behind) = rest.split_at_checked(length)?;
        self.rest = behind;
        Some((key >> 3, (key & 7 == 2).then_some(bytes)))
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = (u64, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (number, bytes) = self.read()?;
            if let Some(bytes) = bytes {
                return Some((number, bytes));
            }
        }
    }
}

/// Seven bits a byte, the lowest first.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_a_length_are_given_and_others_passed_over() {
        // 1: 150, 2: "testing", 3: fixed32, 4: fixed64, 2: ""
        let message = b"\x08\x96\x01\x12\x07testing\x1d\0\0\0\0\x21\0\0\0\0\0\0\0\0\x12\0";
        let fields = Fields::of(message);
        assert!(fields.clone().whole());
        assert_eq!(fields.clone().collect::<Vec<_>>(), [(2, &b"testing"[..]), (2, b"")]);
        assert_eq!(fields.numbered(2).count(), 2);
        for broken in [
            &b"\x12\x07test"[..],
            b"\x0b",
            b"\x08",
            b"\x1d\0",
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ] {
            assert!(!Fields::of(broken).whole(), "{broken:?}");
        }
    }
}
