//! [`Network`]: where a network is, and what isn't said of its images there.

use std::path::PathBuf;
use std::time::Duration;

use burn::tensor::Device;
use clap::Args;
use tkmia_core::{Classifier, Tagger};
use tkmia_data::Defence;
use tkmia_models::{Loaded, ModelError, ScoringCommand, Source, check_device};

use crate::audit::above_zero;
use crate::knobs::TaggerFlags;
use crate::progress::say;

#[derive(Debug, Args)]
pub struct Network {
    /// The network: an ONNX file, or a ResNet in a safetensors or PyTorch file
    #[arg(short, long, value_name = "FILE", required_unless_present = "command")]
    model: Option<PathBuf>,
    #[command(flatten)]
    command: CommandFlags,
    #[command(flatten)]
    tagger: TaggerFlags,
}

impl Network {
    pub fn source(&self) -> Source {
        self.command.or(self.model.as_ref()).expect("the parser asks for one of them")
    }

    /// Loads it, and says on the standard error what a user should know of it.
    pub fn load(&self, device: &Device) -> Result<Loaded, ModelError> {
        self.load_over(&Tagger::default(), device)
    }

    /// The same, with what the flags don't say as it is said here.
    pub fn load_over(&self, below: &Tagger, device: &Device) -> Result<Loaded, ModelError> {
        load_noting(&self.source(), &self.tagger.0.clone().over(below.clone()).0, device)
    }
}

/// A program in place of a file.
#[derive(Debug, Args)]
pub struct CommandFlags {
    /// A program that scores images, with its arguments, in place of a model's file: what it is asked is in the book, under Victims
    #[arg(long, value_name = "COMMAND", conflicts_with = "model")]
    command: Option<ScoringCommand>,
    /// Seconds that an answer of the command may take [default: 300]
    #[arg(long, value_name = "SECONDS", requires = "command", value_parser = above_zero)]
    answer_within: Option<f64>,
}

impl CommandFlags {
    /// The command, or else the file, where there is one of them.
    pub fn or(&self, model: Option<&PathBuf>) -> Option<Source> {
        let Some(mut command) = self.command.clone() else {
            return model.map(|model| Source::File(model.clone()));
        };
        if let Some(seconds) = self.answer_within {
            // Longer than that is no limit.
            command.answer_within = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        }
        Some(Source::Command(command))
    }
}

/// Loads a network, and says on the standard error what a user should know of it.
pub fn load_noting(
    source: &Source,
    tagger: &Tagger,
    device: &Device,
) -> Result<Loaded, ModelError> {
    let loaded = source.load(tagger, device)?;
    if let Source::File(model) = source
        && let Ok(cpu) = tkmia_core::device("cpu")
        && *device != cpu
    {
        check_device(model, tagger, loaded.classifier.as_ref(), &cpu)?;
    }
    for note in loaded.classifier.notes() {
        say(&format!("note: {source}: {note}"));
    }
    Ok(loaded)
}

/// The same with its fingerprint, for what is to be gone on with: a network that changes meanwhile is refused.
pub fn load_known(
    source: &Source,
    tagger: &Tagger,
    device: &Device,
) -> Result<(Loaded, String), ModelError> {
    let fingerprint = source.fingerprint()?;
    let loaded = load_noting(source, tagger, device)?;
    source.expect_unchanged(&fingerprint)?;
    Ok((loaded, fingerprint))
}

/// A classifier behind its defence, if it has one; and what is attacked in its place, where the defence has draws.
pub fn defended(
    classifier: Box<dyn Classifier>,
    defence: Option<Defence>,
) -> (Box<dyn Classifier>, Option<Box<dyn Classifier>>) {
    match defence {
        Some(defence) => defence.of(classifier.into()),
        None => (classifier, None),
    }
}
