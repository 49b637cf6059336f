//! [`Network`]: the file of a network, and what it doesn't say of its images: [`Reading`].

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::Args;
use tkmia_core::{Bounds, Classifier};
use tkmia_models::{LoadOptions, ModelError, Normalisation, load_with, model_files};

#[derive(Debug, Args)]
pub struct Network {
    /// The network: an ONNX file, or a ResNet in a safetensors or PyTorch file
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    reading: Reading,
}

/// How a network's file is read.
#[derive(Debug, Args)]
pub struct Reading {
    /// The range of the images, as in 0..1 [default: -1..1 for ResNets, 0..1 for other networks]
    #[arg(long, value_name = "LOW..HIGH", value_parser = range, allow_hyphen_values = true)]
    range: Option<Bounds>,
    /// Mean of red, green and blue that the images are normalised by, in their range; with --std
    #[arg(long, value_name = "R,G,B", value_parser = triple, requires = "std", allow_hyphen_values = true)]
    mean: Option<[f32; 3]>,
    /// Standard deviation of red, green and blue; with --mean
    #[arg(long, value_name = "R,G,B", value_parser = triple, requires = "mean")]
    std: Option<[f32; 3]>,
    /// The scores' name among several outputs of an ONNX file
    #[arg(long, value_name = "NAME")]
    scores_output: Option<String>,
    /// Take a sigmoid at the end of an ONNX file for part of the scores, which are logits otherwise
    #[arg(long)]
    keep_sigmoid: bool,
}

impl Network {
    /// The files that it is read from.
    pub fn files(&self) -> Result<Vec<PathBuf>, ModelError> {
        model_files(&self.model)
    }

    /// Loads it, and says on the standard error what a user should know of it.
    pub fn load(&self, device: &Device) -> Result<Box<dyn Classifier>, ModelError> {
        self.reading.load(&self.model, device)
    }
}

impl Reading {
    /// Loads the network of a file, and says on the standard error what a user should know of it.
    pub fn load(&self, model: &Path, device: &Device) -> Result<Box<dyn Classifier>, ModelError> {
        let options = LoadOptions {
            bounds: self.range,
            normalisation: self.mean.zip(self.std).map(|(mean, std)| Normalisation { mean, std }),
            output: self.scores_output.clone(),
            keep_sigmoid: self.keep_sigmoid,
        };
        let network = load_with(model, &options, device)?;
        for note in network.notes() {
            // Where this can't be written nobody would read it.
            let _ = writeln!(io::stderr(), "note: {}: {note}", model.display());
        }
        Ok(network)
    }
}

fn range(text: &str) -> Result<Bounds, String> {
    let bounds = text.split_once("..").and_then(|(low, high)| {
        Some(Bounds { low: low.trim().parse().ok()?, high: high.trim().parse().ok()? })
    });
    let sound = |bounds: &Bounds| {
        bounds.low.is_finite() && bounds.high.is_finite() && bounds.low < bounds.high
    };
    bounds.filter(sound).ok_or_else(|| "expected two numbers, as in 0..255".to_owned())
}

fn triple(text: &str) -> Result<[f32; 3], String> {
    let numbers: Option<Vec<f32>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    let finite = |numbers: &Vec<f32>| numbers.iter().all(|number| number.is_finite());
    let found = numbers.filter(finite).and_then(|numbers| numbers.try_into().ok());
    found.ok_or_else(|| "expected three numbers, as in 0.485,0.456,0.406".to_owned())
}
