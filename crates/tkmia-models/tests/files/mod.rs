//! State dicts for the tests: their tensors, and files of both kinds that hold them.

// Each test file uses a part.
#![allow(dead_code)]

use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use tempfile::TempDir;
use tkmia_core::Classifier;
use tkmia_models::{ModelError, TrainableResNet, load};
use zip::write::{SimpleFileOptions, ZipWriter};

/// A file of the repository's victims.
pub fn victim(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/victims").join(name)
}

/// Tensors by name: shape and values.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A small network with three labels and new weights, as torchvision names its tensors.
pub fn network(name: &str, width: usize) -> Tensors {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.safetensors");
    TrainableResNet::new(name, width, 3, 1, &Device::flex()).unwrap().save(&path, None).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let values =
        |bytes: &[u8]| bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    let each =
        file.iter().map(|(name, t)| (name.to_owned(), (t.shape().to_vec(), values(t.data()))));
    each.collect()
}

/// The tensors of the PyTorch file among the victims, as its own reader has them.
pub fn tiny() -> Tensors {
    let reader = pytorch_reader::PytorchReader::new(victim("resnet14-tiny.pth")).unwrap();
    let float = |t: &&pytorch_reader::Tensor| t.dtype() == pytorch_reader::DType::F32;
    let values =
        |bytes: Vec<u8>| bytes.as_chunks().0.iter().map(|&b| f32::from_ne_bytes(b)).collect();
    let each = reader.tensors().values().filter(float);
    each.map(|t| (t.name.clone(), (t.shape().to_vec(), values(t.read().unwrap())))).collect()
}

/// The same tensors with something before each name.
pub fn prefixed(tensors: &Tensors, prefix: &str) -> Tensors {
    tensors.iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor.clone())).collect()
}

/// The bytes of values in a type.
pub fn encode(values: &[f32], kind: Dtype) -> Vec<u8> {
    let each = values.iter();
    match kind {
        Dtype::F16 => each.flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect(),
        Dtype::BF16 => each.flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect(),
        Dtype::F64 => each.flat_map(|&v| f64::from(v).to_le_bytes()).collect(),
        Dtype::I32 => each.flat_map(|&v| (v as i32).to_le_bytes()).collect(),
        _ => each.flat_map(|v| v.to_le_bytes()).collect(),
    }
}

/// A safetensors file; `kind` tells the type of each tensor.
pub fn safetensors(
    tensors: &Tensors,
    kind: impl Fn(&str) -> Dtype,
    metadata: Option<(&str, &str)>,
) -> Vec<u8> {
    let data: Vec<(Dtype, Vec<u8>)> =
        tensors.iter().map(|(name, (_, v))| (kind(name), encode(v, kind(name)))).collect();
    let views = tensors.iter().zip(&data).map(|((name, (shape, _)), (kind, bytes))| {
        (name.as_str(), TensorView::new(*kind, shape.clone(), bytes).unwrap())
    });
    let metadata = metadata.map(|(key, value)| HashMap::from([(key.to_owned(), value.to_owned())]));
    safetensors::serialize(views, metadata).unwrap()
}

pub fn in_f32(tensors: &Tensors) -> Vec<u8> {
    safetensors(tensors, |_| Dtype::F32, None)
}

