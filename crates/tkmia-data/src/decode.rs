//! From a file to pixels, refusing what a lenient decoder would make up.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};
use tkmia_file::memory_limit;

use crate::DataError;

/// The image in a file as 8-bit RGB; the format is told by the content, not by the file's name.
///
/// JPEG values are within 4 levels of libjpeg's (measured), which rounds elsewhere.
///
/// # Errors
/// [`DataError::Read`], [`DataError::Decode`] or [`DataError::TruncatedJpeg`] if the file isn't a whole JPEG or PNG image.
pub fn read_rgb(path: &Path) -> Result<RgbImage, DataError> {
    let bytes = tkmia_file::read(path).map_err(DataError::read(path, "a JPEG or PNG image"))?;
    let undecodable = |source| DataError::Decode { path: path.into(), source };

    let reader = ImageReader::new(Cursor::new(&bytes))
        .with_guessed_format()
        .map_err(|source| undecodable(source.into()))?;
    let is_jpeg = reader.format() == Some(ImageFormat::Jpeg);
    let other = match reader.format() {
        Some(ImageFormat::Jpeg) => markers(&bytes).find_map(odd_coding).or(many_scans(&bytes)),
        None => OTHERS.iter().find(|(at, start, _)| has(&bytes, *at, start)).map(|other| other.2),
        Some(_) => None,
    };
    if let Some(found) = other {
        return Err(DataError::OtherImage { path: path.into(), found });
    }
    let decoder = reader.into_decoder().map_err(undecodable)?;
    let ((width, height), most) = (decoder.dimensions(), memory_limit() / BYTES_OF_A_PIXEL);
    if u64::from(width) * u64::from(height) > most {
        return Err(DataError::ManyPixels { path: path.into(), width, height, most });
    }
    let image = DynamicImage::from_decoder(decoder).map_err(undecodable)?;
    // The decoder fills what is missing of a truncated JPEG with grey and says nothing.
    if is_jpeg && !markers(&bytes).any(|marker| marker == END_OF_IMAGE) {
        return Err(DataError::TruncatedJpeg { path: path.into() });
    }
    Ok(image.into_rgb8())
}

/// The share of the memory for a pixel: decoders hold it in several forms, and batches several images.
const BYTES_OF_A_PIXEL: u64 = 64;

/// Scans of a progressive JPEG at most: each may pass over the whole image, and take a few bytes.
const MOST_SCANS: usize = 100;

fn many_scans(jpeg: &[u8]) -> Option<&'static str> {
    let scans = markers(jpeg).filter(|&marker| marker == START_OF_SCAN).count();
    (scans > MOST_SCANS).then_some("a JPEG image of more than 100 scans")
}

/// Images that the decoder has no name for: where bytes stand in them, which, and what they are.
const OTHERS: [(usize, &[u8], &str); 6] = [
    (4, b"ftyphei", "a HEIC image"),
    (4, b"ftypmif1", "a HEIF image"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (4, b"JXL ", "a JPEG XL image"),
    (4, b"jP  ", "a JPEG 2000 image"),
    (0, b"<", "a text such as SVG or XML"),
];

fn has(bytes: &[u8], at: usize, start: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|bytes| bytes.starts_with(start))
}

const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;

/// The markers of a JPEG, up to the one that ends it, ITU-T T.81 (B.1.1).
///
/// A marker is `ff` and a byte that is neither `00` (a literal `ff` of the compressed data) nor
/// another `ff` (padding). Segments are skipped by their length: a thumbnail within one ends too.
fn markers(jpeg: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = jpeg;
    std::iter::from_fn(move || {
        let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff);
        let at = rest.windows(2).position(is_marker)?;
        let marker = rest[at + 1];
        rest = &rest[at + 2..];
        match marker {
            END_OF_IMAGE => rest = &[],
            // Start of image, restarts and TEM stand alone.
            0xd0..=0xd8 | 0x01 => {}
            _ => {
                let &[high, low] = rest.first_chunk()?;
                rest = rest.get(usize::from(u16::from_be_bytes([high, low]))..)?;
            }
        }
        Some(marker)
    })
}

