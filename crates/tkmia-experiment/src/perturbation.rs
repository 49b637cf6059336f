//! [`write_perturbation`], [`read_perturbation`]: universal perturbations as files.

use std::io::Cursor;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array1, ArrayView3};
use ndarray_npy::NpzWriter;
use tkmia_attacks::{AttackError, UniversalPerturbation, View};
use tkmia_core::Bounds;
use tkmia_data::{save_png, to_rgb};
use tkmia_file::{ArrayError, Elements, Npy, Npz, sha256, write_whole};

use crate::error::{ExperimentError, read_failed, write_failed};

/// Writes a perturbation as an npz file, and beside it as a picture, `.png`.
///
/// Arrays: `perturbation`, float32 `[3, height, width]`, in model-input or tanh-space units; `tanh`, uint8
/// `[1]`, whether it is the latter; `bounds`, float32 `[2]`, the range of images. In the picture 0 is grey, and
/// the largest value is at the end of the range.
///
/// # Errors
/// [`ExperimentError::File`], [`ExperimentError::Data`] for the picture.
pub fn write_perturbation(
    path: &Path,
    perturbation: &UniversalPerturbation,
    bounds: Bounds,
) -> Result<(), ExperimentError> {
    let values = values(perturbation);
    let [_, channels, height, width] = perturbation.values().dims();
    let array = ArrayView3::from_shape([channels, height, width], &values);
    let array = array.expect("the values are those of the tensor");
    let mut npz = NpzWriter::new(Cursor::new(Vec::new()));
    let tanh = Array1::from_elem(1, u8::from(perturbation.view() == View::Tanh));
    let range = Array1::from_vec(vec![bounds.low, bounds.high]);
    npz.add_array("perturbation", &array)
        .and_then(|()| npz.add_array("tanh", &tanh))
        .and_then(|()| npz.add_array("bounds", &range))
        .expect("arrays in memory can be encoded");
    let bytes = npz.finish().expect("a file in memory can be finished").into_inner();
    write_whole(path, bytes).map_err(write_failed(path))?;

    let largest = values.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
    let (middle, half) = ((bounds.low + bounds.high) / 2.0, (bounds.high - bounds.low) / 2.0);
    let drawn: Vec<f32> = values.iter().map(|value| middle + half * value / largest).collect();
    let size = [height as u32, width as u32];
    Ok(save_png(&to_rgb(&drawn, size, bounds)?, path.with_extension("png"))?)
}

/// Reads a perturbation that [`write_perturbation`] has written, and the range of images.
///
/// # Errors
/// [`ExperimentError::File`], [`ExperimentError::NoPerturbation`] for another file.
pub fn read_perturbation(
    path: &Path,
    device: &Device,
) -> Result<(UniversalPerturbation, Bounds), ExperimentError> {
    let bad = |reason: String| ExperimentError::NoPerturbation { path: path.to_owned(), reason };
    let refused = |error: ArrayError| match error {
        ArrayError::Read { path, source } => read_failed(&path)(source),
        error => bad(error.to_string()),
    };
    let mut npz = Npz::open(path).map_err(refused)?;
    let mut floats = |name| {
        let array = npz.array(name)?;
        Ok((array.shape().to_vec(), array.read(Elements::Floats, |value| value as f32)?))
    };
    let (shape, values) = floats("perturbation").map_err(refused)?;
    let (_, range) = floats("bounds").map_err(refused)?;
    let tanh = npz.array("tanh").and_then(Npy::read_flags).map_err(refused)?;
    let (&[channels, height, width], &[low, high], &[tanh]) = (&shape[..], &range[..], &tanh[..])
    else {
        return Err(bad("three dimensions, two bounds and one flag belong to one".to_owned()));
    };
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        return Err(bad(format!("`perturbation` has the value {value}")));
    }
    let data = TensorData::new(values, [1, channels, height, width]);
    let view = if tanh { View::Tanh } else { View::Image };
    let perturbation = UniversalPerturbation::new(Tensor::from_data(data, device), view);
    let perturbation = perturbation.map_err(|error: AttackError| bad(error.to_string()))?;
    Ok((perturbation, Bounds { low, high }))
}

fn values(perturbation: &UniversalPerturbation) -> Vec<f32> {
    let values = perturbation.values().clone();
    values.try_to_vec_as::<f32>().expect("float tensors convert to f32")
}

/// SHA-256 of its values, float32 little-endian.
pub(crate) fn values_sha256(perturbation: &UniversalPerturbation) -> String {
    sha256(values(perturbation).into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>())
}
