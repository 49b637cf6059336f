//! [`Network`]: the file of a network, and what it doesn't say of its images.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::Args;
use tkmia_core::{Classifier, Tagger};
use tkmia_data::{Defended, Squeezer};
use tkmia_models::{Loaded, ModelError, check_device, load_with, model_files};

use crate::knobs::TaggerFlags;
use crate::progress::say;

#[derive(Debug, Args)]
pub struct Network {
    /// The network: an ONNX file, or a ResNet in a safetensors or PyTorch file
    #[arg(short, long, value_name = "FILE")]
    pub model: PathBuf,
    #[command(flatten)]
    tagger: TaggerFlags,
}

impl Network {
    /// The files that it is read from.
    pub fn files(&self) -> Result<Vec<PathBuf>, ModelError> {
        model_files(&self.model)
    }

    /// Loads it, and says on the standard error what a user should know of it.
    pub fn load(&self, device: &Device) -> Result<Loaded, ModelError> {
        self.load_over(&Tagger::default(), device)
    }

    /// The same, with what the flags don't say as it is said here.
    pub fn load_over(&self, below: &Tagger, device: &Device) -> Result<Loaded, ModelError> {
        load_noting(&self.model, &self.tagger.0.clone().over(below.clone()).0, device)
    }
}

/// Loads the network of a file, and says on the standard error what a user should know of it.
pub fn load_noting(model: &Path, tagger: &Tagger, device: &Device) -> Result<Loaded, ModelError> {
    let loaded = load_with(model, tagger, device)?;
    if let Ok(cpu) = tkmia_core::device("cpu")
        && *device != cpu
    {
        check_device(model, tagger, loaded.classifier.as_ref(), &cpu)?;
    }
    for note in loaded.classifier.notes() {
        say(&format!("note: {}: {note}", model.display()));
    }
    Ok(loaded)
}

/// A classifier, behind what takes details out of its images, if there is something.
pub fn defended(
    classifier: Box<dyn Classifier>,
    squeezer: Option<Squeezer>,
) -> Box<dyn Classifier> {
    match squeezer {
        Some(squeezer) => Box::new(Defended { classifier, squeezer }),
        None => classifier,
    }
}
