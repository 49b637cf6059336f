//! `tkmia scores`.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use burn::tensor::{Tensor, TensorData};
use clap::Args;
use tkmia_attacks::AttackError;
use tkmia_core::{device, scores_and_gradient};
use tkmia_data::{DatasetKind, Transform};
use tkmia_file::{Axis, Elements, Npz};

use crate::computing::Computing;
use crate::input::images_for;
use crate::network::Network;
use crate::output::{Names, Output, add, tell};
use crate::photographs::{are_photographs, photographs_at, values};

/// Write a network's scores of images, and gradients if they are asked for
///
/// IN is a folder of photographs, or one of them; or an npz file of input (or images) [n, 3, h, w], floats in the network's
/// range or 8-bit pixels, and for gradients cotangent [n, c].
///
/// OUT.npz: scores float32 [n, c], logits; with a cotangent also gradient float32 [n, 3, h, w], that of
/// Σ cotangent · scores by the input as it is given; of photographs names [n].
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
    let (model, path) = (loaded.classifier.as_ref(), &arguments.input);
    let classes = model.classes();
    let mut names = None;
    let (images, shape, cotangent) = match are_photographs(path) {
        true => {
            let paths = photographs_at(path)?;
            let transform = Transform::new(&loaded.tagger, DatasetKind::Folder, model)?;
            let (images, shape) = values(path, &paths, &transform)?;
            let name = |path: &PathBuf| {
                path.file_name().unwrap_or_default().to_string_lossy().into_owned()
            };
            names = Some(Names(paths.iter().map(name).collect()));
            (images, shape, None)
        }
        false => {
            let mut npz = Npz::open(path)?;
            let name = if npz.has("input") { "input" } else { "images" };
            let (images, shape) = images_for(&mut npz, path, name, model)?;
            let cotangent = match npz.has("cotangent") {
                true if !model.has_gradients() => return Err(AttackError::NoGradients.into()),
                true => {
                    let array = npz.array("cotangent")?;
                    let axes = [Axis::Is(shape[0]), Axis::Is(classes)];
                    array.expect_shape(axes, "(images, the model's labels)")?;
                    Some(array.read(Elements::Floats, |value| value as f32)?)
                }
                false => None,
            };
            (images, shape, cotangent)
        }
    };
    let mut inputs = arguments.network.source().files()?;
    inputs.push(path.clone());
    let output = Output::create(&arguments.output, &inputs)?;

    let [count, channels, height, width] = shape;
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
    let workers = arguments.computing.workers(model, [height, width]);
    workers.run(&rows, batch, |(of_batch, back)| {
        scores.extend(of_batch);
        gradient.extend(back);
        Ok(())
    })?;
    output.finish(|npz| {
        add(npz, "scores", [count, classes], &scores)?;
        if cotangent.is_some() {
            add(npz, "gradient", shape, &gradient)?;
        }
        names.map_or(Ok(()), |names| npz.add_array("names", &names))
    })?;
    tell(&arguments.output, &format!("{count} images, {classes} scores each\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_to_vec_as().expect("float tensors convert to f32")
}
