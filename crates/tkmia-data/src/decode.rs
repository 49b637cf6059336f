//! From a file to pixels, refusing what a lenient decoder would make up.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, ImageReader, RgbImage};

use crate::DataError;

/// The image in a file as 8-bit RGB; the format is told by the content, not by the file's name.
///
/// JPEG values are within 4 levels of libjpeg's (measured), which rounds elsewhere.
pub(crate) fn read_rgb(path: &Path) -> Result<RgbImage, DataError> {
    let bytes = fs::read(path).map_err(|source| DataError::Read {
        path: path.into(),
        expected: "a JPEG or PNG image",
        source,
    })?;
    let undecodable = |source| DataError::Decode { path: path.into(), source };

    let reader = ImageReader::new(Cursor::new(&bytes))
        .with_guessed_format()
        .map_err(|source| undecodable(source.into()))?;
    // The decoder fills what is missing of a truncated JPEG with grey and says nothing.
    let format = reader.format();
    let image = reader.decode().map_err(undecodable)?;
    if format == Some(ImageFormat::Jpeg) && !reaches_end_of_image(&bytes) {
        return Err(DataError::TruncatedJpeg { path: path.into() });
    }
    Ok(image.into_rgb8())
}

/// Whether a JPEG's markers lead to the one that ends it, ITU-T T.81 (B.1.1).
///
/// A marker is `ff` and a byte that is neither `00` (a literal `ff` of the compressed data) nor
/// another `ff` (padding). Segments are skipped by their length: a thumbnail within one ends too.
fn reaches_end_of_image(jpeg: &[u8]) -> bool {
    let mut rest = jpeg;
    while let Some(at) =
        rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff))
    {
        let marker = rest[at + 1];
        rest = &rest[at + 2..];
        match marker {
            0xd9 => return true,
            // Start of image, restarts and TEM stand alone.
            0xd0..=0xd8 | 0x01 => {}
            _ => {
                let Some(&[high, low]) = rest.first_chunk() else {
                    return false;
                };
                let length = usize::from(u16::from_be_bytes([high, low]));
                let Some(after) = rest.get(length..) else {
                    return false;
                };
                rest = after;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, Rgb, RgbaImage};

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
            "`nowhere/a.jpg`: can't be read, expected a JPEG or PNG image"
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
        assert!(!reaches_end_of_image(b"\xff\xd8\xff\xe1\x00\x06\xff\xd8\xff\xd9"));
        assert!(reaches_end_of_image(b"\xff\xd8\xff\xe1\x00\x06\xff\xd8\xff\xd9\xff\xff\xd9"));
        assert!(!reaches_end_of_image(b"\xff\xd8\xff\xe1\x00"));
    }
}
