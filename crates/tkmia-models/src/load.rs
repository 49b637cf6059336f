//! The one door for files: [`load`], and [`load_with`] for what they don't say.

use std::io::Read;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use tkmia_core::{Bounds, Classifier, Layout, Tagger};
use tkmia_file::open;

use crate::adapted::Adapted;
use crate::beside::{self, Beside};
use crate::format::foreign::foreign;
use crate::format::kind::HEAD;
use crate::format::onnx::graph::output;
use crate::format::onnx::layout::channels_first;
use crate::format::onnx::{Model, external_files};
use crate::format::state_dict;
use crate::graph::GraphNetwork;
use crate::resnet::ResNet;
use crate::resnet::blueprint::Blueprint;
use crate::{Architecture, Format, GraphSummary, ModelError};

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
/// Whatever batch size the file fixes, any number of images is taken, and where the input is declared as `[n, h, w, 3]`
/// they are `[n, 3, h, w]` here all the same. Data kept outside the file is read from its folder.
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
/// **Files beside it** say how the network sees images, and what its labels are called: `tagger.toml`, which has the fields of
/// [`Tagger`]; then Hugging Face's `preprocessor_config.json`; `selected_tags.csv` of WD taggers, and `id2label` of Hugging
/// Face's `config.json`. [Notes](Classifier::notes) say what was read from which. Otherwise
/// [label names](Classifier::label_names) are those of the file's metadata, if one of the keys `labels`,
/// `label_names`, `classes`, `class_names`, `names` and `id2label` has as many as there are scores: as a
/// JSON list or object, or with line ends or commas between them.
///
/// # Errors
/// [`ModelError::Read`] and [`ModelError::TooLarge`] for the file; [`ModelError::InFile`] for what it
/// holds: [`ModelError::UnknownFormat`]; for a graph [`ModelError::UnknownOperators`] with all of them, or
/// [`ModelError::Operator`] with the first node that can't be computed; for a state dict the first tensor that
/// is missing, of another shape or unexpected; the other variants for a damaged file. Files beside it have the same errors,
/// and [`ModelError::LabelNames`] where they name another number of labels.
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
    Ok(load_with(path, &Tagger::default(), device)?.classifier)
}

/// A network that was loaded, and what is known of it.
#[derive(Debug)]
pub struct Loaded {
    /// The network, given images `[n, 3, h, w]` in its range, red first.
    pub classifier: Box<dyn Classifier>,
    /// What its file holds.
    pub holding: Holding,
    /// How it sees images, from all places that say something of it.
    pub tagger: Tagger,
}

/// What a model file holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Holding {
    /// Nothing that can be looked at: there is no file.
    Command,
    /// A ResNet.
    ResNet(Architecture),
    /// Another network.
    Graph(GraphSummary),
}

/// The same with what the file can't say, which counts more than what files beside it say.
///
/// # Errors
/// Those of [`load`], and [`ModelError::Tagger`] for what can't be said.
pub fn load_with(
    path: impl AsRef<Path>,
    given: &Tagger,
    device: &Device,
) -> Result<Loaded, ModelError> {
    let path = path.as_ref();
    given.check()?;
    let Beside { tagger, notes, labels } = Beside::read(path, given)?;
    let network = match read(path)? {
        Content::Onnx(model) => of_model(*model, Some(path), &tagger, device),
        Content::Blueprint(blueprint) => ResNet::new(*blueprint, device).map(Network::ResNet),
    };
    let network = network.map_err(|fault| ModelError::in_file(path, fault))?;
    let loaded = network.seeing(tagger, notes);
    loaded.map_err(|fault| ModelError::in_file(labels.as_deref().unwrap_or(path), fault))
}

/// The classifier in the bytes of an ONNX file, as [`load`] finds it in a file.
///
/// # Errors
/// The faults that [`load`] finds in a file, and [`ModelError::ExternalLocation`] if
/// its data is kept elsewhere.
pub fn from_onnx_bytes(bytes: &[u8], device: &Device) -> Result<Box<dyn Classifier>, ModelError> {
    let tagger = Tagger::default();
    let network = of_model(Model::decode(bytes)?, None, &tagger, device)?;
    Ok(network.seeing(tagger, Vec::new())?.classifier)
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
    Graph(GraphNetwork, Layout),
}

