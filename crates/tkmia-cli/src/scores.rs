//! `tkmia scores`.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use burn::tensor::{Tensor, TensorData};
use clap::Args;
use tkmia_core::{Classifier, device};
use tkmia_file::{Axis, Elements, Npz};

use crate::computing::Computing;
use crate::input::images_for;
use crate::network::Network;
use crate::output::{Output, add};

/// Write a network's scores of images, and gradients if they are asked for
///
/// IN.npz: input (or images) [n, 3, h, w], floats in the network's range or 8-bit pixels; for gradients cotangent [n, c].
///
/// OUT.npz: scores float32 [n, c], logits; with a cotangent also gradient float32 [n, 3, h, w], that of
/// Σ cotangent · scores by the input as it is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    network: Network,
    /// Images, and what their scores are weighed with
    #[arg(short, long, value_name = "IN.npz")]
    input: PathBuf,
    #[command(flatten)]
    computing: Computing,
    /// Where the scores go
    #[arg(short, long, value_name = "OUT.npz")]
    output: PathBuf,
}

const EXAMPLES: &str = "Examples:
  tkmia scores --model tagger.onnx --input in.npz --output out.npz
  tkmia scores --model tagger.onnx --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --input in.npz \\
      --output out.npz";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let model = arguments.network.load(&device(&arguments.computing.device)?)?.classifier;
    let model = model.as_ref();
    let path = &arguments.input;
    let mut npz = Npz::open(path)?;
    let name = if npz.has("input") { "input" } else { "images" };
    let (images, shape) = images_for(&mut npz, path, name, model)?;
    let classes = model.classes();
    let cotangent = match npz.has("cotangent") {
        true => {
            let array = npz.array("cotangent")?;
            array.expect_shape(
                [Axis::Is(shape[0]), Axis::Is(classes)],
                "(images, the model's labels)",
            )?;
            Some(array.read(Elements::Floats, |value| value as f32)?)
        }
        false => None,
    };
    let mut inputs = arguments.network.files()?;
    inputs.push(path.clone());
    let output = Output::create(&arguments.output, &inputs)?;

    let [count, channels, height, width] = shape;
    let size = channels * height * width;
    let rows: Vec<usize> = (0..count).collect();
    let (mut scores, mut gradient) = (Vec::new(), Vec::new());
    let batch = |rows: &[usize]| {
        let (first, count) = (rows[0], rows.len());
        let images = TensorData::new(
            images[first * size..][..count * size].to_vec(),
            [count, channels, height, width],
        );
        let weights = cotangent.as_ref().map(|all| {
            TensorData::new(all[first * classes..][..count * classes].to_vec(), [count, classes])
        });
        Ok(pass(model, images, weights))
    };
    let workers = arguments.computing.workers(model, [height, width]);
    workers.run(&rows, batch, |(of_batch, back)| {
        scores.extend(of_batch);
        gradient.extend(back);
        Ok(())
    })?;
    output.finish(|npz| {
        add(npz, "scores", [count, classes], &scores)?;
        match cotangent {
            Some(_) => add(npz, "gradient", shape, &gradient),
            None => Ok(()),
        }
    })?;
    crate::print(&format!("{count} images, {classes} scores each\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Scores, and the gradient of their sum with the given weights; none without.
fn pass(
    model: &dyn Classifier,
    images: TensorData,
    weights: Option<TensorData>,
) -> (Vec<f32>, Vec<f32>) {
    let device = model.device();
    let images = Tensor::<4>::from_data(images, &device);
    let values = |scores: Tensor<2>| scores.try_to_vec_as().expect("float tensors convert to f32");
    let Some(weights) = weights else {
        return (values(model.scores(images)), Vec::new());
    };
    let images = images.autodiff().require_grad();
    let scores = model.scores(images.clone());
    let weights = Tensor::<2>::from_data(weights, &scores.device());
    let gradients = (scores.clone() * weights).sum().backward();
    let gradient = images.grad(&gradients).map(|gradient| gradient.try_to_vec_as());
    let gradient = match gradient {
        Some(gradient) => gradient.expect("float tensors convert to f32"),
        // Nothing leads back to the images.
        None => vec![0.0; images.shape().num_elements()],
    };
    (values(scores.inner()), gradient)
}
