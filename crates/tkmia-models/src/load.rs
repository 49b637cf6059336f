//! The one door for files: [`load`], and [`architecture`] for what they hold.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use burn::tensor::Device;
use tkmia_core::{Bounds, Classifier};

use crate::format::kind::HEAD;
use crate::format::{onnx, state_dict};
use crate::resnet::ResNet;
use crate::resnet::blueprint::Blueprint;
use crate::{Architecture, Format, ModelError};

/// The largest file that is read: protobuf's own limit of a message.
const LARGEST_FILE: u64 = 2 << 30;

/// The classifier in an ONNX, safetensors or PyTorch file, for images in `[-1, 1]`.
///
/// The file may hold a ResNet of any depth and width. The kind of file is recognised by its content, and by
/// its extension only if the content is too damaged.
///
/// An **ONNX** file has a graph, which says what the network is. A subtraction or division of the images by
/// constants stays part of it; a sigmoid at the end is left out of the scores, which are logits, and
/// [`Architecture::sigmoid`](crate::Architecture::sigmoid) says so. A batch size that the file fixes
/// is ignored. Data kept outside the file is read from its folder.
///
/// **safetensors and PyTorch** files hold a state dict with torchvision's names, at any depth of keys
/// and prefixes. The architecture follows from names and shapes. What they don't say is taken
/// from torchvision: a stem of stride 2 with max-pooling after it, stride 2 in the 3×3
/// convolution of each stage's first block but the first stage's, no dilation, batch norms with
/// epsilon 1e-5. Images of any size will do, unless the safetensors file's metadata have an
/// `input_size`, as those of [`TrainableResNet::save`](crate::TrainableResNet::save) have. A pickle is
/// read, never executed.
///
/// Batch norms are folded into the convolutions. Weights of 16 or 64 bits are converted to 32. No
/// weight asks for a gradient, so a backward pass leads to the images alone.
///
/// [Label names](Classifier::label_names) are those of the file's metadata, if one of the keys `labels`,
/// `label_names`, `classes`, `class_names`, `names` and `id2label` has as many as there are scores: as a
/// JSON list or object, or with line ends or commas between them.
///
/// # Errors
/// [`ModelError::Read`] and [`ModelError::TooLarge`] for the file; [`ModelError::InFile`] for what it
/// holds: [`ModelError::UnknownFormat`]; for a graph [`ModelError::NotAResNet`] with the first node
/// that doesn't fit; for a state dict the first tensor that is missing, of another shape or
/// unexpected; the other variants for a damaged file.
///
/// # Example: scores, and the gradient of one with respect to the image
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tkmia_core::Classifier;
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/variants/legacy-17.onnx");
/// let device = Device::flex();
/// let model = tkmia_models::load(path, &device)?;
/// assert_eq!((model.classes(), model.input_size()), (5, Some([32, 32])));
///
/// let images = Tensor::<4>::zeros([1, 3, 32, 32], &device).autodiff().require_grad();
/// let score = model.scores(images.clone()).slice([0..1, 0..1]).sum();
/// let gradient = images.grad(&score.backward()).expect("the images ask for it");
/// assert_eq!(gradient.dims(), [1, 3, 32, 32]);
/// # Ok::<(), tkmia_models::ModelError>(())
/// ```
pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Box<dyn Classifier>, ModelError> {
    load_with_bounds(path, Bounds::SYMMETRIC, device)
}

/// The same for images of another range.
///
/// Images aren't rescaled: the bounds tell an attack what the network was trained on.
///
/// # Errors
/// Those of [`load`].
pub fn load_with_bounds(
    path: impl AsRef<Path>,
    bounds: Bounds,
    device: &Device,
) -> Result<Box<dyn Classifier>, ModelError> {
    let path = path.as_ref();
    let network = ResNet::new(blueprint(path)?, device);
    let network = network.map_err(|fault| ModelError::in_file(path, fault))?;
    Ok(Box::new(network.with_bounds(bounds)))
}

/// What a model file holds, its weights checked as [`load`] checks them.
///
/// # Errors
/// Those of [`load`].
pub fn architecture(path: impl AsRef<Path>) -> Result<Architecture, ModelError> {
    let path = path.as_ref();
    let mut network = blueprint(path)?;
    let architecture = Architecture::of(&network);
    network.fold().map_err(|fault| ModelError::in_file(path, fault))?;
    Ok(architecture)
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