impl Network {
    /// The network on images as a tagger sees them.
    ///
    /// # Errors
    /// [`ModelError::LabelNames`].
    fn seeing(self, mut tagger: Tagger, mut notes: Vec<String>) -> Result<Loaded, ModelError> {
        let (network, holding): (Box<dyn Classifier>, _) = match self {
            Self::ResNet(network) => {
                let holding = Holding::ResNet(network.architecture().clone());
                let bounds = tagger.range.unwrap_or(Bounds::SYMMETRIC);
                (Box::new(network.with_bounds(bounds)), holding)
            }
            Self::Graph(network, layout) => {
                let mut summary = network.summary().clone();
                tagger.layout = Some(layout);
                if layout == Layout::Nhwc {
                    // The transpose isn't the file's.
                    summary.nodes -= 1;
                    notes.push(
                        "its input is channels last, [n, h, w, 3]: images are turned for it".into(),
                    );
                }
                (Box::new(network), Holding::Graph(summary))
            }
        };
        if let Some(found) = tagger.labels.as_ref().map(Vec::len)
            && found != network.classes()
        {
            return Err(ModelError::LabelNames { expected: network.classes(), found });
        }
        tagger.range = Some(network.bounds());
        notes.extend_from_slice(network.notes());
        let adapted = Adapted { network, tagger: tagger.clone(), notes };
        Ok(Loaded { classifier: Box::new(adapted), holding, tagger })
    }
}

