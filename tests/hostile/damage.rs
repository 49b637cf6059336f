//! Damages to files: of bytes, and of what the format is made of, so that the rest of it still holds.

use std::io::{Cursor, Read, Write};

use fastrand::Rng;
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, ZipArchive};

/// Pieces of text that readers may stumble over.
const WORDS: [&str; 44] = [
    "",
    "0",
    "-1",
    "1e999",
    "-0.0",
    "NaN",
    "inf",
    "18446744073709551615",
    "9223372036854775807",
    "4294967296",
    "65536",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "''",
    "\"",
    "'",
    ",",
    ";",
    ":",
    "\n",
    "\r",
    "\t",
    "\\",
    "\0",
    "\u{feff}",
    "é",
    "../../x",
    "/etc/passwd",
    "..\\x",
    "[[",
    "]]",
    "{",
    "}",
    "(",
    ")",
    "<a>",
    "</a>",
    "<!DOCTYPE a>",
    "&#x110000;",
    "&b;",
    "\\ud800",
];

/// What is opened again and again.
const NESTS: [&str; 9] = ["[", "{", "(", "<a>", "[[a]]\n", "{\"a\":", "not ", "a.", "- "];

/// Numbers in place of lengths and sizes.
const NUMBERS: [u64; 10] =
    [0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 40, i64::MAX as u64, u64::MAX];

fn one_of<T: Copy>(list: &[T], random: &mut Rng) -> T {
    list[random.usize(..list.len())]
}

/// A file with a few damages; `other` is one of the same kind that it may be spliced with.
pub fn damaged(bytes: &[u8], other: &[u8], random: &mut Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    // Most often one, and now and then several.
    let damages = 1 + random.usize(..4) * random.usize(..2);
    for _ in 0..damages {
        bytes = once(&bytes, other, random);
    }
    bytes
}

fn once(bytes: &[u8], other: &[u8], random: &mut Rng) -> Vec<u8> {
    let within = random.u8(..4) > 0;
    if within && bytes.starts_with(b"PK\x03\x04") {
        return archive(bytes, random).unwrap_or_else(|| raw(bytes, other, random));
    }
    if within && bytes.starts_with(b"\x89PNG") {
        return png(bytes, other, random).unwrap_or_else(|| raw(bytes, other, random));
    }
    if within && bytes.get(8) == Some(&b'{') && bytes[3..8] == [0; 5] {
        return headed(bytes, other, random);
    }
    if within && bytes.starts_with(b"\x93NUMPY\x01") && bytes.len() > 10 {
        return array(bytes, other, random);
    }
    if within && std::str::from_utf8(bytes).is_ok() {
        return text(bytes, random);
    }
    if within && let Some(message) = message(bytes, random) {
        return message;
    }
    raw(bytes, other, random)
}

/// Flips, cuts, splices, repeats, overwrites.
fn raw(bytes: &[u8], other: &[u8], random: &mut Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if bytes.is_empty() {
        return vec![random.u8(..)];
    }
    let at = random.usize(..bytes.len());
    let end = (at + random.usize(..64)).min(bytes.len());
    match random.u8(..8) {
        0 => bytes[at] ^= 1 << random.u8(..8),
        1 => bytes[at] = random.u8(..),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let times = one_of(&[2, 2, 2, 1000], random);
            let piece = bytes[at..end].repeat(times);
            bytes.splice(at..end, piece);
        }
        5 => {
            let number = one_of(&NUMBERS, random);
            let size = one_of(&[1, 2, 4, 8], random);
            let number = match random.bool() {
                true => number.to_le_bytes()[..size].to_vec(),
                false => number.to_be_bytes()[8 - size..].to_vec(),
            };
            let end = (at + size).min(bytes.len());
            bytes.splice(at..end, number);
        }
        6 if !other.is_empty() => {
            let from = random.usize(..other.len());
            let to = (from + random.usize(..256)).min(other.len());
            bytes.splice(at..end, other[from..to].iter().copied());
        }
        _ => {
            let piece: Vec<u8> = (at..end).map(|_| random.u8(..)).collect();
            bytes.splice(at..end, piece);
        }
    }
    bytes
}

