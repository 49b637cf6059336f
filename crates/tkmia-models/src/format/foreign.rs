//! Model files of other kinds, named for what they are: [`foreign`].

use std::io::Cursor;
use std::path::Path;

use tkmia_file::read;
use zip::ZipArchive;

use super::wire::Fields;
use crate::ModelError;
use crate::error::FROM_TORCH;

const TO_ONNX: &str = "convert it to ONNX, as tf2onnx does with TensorFlow's networks";
const ONE_FILE: &str = "load it where it was written, and save one state dict";

/// A kind of file that isn't read, and what to do about it.
type Kind = (&'static str, &'static str);

const TORCHSCRIPT: Kind = ("a TorchScript archive", FROM_TORCH);
const EXPORTED: Kind = ("a torch.export archive", FROM_TORCH);
const KERAS: Kind = ("a network of Keras", TO_ONNX);
const SAVED_MODEL: Kind = ("a TensorFlow SavedModel", TO_ONNX);
const CORE_ML: Kind = ("a Core ML model", "export the network that it was made of to ONNX");

/// Where bytes stand in a file, which, and what it is then.
const SIGNATURES: [(usize, &[u8], Kind); 6] = [
    (0, b"\x89HDF\r\n\x1a\n", ("an HDF5 file, as Keras writes it", TO_ONNX)),
    (0, b"\x93NUMPY", ("a NumPy array", FROM_TORCH)),
    (0, b"GGUF", ("a GGUF file", FROM_TORCH)),
    (4, b"TFL3", ("a TensorFlow Lite model", TO_ONNX)),
    (4, b"ORTM", ("a model of ONNX Runtime's own", "give the ONNX file that it was made of")),
    (4, b"ET12", ("an ExecuTorch program", FROM_TORCH)),
];

/// The end of a name in a zip archive, and what the archive is then; the first that is there counts.
const ENTRIES: [(&str, Option<Kind>); 10] = [
    ("constants.pkl", Some(TORCHSCRIPT)),
    ("bytecode.pkl", Some(TORCHSCRIPT)),
    ("archive_format", Some(EXPORTED)),
    ("serialized_exported_program.json", Some(EXPORTED)),
    // What torch.save writes.
    ("data.pkl", None),
    ("model.weights.h5", Some(KERAS)),
    ("saved_model.pb", Some(SAVED_MODEL)),
    (".mlmodel", Some(CORE_ML)),
    (".npy", Some(("an npz file of NumPy arrays", FROM_TORCH))),
    ("", Some(("a zip archive", "unpack it and give the model's file in it"))),
];

/// The error that names a file for what it is, if it's a known kind that isn't read.
pub fn foreign(path: &Path) -> Option<ModelError> {
    let (found, advice) = if path.is_dir() {
        folder(path)
    } else {
        let bytes = read(path).ok()?;
        let kinds = [signature, archive, protobuf, text];
        kinds.iter().find_map(|kind| kind(&bytes))?
    };
    Some(ModelError::Foreign { found, advice })
}

fn folder(path: &Path) -> Kind {
    let has = |name: &str| path.join(name).exists();
    match () {
        () if has("saved_model.pb") => SAVED_MODEL,
        () if has("Manifest.json") && has("Data") => CORE_ML,
        () => ("a folder", "give the model's file in it"),
    }
}

fn signature(bytes: &[u8]) -> Option<Kind> {
    let has =
        |at: usize, start: &[u8]| bytes.get(at..).is_some_and(|bytes| bytes.starts_with(start));
    SIGNATURES.iter().find(|(at, start, _)| has(*at, start)).map(|(.., kind)| *kind)
}

fn archive(bytes: &[u8]) -> Option<Kind> {
    let archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let has = |end: &str| archive.file_names().any(|name| name.ends_with(end));
    ENTRIES.iter().find(|(end, _)| has(end)).and_then(|(_, kind)| *kind)
}

fn text(bytes: &[u8]) -> Option<Kind> {
    /// A beginning of any file may look like text.
    const SHORTEST: usize = 8;
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() >= SHORTEST)?;
    match text.trim_start() {
        binary if binary.contains(|c: char| c.is_control() && !c.is_whitespace()) => None,
        json if json.starts_with('{') && json.contains("\"weight_map\"") => {
            Some(("the index of a state dict in several files", ONE_FILE))
        }
        _ => Some(("a text file", "export or download it again")),
    }
}

/// A protobuf message that is no ONNX model's, by its fields.
///
/// Sources: tensorflow/core/protobuf/saved_model.proto, tensorflow/core/framework/graph.proto,
/// coremltools/mlmodel/format/Model.proto.
fn protobuf(bytes: &[u8]) -> Option<Kind> {
    let fields = Fields::of(bytes);
    if !fields.clone().whole() {
        return None;
    }
    let in_meta_graph = |meta_graph| Fields::of(meta_graph).numbered(2).any(is_graph);
    if fields.clone().numbered(2).any(in_meta_graph) {
        return Some(SAVED_MODEL);
    }
    if is_graph(bytes) {
        return Some(("a frozen TensorFlow graph", TO_ONNX));
    }
    // Its description has features that go in, 1, and that come out, 10; their names are 1.
    let described = |description| {
        [1, 10].iter().all(|&feature| {
            let first = Fields::of(description).numbered(feature).next();
            first.is_some_and(|first| has_text(first, 1))
        })
    };
    fields.numbered(2).any(described).then_some(CORE_ML)
}

/// Whether it is a `GraphDef`: its nodes are 1, and a node's operator 2.
fn is_graph(bytes: &[u8]) -> bool {
    let fields = Fields::of(bytes);
    fields.clone().whole() && fields.numbered(1).next().is_some_and(|node| has_text(node, 2))
}

fn has_text(message: &[u8], number: u64) -> bool {
    let fields = Fields::of(message);
    fields.clone().whole()
        && fields.numbered(number).any(|text| !text.is_empty() && text.is_ascii())
}
