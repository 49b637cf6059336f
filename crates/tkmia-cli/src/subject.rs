//! [`Subject`]: an attack, and the images and the victim that it is run on.

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use tkmia_attacks::{Attack, AttackBatch, AttackError, AttackSettings, Stop, Targets, View};
use tkmia_core::{Classifier, device};
use tkmia_models::{Loaded, ModelError};

use crate::computing::Computing;
use crate::doubt::{looked_at, warn};
use crate::error::CliError;
use crate::input::Input;
use crate::knobs::KnobFlags;
use crate::network::Network;
use crate::photographs::PhotographFlags;
use crate::surrogate::SurrogateFlags;

/// The flags that say what it is.
#[derive(Debug, Args)]
pub struct SubjectFlags {
    #[command(flatten)]
    network: Network,
    /// Images, relevant and specified labels as npz, `-` for the standard input; or a folder of photographs, or one
    #[arg(short, long, value_name = "IN")]
    pub input: PathBuf,
    #[command(flatten)]
    photographs: PhotographFlags,
    /// Size of the predicted set
    #[arg(short, long)]
    pub k: usize,
    #[command(flatten)]
    knobs: KnobFlags,
    /// When an image is done, and what counts as success: a criterion of those below, or several with `and`, `or`
    /// and `not`; labels are indices
    #[arg(long, default_value_t)]
    stop: Stop,
    /// Specified labels that must leave the top-k [default: all that are in the clean one]
    #[arg(long)]
    pub delta: Option<NonZeroUsize>,
    #[command(flatten)]
    pub computing: Computing,
    /// Seed of what is drawn: random targets, and the points of an active test
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

impl SubjectFlags {
    fn settings(&self) -> Result<AttackSettings, Box<dyn Error>> {
        if let Some(delta) = self.delta.map(NonZeroUsize::get)
            && self.stop.leaving(Some(delta)) == self.stop.leaving(None)
        {
            return Err(CliError::DeltaUnused { stop: self.stop.to_string() }.into());
        }
        let settings = AttackSettings::from_knobs(&self.knobs.0)?;
        Ok(AttackSettings { stop: self.stop.clone(), ..settings })
    }

    /// The files that it is read from.
    pub fn files(&self) -> Result<Vec<PathBuf>, ModelError> {
        let mut files = self.network.source().files()?;
        files.push(self.input.clone());
        files.extend(self.photographs.labels.clone());
        Ok(files)
    }

    /// Loads the victim, and what is attacked in its place, and reads the images.
    pub fn open(&self, surrogate: &SurrogateFlags) -> Result<Subject, Box<dyn Error>> {
        let settings = self.settings()?;
        let attack = settings.init()?;
        let device = device(&self.computing.device)?;
        let loaded = self.network.load(&device)?;
        let surrogate = surrogate.load(&loaded.classifier, &device, self.seed)?;
        let surrogate = surrogate.map(|surrogate| surrogate.classifier);
        attack.check(surrogate.as_ref().unwrap_or(&loaded.classifier))?;
        let wanted = (self.k, self.delta.map(NonZeroUsize::get));
        let victim = (&loaded, attack.view());
        let photographs = self.photographs.read(&self.input, wanted, victim, &self.computing)?;
        let Loaded { classifier: model, tagger, .. } = loaded;
        let input = match photographs {
            Some(input) => input,
            None => Input::read(&self.input, model.as_ref(), wanted.0, wanted.1)?,
        };
        let rows: Vec<usize> = (0..looked_at(input.shape[0])).collect();
        // Queries of a command may cost something.
        if !rows.is_empty() && !input.is_presumed && model.has_gradients() {
            let images = input.tensor(&rows, model.as_ref());
            let workers = self.computing.workers(&model, [input.shape[2], input.shape[3]]);
            warn(&model, &tagger, &images, &input.goal.relevant().select(&rows), workers)?;
        }
        let targets = settings.target().map(|choice| Targets { choice, seed: self.seed });
        Ok(Subject { settings, attack, model, surrogate, input, targets })
    }
}

/// An attack, and the images and the victim that it is run on.
pub struct Subject {
    pub settings: AttackSettings,
    pub attack: Box<dyn Attack>,
    pub model: Box<dyn Classifier>,
    /// What is attacked in its place.
    pub surrogate: Option<Box<dyn Classifier>>,
    pub input: Input,
    /// What a targeted attack aims at; random targets are drawn by the images' names.
    pub targets: Option<Targets>,
}

impl Subject {
    /// What is attacked.
    pub fn attacked(&self) -> &dyn Classifier {
        self.surrogate.as_ref().unwrap_or(&self.model)
    }

    /// Consecutive images and what is wanted of them.
    pub fn batch(&self, rows: &[usize]) -> Result<AttackBatch, AttackError> {
        batch(&self.input, self.model.as_ref(), (self.targets, self.attack.view()), rows)
    }
}

/// Consecutive images of an input and what is wanted of them, for an attack with this view.
pub fn batch(
    input: &Input,
    model: &dyn Classifier,
    (targets, view): (Option<Targets>, View),
    rows: &[usize],
) -> Result<AttackBatch, AttackError> {
    let batch = AttackBatch::with_goal(input.tensor(rows, model), input.goal.select(rows))?;
    match targets {
        None => Ok(batch),
        Some(targets) => {
            let ids: Vec<String> = rows.iter().map(|&row| input.name(row)).collect();
            batch.aim(targets, view, model, &ids)
        }
    }
}
