//! Certificates beside what attacks reach.

#![allow(clippy::unwrap_used)]

use std::f64::consts::PI;

use burn::tensor::{Device, Tensor, TensorData};
use tkmia_certify::{Certificate, Smoothing, changes, frequencies};
use tkmia_core::{Bounds, Classifier};

const SIDE: usize = 3;
const PIXELS: usize = 3 * SIDE * SIDE;
const LABELS: usize = 7;
const HIDDEN: usize = 24;

/// A network with one hidden layer.
#[derive(Debug)]
struct Network {
    hidden: Tensor<2>,
    head: Tensor<2>,
}

impl Network {
    /// With weights that look random.
    fn new(seed: u32) -> Self {
        let weights = |rows: usize, columns: usize, scale: f64| {
            let value = |at: usize| {
                let turn = (at as f64 + 1.0) * (f64::from(seed) + PI).sqrt();
                (scale * (97.0 * turn).sin()) as f32
            };
            let values: Vec<f32> = (0..rows * columns).map(value).collect();
            Tensor::from_data(TensorData::new(values, [rows, columns]), &Device::default())
        };
        Self { hidden: weights(PIXELS, HIDDEN, 0.5), head: weights(HIDDEN, LABELS, 0.7) }
    }
}

impl Classifier for Network {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let hidden = images.flatten(1, 3).matmul(self.hidden.clone());
        hidden.tanh().matmul(self.head.clone())
    }

    fn classes(&self) -> usize {
        LABELS
    }

    fn bounds(&self) -> Bounds {
        Bounds::SYMMETRIC
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        Some([SIDE; 2])
    }

    fn device(&self) -> Device {
        Device::default()
    }
}

fn image(seed: usize) -> Tensor<4> {
    let value = |at: usize| (0.6 * ((seed * 31 + at * 7) as f64).sin()) as f32;
    let values: Vec<f32> = (0..PIXELS).map(value).collect();
    Tensor::from_data(TensorData::new(values, [1, 3, SIDE, SIDE]), &Device::default())
}

/// The labels by how often they are kept, the most frequent first.
fn order(counts: &[u64]) -> Vec<usize> {
    let mut labels: Vec<usize> = (0..counts.len()).collect();
    labels.sort_by_key(|&label| std::cmp::Reverse(counts[label]));
    labels
}

/// Against the smallest changes that are found, and along their lines.
#[test]
fn no_attack_gets_below_the_certificate() {
    let (k, draws) = (2, 4000);
    let mut certified = 0;
    let mut fell = 0;
    for seed in 0..12 {
        let network = Network::new(seed % 3);
        let clean = image(seed as usize);
        let smoothing = Smoothing { sigma: 0.4, kept: 2, seed: 7 };
        let counts = smoothing.counts(&network, &clean, "image", 0..draws).unwrap();
        // Three labels that are relevant, the two of the smoothed top-k among them.
        let relevant: Vec<usize> = order(&counts)[..3].to_vec();
        let flags: Vec<bool> = (0..LABELS).map(|label| relevant.contains(&label)).collect();
        let stays =
            |counts: &[u64]| order(counts)[..k].iter().filter(|&&label| flags[label]).count();
        let shown = stays(&counts);
        let bounds = frequencies(&counts, draws, 1e-3);
        let certificate = Certificate::new(&bounds, &flags, k, smoothing.kept, smoothing.sigma);
        certified += certificate.radii().len();

        let numbers: Vec<u64> = (0..64).collect();
        let noise = smoothing.noise(clean.dims(), "attacker", &numbers, &network.device());
        let found = changes(&network, &clean, noise, (&flags, k), 100).unwrap();
        for change in found {
            for scale in [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0] {
                let change = change.clone() * scale;
                let length: f32 = change.clone().powi_scalar(2).sum().sqrt().into_scalar();
                let attacked = clean.clone() + change;
                let counts = smoothing.counts(&network, &attacked, "fresh", 0..draws).unwrap();
                let stayed = stays(&counts);
                let promised = certificate.within(f64::from(length));
                assert!(stayed >= promised, "{seed}: {stayed} at {length}: {certificate:?}");
                fell += usize::from(stayed < shown);
            }
        }
    }
    // It promises something, and the attacks reach something.
    assert!(certified >= 12 && fell >= 24, "{certified} radii, {fell} falls");
}

/// `f = (w·x, −w·x)`, so that one label is kept of two: the smoothed classifier is the classifier, and the certified radius tends to
/// the distance to the border.
#[derive(Debug)]
struct HalfSpaces;

impl Classifier for HalfSpaces {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let score = images.flatten::<2>(1, 3).sum_dim(1);
        Tensor::cat(vec![score.clone(), score.neg()], 1)
    }

    fn classes(&self) -> usize {
        2
    }

    fn bounds(&self) -> Bounds {
        Bounds::SYMMETRIC
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        Some([SIDE; 2])
    }

    fn device(&self) -> Device {
        Device::default()
    }
}

#[test]
fn of_a_linear_classifier_nearly_the_distance_to_the_border_is_certified() {
    let clean = Tensor::full([1, 3, SIDE, SIDE], 0.06, &Device::default());
    let distance = 0.06 * (PIXELS as f64).sqrt();
    let smoothing = Smoothing { sigma: 0.3, kept: 1, seed: 1 };
    let draws = 20_000;
    let counts = smoothing.counts(&HalfSpaces, &clean, "image", 0..draws).unwrap();
    assert_eq!(counts.iter().sum::<u64>(), draws);
    let bounds = frequencies(&counts, draws, 1e-3);
    let certificate = Certificate::new(&bounds, &[true, false], 1, 1, smoothing.sigma);
    let radius = certificate.radii()[0];
    assert!((0.9 * distance..distance).contains(&radius), "{radius} of {distance}");
}

#[test]
fn counts_of_parts_are_those_of_the_whole() {
    let (network, clean) = (Network::new(1), image(3));
    let smoothing = Smoothing { sigma: 0.4, kept: 3, seed: 2 };
    let counts = |draws| smoothing.counts(&network, &clean, "image", draws).unwrap();
    let whole = counts(0..50);
    let parts = [counts(0..13), counts(13..50)];
    let sums: Vec<u64> = (0..LABELS).map(|label| parts[0][label] + parts[1][label]).collect();
    assert_eq!(whole, sums);
    assert_ne!(whole, smoothing.counts(&network, &clean, "another", 0..50).unwrap());
}
