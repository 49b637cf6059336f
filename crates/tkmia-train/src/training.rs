//! A training from its first step to its last: [`Training`].

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Tensor, TensorData};
use serde_json::{Value, json};
use tkmia_data::Dataset;
use tkmia_models::TrainableResNet;

use crate::checkpoint::Checkpoint;
use crate::evaluation::evaluate;
use crate::feed::{Batch, Feed};
use crate::{Curve, Epoch, Recipe, TrainError};

/// A network, what it is trained on, and how.
///
/// After each epoch the output folder gets
///
/// - `last.safetensors`: the network as it is,
/// - `best.safetensors`: that of the epoch of the highest instance-wise mAP, by which the paper's
///   published code chooses its victims,
/// - `curve.csv` and `curve.png`: the [learning curve](Curve),
/// - `checkpoint`: what a run continues from.
///
/// Each file is written under a temporary name and renamed. A run of the same description that finds
/// a checkpoint continues after its epoch, and ends as a run that was never stopped would have: batches,
/// their order and all random changes depend on seed, epoch and image id alone.
///
/// # Example
///
/// ```no_run
/// use std::sync::atomic::AtomicBool;
///
/// use tkmia_core::device;
/// use tkmia_data::Voc2012;
/// use tkmia_models::TrainableResNet;
/// use tkmia_train::{Published, Training};
///
/// let network = TrainableResNet::load("resnet50-imagenet.pth", &device("cpu")?)?.with_head(20, 0);
/// let curve = Training {
///     network,
///     origin: "resnet50-imagenet.pth",
///     train: &Voc2012::open("VOCdevkit/VOC2012", "train")?,
///     validation: &Voc2012::open("VOCdevkit/VOC2012", "val")?,
///     recipe: Published::Voc2012.recipe(),
///     output: "out/victim".as_ref(),
///     stop: &AtomicBool::new(false),
/// }
/// .run(|_| {})?;
/// println!("mAP {:.3}", curve.best().expect("an epoch").validation.map_instance);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Training<'a> {
    /// The network to be trained, with a score for each label.
    pub network: TrainableResNet,
    /// What the network began from: a run from something else doesn't continue from its checkpoint.
    pub origin: &'a str,
    /// The images that it is trained on.
    pub train: &'a dyn Dataset,
    /// The images that it is measured on.
    pub validation: &'a dyn Dataset,
    /// How it is trained.
    pub recipe: Recipe,
    /// The folder for what comes of it; it is made if it isn't there.
    pub output: &'a Path,
    /// Set from outside to end the run early: the epoch under way is lost.
    pub stop: &'a AtomicBool,
}

/// What a run tells of itself.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// A checkpoint was found: so many epochs are done.
    Resumed(usize),
    /// An epoch (from 1) begins, of so many steps.
    Begin(usize, usize),
    /// A step was made; the loss of its batch, per image.
    Step(f64),
    /// An epoch has ended.
    End(&'a Epoch),
}

/// What a training writes into its folder.
pub const WRITTEN: [&str; 5] =
    ["last.safetensors", "best.safetensors", "curve.csv", "curve.png", "checkpoint"];

