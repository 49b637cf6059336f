//! `tkmia train`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use burn::tensor::Device;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressStyle};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use strum::VariantNames;
use tkmia_data::{DataError, Dataset, DatasetKind, DatasetSpec, open};
use tkmia_experiment::lock;
use tkmia_file::read_text;
use tkmia_models::{ARCHITECTURES, ModelError, TrainableResNet, fingerprint, model_files};
use tkmia_train::{
    Augmentation, Curve, Epoch, Examples, Loss, Optimiser, Progress, Published, Recipe, TrainError,
    Training, WRITTEN,
};

use crate::error::CliError;
use crate::output::refuse_overwriting;
use crate::progress::{self, INTERRUPTED, STOP};

/// Train a ResNet to tag images, and write it to a file that --model takes
///
/// Settings that are not given are those of --recipe: what the paper and its published code use for a data
/// set. The folder OUT gets last.safetensors, best.safetensors (of the highest mAP by instance), curve.csv,
/// curve.png and a checkpoint. A run that was ended goes on by the same command, after the last finished
/// epoch.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    fitting: Fitting,
    /// Weights to start from: a state dict (safetensors or PyTorch), or an ONNX file that kept its batch norms
    #[arg(long, value_name = "FILE", conflicts_with = "new")]
    weights: Option<PathBuf>,
    /// New weights for a network of this name, drawn by the seed
    #[arg(long, value_name = "NAME", required_unless_present = "weights", value_parser = names())]
    new: Option<String>,
    /// Width of a new network's first stage
    #[arg(long, default_value_t = 64, conflicts_with = "weights")]
    width: usize,
    /// Keep the linear layer of --weights instead of drawing a new one
    #[arg(long, conflicts_with = "new")]
    keep_head: bool,
    /// Folder for the network, its curve and the checkpoint
    #[arg(long, value_name = "OUT")]
    output: PathBuf,
}

/// What is trained on, and how.
#[derive(Debug, Args)]
pub struct Fitting {
    /// Layout of the data set
    #[arg(long, default_value_t = DatasetKind::Voc2012, value_parser = named::<DatasetKind>())]
    pub kind: DatasetKind,
    /// Folder of the data set
    #[arg(long, value_name = "DIR")]
    pub root: PathBuf,
    /// Split that is trained on; of kind folder, a folder within the root
    #[arg(long, default_value = "train")]
    train: String,
    /// Split that is measured on
    #[arg(long, default_value = "val")]
    pub validation: String,
    /// Settings as TOML, by the names of flags; those that are given as flags too are as the flags say. Its table [examples] is
    /// about adversarial examples
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    /// Device: cpu, ndarray or cuda:N, as far as compiled in
    #[arg(long, default_value = "cpu")]
    pub device: String,
}

/// How it is trained: flags, or fields of a file.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct Settings {
    /// Settings for all that isn't given: voc-2012 if none is named
    #[arg(long, value_parser = named::<Published>())]
    recipe: Option<Published>,
    /// Rule of the steps
    #[arg(long, value_parser = named::<Optimiser>())]
    optimiser: Option<Optimiser>,
    /// Images in a batch
    #[arg(long)]
    batch_size: Option<usize>,
    /// Learning rate of the first step, on the loss summed over batch and labels
    #[arg(long, allow_negative_numbers = true)]
    lr: Option<f64>,
    /// Factor of the L2 penalty
    #[arg(long, allow_negative_numbers = true)]
    weight_decay: Option<f32>,
    /// Passes over the training split
    #[arg(long)]
    epochs: Option<usize>,
    /// Side of the square images
    #[arg(long, value_name = "PIXELS")]
    input_size: Option<u32>,
    /// Random changes of training images: those of a recipe, or none
    #[arg(long, value_name = "RECIPE", value_parser = augmentations())]
    #[serde(deserialize_with = "named_augmentation")]
    augment: Option<Augmentation>,
    /// Binary cross-entropy, or the asymmetric loss of Ridnik et al. 2021 [default: bce]
    #[arg(long, value_parser = named::<Loss>())]
    loss: Option<Loss>,
    /// Standard deviation of Gaussian noise of training images, in pixels of [0, 1]: for `tkmia certify` [default: 0]
    #[arg(long, value_name = "SIGMA", allow_negative_numbers = true)]
    noise: Option<f32>,
    /// Seed of all that is drawn [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    /// Adversarial examples; of a file alone.
    #[arg(skip)]
    examples: Option<Examples>,
}