/// A word, a line or a stretch of text becomes another, moves, is repeated or nested.
fn text(bytes: &[u8], random: &mut Rng) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let is_word = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    let mut parts: Vec<&str> = Vec::new();
    let mut rest = &*text;
    while let Some(first) = rest.chars().next() {
        let end = match is_word(first) {
            true => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (part, behind) = rest.split_at(end);
        parts.push(part);
        rest = behind;
    }
    if parts.is_empty() {
        return one_of(&WORDS, random).into();
    }
    let at = random.usize(..parts.len());
    let nest;
    match random.u8(..8) {
        0 | 1 => parts[at] = one_of(&WORDS, random),
        2 => parts.insert(at, one_of(&WORDS, random)),
        3 => drop(parts.remove(at)),
        4 => parts[at] = parts[random.usize(..parts.len())],
        5 => {
            let end = (at + random.usize(..40)).min(parts.len());
            let piece = parts[at..end].to_vec();
            let to = random.usize(..=parts.len());
            parts.splice(to..to, piece);
        }
        6 => {
            nest = one_of(&NESTS, random).repeat(one_of(&[3, 30, 300, 20_000], random));
            parts.insert(at, &nest);
        }
        _ => {
            let end = (at + random.usize(..200)).min(parts.len());
            drop(parts.drain(at..end));
        }
    }
    parts.concat().into()
}

/// An entry of a zip archive is damaged, renamed, left out or there twice.
fn archive(bytes: &[u8], random: &mut Rng) -> Option<Vec<u8>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut entries = Vec::new();
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).ok()?;
        let mut content = Vec::new();
        (&mut entry).take(1 << 24).read_to_end(&mut content).ok()?;
        entries.push((entry.name().to_owned(), content));
    }
    let at = random.usize(..entries.len().max(1));
    let other = entries.get(random.usize(..entries.len().max(1)))?.1.clone();
    match random.u8(..10) {
        0 => drop(entries.remove(at)),
        1 => {
            let name = text(entries[at].0.as_bytes(), random);
            // The length has 16 bits.
            entries[at].0 = String::from_utf8(name).ok().filter(|name| name.len() < 1 << 16)?;
        }
        2 => entries[at].1 = other,
        _ => entries[at].1 = once(&entries[at].1, &other, random),
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let small = entries.iter().map(|(_, content)| content.len()).sum::<usize>() < 1 << 16;
    let method = match small && random.bool() {
        true => CompressionMethod::Deflated,
        false => CompressionMethod::Stored,
    };
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, content) in entries {
        zip.start_file(name, options).ok()?;
        zip.write_all(&content).ok()?;
    }
    Some(zip.finish().ok()?.into_inner())
}

/// A chunk of a PNG image is damaged, with the checksum that it then has.
fn png(bytes: &[u8], other: &[u8], random: &mut Rng) -> Option<Vec<u8>> {
    let mut chunks = Vec::new();
    let mut rest = bytes.get(8..)?;
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let chunk = behind.get(..length.checked_add(4)?)?;
        chunks.push(chunk.to_vec());
        rest = behind.get(length + 8..)?;
    }
    let at = random.usize(..chunks.len().max(1));
    let (kind, data) = chunks.get(at)?.split_at(4);
    chunks[at] = [kind, &raw(data, other, random)].concat();
    let mut png = bytes[..8].to_vec();
    for chunk in chunks {
        png.extend((chunk.len() as u32).wrapping_sub(4).to_be_bytes());
        png.extend(&chunk);
        png.extend(crc(&chunk).to_be_bytes());
    }
    Some(png)
}

/// ISO 3309, as PNG has it.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { 0xedb8_8320 ^ crc >> 1 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

/// The JSON at the beginning of a safetensors file is damaged, its length with it.
fn headed(bytes: &[u8], other: &[u8], random: &mut Rng) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let (header, data) = bytes[8..].split_at(length.min(bytes.len() - 8));
    let [header, data] = match random.u8(..4) {
        0 => [header.to_vec(), raw(data, other, random)],
        _ => [text(header, random), data.to_vec()],
    };
    [&(header.len() as u64).to_le_bytes(), &header[..], &data].concat()
}

