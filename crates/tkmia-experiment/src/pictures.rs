//! [`PicturePaths`]: the images of a sample, as files.

use std::path::{Path, PathBuf};

use ndarray::{Array3, ArrayView3};
use ndarray_npy::WriteNpyExt;
use tkmia_core::Bounds;
use tkmia_data::{save_png, to_rgb};
use tkmia_file::{Axis, Elements, Npy, write_whole};

use crate::error::{ExperimentError, write_failed};
use crate::folder::IMAGES;
use crate::victim::Images;

/// Where the images of a sample are kept, within the folder of an experiment.
///
/// Original and perturbed image are PNGs, to be looked at; the perturbation is an npy file, to be measured
/// and drawn: `x* − x̃` in the classifier's units, float32 `[3, height, width]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PicturePaths {
    /// Without a perturbation.
    pub original: PathBuf,
    /// With it.
    pub perturbed: PathBuf,
    /// The perturbation.
    pub perturbation: PathBuf,
}

impl PicturePaths {
    /// Those of the sample at a position of a manifest, and of what an attack made of it.
    pub fn new(manifest: usize, job: usize, position: usize) -> Self {
        let path = |name: String| Path::new(IMAGES).join(name);
        Self {
            original: path(format!("m{:02}-s{position}-original.png", manifest + 1)),
            perturbed: path(format!("a{:03}-s{position}-perturbed.png", job + 1)),
            perturbation: path(format!("a{:03}-s{position}-perturbation.npy", job + 1)),
        }
    }

    /// The perturbation of an experiment's folder, in the classifier's units, `[3, height, width]`.
    ///
    /// # Errors
    /// [`ExperimentError::Npy`].
    pub fn read_perturbation(&self, folder: &Path) -> Result<Array3<f32>, ExperimentError> {
        let array = Npy::open(&folder.join(&self.perturbation))?;
        let axes = [Axis::Is(3), Axis::Any("height"), Axis::Any("width")];
        let shape = array.expect_shape(axes, "of a perturbation")?;
        let values = array.read(Elements::Floats, |value| value as f32)?;
        Ok(Array3::from_shape_vec(shape, values)
            .expect("as many values as the shape says were read"))
    }

    /// Writes the images of a sample.
    pub(crate) fn write(
        &self,
        folder: &Path,
        images: &Images,
        side: u32,
        bounds: Bounds,
    ) -> Result<(), ExperimentError> {
        for (path, values) in
            [(&self.original, &images.unattacked), (&self.perturbed, &images.adversarial)]
        {
            save_png(&to_rgb(values, [side, side], bounds)?, folder.join(path))?;
        }
        let pairs = images.adversarial.iter().zip(&images.unattacked);
        let perturbation: Vec<f32> = pairs.map(|(now, before)| now - before).collect();
        let shape = [3, side as usize, side as usize];
        let perturbation = ArrayView3::from_shape(shape, &perturbation);
        let mut bytes = Vec::new();
        perturbation
            .expect("the images are of the classifier's size")
            .write_npy(&mut bytes)
            .expect("an array in memory can be encoded");
        let path = folder.join(&self.perturbation);
        write_whole(&path, bytes).map_err(write_failed(&path))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_perturbation_is_read_as_it_was_to_the_last_bit() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(IMAGES)).unwrap();
        let unattacked: Vec<f32> = (0..12).map(|at| at as f32 / 16.0).collect();
        let adversarial: Vec<f32> = unattacked.iter().map(|value| value + 1e-7).collect();
        let paths = PicturePaths::new(0, 0, 0);
        let images = Images { unattacked, adversarial };
        paths.write(folder.path(), &images, 2, Bounds::SYMMETRIC).unwrap();
        let found = paths.read_perturbation(folder.path()).unwrap();
        let pairs = images.adversarial.iter().zip(&images.unattacked);
        assert!(found.iter().copied().eq(pairs.map(|(now, before)| now - before)));
        assert_eq!(found.dim(), (3, 2, 2));
    }
}