/// The random changes of a recipe, or none.
fn augmentation(name: &str) -> Result<Augmentation, TrainError> {
    match name {
        "none" => Ok(Augmentation::NONE),
        name => name.parse().map(Augmentation::of),
    }
}

fn augmentations() -> impl TypedValueParser<Value = Augmentation> {
    let names = Published::VARIANTS.iter().copied().chain(["none"]);
    PossibleValuesParser::new(names).try_map(|name| augmentation(&name))
}

fn named_augmentation<'de, D: Deserializer<'de>>(
    name: D,
) -> Result<Option<Augmentation>, D::Error> {
    augmentation(&String::deserialize(name)?).map(Some).map_err(D::Error::custom)
}

const EXAMPLES: &str = "Examples:
  tkmia train --root VOCdevkit/VOC2012 --weights resnet50-imagenet.pth --output out/voc
  tkmia train --root assets/mini-voc/VOC2012 --new resnet18 --width 16 --input-size 64 --optimiser adam \\
      --lr 3e-3 --epochs 60 --augment nus-wide --output out/mini
  tkmia train --root assets/mini-voc/VOC2012 --weights assets/victims/resnet14-tiny.pth --keep-head \\
      --config experiments/adversarial.toml --output out/adversarial
  tkmia inspect out/mini/best.safetensors";

/// A split of the data; a folder has none, and its parts are folders within the root.
fn open_split(kind: DatasetKind, root: &Path, split: &str) -> Result<Box<dyn Dataset>, DataError> {
    let (root, split) = match kind {
        DatasetKind::Folder => (root.join(split), String::new()),
        _ => (root.to_owned(), split.to_owned()),
    };
    open(&DatasetSpec { kind, root, split })
}

fn names() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(ARCHITECTURES.map(|(name, ..)| name))
}

/// Reads one of the names of an enum's variants.
pub fn named<T>() -> impl TypedValueParser<Value = T>
where
    T: VariantNames + FromStr<Err: Error + Send + Sync> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(T::VARIANTS).try_map(|name| name.parse::<T>())
}

impl Settings {
    /// Those of a file.
    fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let failed = |source| CliError::Read { path: path.to_owned(), source };
        let text = read_text(path).map_err(failed)?;
        toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    /// The published recipe, with what is given in its place.
    fn over(self, file: Self) -> Recipe {
        let published = self.recipe.or(file.recipe).unwrap_or(Published::Voc2012).recipe();
        Recipe {
            optimiser: self.optimiser.or(file.optimiser).unwrap_or(published.optimiser),
            batch_size: self.batch_size.or(file.batch_size).unwrap_or(published.batch_size),
            learning_rate: self.lr.or(file.lr).unwrap_or(published.learning_rate),
            weight_decay: self.weight_decay.or(file.weight_decay).unwrap_or(published.weight_decay),
            epochs: self.epochs.or(file.epochs).unwrap_or(published.epochs),
            input_size: self.input_size.or(file.input_size).unwrap_or(published.input_size),
            augmentation: self.augment.or(file.augment).unwrap_or(published.augmentation),
            seed: self.seed.or(file.seed).unwrap_or(published.seed),
            noise: self.noise.or(file.noise).unwrap_or(published.noise),
            loss: self.loss.or(file.loss).unwrap_or(published.loss),
            examples: self.examples.or(file.examples),
            ..published
        }
    }
}

impl Fitting {
    /// The published recipe, with what flags and the file give in its place.
    pub fn recipe(&self) -> Result<Recipe, Box<dyn Error>> {
        let file = self.config.as_deref().map_or(Ok(Settings::default()), Settings::read)?;
        Ok(self.settings.clone().over(file))
    }

    /// The device to train on.
    pub fn device(&self) -> Result<Device, Box<dyn Error>> {
        match &*self.device {
            // Gradients of parameters are NaN there where images have none (Burn 0.22.1).
            "wgpu" => Err("--device: weights become NaN on wgpu: expected cpu or cuda:N".into()),
            name => Ok(tkmia_core::device(name)?),
        }
    }

    /// The splits that are trained and measured on.
    pub fn open(&self) -> Result<[Box<dyn Dataset>; 2], DataError> {
        let open = |split: &str| open_split(self.kind, &self.root, split);
        Ok([open(&self.train)?, open(&self.validation)?])
    }

    /// Refuses an output folder that is the data's, or in which the model would be overwritten.
    pub fn check_output(&self, model: Option<&Path>, output: &Path) -> Result<(), Box<dyn Error>> {
        let Self { root, train, validation, .. } = self;
        let mut inputs = vec![root.clone(), root.join(train), root.join(validation)];
        inputs.extend(self.config.clone());
        inputs.extend(model.map(model_files).transpose()?.into_iter().flatten());
        let written = WRITTEN.iter().map(|name| output.join(name));
        let outputs: Vec<PathBuf> = written.chain([output.to_owned()]).collect();
        Ok(refuse_overwriting(&outputs, &inputs)?)
    }
}

