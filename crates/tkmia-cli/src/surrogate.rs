//! [`SurrogateFlags`]: what is attacked in place of the victim.

use std::error::Error;
use std::path::PathBuf;

use burn::tensor::Device;
use clap::Args;
use tkmia_core::{Classifier, Ensemble, Tagger};
use tkmia_data::RandomlyResized;
use tkmia_models::{ModelError, Source};

use crate::error::CliError;
use crate::network::load_noting;

#[derive(Debug, Clone, Default, Args)]
pub struct SurrogateFlags {
    /// A network to attack in place of the victim, which judges; several times for the mean of their scores. It sees images as its
    /// file, and those beside it, say
    #[arg(id = "surrogate", long = "surrogate", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Input diversity: the probability with which the surrogates' images are scaled and moved at random in each pass
    #[arg(long, value_name = "PROBABILITY")]
    pub diversity: Option<f64>,
}

/// What is attacked, and its name in a plan: the SHA-256 of its files, where it has some of its own, and in words.
pub struct Surrogate {
    pub classifier: Box<dyn Classifier>,
    pub name: String,
}

impl From<Box<dyn Classifier>> for Surrogate {
    fn from(classifier: Box<dyn Classifier>) -> Self {
        let name = classifier.description();
        Self { classifier, name }
    }
}

impl SurrogateFlags {
    /// Loads them, where there are some; `seed` is that of the diversity.
    ///
    /// # Errors
    /// Those of files, what can't stand in for the victim, and a diversity of nothing or that is no probability.
    pub fn load(
        &self,
        victim: &dyn Classifier,
        device: &Device,
        seed: u64,
    ) -> Result<Option<Surrogate>, Box<dyn Error>> {
        match self.diversity {
            Some(_) if self.files.is_empty() => return Err(CliError::DiversityUnused.into()),
            Some(found) if !(0.0..=1.0).contains(&found) => {
                return Err(CliError::Diversity { found }.into());
            }
            None if self.files.is_empty() => return Ok(None),
            _ => {}
        }
        let sources: Vec<Source> = self.files.iter().cloned().map(Source::File).collect();
        let load = |source: &Source| {
            Ok::<_, ModelError>(load_noting(source, &Tagger::default(), device)?.classifier)
        };
        let members = sources.iter().map(load).collect::<Result<_, _>>()?;
        let classifier = Ensemble::in_place_of(victim, members)?;
        let classifier: Box<dyn Classifier> = match self.diversity {
            Some(probability) => {
                Box::new(RandomlyResized { classifier, probability, draws: 1, seed })
            }
            None => Box::new(classifier),
        };
        let hashes = sources.iter().map(Source::fingerprint).collect::<Result<Vec<_>, _>>()?;
        let name = format!("{}: {}", hashes.join(" "), classifier.description());
        Ok(Some(Surrogate { classifier, name }))
    }
}
