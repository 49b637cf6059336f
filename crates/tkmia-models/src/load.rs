//! The one door for files: [`load`], and [`architecture`] for what they hold.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use tkmia_core::{Bounds, Classifier};
use tkmia_file::{open, sha256_read};

use crate::format::foreign::foreign;
use crate::format::kind::HEAD;
use crate::format::onnx::graph::output;
use crate::format::onnx::{Model, external_files};
use crate::format::state_dict;
use crate::graph::GraphNetwork;
use crate::normalised::Normalised;
use crate::resnet::ResNet;
use crate::resnet::blueprint::Blueprint;
use crate::{Architecture, Format, GraphSummary, LoadOptions, ModelError};

/// The largest file that is read: protobuf's own limit of a message.
const LARGEST_FILE: u64 = 2 << 30;

/// The classifier in an ONNX, safetensors or PyTorch file.
///
/// The kind of file is recognised by its content, and by its extension only if the content is too damaged.
///
/// An **ONNX** file has a graph, which says what the network is. A ResNet of any depth and width is recognised
/// and computed by kernels of its own, for images in `[-1, 1]`; any other graph is computed node by node, for
/// images in `[0, 1]`. `docs/src/networks.md` lists the operators. A subtraction or division of the images by
/// constants stays part of the network; a sigmoid at the end is left out of the scores, which are logits.
/// Whatever batch size the file fixes, any number of images is taken. Data kept outside the file is read from
/// its folder.
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
/// holds: [`ModelError::UnknownFormat`]; for a graph [`ModelError::UnknownOperators`] with all of them, or
/// [`ModelError::Operator`] with the first node that can't be computed; for a state dict the first tensor that
/// is missing, of another shape or unexpected; the other variants for a damaged file.
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
    load_with(path, &LoadOptions::default(), device)
}

/// The same with what the file can't say.
///
/// # Errors
/// Those of [`load`].
pub fn load_with(
    path: impl AsRef<Path>,
    options: &LoadOptions,
    device: &Device,
) -> Result<Box<dyn Classifier>, ModelError> {
    let path = path.as_ref();
    Ok(network(path, options, device)?.classifier(options))
}

/// The classifier in the bytes of an ONNX file, as [`load`] finds it in a file.
///
/// # Errors
/// The faults that [`load`] finds in a file, and [`ModelError::ExternalLocation`] if
/// its data is kept elsewhere.
pub fn from_onnx_bytes(bytes: &[u8], device: &Device) -> Result<Box<dyn Classifier>, ModelError> {
    let options = LoadOptions::default();
    Ok(of_model(&Model::decode(bytes)?, None, &options, device)?.classifier(&options))
}

/// What a model file holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Holding {
    /// A ResNet.
    ResNet(Architecture),
    /// Another network.
    Graph(GraphSummary),
}

/// What a model file holds, checked as [`load`] checks it.
///
/// # Errors
/// Those of [`load`].
pub fn holding(path: impl AsRef<Path>, device: &Device) -> Result<Holding, ModelError> {
    Ok(match network(path.as_ref(), &LoadOptions::default(), device)? {
        Network::ResNet(network) => Holding::ResNet(network.architecture().clone()),
        Network::Graph(network) => Holding::Graph(network.summary().clone()),
    })
}

/// The ResNet in a model file, its weights checked as [`load`] checks them.
///
/// # Errors
/// Those of [`load`], and [`ModelError::NotAResNet`] for another network.
pub fn architecture(path: impl AsRef<Path>) -> Result<Architecture, ModelError> {
    let path = path.as_ref();
    let mut network = blueprint(path)?;
    let architecture = Architecture::of(&network);
    network.fold().map_err(|fault| ModelError::in_file(path, fault))?;
    Ok(architecture)
}

/// What a file's network is computed as.
enum Network {
    ResNet(ResNet),
    Graph(GraphNetwork),
}

impl Network {
    fn classifier(self, options: &LoadOptions) -> Box<dyn Classifier> {
        let network: Box<dyn Classifier> = match self {
            Self::ResNet(network) => {
                Box::new(network.with_bounds(options.bounds.unwrap_or(Bounds::SYMMETRIC)))
            }
            Self::Graph(network) => Box::new(network),
        };
        match &options.normalisation {
            Some(normalisation) => Box::new(Normalised::new(network, normalisation)),
            None => network,
        }
    }
}

fn network(path: &Path, options: &LoadOptions, device: &Device) -> Result<Network, ModelError> {
    let network = match read(path)? {
        Content::Onnx(model) => of_model(&model, Some(path), options, device),
        Content::Blueprint(blueprint) => ResNet::new(*blueprint, device).map(Network::ResNet),
    };
    network.map_err(|fault| ModelError::in_file(path, fault))
}

