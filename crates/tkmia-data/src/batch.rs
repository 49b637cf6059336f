//! From images to one tensor: [`load_batch`], [`open_image`], [`to_tensor`].

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use rayon::prelude::*;
use tkmia_core::Bounds;

use crate::decode::read_rgb;
use crate::picture::fill;
use crate::{DataError, Dataset, Transform};

/// The images at the given indices, in that order, as a model takes them.
///
/// Decoding and transforming run in parallel on the rayon pool of the caller.
///
/// # Shapes
/// - output: `[indices, 3, side, side]`, values within the transform's bounds
///
/// # Errors
/// [`DataError::ImageOutOfRange`] if the dataset has no such image, else what
/// [`Dataset::image`] and [`Transform::apply`] say of the first bad one.
///
/// # Example
///
/// ```no_run
/// use burn::tensor::Device;
/// use tkmia_core::Bounds;
/// use tkmia_data::{Resize, Transform, Voc2012, load_batch};
///
/// let voc = Voc2012::open("VOCdevkit/VOC2012", "val")?;
/// let transform = Transform { resize: Resize::short_side(300), bounds: Bounds::SYMMETRIC };
/// let images = load_batch(&voc, &[0, 1, 2, 3], &transform, &Device::default())?;
/// assert_eq!(images.dims(), [4, 3, 300, 300]);
/// # Ok::<(), tkmia_data::DataError>(())
/// ```
pub fn load_batch(
    dataset: &dyn Dataset,
    indices: &[usize],
    transform: &Transform,
    device: &Device,
) -> Result<Tensor<4>, DataError> {
    let len = dataset.len();
    if let Some(&index) = indices.iter().find(|&&index| index >= len) {
        return Err(DataError::ImageOutOfRange { dataset: dataset.name().into(), index, len });
    }
    let square = |index| transform.resize.apply(&dataset.image(index)?);
    let side = transform.resize.side;
    let values = batch_values(indices, side, transform.bounds, square)?;
    let data = TensorData::new(values, [indices.len(), 3, side as usize, side as usize]);
    Ok(Tensor::from_data(data, device))
}

/// The values of square images, one after the other: each is made by `square` from an index, in parallel on
/// the rayon pool of the caller.
///
/// # Shapes
/// - output: `[indices, 3, side, side]`, row-major, values within the bounds
///
/// # Errors
/// What `square` says of the first bad image, and [`DataError::ValueCount`] for one of another size.
pub fn batch_values(
    indices: &[usize],
    side: u32,
    bounds: Bounds,
    square: impl Fn(usize) -> Result<RgbImage, DataError> + Sync,
) -> Result<Vec<f32>, DataError> {
    // A side of 0 is for `square` to refuse.
    let size = (3 * side as usize * side as usize).max(1);
    let mut values = vec![0.0; indices.len() * size];
    let places = values.par_chunks_exact_mut(size).zip(indices);
    // Collected before the errors are looked at, so that the first bad image is always the one named.
    let filled: Vec<_> =
        places.map(|(place, &index)| fill(place, &square(index)?, bounds)).collect();
    filled.into_iter().collect::<Result<(), DataError>>()?;
    Ok(values)
}

/// One photograph as a model takes it, decoded as those of data sets are.
///
/// # Shapes
/// - output: `[1, 3, side, side]`, values within the transform's bounds
///
/// # Errors
/// [`DataError::Read`], [`DataError::Decode`] or [`DataError::TruncatedJpeg`] if the file isn't a whole JPEG
/// or PNG image, and what [`Transform::apply`] says.
///
/// # Example
///
/// ```
/// use tkmia_core::{Bounds, burn::tensor::Device};
/// use tkmia_data::{Resize, Transform, open_image};
///
/// # let mini_voc = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/mini-voc/VOC2012");
/// # let photograph = format!("{mini_voc}/JPEGImages/2012_250000.jpg");
/// let transform = Transform { resize: Resize::short_side(64), bounds: Bounds::SYMMETRIC };
/// let image = open_image(&photograph, &transform, &Device::default())?;
/// assert_eq!(image.dims(), [1, 3, 64, 64]);
/// # Ok::<(), tkmia_data::DataError>(())
/// ```
pub fn open_image(
    path: impl AsRef<Path>,
    transform: &Transform,
    device: &Device,
) -> Result<Tensor<4>, DataError> {
    to_tensor(&read_rgb(path.as_ref())?, transform, device)
}

