//! The one door for files: [`load`].

use std::fs::File;
use std::io::Read;
use std::path::Path;

use burn::tensor::Device;

use crate::blueprint::Blueprint;
use crate::format::HEAD;
use crate::{Format, ModelError, ResNet, onnx, state_dict};

/// The largest file that is read: protobuf's own limit of a message.
const LARGEST_FILE: u64 = 2 << 30;

/// Reads a ResNet from an ONNX, safetensors or PyTorch file, its architecture from what it holds.
///
/// The kind of file is told by its content, and by its extension where that is too damaged to tell.
///
/// From **ONNX** the network is read off the graph. A subtraction or division of the images by
/// constants stays part of it; a sigmoid at the end is left out of the scores, which are logits, and
/// [`Architecture::sigmoid`](crate::Architecture::sigmoid) tells. A batch size that the file fixes
/// is ignored. Data kept outside the file is read from its folder.
///
/// **safetensors and PyTorch** files hold a state dict with torchvision's names, at any depth of keys
/// and prefixes. The architecture follows from names and shapes. What they don't tell is taken
/// as torchvision has it: a stem of stride 2 with max-pooling behind it, stride 2 in the 3×3
/// convolution of each stage's first block but the first stage's, no dilation, batch norms with
/// epsilon 1e-5. Images of any size will do, unless the safetensors file's metadata have an
/// `input_size`, as those of [`TrainableResNet::save`](crate::TrainableResNet::save) have. A pickle is
/// read, never executed.
///
/// Batch norms are folded into the convolutions. Weights of 16 or 64 bits are computed with in 32.
///
/// # Errors
/// [`ModelError::Read`] and [`ModelError::TooLarge`] for the file; [`ModelError::InFile`] for what it
/// holds: [`ModelError::UnknownFormat`]; for a graph [`ModelError::NotAResNet`] with the first node
/// that doesn't fit; for a state dict the first tensor that is missing, of another shape or
/// unexpected; the other variants for a damaged file.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tkmia_core::Classifier;
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/variants/legacy-17.onnx");
/// let device = Device::flex();
/// let model = tkmia_models::load(path, &device)?;
/// assert_eq!(model.architecture().depths, [1, 1]);
/// assert_eq!(model.input_size(), Some([32, 32]));
///
/// let images = Tensor::zeros([2, 3, 32, 32], &device);
/// assert_eq!(model.scores(images).dims(), [2, model.classes()]);
/// # Ok::<(), tkmia_models::ModelError>(())
/// ```
pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<ResNet, ModelError> {
    let path = path.as_ref();
    let network = ResNet::new(blueprint(path)?, device);
    network.map_err(|fault| ModelError::in_file(path, fault))
}

/// What a model file holds, its batch norms as they are.
pub(crate) fn blueprint(path: &Path) -> Result<Blueprint, ModelError> {
    let unreadable = |source| ModelError::Read { path: path.to_owned(), source };
    let in_file = |fault| ModelError::in_file(path, fault);
    let mut file = File::open(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    if bytes > LARGEST_FILE {
        return Err(ModelError::TooLarge { path: path.to_owned(), bytes, limit: LARGEST_FILE });
    }
    let mut head = Vec::new();
    (&mut file).take(HEAD as u64).read_to_end(&mut head).map_err(unreadable)?;
    let format = Format::of(&head, path).ok_or(in_file(ModelError::UnknownFormat))?;
    let mut whole = || -> Result<Vec<u8>, ModelError> {
        let mut bytes = head.clone();
        (&mut file).take(LARGEST_FILE).read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(bytes)
    };
    let network = match format {
        Format::Onnx => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            onnx::read(&whole()?, Some(folder.unwrap_or(Path::new("."))))
        }
        Format::Safetensors => {
            state_dict::from_safetensors(whole()?).and_then(|dict| state_dict::recognise(&dict))
        }
        Format::PyTorch => {
            state_dict::from_pytorch(path).and_then(|dict| state_dict::recognise(&dict))
        }
    };
    network.map_err(in_file)
}