/// The fast case of a graph is that of a ResNet.
fn of_model(
    model: &Model,
    path: Option<&Path>,
    options: &LoadOptions,
    device: &Device,
) -> Result<Network, ModelError> {
    output(&model.graph, options.output.as_deref())?;
    let mut options = options.clone();
    match model.resnet(path) {
        Ok(blueprint) if !(blueprint.sigmoid && options.keep_sigmoid) => {
            return ResNet::new(blueprint, device).map(Network::ResNet);
        }
        Ok(_) => options.bounds = options.bounds.or(Some(Bounds::SYMMETRIC)),
        // Another network, or one of several outputs.
        Err(ModelError::NotAResNet { .. } | ModelError::Outputs { .. }) => {}
        Err(fault) => return Err(fault),
    }
    GraphNetwork::new(model, path, &options, device).map(Network::Graph)
}

/// A file's content, as far as it can be said without a device.
enum Content {
    Onnx(Box<Model>),
    Blueprint(Box<Blueprint>),
}

/// The ResNet in a model file, its batch norms as they are.
pub(crate) fn blueprint(path: &Path) -> Result<Blueprint, ModelError> {
    match read(path)? {
        Content::Onnx(model) => {
            model.resnet(Some(path)).map_err(|fault| ModelError::in_file(path, fault))
        }
        Content::Blueprint(blueprint) => Ok(*blueprint),
    }
}

fn read(path: &Path) -> Result<Content, ModelError> {
    let read = || {
        let dict = match bytes(path)? {
            (Format::Onnx, bytes) => return Ok(Content::Onnx(Box::new(Model::decode(&bytes)?))),
            (Format::Safetensors, bytes) => state_dict::from_safetensors(bytes)?,
            (Format::PyTorch, _) => state_dict::from_pytorch(path)?,
        };
        Ok(Content::Blueprint(Box::new(state_dict::recognise(&dict)?)))
    };
    read().map_err(|fault| match fault {
        ModelError::TooLarge { .. } => fault,
        fault => ModelError::in_file(path, foreign(path).unwrap_or(fault)),
    })
}

/// The files that a network is read from: the model's own, then those beside it that an ONNX model keeps data in,
/// by name.
///
/// # Errors
/// [`ModelError::Read`], [`ModelError::TooLarge`] and [`ModelError::InFile`].
pub fn model_files(path: impl AsRef<Path>) -> Result<Vec<PathBuf>, ModelError> {
    let path = path.as_ref();
    let mut files = vec![path.to_owned()];
    let in_file = |fault| ModelError::in_file(path, fault);
    // A pipe can't be read twice, and nothing lies beside it.
    if path.is_file()
        && let (Format::Onnx, bytes) = bytes(path).map_err(in_file)?
    {
        files.extend(external_files(&bytes, path).map_err(in_file)?);
    }
    Ok(files)
}

/// SHA-256 of the [files](model_files) that a network is read from, in hexadecimal digits: one hash of one after
/// the other.
///
/// # Errors
/// Those of [`model_files`].
pub fn fingerprint(path: impl AsRef<Path>) -> Result<String, ModelError> {
    let path = path.as_ref();
    let mut content: Box<dyn Read> = Box::new(io::empty());
    for path in model_files(path)? {
        let file = open(&path).map_err(|source| ModelError::Read { path, source })?;
        content = Box::new(content.chain(file));
    }
    sha256_read(content).map_err(|source| ModelError::Read { path: path.to_owned(), source })
}

/// The kind of a model's file, and its bytes; of a PyTorch file, which is read piece by piece, none.
fn bytes(path: &Path) -> Result<(Format, Vec<u8>), ModelError> {
    let unreadable = |source| ModelError::Read { path: path.to_owned(), source };
    let mut file = open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    if size > LARGEST_FILE {
        let (path, limit) = (path.to_owned(), LARGEST_FILE);
        return Err(ModelError::TooLarge { path, bytes: size, limit });
    }
    let mut bytes = Vec::new();
    (&mut file).take(HEAD as u64).read_to_end(&mut bytes).map_err(unreadable)?;
    let format = Format::of(&bytes, path).ok_or(ModelError::UnknownFormat)?;
    match format {
        Format::PyTorch => bytes.clear(),
        _ => drop(file.take(LARGEST_FILE).read_to_end(&mut bytes).map_err(unreadable)?),
    }
    Ok((format, bytes))
}
