//! TkMIA on a network that isn't a ResNet: `burn-onnx` makes Rust code of its ONNX file when this is
//! built, and the trait `Classifier` is all that an attack asks for.
//!
//! ```text
//! cargo run --release --manifest-path examples/burn-onnx/Cargo.toml
//! ```

use std::error::Error;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use tkmia::attacks::{AttackBatch, AttackSettings, Descent, Optimiser, PenalisedSgd, Verdict};
use tkmia::core::{Bounds, Classifier, LabelSet, device};

/// The generated code.
#[allow(clippy::all, missing_docs)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/model/vgg.rs"));
}

const LABELS: usize = 5;

/// The generated network, with what its code doesn't tell.
#[derive(Debug)]
struct Vgg {
    model: generated::Model,
    device: Device,
}

impl Vgg {
    fn new(device: &Device) -> Self {
        let weights = concat!(env!("OUT_DIR"), "/model/vgg.bpk");
        // Frozen: a backward pass leads to the images alone.
        let model = generated::Model::from_file(weights, device).freeze();
        Self { model, device: device.clone() }
    }
}

impl Classifier for Vgg {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        self.model.forward(images)
    }

    fn classes(&self) -> usize {
        LABELS
    }

    fn bounds(&self) -> Bounds {
        Bounds::SYMMETRIC
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        Some([32, 32])
    }

    fn device(&self) -> Device {
        self.device.clone()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    for verdict in run()? {
        println!("success {}, norm {:.3}", verdict.success, verdict.norm_input);
    }
    Ok(())
}

/// Attacks two images: what the network ranks first is to leave its top two. Its weights are random, so
/// its own top three are what it should say.
fn run() -> Result<Vec<Verdict>, Box<dyn Error>> {
    let victim = Vgg::new(&device("cpu")?);
    let values: Vec<f32> = (0..2 * 3 * 32 * 32).map(|i| (i as f32 * 0.137).sin()).collect();
    let images = Tensor::<1>::from_data(&*values, &victim.device()).reshape([2, 3, 32, 32]);

    let scores = victim.scores(images.clone()).try_to_vec_as::<f32>()?;
    let ranked: Vec<Vec<usize>> = scores
        .chunks(LABELS)
        .map(|row| {
            let mut labels: Vec<usize> = (0..LABELS).collect();
            labels.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
            labels
        })
        .collect();
    let first = |count: usize| {
        let rows: Vec<&[usize]> = ranked.iter().map(|labels| &labels[..count]).collect();
        LabelSet::from_indices(&rows, LABELS)
    };
    let batch = AttackBatch::new(images, first(3)?, first(1)?, 2)?;

    // Large steps: the scores of random weights, and so their gradients, are small.
    let optimiser = Optimiser::Sgd(PenalisedSgd { lr: 0.3, ..PenalisedSgd::default() });
    let settings = AttackSettings::from(Descent { optimiser, ..Descent::default() });
    Ok(settings.init()?.run(&victim, &batch)?.judge(&victim)?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_generated_network_is_attacked() {
        let verdicts = super::run().expect("the attack runs");
        assert_eq!(verdicts.len(), 2);
        for verdict in verdicts {
            assert!(verdict.success && verdict.norm_input > 0.0, "{verdict:?}");
        }
    }
}
