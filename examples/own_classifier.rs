//! TkMIA on a classifier of your own: any Burn module behind the trait `Classifier`.
//!
//! The victim is written by hand: it tags an image with the colours in it. The attack makes it lose
//! the tag `red` of the picture's top two, while another true colour moves up in its place.
//!
//! ```text
//! cargo run --release --example own_classifier
//! ```

use std::error::Error;

use burn::module::{Module, Param};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use tkmia::attacks::{AttackBatch, AttackSettings, Descent, Optimiser, PenalisedSgd, Verdict};
use tkmia::core::{Bounds, Classifier, LabelSet, device};

const COLOURS: [&str; 6] = ["red", "green", "blue", "yellow", "cyan", "magenta"];

/// Tags an image with colours: how much of it each of them fills.
///
/// A first layer asks each pixel how near it is to each colour, and a second turns the shares of
/// the image into logits.
#[derive(Module, Debug)]
struct ColourTagger {
    near: Conv2d,
    logits: Conv2d,
}

impl ColourTagger {
    /// Weights are put on the plain device and frozen: a backward pass then leads to the images
    /// alone. Weights from a file would be loaded here, by `burn-store` for instance.
    fn new(device: &Device) -> Self {
        let [low, high] = [-4.0, 4.0];
        let near = [
            [high, low, low],
            [low, high, low],
            [low, low, high],
            [high, high, low],
            [low, high, high],
            [high, low, high],
        ];
        let mut logits = [[0.0; 6]; 6];
        (0..6).for_each(|label| logits[label][label] = 20.0);
        Self {
            near: pointwise(&near, &[-8.0; 6], device),
            // Nothing is a tag if it fills less than a twentieth of the image.
            logits: pointwise(&logits, &[-1.0; 6], device),
        }
        .freeze()
    }
}

/// A 1×1 convolution of given weights.
///
/// As the last layer too, in place of a linear one: the CPU backend computes convolutions image by
/// image, so that scores don't depend to the last bit on what else is in the batch.
fn pointwise<const N: usize>(weights: &[[f32; N]], bias: &[f32], device: &Device) -> Conv2d {
    let out = weights.len();
    let tensor = |values: Vec<f32>| Tensor::<1>::from_data(&*values, device);
    let mut layer =
        Conv2dConfig::new([N, out], [1, 1]).with_padding(PaddingConfig2d::Valid).init(device);
    layer.weight = Param::from_tensor(tensor(weights.concat()).reshape([out, N, 1, 1]));
    layer.bias = Some(Param::from_tensor(tensor(bias.to_vec())));
    layer
}

/// What an attack needs to know. Rows must be independent: a layer that looks at the whole batch (a
/// batch norm in training mode) would break that.
impl Classifier for ColourTagger {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let shares = sigmoid(self.near.forward(images)).mean_dims(&[2, 3]);
        self.logits.forward(shares).flatten(1, 3)
    }

    fn classes(&self) -> usize {
        COLOURS.len()
    }

    fn bounds(&self) -> Bounds {
        Bounds::SYMMETRIC
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        None
    }

    fn device(&self) -> Device {
        self.near.weight.device()
    }
}

/// A picture of stripes: so many rows of each colour.
fn stripes(rows: &[([f32; 3], usize)], device: &Device) -> Tensor<4> {
    let height = rows.iter().map(|(_, rows)| rows).sum();
    let values: Vec<f32> = (0..3)
        .flat_map(|channel| rows.iter().map(move |(colour, rows)| (colour[channel], *rows)))
        .flat_map(|(value, rows)| vec![value; rows * height])
        .collect();
    Tensor::from_data(TensorData::new(values, [1, 3, height, height]), device)
}

fn main() -> Result<(), Box<dyn Error>> {
    let verdict = run()?;
    println!("norm      {:.3} in model-input units", verdict.norm_input);
    Ok(())
}

fn run() -> Result<Verdict, Box<dyn Error>> {
    let victim = ColourTagger::new(&device("cpu")?);
    // A little off the pure colours, which no gradient moves.
    let (red, green, blue) = ([0.8, -0.8, -0.8], [-0.8, 0.8, -0.8], [-0.8, -0.8, 0.8]);
    let images = stripes(&[(red, 7), (green, 5), (blue, 4)], &victim.device());

    let label = |names: &[&str]| {
        LabelSet::new(COLOURS.map(|colour| names.contains(&colour)).to_vec(), COLOURS.len())
    };
    let (relevant, specified) = (label(&["red", "green", "blue"])?, label(&["red"])?);
    let batch = AttackBatch::new(images, relevant, specified, 2)?;

    let optimiser = Optimiser::Sgd(PenalisedSgd { lr: 1e-2, ..PenalisedSgd::default() });
    let settings = AttackSettings::from(Descent { optimiser, ..Descent::default() });
    let verdicts = settings.init()?.run(&victim, &batch)?.judge(&victim)?;
    let [verdict] = <[Verdict; 1]>::try_from(verdicts).expect("one image, one verdict");

    let top = |scores: &[f32]| {
        let mut labels: Vec<usize> = (0..scores.len()).collect();
        labels.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        [COLOURS[labels[0]], COLOURS[labels[1]]]
    };
    let (before, after) = (top(&verdict.clean_scores), top(&verdict.scores));
    println!("top two   {before:?}, then {after:?}");
    assert_eq!(before, ["red", "green"]);
    assert!(verdict.success && !after.contains(&"red"));
    Ok(verdict)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_hand_written_module_is_attacked() {
        let verdict = super::run().expect("the attack runs");
        assert!(verdict.norm_input > 0.0 && verdict.norm_input < 20.0, "{}", verdict.norm_input);
    }
}
