//! `tkmia harden`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use tkmia_audit::Comparison;
use tkmia_core::Tagger;
use tkmia_data::DatasetKind;
use tkmia_file::write_whole;
use tkmia_metrics::mean_interval;
use tkmia_models::TrainableResNet;
use tkmia_train::{Evaluation, Examples, Recipe, Training, evaluate_by_image};

use crate::audit::{self, audited};
use crate::compare;
use crate::computing::Computing;
use crate::error::CliError;
use crate::knobs::TaggerFlags;
use crate::progress::{self, INTERRUPTED, STOP};
use crate::tagged::Tagged;
use crate::train::{Fitting, origin, shown};

/// Make the labels of a tagger, a ResNet, harder to hide, and say by how much and at what price
///
/// Trains MODEL further at the border of what is hidden: of each image a label of the top-K is pushed out by the smallest
/// change that is found, and the changed image is learnt with its own labels. Then labels of the images that are not trained
/// on are hidden afresh, of the network as it was and of the network as it is. The folder OUT gets what `tkmia train` writes,
/// the audits `before` and `after` as `tkmia audit` writes them, and hardening.json. A run that was ended goes on by the same
/// command.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The tagger: a state dict (safetensors or PyTorch), or an ONNX file that kept its batch norms
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Size of the predicted set
    #[arg(short, long)]
    k: usize,
    /// How far beyond the border, in lengths of the smallest change
    #[arg(long, default_value_t = Examples::REACH)]
    reach: f64,
    /// How long each of the two audits may take, more or less
    #[arg(long, default_value_t = 10.0, value_parser = audit::above_zero)]
    minutes: f64,
    #[command(flatten)]
    fitting: Fitting,
    /// Folder of the results
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

const EXAMPLES: &str = "Example:
  tkmia harden out/mini/last.safetensors --k 2 --root assets/mini-voc/VOC2012 --input-size 64 --optimiser adam \\
      --lr 1e-3 --epochs 10 --augment nus-wide --output out/hardened";

/// What has changed.
#[derive(Serialize)]
struct Hardened {
    #[serde(flatten)]
    gain: Comparison,
    before: Evaluation,
    after: Evaluation,
    /// By how much the mAP by instance has risen, and the 95 % interval of that, paired.
    map_instance_rise: f64,
    map_instance_rise_interval: Option<[f64; 2]>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    progress::watch_interrupt()?;
    let Arguments { model, k, reach, fitting, output, .. } = arguments;
    fitting.check_output(Some(model), output)?;
    let [train, validation] = fitting.open()?;
    let device = fitting.device()?;
    let network = TrainableResNet::load(model, &device)?;
    let examples = Examples { k: *k, reach: Some(*reach), ..Examples::default() };
    let recipe = fitting.recipe()?;
    if recipe.examples.is_some() {
        return Err(
            "--config: [examples] is for tkmia train, here they are those of --k and --reach"
                .into(),
        );
    }
    let recipe = Recipe { examples: Some(examples), ..recipe };
    let measured = |path: &Path| {
        let (victim, transform) =
            (TrainableResNet::load(path, &device)?.victim()?, recipe.transform());
        evaluate_by_image(&victim, validation.as_ref(), &transform, recipe.batch_size)
    };
    let interrupted = Ok(ExitCode::from(INTERRUPTED));

    let trained = shown(Training {
        network,
        origin: &origin(model)?,
        train: train.as_ref(),
        validation: validation.as_ref(),
        recipe: recipe.clone(),
        output,
        stop: &STOP,
    })?;
    if !trained {
        return interrupted;
    }
    // That of the last epoch: the best one is chosen on the images that are attacked.
    let last = output.join("last.safetensors");
    let audits = [("before", model.as_path()), ("after", &last)]
        .map(|(name, model)| arguments.audit(&recipe, name, model));
    for audit in &audits {
        // The second does what the first did.
        if let Some(work) = audits[0].begun()? {
            audit.begin(&work)?;
        }
        if audited(audit)?.is_none() {
            return interrupted;
        }
    }
    let ((before, old), (after, new)) = (measured(model)?, measured(&last)?);
    let rises = old.iter().zip(&new).filter_map(|(old, new)| Some((*new)? - (*old)?));
    let hardened = Hardened {
        gain: Comparison::new(&audits[0].output, &audits[1].output)?,
        map_instance_rise: after.map_instance - before.map_instance,
        map_instance_rise_interval: mean_interval(&rises.collect::<Vec<f64>>(), 0),
        before,
        after,
    };
    let path = output.join("hardening.json");
    write_whole(&path, serde_json::to_vec_pretty(&hardened)?)
        .map_err(|source| CliError::Write { path: path.clone(), source: source.into() })?;
    crate::print(&format!("{}written  {}\n", hardened.text(), path.display()))?;
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    /// The audit of a network on the images that aren't trained on.
    fn audit(&self, recipe: &Recipe, name: &str, model: &Path) -> audit::Arguments {
        let Fitting { kind, root, validation, device, .. } = &self.fitting;
        let folder = match kind {
            DatasetKind::Folder => root.join(validation),
            _ => root.clone(),
        };
        let input_size = Some(recipe.input_size);
        audit::Arguments {
            model: model.to_owned(),
            images: Tagged { folder, kind: *kind, split: validation.clone(), labels: None },
            squeeze: None,
            k: Some(self.k),
            minutes: self.minutes,
            seed: recipe.seed,
            fail_under: Vec::new(),
            output: self.output.join(name),
            tagger: TaggerFlags(Tagger { input_size, ..Tagger::default() }),
            computing: Computing::on(device),
        }
    }
}

impl Hardened {
    fn text(&self) -> String {
        let Self { before, after, .. } = self;
        let interval = self
            .map_instance_rise_interval
            .map_or(String::new(), |[low, high]| format!(" [{low:+.3}, {high:+.3}]"));
        format!(
            "{}\n{:32} {:>10.3} {:>10.3}\n{:32} {:>10.3} {:>10.3}  {:+.3}{interval}\n",
            compare::text(&self.gain),
            "mAP by category",
            before.map_category,
            after.map_category,
            "mAP by instance",
            before.map_instance,
            after.map_instance,
            self.map_instance_rise,
        )
    }
}
