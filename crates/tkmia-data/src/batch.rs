//! [`load_batch`]: from images of a dataset to one tensor.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

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
/// let transform = Transform { resize: Resize::ShortSide(300), bounds: Bounds::SYMMETRIC };
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
    // Collected before the errors are looked at, so that the first bad image is always the one named.
    let images: Vec<Result<Vec<f32>, DataError>> =
        indices.par_iter().map(|&index| transform.apply(&dataset.image(index)?)).collect();
    let images = images.into_iter().collect::<Result<Vec<_>, _>>()?;

    let side = transform.resize.side() as usize;
    let data = TensorData::new(images.concat(), [indices.len(), 3, side, side]);
    Ok(Tensor::from_data(data, device))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::{Rgb, RgbImage};
    use tkmia_core::Bounds;

    use super::*;
    use crate::{Folder, Resize};

    const TRANSFORM: Transform =
        Transform { resize: Resize::ShortSide(4), bounds: Bounds::SYMMETRIC };

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
    fn an_index_beyond_the_dataset_is_an_error() {
        let (_dir, folder) = reds();
        let error = load_batch(&folder, &[0, 3], &TRANSFORM, &Device::default()).unwrap_err();
        assert!(matches!(error, DataError::ImageOutOfRange { index: 3, len: 3, .. }));
    }
}