/// What is pickled: Python's objects as far as checkpoints have them.
pub enum Python<'a> {
    Int(i32),
    Text(&'a str),
    Dict(Vec<(&'a str, Python<'a>)>),
    /// An `OrderedDict` of tensors, the way `state_dict()` gives them.
    Tensors(&'a Tensors),
    /// A whole module of a class: its parameters, and the modules within.
    Module(&'a str, &'a Tensors, Vec<(&'a str, Python<'a>)>),
    /// Any call: module, function, argument.
    Call(&'a str, &'a str, &'a str),
}

/// Writes what `torch.save` writes: a zip of a pickle (protocol 2) and of each tensor's values.
///
/// Source of the layout: <https://docs.pytorch.org/docs/stable/notes/serialization.html>
pub fn pytorch(object: &Python) -> Vec<u8> {
    let mut storages = Vec::new();
    let mut pickle = vec![0x80, 2];
    put(&mut pickle, object, &mut storages);
    pickle.push(b'.');
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut entry = |name: String, bytes: &[u8]| {
        zip.start_file(format!("archive/{name}"), options).unwrap();
        zip.write_all(bytes).unwrap();
    };
    entry("data.pkl".into(), &pickle);
    entry("byteorder".into(), b"little");
    for (at, bytes) in storages.iter().enumerate() {
        entry(format!("data/{at}"), bytes);
    }
    entry("version".into(), b"3\n");
    zip.finish().unwrap().into_inner()
}

fn text(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(b'X');
    pickle.extend((text.len() as u32).to_le_bytes());
    pickle.extend(text.as_bytes());
}

fn int(pickle: &mut Vec<u8>, value: i32) {
    pickle.push(b'J');
    pickle.extend(value.to_le_bytes());
}

fn global(pickle: &mut Vec<u8>, module: &str, name: &str) {
    pickle.extend(format!("c{module}\n{name}\n").as_bytes());
}

fn ints(pickle: &mut Vec<u8>, values: impl Iterator<Item = usize>) {
    pickle.push(b'(');
    values.for_each(|value| int(pickle, value as i32));
    pickle.push(b't');
}

fn ordered(pickle: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    global(pickle, "collections", "OrderedDict");
    pickle.extend(b")R(");
    fill(pickle);
    pickle.push(b'u');
}

fn tensors(pickle: &mut Vec<u8>, tensors: &Tensors, storages: &mut Vec<Vec<u8>>) {
    ordered(pickle, |pickle| {
        for (name, (shape, values)) in tensors {
            text(pickle, name);
            global(pickle, "torch._utils", "_rebuild_tensor_v2");
            pickle.extend(b"((");
            text(pickle, "storage");
            global(pickle, "torch", "FloatStorage");
            text(pickle, &storages.len().to_string());
            text(pickle, "cpu");
            int(pickle, values.len() as i32);
            pickle.extend(b"tQ");
            int(pickle, 0);
            ints(pickle, shape.iter().copied());
            let stride = |axis: usize| shape[axis + 1..].iter().product();
            ints(pickle, (0..shape.len()).map(stride));
            pickle.push(0x89);
            ordered(pickle, |_| {});
            pickle.extend(b"tR");
            storages.push(encode(values, Dtype::F32));
        }
    });
}

fn put(pickle: &mut Vec<u8>, object: &Python, storages: &mut Vec<Vec<u8>>) {
    match object {
        Python::Int(value) => int(pickle, *value),
        Python::Text(value) => text(pickle, value),
        Python::Dict(entries) => {
            pickle.extend(b"}(");
            for (key, value) in entries {
                text(pickle, key);
                put(pickle, value, storages);
            }
            pickle.push(b'u');
        }
        Python::Tensors(values) => tensors(pickle, values, storages),
        Python::Module(class, own, modules) => {
            global(pickle, "__main__", class);
            pickle.extend(b")\x81}(");
            text(pickle, "training");
            pickle.push(0x89);
            text(pickle, "_parameters");
            tensors(pickle, own, storages);
            text(pickle, "_buffers");
            ordered(pickle, |_| {});
            text(pickle, "_modules");
            ordered(pickle, |pickle| {
                for (name, module) in modules {
                    text(pickle, name);
                    put(pickle, module, storages);
                }
            });
            pickle.extend(b"ub");
        }
        Python::Call(module, function, argument) => {
            global(pickle, module, function);
            text(pickle, argument);
            pickle.extend(b"\x85R");
        }
    }
}

/// A folder that a test writes files to.
pub struct Files(TempDir);

impl Files {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn load(&self, name: &str, bytes: &[u8]) -> Result<Box<dyn Classifier>, ModelError> {
        load(self.write(name, bytes), &Device::flex())
    }

    /// The message of the error that a file gives, and what caused it, without the file's name.
    pub fn refusal(&self, name: &str, bytes: &[u8]) -> String {
        let error = self.load(name, bytes).expect_err(name);
        let ModelError::InFile { fault, .. } = error else { panic!("{name}: {error}") };
        let mut message = fault.to_string();
        let mut source = std::error::Error::source(&*fault);
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        println!("{name}: {message}");
        message
    }
}