impl Training<'_> {
    /// Trains the network, from the checkpoint in the output folder if there is one.
    ///
    /// Where `stop` ended it the curve has fewer epochs than the recipe.
    ///
    /// # Errors
    /// [`TrainError::Setting`], [`TrainError::Labels`], [`TrainError::Splits`] and
    /// [`TrainError::TooFew`] before anything is done; [`TrainError::Changed`] and
    /// [`TrainError::Checkpoint`] for a checkpoint; [`TrainError::Diverged`]; what images and files have.
    pub fn run(self, mut watch: impl FnMut(Progress<'_>)) -> Result<Curve, TrainError> {
        self.check()?;
        let description = self.description();
        let Self { mut network, train, validation, recipe, output, stop, .. } = self;
        let file = |name: &str| output.join(name);
        fs::create_dir_all(output).map_err(TrainError::write(output))?;

        let mut optimiser = recipe.optimiser.init(recipe.weight_decay);
        let mut curve = Curve::default();
        let checkpoint: PathBuf = file("checkpoint");
        if let Some(found) = Checkpoint::read(&checkpoint, &description)? {
            curve = found.curve.clone();
            (network, optimiser) = found.restore(&checkpoint, network, optimiser)?;
            watch(Progress::Resumed(curve.epochs.len()));
        }

        let steps = Feed::batches(train, &recipe);
        for epoch in curve.epochs.len()..recipe.epochs {
            let began = Instant::now();
            watch(Progress::Begin(epoch + 1, steps));
            let feed = Feed { dataset: train, recipe: &recipe, epoch };
            let (mut at, mut loss, mut images) = (epoch * steps, 0.0, 0);
            let mut trained = Some((network, optimiser));
            let flow = feed.run(|batch| {
                if stop.load(Ordering::Relaxed) {
                    return Ok(ControlFlow::Break(()));
                }
                let rate = recipe.learning_rate_at(at, recipe.epochs * steps);
                let (before, by) = trained.take().expect("every step puts them back");
                let batch = match &recipe.examples {
                    None => batch,
                    Some(examples) => {
                        examples.extended(&before, batch, recipe.seed.wrapping_add(at as u64))?
                    }
                };
                let rows = batch.rows;
                let (after, by, step_loss) = step(before, by, batch, rate, &recipe);
                trained = Some((after, by));
                (at, loss, images) = (at + 1, loss + step_loss, images + rows);
                if !step_loss.is_finite() {
                    return Err(TrainError::Diverged { epoch: epoch + 1, loss: step_loss });
                }
                watch(Progress::Step(step_loss / rows as f64));
                Ok(ControlFlow::Continue(()))
            })?;
            (network, optimiser) = trained.expect("every step puts them back");
            if flow.is_break() {
                break;
            }

            let victim = network.victim()?;
            let transform = recipe.transform();
            let validation = evaluate(&victim, validation, &transform, recipe.batch_size)?;
            curve.epochs.push(Epoch {
                epoch: epoch + 1,
                learning_rate: recipe.learning_rate_at(epoch * steps, recipe.epochs * steps),
                train_loss: loss / images as f64,
                validation,
                seconds: began.elapsed().as_secs_f64(),
            });
            let side = Some(recipe.input_size as usize);
            network.save(file("last.safetensors"), side)?;
            if curve.best().is_some_and(|best| best.epoch == epoch + 1) {
                network.save(file("best.safetensors"), side)?;
            }
            curve.write(output)?;
            // The last of all: without it the epoch is done again.
            let state = Checkpoint::new(&curve, &network, &optimiser)?;
            state.write(&checkpoint, &description)?;
            watch(Progress::End(&curve.epochs[epoch]));
        }
        Ok(curve)
    }

    fn check(&self) -> Result<(), TrainError> {
        self.recipe.check()?;
        let (classes, others) = (self.train.classes(), self.validation.classes());
        let network = self.network.architecture().classes;
        if network != classes.len() {
            let (labels, dataset) = (classes.len(), self.train.name().to_owned());
            return Err(TrainError::Labels { network, labels, dataset });
        }
        if let Some(examples) = self.recipe.examples.as_ref().filter(|it| it.k >= network) {
            let (field, expected) = ("k of examples", "below the number of labels");
            return Err(TrainError::Setting { field, expected, found: examples.k.to_string() });
        }
        if others.len() != classes.len() {
            let (labels, dataset) = (others.len(), self.validation.name().to_owned());
            return Err(TrainError::Labels { network, labels, dataset });
        }
        if let Some(at) = (0..classes.len()).find(|&at| classes[at] != others[at]) {
            let (expected, found) = (classes[at].clone(), others[at].clone());
            return Err(TrainError::Splits { at, expected, found });
        }
        match self.train.len() {
            found @ 0..2 => Err(TrainError::TooFew { found }),
            _ => Ok(()),
        }
    }

    /// What makes two runs the same.
    fn description(&self) -> Value {
        let data =
            |dataset: &dyn Dataset| json!({ "name": dataset.name(), "images": dataset.len() });
        json!({
            "network": self.network.architecture(),
            "origin": self.origin,
            "train": data(self.train),
            "validation": data(self.validation),
            "settings": self.recipe,
        })
    }
}

/// One step along the gradient of a batch's summed loss, which it gives too.
fn step(
    network: TrainableResNet,
    mut optimiser: ModuleOptimizer,
    batch: Batch,
    rate: f64,
    recipe: &Recipe,
) -> (TrainableResNet, ModuleOptimizer, f64) {
    let (device, side) = (network.device(), recipe.input_size as usize);
    let classes = batch.targets.len() / batch.rows;
    let images = TensorData::new(batch.images, [batch.rows, 3, side, side]);
    let targets = TensorData::new(batch.targets, [batch.rows, classes]);
    let logits = network.forward(Tensor::from_data(images, &device));
    let loss = recipe.loss.of(logits, Tensor::from_data(targets, &device)).sum();
    let value = f64::from(loss.clone().inner().into_scalar::<f32>());
    let gradients = GradientsParams::from_grads(loss.backward(), &network);
    let network = optimiser.step(rate, network, gradients);
    (network, optimiser, value)
}