/// A network's file, as a training says where it began.
pub fn origin(path: &Path) -> Result<String, ModelError> {
    Ok(format!("{}, SHA-256 {}", path.display(), fingerprint(path)?))
}

/// The network to begin with, and what it is called.
fn network(
    arguments: &Arguments,
    classes: usize,
) -> Result<(TrainableResNet, String), Box<dyn Error>> {
    let Arguments { fitting, width, .. } = arguments;
    let (seed, device) = (fitting.recipe()?.seed, fitting.device()?);
    if let Some(path) = &arguments.weights {
        let network = TrainableResNet::load(path, &device)?;
        let network = match arguments.keep_head {
            true => network,
            false => network.with_head(classes, seed),
        };
        return Ok((network, origin(path)?));
    }
    let name = arguments.new.as_deref().unwrap_or_default();
    let network = TrainableResNet::new(name, *width, classes, seed, &device)?;
    Ok((network, "new weights".to_owned()))
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    progress::watch_interrupt()?;
    let Arguments { fitting, weights, output, .. } = arguments;
    fitting.check_output(weights.as_deref(), output)?;
    let [train, validation] = fitting.open()?;
    let (network, origin) = network(arguments, train.classes().len())?;
    let done = shown(Training {
        network,
        origin: &origin,
        train: train.as_ref(),
        validation: validation.as_ref(),
        recipe: fitting.recipe()?,
        output,
        stop: &STOP,
    })?;
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::from(INTERRUPTED) })
}

/// Trains, tells how it goes, and says whether it came to its end.
pub fn shown(training: Training<'_>) -> Result<bool, Box<dyn Error>> {
    let Training { train, validation, output, .. } = training;
    training.recipe.check()?;
    let _lock = lock(output)?;
    let epochs = training.recipe.epochs;
    // Output that can't be written is told at the end: it is no reason not to train.
    let mut printed = crate::print(&format!(
        "network  {}, from {}\nimages   {} of {} to train on, {} to measure on\n",
        training.network.architecture(),
        training.origin,
        train.len(),
        train.name(),
        validation.len(),
    ));
    let bar = bar();
    let curve = training.run(|progress| match progress {
        Progress::Resumed(done) => bar.set_message(format!("{done} epochs were done")),
        Progress::Begin(epoch, steps) => {
            bar.reset();
            bar.set_length(steps as u64);
            bar.set_prefix(format!("epoch {epoch} of {epochs}"));
        }
        Progress::Step(loss) => {
            bar.inc(1);
            bar.set_message(format!("loss {loss:.3}"));
        }
        Progress::End(epoch) if printed.is_ok() => {
            printed = bar.suspend(|| crate::print(&line(epoch)));
        }
        Progress::End(_) => {}
    })?;
    bar.finish_and_clear();
    printed?;
    end(&curve, epochs, output)
}

fn bar() -> ProgressBar {
    let template = "{prefix} {bar:32} {pos}/{len} steps  {elapsed}, {eta} left  {msg}";
    let style = ProgressStyle::with_template(template).expect("the template is a valid one");
    let bar = ProgressBar::no_length().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// What came of an epoch.
fn line(epoch: &Epoch) -> String {
    let Epoch { epoch, train_loss, validation, seconds, .. } = epoch;
    format!(
        "epoch {epoch:>3}  loss {train_loss:.3}, {:.3} on validation  mAP {:.3} by category, {:.3} by instance  {seconds:.1} s\n",
        validation.loss, validation.map_category, validation.map_instance,
    )
}

fn end(curve: &Curve, epochs: usize, output: &Path) -> Result<bool, Box<dyn Error>> {
    let output = output.display();
    if let Some(best) = curve.best() {
        let seconds: f64 = curve.epochs.iter().map(|epoch| epoch.seconds).sum();
        crate::print(&format!(
            "best     epoch {}: mAP {:.3} by category, {:.3} by instance\ntime     {:.1} minutes\nwritten  {output}\n",
            best.epoch,
            best.validation.map_category,
            best.validation.map_instance,
            seconds / 60.0,
        ))?;
    }
    let done = curve.epochs.len();
    if done < epochs {
        crate::print(&format!(
            "interrupted: {done} of {epochs} epochs are done; the same command goes on from there\n"
        ))?;
    }
    Ok(done >= epochs)
}