/// The fast case of a graph is that of a ResNet.
fn of_model(
    mut model: Model,
    path: Option<&Path>,
    tagger: &Tagger,
    device: &Device,
) -> Result<Network, ModelError> {
    let layout = channels_first(&mut model.graph, tagger.layout)?;
    if let Some(path) = path {
        model.check_external(path)?;
    }
    output(&model.graph, tagger.scores_output.as_deref())?;
    let mut tagger = tagger.clone();
    match model.resnet(path) {
        Ok(blueprint) if !(blueprint.sigmoid && tagger.keep_sigmoid == Some(true)) => {
            return ResNet::new(blueprint, device).map(Network::ResNet);
        }
        Ok(_) => tagger.range = tagger.range.or(Some(Bounds::SYMMETRIC)),
        // Another network, or one of several outputs.
        Err(ModelError::NotAResNet { .. } | ModelError::Outputs { .. }) => {}
        Err(fault) => return Err(fault),
    }
    let network = GraphNetwork::new(&model, path, &tagger, device)?;
    Ok(Network::Graph(network, layout))
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

/// The files that a network is read from: the model's own, then those beside it that an ONNX model keeps data in, by name,
/// and those that say how it sees images.
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
    files.extend(beside::files(path));
    Ok(files)
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

#[cfg(test)]
mod tests {
    use std::fs;

    use burn::tensor::{Tensor, TensorData};

    use super::*;
    use crate::fingerprint;
    use crate::graph::written::file;

    /// A tagger of four tags by the mean of each channel, in its own order.
    const CHANNELS_LAST: &str = "a = ReduceMean(images, [1;2]) keepdims=0\nscores = MatMul(a, w)";
    const CHANNELS_FIRST: &str = "a = ReduceMean(images, [2;3]) keepdims=0\nscores = MatMul(a, w)";
    const WEIGHTS: &[(&str, &[i64])] = &[("w", &[3, 4])];

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, bytes)| fs::write(folder.path().join(name), bytes).unwrap());
        folder
    }

    fn loaded(folder: &tempfile::TempDir) -> Loaded {
        load_with(folder.path().join("model.onnx"), &Tagger::default(), &Device::flex()).unwrap()
    }

    /// Scores, and the gradient of the first.
    fn pass(model: &dyn Classifier, images: Tensor<4>) -> [Vec<f32>; 2] {
        let images = images.autodiff().require_grad();
        let scores = model.scores(images.clone());
        let gradient = images.grad(&scores.clone().narrow(1, 0, 1).sum().backward()).unwrap();
        [scores.inner().try_to_vec_as().unwrap(), gradient.try_to_vec_as().unwrap()]
    }

    #[test]
    fn a_tagger_of_channels_last_in_bgr_is_attacked_channels_first_in_rgb() {
        let last = file(CHANNELS_LAST, WEIGHTS, &[-1, 4, 5, 3]);
        let tags =
            b"tag_id,name,category,count\n1,cat,0,9\n2,dog,0,8\n3,\"red, hot\",0,7\n4,tree,0,6\n";
        let toml =
            b"range = \"0..255\"\nchannels = \"bgr\"\nmean = [0, 127.5, 0]\nstd = [1, 2, 255]\n";
        let said: [(&str, &[u8]); 3] =
            [("model.onnx", &last), ("selected_tags.csv", tags), ("tagger.toml", toml)];
        let tagger = loaded(&folder(&said));
        let plain =
            loaded(&folder(&[("model.onnx", &file(CHANNELS_FIRST, WEIGHTS, &[-1, 3, 4, 5]))]));

        let model = &*tagger.classifier;
        assert_eq!(
            (model.input_size(), model.bounds()),
            (Some([4, 5]), Bounds { low: 0.0, high: 255.0 })
        );
        assert_eq!(model.label_names().unwrap(), ["cat", "dog", "red, hot", "tree"]);
        let notes = model.notes().join("\n");
        for note in [
            "tagger.toml says channels bgr, mean 0,127.5,0, range 0..255, std 1,2,255",
            "selected_tags.csv says 4 label names",
            "channels last, [n, h, w, 3]",
        ] {
            assert!(notes.contains(note), "{notes}");
        }
        assert_eq!(tagger.tagger.layout, Some(Layout::Nhwc));
        let Holding::Graph(summary) = &tagger.holding else { panic!("it is no ResNet") };
        assert_eq!(summary.nodes, 2);

        let values: Vec<f32> = (0..2 * 60).map(|at| (at * 37 % 256) as f32).collect();
        let images = Tensor::<4>::from_data(TensorData::new(values, [2, 3, 4, 5]), &Device::flex());
        // What the network itself is to see, written out.
        let seen = Tensor::cat(
            vec![
                images.clone().narrow(1, 2, 1) / 255.0,
                (images.clone().narrow(1, 1, 1) - 127.5) / 2.0,
                images.clone().narrow(1, 0, 1),
            ],
            1,
        );
        let ([scores, gradient], [expected, by_seen]) =
            (pass(model, images), pass(&*plain.classifier, seen));
        let near = |a: &f32, b: &f32| (a - b).abs() <= 1e-5 * b.abs().max(1.0);
        assert!(scores.iter().zip(&expected).all(|(a, b)| near(a, b)), "{scores:?} {expected:?}");
        // By the chain rule: blue is seen first and divided by 255, and so on.
        for (at, found) in gradient.iter().enumerate() {
            let (image, channel, place) = (at / 60, at / 20 % 3, at % 20);
            let slope = [1.0, 0.5, 1.0 / 255.0][channel];
            let expected = slope * by_seen[image * 60 + (2 - channel) * 20 + place];
            assert!(
                near(found, &expected) && (found - expected).abs() < 1e-6,
                "{found} {expected}"
            );
        }
    }

    #[test]
    fn a_layout_that_the_file_does_not_have_is_refused_and_one_that_it_leaves_open_is_taken() {
        let with = |lines: &str, declared: &[i64], said: Option<Layout>| {
            let folder = folder(&[("model.onnx", &file(lines, WEIGHTS, declared))]);
            let tagger = Tagger { layout: said, ..Tagger::default() };
            load_with(folder.path().join("model.onnx"), &tagger, &Device::flex())
        };
        let says = |found: Result<Loaded, ModelError>| found.unwrap_err().to_string();
        let error = says(with(CHANNELS_FIRST, &[-1, 3, 4, 5], Some(Layout::Nhwc)));
        assert!(
            error.ends_with("expected float images [batch, height, width, 3], found [-1, 3, 4, 5]"),
            "{error}"
        );
        let error = says(with(CHANNELS_LAST, &[-1, 4, 5, 3], Some(Layout::Nchw)));
        assert!(
            error.ends_with("expected float images [batch, 3, height, width], found [-1, 4, 5, 3]"),
            "{error}"
        );
        let open = with(CHANNELS_LAST, &[-1, 4, 5, -1], Some(Layout::Nhwc)).unwrap();
        assert_eq!(open.classifier.input_size(), Some([4, 5]));
    }

    #[test]
    fn names_of_another_number_of_labels_are_an_error_that_names_the_file() {
        let model = file(CHANNELS_FIRST, WEIGHTS, &[-1, 3, 4, 5]);
        let config = br#"{"id2label": {"0": "cat", "1": "dog", "2": "cow"}}"#;
        let folder = folder(&[("model.onnx", &model), ("config.json", config)]);
        let path = folder.path().join("model.onnx");
        let error = load(&path, &Device::flex()).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "{}: expected names of 4 labels, as many as there are scores, found 3",
                folder.path().join("config.json").display()
            )
        );
        fs::write(folder.path().join("config.json"), r#"{"model_type": "vit"}"#).unwrap();
        let before = fingerprint(&path).unwrap();
        assert!(loaded(&folder).classifier.notes().is_empty());
        // What says how images are seen is part of the model.
        fs::write(folder.path().join("tagger.toml"), "range = \"0..255\"").unwrap();
        assert_eq!(model_files(&path).unwrap().len(), 3);
        assert_ne!(fingerprint(&path).unwrap(), before);
    }
}