/// What the marker of a frame says, if that is of a coding that the decoder doesn't know (T.81, table B.1).
fn odd_coding(marker: u8) -> Option<&'static str> {
    match marker {
        0xc3 => Some("a JPEG image in lossless coding"),
        0xc5..=0xc7 => Some("a JPEG image in hierarchical coding"),
        0xc9..=0xcb | 0xcd..=0xcf => Some("a JPEG image in arithmetic coding"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::{Rgb, RgbaImage};

    use super::*;

    fn gradient() -> RgbImage {
        RgbImage::from_fn(40, 24, |x, y| Rgb([x as u8 * 6, y as u8 * 10, 99]))
    }

    fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn read(bytes: &[u8]) -> Result<RgbImage, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.jpg");
        fs::write(&path, bytes).unwrap();
        read_rgb(&path)
    }

    #[test]
    fn grey_and_transparent_images_become_rgb() {
        let grey = DynamicImage::from(gradient()).into_luma8();
        let rgb = read(&encoded(grey.clone(), ImageFormat::Jpeg)).unwrap();
        assert!(rgb.pixels().all(|pixel| pixel.0[0] == pixel.0[1] && pixel.0[1] == pixel.0[2]));

        // Named `.jpg`, but a PNG; its transparency is dropped, not blended.
        let clear = RgbaImage::from_pixel(3, 2, image::Rgba([9, 8, 7, 0]));
        assert_eq!(read(&encoded(clear, ImageFormat::Png)).unwrap().get_pixel(1, 1).0, [9, 8, 7]);
    }

    #[test]
    fn a_cmyk_jpeg_becomes_the_colours_that_pillow_gives() {
        let read = read_rgb(Path::new("tests/images/cmyk.jpg")).unwrap();
        let expected = read_rgb(Path::new("tests/images/cmyk.png")).unwrap();
        let pairs = read.iter().zip(expected.iter());
        assert!(pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap() <= 4);
    }

    #[test]
    fn a_jpeg_or_png_cut_short_anywhere_is_an_error() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png] {
            let whole = encoded(gradient(), format);
            assert!(read(&whole).is_ok());
            // A PNG's last twelve bytes, an empty chunk, hold nothing that an image needs.
            let needed = whole.len() - if format == ImageFormat::Png { 12 } else { 0 };
            for length in (0..needed).step_by(7).chain([needed - 2, needed - 1]) {
                assert!(read(&whole[..length]).is_err(), "{format:?} cut to {length} bytes");
            }
        }
    }

    #[test]
    fn each_unreadable_file_is_named_with_what_was_expected() {
        let missing = read_rgb(Path::new("nowhere/a.jpg")).unwrap_err();
        assert!(matches!(missing, DataError::Read { .. }));
        assert_eq!(
            missing.to_string(),
            "nowhere/a.jpg: can't be read, expected a JPEG or PNG image"
        );

        for bytes in [b"".as_slice(), b"not an image", b"GIF89a"] {
            let error = read(bytes).unwrap_err();
            assert!(matches!(error, DataError::Decode { .. }), "{error:?}");
            assert!(error.to_string().contains("image.jpg"), "{error}");
        }

        let whole = encoded(gradient(), ImageFormat::Jpeg);
        let cut = read(&whole[..whole.len() - 30]).unwrap_err();
        assert!(matches!(cut, DataError::TruncatedJpeg { .. }), "{cut:?}");
    }

    #[test]
    fn the_end_of_an_embedded_thumbnail_is_not_the_end_of_the_image() {
        // SOI, an APP1 segment of 4 + 2 bytes that holds a whole tiny JPEG, then nothing.
        let found = |jpeg| markers(jpeg).collect::<Vec<_>>();
        assert_eq!(found(b"\xff\xd8\xff\xe1\x00\x06\xff\xd8\xff\xd9"), [0xd8, 0xe1]);
        let whole = b"\xff\xd8\xff\xe1\x00\x06\xff\xd8\xff\xd9\xff\xff\xd9\xff\xd8";
        assert_eq!(found(whole), [0xd8, 0xe1, END_OF_IMAGE]);
        assert_eq!(found(b"\xff\xd8\xff\xe1\x00"), [0xd8]);
    }

    #[test]
    fn a_coding_that_is_not_read_is_named() {
        let whole = encoded(gradient(), ImageFormat::Jpeg);
        let frame = whole.windows(2).position(|pair| pair == b"\xff\xc0").unwrap() + 1;
        for (marker, coding) in [(0xc3, "lossless"), (0xc6, "hierarchical"), (0xc9, "arithmetic")] {
            let mut odd = whole.clone();
            odd[frame] = marker;
            let error = read(&odd).unwrap_err().to_string();
            assert!(error.contains("image.jpg") && error.contains(coding), "{error}");
        }
    }

    #[test]
    fn no_more_pixels_or_scans_are_decoded_than_an_image_has() {
        // A few bytes in place of the size.
        let mut png = encoded(gradient(), ImageFormat::Png);
        png[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        png[29..33].copy_from_slice(&0xe3e6a7b4_u32.to_be_bytes());
        let mut jpeg = encoded(gradient(), ImageFormat::Jpeg);
        let frame = jpeg.windows(2).position(|pair| pair == b"\xff\xc0").unwrap();
        jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
        for (bytes, size) in [(png, "65536×65536"), (jpeg, "65535×65535")] {
            let error = read(&bytes).unwrap_err().to_string();
            assert!(error.contains("image.jpg") && error.contains(size), "{error}");
        }
        let mut scans = encoded(gradient(), ImageFormat::Jpeg);
        scans.splice(2..2, b"\xff\xda\0\x02".repeat(101));
        let error = read(&scans).unwrap_err().to_string();
        assert!(error.contains("more than 100 scans"), "{error}");
    }

    #[test]
    fn what_stands_in_for_an_image_is_named() {
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
        let heic = read(b"\0\0\0\x18ftypheic\0\0\0\0").unwrap_err().to_string();
        assert!(heic.contains("found a HEIC image"), "{heic}");
        let error = read(pointer).unwrap_err();
        assert!(
            matches!(&error, DataError::Read { source, .. } if source.to_string().contains("LFS"))
        );
    }
}
