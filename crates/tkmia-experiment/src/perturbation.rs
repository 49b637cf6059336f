//! [`write_perturbation`], [`read_perturbation`]: universal perturbations as files.

use std::io::Cursor;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array1, ArrayViewD};
use ndarray_npy::NpzWriter;
use tkmia_attacks::{AttackError, Ball, Norm, UniversalPerturbation, View};
use tkmia_core::Bounds;
use tkmia_data::{save_png, to_rgb};
use tkmia_file::{ArrayError, Elements, Npy, Npz, sha256, write_whole};

use crate::error::{ExperimentError, read_failed, write_failed};

/// Writes a perturbation as an npz file, and beside it as a picture, `.png`.
///
/// Arrays: `perturbation`, float32 `[3, height, width]`, in model-input or tanh-space units; `tanh`, uint8
/// `[1]`, whether it is the latter; `bounds`, float32 `[2]`, the range of images. One of each label is `[labels, 3, height, width]`,
/// with `radius`, float64 `[1]`, and `linf`, uint8 `[1]`, of the ball. In the picture 0 is grey, and
/// the largest value is at the end of the range; labels are one below the other.
///
/// # Errors
/// [`ExperimentError::File`], [`ExperimentError::Data`] for the picture.
pub fn write_perturbation(
    path: &Path,
    perturbation: &UniversalPerturbation,
    bounds: Bounds,
) -> Result<(), ExperimentError> {
    let values = values(perturbation);
    let dims = perturbation.values().dims();
    let [labels, _, height, width] = dims;
    // One alone has no dimension for labels.
    let shape = &dims[usize::from(perturbation.ball().is_none())..];
    let array = ArrayViewD::from_shape(shape, &values).expect("the values are those of the tensor");
    let mut npz = NpzWriter::new(Cursor::new(Vec::new()));
    let tanh = Array1::from_elem(1, u8::from(perturbation.view() == View::Tanh));
    let range = Array1::from_vec(vec![bounds.low, bounds.high]);
    npz.add_array("perturbation", &array)
        .and_then(|()| npz.add_array("tanh", &tanh))
        .and_then(|()| npz.add_array("bounds", &range))
        .and_then(|()| {
            let Some(ball) = perturbation.ball() else { return Ok(()) };
            let linf = Array1::from_elem(1, u8::from(ball.norm == Norm::Linf));
            npz.add_array("radius", &Array1::from_elem(1, ball.radius))?;
            npz.add_array("linf", &linf)
        })
        .expect("arrays in memory can be encoded");
    let bytes = npz.finish().expect("a file in memory can be finished").into_inner();
    write_whole(path, bytes).map_err(write_failed(path))?;

    let largest = values.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
    let (middle, half) = ((bounds.low + bounds.high) / 2.0, (bounds.high - bounds.low) / 2.0);
    let drawn = perturbation.values().clone().swap_dims(0, 1).mul_scalar(half / largest);
    let drawn = drawn.add_scalar(middle).try_to_vec_as::<f32>().expect("as above");
    let size = [(labels * height) as u32, width as u32];
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
    let (&[low, high], &[tanh]) = (&range[..], &tanh[..]) else {
        return Err(bad("two bounds and one flag belong to one".to_owned()));
    };
    let dims = match shape[..] {
        [channels, height, width] => [1, channels, height, width],
        [labels, channels, height, width] => [labels, channels, height, width],
        _ => {
            return Err(bad(format!(
                "`perturbation` has {} dimensions, expected 3 or 4",
                shape.len()
            )));
        }
    };
    let ball = match shape.len() {
        3 => None,
        _ => {
            let radius =
                npz.array("radius").and_then(|radius| radius.read(Elements::Floats, |r| r));
            let radius = radius.map_err(refused)?;
            let linf = npz.array("linf").and_then(Npy::read_flags).map_err(refused)?;
            let (&[radius], &[linf]) = (&radius[..], &linf[..]) else {
                return Err(bad("one radius and one flag belong to one".to_owned()));
            };
            Some(Ball { norm: if linf { Norm::Linf } else { Norm::L2 }, radius })
        }
    };
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        return Err(bad(format!("`perturbation` has the value {value}")));
    }
    let values = Tensor::from_data(TensorData::new(values, dims), device);
    let view = if tanh { View::Tanh } else { View::Image };
    let perturbation = match ball {
        None => UniversalPerturbation::new(values, view),
        Some(ball) => UniversalPerturbation::of_labels(values, ball),
    };
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
