//! From files to state dicts: [`from_safetensors`], [`from_pytorch`].

use std::collections::HashMap;
use std::path::Path;

use pytorch_reader::{DType, PytorchReader};
use safetensors::{Dtype, SafeTensors};
use tkmia_core::LARGEST_SIDE;

use super::{StateDict, Stored, Values};
use crate::budget::Budget;
use crate::{FloatType, Format, ModelError};

/// The key under which a safetensors file tells the side of the square images, in pixels.
pub(crate) const INPUT_SIZE: &str = "input_size";

/// Reads the bytes of a safetensors file: <https://github.com/huggingface/safetensors#format>.
///
/// # Errors
/// [`ModelError::NotSafetensors`] and [`ModelError::Metadata`].
pub(crate) fn from_safetensors(bytes: Vec<u8>) -> Result<StateDict, ModelError> {
    let refuse = |source| ModelError::NotSafetensors { source };
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(refuse)?;
    let metadata = metadata.metadata().clone().unwrap_or_default();
    let input_size = match metadata.get(INPUT_SIZE) {
        None => None,
        Some(found) => match found.parse() {
            Ok(side) if (1..=LARGEST_SIDE as usize).contains(&side) => Some([side; 2]),
            _ => {
                let (key, expected) = (INPUT_SIZE, "the side of the images in pixels");
                return Err(ModelError::Metadata { key, expected, found: found.clone() });
            }
        },
    };
    let tensors = SafeTensors::deserialize(&bytes).map_err(refuse)?;
    let start = bytes.as_ptr() as usize;
    let stored = tensors.iter().map(|(name, view)| {
        let at = view.data().as_ptr() as usize - start;
        let float = match view.dtype() {
            Dtype::F16 => Ok(FloatType::F16),
            Dtype::BF16 => Ok(FloatType::Bf16),
            Dtype::F32 => Ok(FloatType::F32),
            Dtype::F64 => Ok(FloatType::F64),
            other => Err(other.to_string()),
        };
        let values = Values::At(at..at + view.data().len());
        (name.to_owned(), Stored { shape: view.shape().to_vec(), float, values })
    });
    let tensors = stored.collect();
    let read = Budget::of_weights();
    Ok(StateDict { format: Format::Safetensors, input_size, metadata, tensors, bytes, read })
}

/// Reads a PyTorch file: a state dict, a checkpoint that holds one among other things, or a whole
/// module, whose tensors go by the names they would have in its state dict.
///
/// The pickle is parsed and its tensors are picked out; nothing that it names is called.
///
/// # Errors
/// [`ModelError::Read`] and [`ModelError::NotPyTorch`].
pub(crate) fn from_pytorch(path: &Path) -> Result<StateDict, ModelError> {
    let reader = PytorchReader::new(path);
    let reader = reader.map_err(|source| ModelError::NotPyTorch { source: Box::new(source) })?;
    let stored = reader.into_tensors().into_iter().map(|(name, tensor)| {
        let float = match tensor.dtype() {
            DType::F16 => Ok(FloatType::F16),
            DType::BF16 => Ok(FloatType::Bf16),
            DType::F32 => Ok(FloatType::F32),
            DType::F64 => Ok(FloatType::F64),
            other => Err(format!("{other:?}")),
        };
        let shape = tensor.shape().to_vec();
        (name, Stored { shape, float, values: Values::In(tensor) })
    });
    let tensors = stored.collect();
    let (metadata, bytes) = (HashMap::new(), Vec::new());
    let read = Budget::of_weights();
    Ok(StateDict { format: Format::PyTorch, input_size: None, metadata, tensors, bytes, read })
}
