//! What the tests share: the binary, the victim, the recorded inputs.

#![allow(dead_code, clippy::unwrap_used)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ndarray::{Array1, Array2, Array4};
use ndarray_npy::{NpzReader, NpzWriter, ReadableElement};
use tkmia_data::{Dataset, Voc2012};

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

pub fn victim() -> PathBuf {
    repository("assets/victims/resnet14-tiny.onnx")
}

pub fn golden(case: &str, file: &str) -> PathBuf {
    repository("tests/golden").join(case).join(file)
}

pub fn tkmia() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tkmia"))
}

/// `tkmia attack` on the small victim.
pub fn attack(input: &Path, output: &Path) -> Command {
    let mut command = tkmia();
    command.arg("attack").arg("--model").arg(victim());
    command.arg("--input").arg(input).arg("--output").arg(output);
    command
}

/// The victim of mini-VOC.
pub fn voc_victim() -> PathBuf {
    repository("assets/victims/resnet50-mini-voc.onnx")
}

pub fn voc() -> Voc2012 {
    Voc2012::open(repository("assets/mini-voc/VOC2012"), "val").unwrap()
}

/// The first so many scenes, in a folder with their labels.
pub fn photographs(folder: &Path, count: usize) {
    let voc = voc();
    let mut table = format!("image,{}\n", voc.classes().join(","));
    for row in 0..count {
        let name = format!("{}.jpg", voc.id(row));
        fs::copy(voc.image_path(row), folder.join(&name)).unwrap();
        let flags = voc.labels().row(row).iter().map(|&flag| if flag { ",1" } else { ",0" });
        table += &format!("{name}{}\n", flags.collect::<String>());
    }
    fs::write(folder.join("labels.csv"), table).unwrap();
}

pub fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_all(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// Writes `experiment.toml` into a folder: the text, with the small victim for MODEL and mini-VOC for ROOT.
pub fn write_experiment(folder: &Path, text: &str) {
    let root = repository("assets/mini-voc/VOC2012");
    let text = text
        .replace("MODEL", &victim().display().to_string())
        .replace("ROOT", &root.display().to_string());
    fs::write(folder.join("experiment.toml"), text).unwrap();
}

/// Whether a folder has a file in it that isn't finished.
pub fn has_partial(folder: &Path) -> bool {
    let mut entries = fs::read_dir(folder).unwrap();
    entries.any(|entry| entry.unwrap().file_name().to_string_lossy().ends_with(".partial"))
}

/// Writes images to fit a universal perturbation to: the recorded ones, mirrored.
pub fn fit_input(folder: &Path) -> PathBuf {
    let path = folder.join("fit.npz");
    let mut input = Input::read(&golden("tkmia-corrected-k3", "input.npz"));
    input.images.invert_axis(ndarray::Axis(3));
    input.images = input.images.as_standard_layout().into_owned();
    input.write(&path);
    path
}

/// Runs a command that must succeed, and gives its standard output.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail without a panic, and gives what it says.
pub fn fail(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let says = stderr(&output);
    assert!(matches!(output.status.code(), Some(1 | 2)), "{command:?}: {output:?}");
    // Lines before it may say how far the work was.
    let told = says.lines().any(|line| line.starts_with("error: "));
    assert!(told && !says.contains("panicked"), "{says}");
    says
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The arrays of an input file.
#[derive(Clone)]
pub struct Input {
    pub images: Array4<f32>,
    pub labels: Array2<u8>,
    pub specified: Array2<u8>,
}

impl Input {
    pub fn read(path: &Path) -> Self {
        let mut npz = NpzReader::new(File::open(path).unwrap()).unwrap();
        Self {
            images: npz.by_name("images").unwrap(),
            labels: npz.by_name("labels").unwrap(),
            specified: npz.by_name("specified").unwrap(),
        }
    }

    pub fn write(&self, path: &Path) {
        let mut npz = NpzWriter::new(File::create(path).unwrap());
        npz.add_array("images", &self.images).unwrap();
        npz.add_array("labels", &self.labels).unwrap();
        npz.add_array("specified", &self.specified).unwrap();
        npz.finish().unwrap();
    }
}

/// The arrays of an output file.
pub struct Npz(pub NpzReader<File>);

impl Npz {
    pub fn open(path: &Path) -> Self {
        Self(NpzReader::new(File::open(path).unwrap()).unwrap())
    }

    pub fn vector<T: ReadableElement>(&mut self, name: &str) -> Array1<T> {
        self.0.by_name(name).unwrap()
    }

    pub fn matrix(&mut self, name: &str) -> Array2<f32> {
        self.0.by_name(name).unwrap()
    }

    pub fn images(&mut self, name: &str) -> Array4<f32> {
        self.0.by_name(name).unwrap()
    }
}
