//! Every measure against recorded values: see `golden/README.md`.

use std::collections::HashMap;

use approx::assert_abs_diff_eq;
use ndarray::Array2;
use serde::Deserialize;
use tkmia_metrics::{Measure, Measures, Ranking, Sample, mean_measures};

/// Both sides accumulate in f64; only the order of additions may differ.
const TOLERANCE: f64 = 1e-12;

#[derive(Deserialize)]
struct RecordedSample {
    k: usize,
    labels: Vec<u8>,
    scores: Vec<f64>,
    #[serde(flatten)]
    expected: HashMap<String, Option<f64>>,
}

#[derive(Deserialize)]
struct RecordedBatch {
    k: usize,
    n: usize,
    skipped: usize,
    #[serde(flatten)]
    expected: HashMap<String, Option<f64>>,
}

#[test]
fn measures_of_single_samples_are_as_recorded() {
    let samples: Vec<RecordedSample> =
        serde_json::from_str(include_str!("golden/metrics.json")).unwrap();
    assert_eq!(samples.len(), 60);
    for (index, RecordedSample { k, labels, scores, expected }) in samples.into_iter().enumerate() {
        let relevant: Vec<bool> = labels.iter().map(|&label| label == 1).collect();
        let ranking = Ranking::new(&scores).unwrap();
        let sample = Sample { ranking: &ranking, relevant: &relevant, specified: None, k };
        let found = Measures::of(&sample).unwrap();
        assert_eq!(expected.len(), 5, "sample {index}");
        assert_as_recorded(&found, &expected);
    }
}

#[test]
fn means_of_a_batch_are_as_recorded() {
    let RecordedBatch { k, n, skipped, expected } =
        serde_json::from_str(include_str!("golden/metrics_batch.json")).unwrap();
    let labels: Array2<u8> = read("metrics_labels.npy");
    let scores: Array2<f32> = read("metrics_scores.npy");
    let relevant: Vec<Vec<bool>> =
        labels.outer_iter().map(|row| row.iter().map(|&label| label == 1).collect()).collect();
    let scores: Vec<Vec<f32>> = scores.outer_iter().map(|row| row.to_vec()).collect();
    let found = mean_measures(&scores, &relevant, None, k).unwrap().unwrap();

    assert_eq!((found.n, found.skipped), (n, skipped));
    assert_eq!(expected.len(), 6);
    assert_as_recorded(&found.means, &expected);
}

/// All that was recorded, so that what is recorded of a new measure is compared too.
fn assert_as_recorded(found: &Measures, expected: &HashMap<String, Option<f64>>) {
    for (name, &expected) in expected {
        assert!(Measure::named(name).is_some(), "{name}");
        let found = found.get(name);
        assert_eq!(found.is_some(), expected.is_some(), "{name}");
        let (found, expected) = (found.unwrap_or_default(), expected.unwrap_or_default());
        assert_abs_diff_eq!(found, expected, epsilon = TOLERANCE);
    }
}

fn read<T: ndarray_npy::ReadableElement>(name: &str) -> Array2<T> {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    ndarray_npy::read_npy(path).expect("the recording is whole")
}