/// An image as a model takes it.
///
/// # Shapes
/// - output: `[1, 3, side, side]`, values within the transform's bounds
///
/// # Errors
/// What [`Transform::apply`] says.
///
/// # Example
///
/// ```
/// use tkmia_core::{Bounds, burn::tensor::Device};
/// use tkmia_data::image::{Rgb, RgbImage};
/// use tkmia_data::{Resize, Transform, to_tensor};
///
/// let grey = RgbImage::from_pixel(40, 30, Rgb([51; 3]));
/// let transform = Transform { resize: Resize::square(2), bounds: Bounds { low: 0.0, high: 1.0 } };
/// let tensor = to_tensor(&grey, &transform, &Device::default())?;
/// assert_eq!(tensor.into_data().to_vec::<f32>().unwrap(), [0.2; 12]);
/// # Ok::<(), tkmia_data::DataError>(())
/// ```
pub fn to_tensor(
    image: &RgbImage,
    transform: &Transform,
    device: &Device,
) -> Result<Tensor<4>, DataError> {
    let side = transform.resize.side as usize;
    let data = TensorData::new(transform.apply(image)?, [1, 3, side, side]);
    Ok(Tensor::from_data(data, device))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::Rgb;

    use super::*;
    use crate::{Folder, Resize};

    const TRANSFORM: Transform =
        Transform { resize: Resize::short_side(4), bounds: Bounds::SYMMETRIC };

    /// Three one-coloured images, of red 0, 51 and 255.
    fn reds() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        for (name, red) in [("a.png", 0), ("b.png", 51), ("c.png", 255)] {
            let image = RgbImage::from_pixel(9, 6, Rgb([red, 0, 255]));
            image.save(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("labels.csv"), "image,cat\na.png,1\nb.png,0\nc.png,1\n").unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        (dir, folder)
    }

    #[test]
    fn images_come_in_the_order_asked_for() -> Result<(), DataError> {
        let (_dir, folder) = reds();
        let batch = load_batch(&folder, &[2, 0, 1, 2], &TRANSFORM, &Device::default())?;
        assert_eq!(batch.dims(), [4, 3, 4, 4]);
        let values = batch.into_data().try_to_vec::<f32>().unwrap();
        let reds: Vec<f32> = values.chunks(3 * 16).map(|image| image[5]).collect();
        assert_eq!(reds, [1.0, -1.0, -0.6, 1.0]);
        Ok(())
    }

    #[test]
    fn the_first_bad_image_is_the_one_named() {
        let (dir, folder) = reds();
        for name in ["a.png", "b.png"] {
            fs::write(dir.path().join(name), "no image").unwrap();
        }
        let error = load_batch(&folder, &[2, 1, 0], &TRANSFORM, &Device::default()).unwrap_err();
        assert!(matches!(&error, DataError::Decode { path, .. } if path.ends_with("b.png")));
    }

    #[test]
    fn an_image_of_another_size_or_a_side_of_nothing_is_an_error() {
        let square = |_| Ok(RgbImage::new(3, 4));
        let error = batch_values(&[0], 4, Bounds::SYMMETRIC, square).unwrap_err();
        assert!(matches!(error, DataError::ValueCount { expected: 48, found: 36 }), "{error}");
        let (_dir, folder) = reds();
        let nothing = Transform { resize: Resize::short_side(0), ..TRANSFORM };
        let error = load_batch(&folder, &[1], &nothing, &Device::default()).unwrap_err();
        assert!(matches!(error, DataError::NoPixels { side: 0, .. }), "{error}");
    }

    #[test]
    fn a_photograph_alone_is_the_one_in_a_batch() -> Result<(), DataError> {
        let (dir, folder) = reds();
        let alone = open_image(dir.path().join("b.png"), &TRANSFORM, &Device::default())?;
        let batch = load_batch(&folder, &[1], &TRANSFORM, &Device::default())?;
        assert_eq!(alone.into_data(), batch.into_data());
        Ok(())
    }

    #[test]
    fn an_index_beyond_the_dataset_is_an_error() {
        let (_dir, folder) = reds();
        let error = load_batch(&folder, &[0, 3], &TRANSFORM, &Device::default()).unwrap_err();
        assert!(matches!(error, DataError::ImageOutOfRange { index: 3, len: 3, .. }));
    }
}