/// The header of an npy array is damaged, its length with it.
fn array(bytes: &[u8], other: &[u8], random: &mut Rng) -> Vec<u8> {
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let (header, data) = bytes[10..].split_at(length.min(bytes.len() - 10));
    let [header, data] = match random.u8(..4) {
        0 => [header.to_vec(), raw(data, other, random)],
        _ => [text(header, random), data.to_vec()],
    };
    let length = (header.len() as u32).to_le_bytes();
    match header.len() < 1 << 16 {
        true => [b"\x93NUMPY\x01\0", &length[..2], &header, &data].concat(),
        false => [b"\x93NUMPY\x02\0", &length[..], &header, &data].concat(),
    }
}

/// A field of a protobuf message: its number, and what it is.
enum Field<'b> {
    Number(u64, u64),
    Bytes(u64, &'b [u8]),
    Fixed(u64, u64, &'b [u8]),
}

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

pub fn put_varint(mut value: u64, into: &mut Vec<u8>) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

fn fields(mut bytes: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let mut take = |length: u64| {
            let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
            bytes = rest;
            Some(taken)
        };
        fields.push(match key & 7 {
            0 => Field::Number(key >> 3, varint(&mut bytes)?),
            1 => Field::Fixed(key >> 3, 1, take(8)?),
            5 => Field::Fixed(key >> 3, 5, take(4)?),
            2 => {
                let length = varint(&mut bytes)?;
                let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
                bytes = rest;
                Field::Bytes(key >> 3, taken)
            }
            _ => return None,
        });
    }
    (!fields.is_empty()).then_some(fields)
}

/// A field of a protobuf message, at any depth, is changed, left out, moved or repeated; lengths follow.
fn message(bytes: &[u8], random: &mut Rng) -> Option<Vec<u8>> {
    let mut fields = fields(bytes)?;
    let at = random.usize(..fields.len());
    let changed;
    match &fields[at] {
        Field::Number(number, _) if random.u8(..3) > 0 => {
            let value = match random.bool() {
                true => one_of(&NUMBERS, random),
                false => random.u64(..30),
            };
            fields[at] = Field::Number(*number, value);
        }
        Field::Bytes(number, inner) if random.u8(..8) > 0 => {
            changed = match message(inner, random) {
                Some(changed) => changed,
                None if inner.len() < 100 && std::str::from_utf8(inner).is_ok() => {
                    name(inner, bytes, random)
                }
                None => raw(inner, bytes, random),
            };
            fields[at] = Field::Bytes(*number, &changed);
        }
        _ => match random.u8(..4) {
            0 => drop(fields.remove(at)),
            1 => {
                let to = random.usize(..fields.len());
                fields.swap(at, to);
            }
            2 => {
                let again = self::fields(bytes)?;
                fields.extend(again.into_iter().skip(at).take(1 + random.usize(..3)));
            }
            _ => {
                let number = random.u64(1..16);
                fields.push(Field::Number(number, one_of(&NUMBERS, random)));
            }
        },
    }
    let mut message = Vec::new();
    for field in fields {
        match field {
            Field::Number(number, value) => {
                put_varint(number << 3, &mut message);
                put_varint(value, &mut message);
            }
            Field::Fixed(number, kind, bytes) => {
                put_varint(number << 3 | kind, &mut message);
                message.extend(bytes);
            }
            Field::Bytes(number, bytes) => {
                put_varint(number << 3 | 2, &mut message);
                put_varint(bytes.len() as u64, &mut message);
                message.extend(bytes);
            }
        }
    }
    Some(message)
}

/// Another name: one that stands beside it, or an operator's.
fn name(own: &[u8], message: &[u8], random: &mut Rng) -> Vec<u8> {
    let beside = fields(message).into_iter().flatten().filter_map(|field| match field {
        Field::Bytes(_, bytes) if bytes.len() < 100 => Some(bytes.to_vec()),
        _ => None,
    });
    let beside: Vec<Vec<u8>> = beside.collect();
    match random.u8(..4) {
        0 => text(own, random),
        1 if !beside.is_empty() => beside[random.usize(..beside.len())].clone(),
        _ => one_of(&super::seeds::OPERATORS, random).into(),
    }
}
