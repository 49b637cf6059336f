//! Named tensors, as safetensors and PyTorch files hold them: [`StateDict`].

mod names;
mod read;
mod recognise;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;

pub(crate) use names::EPSILON;
pub(crate) use read::{from_pytorch, from_safetensors};
pub(crate) use recognise::{POOL, recognise};
pub(crate) use write::to_safetensors;

use crate::budget::Budget;
use crate::{FloatType, Format, ModelError};

/// The tensors of a file by name, their values not yet converted.
pub(crate) struct StateDict {
    pub format: Format,
    /// Height and width of the images, where the file's metadata tell.
    pub input_size: Option<[usize; 2]>,
    /// What else a safetensors file says.
    pub metadata: HashMap<String, String>,
    tensors: BTreeMap<String, Stored>,
    /// What [`Values::At`] points into.
    bytes: Vec<u8>,
    /// Elements of tensors, which may share their values.
    read: Budget,
}

/// A tensor as the file has it.
struct Stored {
    shape: Vec<usize>,
    /// Its type, or what another than a float type is called.
    float: Result<FloatType, String>,
    values: Values,
}

/// Where the values of a tensor are.
enum Values {
    At(Range<usize>),
    In(pytorch_reader::Tensor),
}

impl StateDict {
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|stored| stored.shape.as_slice())
    }

    /// The values of a tensor, row-major, and the type in which the file has them.
    ///
    /// # Errors
    /// [`ModelError::MissingTensor`], [`ModelError::NotFloats`], [`ModelError::TensorRead`],
    /// [`ModelError::TooMuch`] and [`ModelError::NotFinite`].
    pub fn floats(&self, name: &str) -> Result<(FloatType, Vec<f32>), ModelError> {
        let tensor = || name.to_owned();
        let stored = self.tensors.get(name).ok_or_else(|| ModelError::MissingTensor {
            tensor: tensor(),
            expected: "its values".into(),
        })?;
        let float = stored.float.clone();
        let float = float.map_err(|found| ModelError::NotFloats { tensor: tensor(), found })?;
        self.read.spend(stored.shape.iter().product())?;
        let values = match &stored.values {
            Values::At(range) => float.values(&self.bytes[range.clone()]),
            Values::In(reader) => {
                let unreadable = |source| ModelError::TensorRead { tensor: tensor(), source };
                let mut bytes = reader.read().map_err(unreadable)?;
                // The reader gives them in the machine's order.
                if cfg!(target_endian = "big") {
                    bytes.chunks_mut(float.size()).for_each(<[u8]>::reverse);
                }
                float.values(&bytes)
            }
        };
        crate::resnet::blueprint::check_finite(name, &values)?;
        Ok((float, values))
    }
}

impl fmt::Debug for StateDict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shapes = self.tensors.iter().map(|(name, stored)| (name, &stored.shape));
        f.debug_map().entries(shapes).finish()
    }
}
