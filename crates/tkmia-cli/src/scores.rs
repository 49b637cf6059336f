//! `tkmia scores`.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use burn::tensor::{Tensor, TensorData};
use clap::Args;
use tkmia_attacks::AttackError;
use tkmia_core::{Classifier, device, scores_and_gradient};
use tkmia_data::{DatasetKind, Transform, open_image};
use tkmia_experiment::in_one_line;
use tkmia_file::{Axis, Elements, Npz};
use tkmia_models::Loaded;

use crate::computing::Computing;
use crate::input::images_for;
use crate::network::Network;
use crate::output::{Names, Output, add, tell};
use crate::photographs::{are_photographs, photographs_at};
use crate::progress::{self, Count, INTERRUPTED, STOP};

/// Write a network's scores of images, and gradients if they are asked for
///
/// IN is a folder of photographs, or one of them; or an npz file of input (or images) [n, 3, h, w], floats in the network's
/// range or 8-bit pixels, and for gradients cotangent [n, c].
///
/// OUT.npz: scores float32 [n, c], logits; with a cotangent also gradient float32 [n, 3, h, w], that of
/// Σ cotangent · scores by the input as it is given; of photographs names [n], without those that can't be read.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    network: Network,
    /// Images, and what their scores are weighed with, as npz, `-` for the standard input; or a folder of photographs, or one
    #[arg(short, long, value_name = "IN")]
    input: PathBuf,
    #[command(flatten)]
    computing: Computing,
    /// Where the scores go; `-` for the standard output
    #[arg(short, long, value_name = "OUT.npz")]
    output: PathBuf,
}

const EXAMPLES: &str = "Examples:
  tkmia scores --model tagger.onnx --input photographs --output out.npz
  tkmia scores --model tagger.onnx --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --input in.npz \\
      --output out.npz";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let loaded = arguments.network.load(&device(&arguments.computing.device)?)?;
    let mut inputs = arguments.network.source().files()?;
    inputs.push(arguments.input.clone());
    let output = Output::create(&arguments.output, &inputs)?;
    match are_photographs(&arguments.input) {
        true => arguments.score_photographs(&loaded, output),
        false => arguments.score_arrays(&*loaded.classifier, output),
    }
}

impl Arguments {
    /// A batch of photographs after the other is in memory. Those that can't be read are named and left out.
    fn score_photographs(
        &self,
        Loaded { classifier: model, tagger, .. }: &Loaded,
        output: Output,
    ) -> Result<ExitCode, Box<dyn Error>> {
        progress::watch_interrupt()?;
        let paths = photographs_at(&self.input)?;
        let transform = Transform::new(tagger, DatasetKind::Folder, model)?;
        let (device, classes) = (model.device(), model.classes());
        let batch = |paths: &[PathBuf]| {
            let (mut images, mut names, mut broken) = (Vec::new(), Vec::new(), Vec::new());
            for path in paths {
                match open_image(path, &transform, &device) {
                    Ok(image) => {
                        images.push(image);
                        names.push(path.file_name().unwrap_or_default().to_string_lossy().into());
                    }
                    Err(error) => broken.push(error),
                }
            }
            let scores = match images.is_empty() {
                true => Vec::new(),
                false => host(model.scores(Tensor::cat(images, 0))),
            };
            model.check()?;
            Ok((names, scores, broken))
        };
        let (mut names, mut scores, mut broken) = (Names(Vec::new()), Vec::new(), Vec::new());
        let bar = Count::new("score", "images", paths.len());
        let workers = self.computing.workers(model, [transform.resize.side as usize; 2]);
        workers.run(&paths, batch, |(named, of_batch, failed)| {
            bar.finished(named.len() + failed.len());
            names.0.extend(named);
            scores.extend(of_batch);
            broken.extend(failed);
            Ok(())
        })?;
        bar.end();
        let count = names.0.len();
        if count == 0 && !broken.is_empty() {
            return Err(broken.swap_remove(0).into());
        }
        output.finish(|npz| {
            add(npz, "scores", [count, classes], &scores)?;
            npz.add_array("names", &names)
        })?;
        let mut text = format!("{count} images, {classes} scores each\n");
        for error in &broken {
            text += &format!("not scored: {}\n", in_one_line(error));
        }
        let stopped = STOP.load(Ordering::Relaxed);
        if stopped {
            text += &format!("stopped: these are of the first of {} images\n", paths.len());
        }
        tell(&self.output, &text)?;
        Ok(match (stopped, broken.is_empty()) {
            (true, _) => ExitCode::from(INTERRUPTED),
            (false, true) => ExitCode::SUCCESS,
            (false, false) => ExitCode::FAILURE,
        })
    }

    fn score_arrays(
        &self,
        model: &dyn Classifier,
        output: Output,
    ) -> Result<ExitCode, Box<dyn Error>> {
        let (path, classes) = (&self.input, model.classes());
        let mut npz = Npz::open(path)?;
        let name = if npz.has("input") { "input" } else { "images" };
        let (images, shape) = images_for(&mut npz, path, name, model)?;
        let [count, channels, height, width] = shape;
        let cotangent = match npz.has("cotangent") {
            true if !model.has_gradients() => return Err(AttackError::NoGradients.into()),
            true => {
                let array = npz.array("cotangent")?;
                let axes = [Axis::Is(count), Axis::Is(classes)];
                array.expect_shape(axes, "(images, the model's labels)")?;
                Some(array.read(Elements::Floats, |value| value as f32)?)
            }
            false => None,
        };
        let size = channels * height * width;
        let rows: Vec<usize> = (0..count).collect();
        let (mut scores, mut gradient) = (Vec::new(), Vec::new());
        let device = model.device();
        let batch = |rows: &[usize]| {
            let (first, count) = (rows[0], rows.len());
            let part = |all: &[f32], size| all[first * size..][..count * size].to_vec();
            let images = TensorData::new(part(&images, size), [count, channels, height, width]);
            let images = Tensor::from_data(images, &device);
            let found = match &cotangent {
                Some(weights) => {
                    let weights = TensorData::new(part(weights, classes), [count, classes]);
                    let weights = Tensor::from_data(weights, &device);
                    let (scores, gradient) = scores_and_gradient(model, images, weights);
                    (host(scores), host(gradient))
                }
                None => (host(model.scores(images)), Vec::new()),
            };
            model.check()?;
            Ok(found)
        };
        let bar = Count::new("score", "images", count);
        let workers = self.computing.workers(model, [height, width]);
        workers.run(&rows, batch, |(of_batch, back)| {
            bar.finished(of_batch.len() / classes);
            scores.extend(of_batch);
            gradient.extend(back);
            Ok(())
        })?;
        bar.end();
        output.finish(|npz| {
            add(npz, "scores", [count, classes], &scores)?;
            match cotangent {
                Some(_) => add(npz, "gradient", shape, &gradient),
                None => Ok(()),
            }
        })?;
        tell(&self.output, &format!("{count} images, {classes} scores each\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_to_vec_as().expect("float tensors convert to f32")
}
