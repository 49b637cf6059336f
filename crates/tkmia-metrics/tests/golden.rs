//! Every measure against recorded values: see `golden/README.md`.

use approx::assert_abs_diff_eq;
use ndarray::Array2;
use serde::Deserialize;
use tkmia_metrics::{MeanMeasures, Measures, Ranking, mean_measures};

/// Both sides accumulate in f64; only the order of additions may differ.
const TOLERANCE: f64 = 1e-12;

#[derive(Deserialize)]
struct Sample {
    k: usize,
    labels: Vec<u8>,
    scores: Vec<f64>,
    #[serde(flatten)]
    expected: Measures,
}

#[derive(Deserialize)]
struct Batch {
    k: usize,
    #[serde(flatten)]
    expected: MeanMeasures,
}

#[test]
fn measures_of_single_samples_are_as_recorded() {
    let samples: Vec<Sample> = serde_json::from_str(include_str!("golden/metrics.json")).unwrap();
    assert_eq!(samples.len(), 60);
    for (index, sample) in samples.iter().enumerate() {
        let relevant: Vec<bool> = sample.labels.iter().map(|&label| label == 1).collect();
        let ranking = Ranking::new(&sample.scores).unwrap();
        let found = Measures::at_k(&ranking, &relevant, sample.k).unwrap();
        let expected = &sample.expected;

        assert_eq!(found.tkacc, expected.tkacc, "tkacc of sample {index}");
        assert_eq!(found.tkacc_released, expected.tkacc_released, "sample {index}");
        assert_eq!(found.ap.is_some(), expected.ap.is_some(), "sample {index}");
        assert_eq!(found.ndcg.is_some(), expected.ndcg.is_some(), "sample {index}");
        assert_close(found.p, expected.p);
        assert_close(found.ap.unwrap_or_default(), expected.ap.unwrap_or_default());
        assert_close(found.ndcg.unwrap_or_default(), expected.ndcg.unwrap_or_default());
    }
}

#[test]
fn means_of_a_batch_are_as_recorded() {
    let Batch { k, expected } =
        serde_json::from_str(include_str!("golden/metrics_batch.json")).unwrap();
    let labels: Array2<u8> = read("metrics_labels.npy");
    let scores: Array2<f32> = read("metrics_scores.npy");
    let relevant: Vec<Vec<bool>> =
        labels.outer_iter().map(|row| row.iter().map(|&label| label == 1).collect()).collect();
    let scores: Vec<Vec<f32>> = scores.outer_iter().map(|row| row.to_vec()).collect();
    let found = mean_measures(&scores, &relevant, k).unwrap().unwrap();

    assert_eq!((found.n, found.skipped), (expected.n, expected.skipped));
    assert_close(found.tkacc, expected.tkacc);
    assert_close(found.tkacc_released, expected.tkacc_released);
    assert_close(found.p, expected.p);
    assert_close(found.ap, expected.ap);
    assert_close(found.map_category, expected.map_category);
    assert_close(found.ndcg, expected.ndcg);
}

fn read<T: ndarray_npy::ReadableElement>(name: &str) -> Array2<T> {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    ndarray_npy::read_npy(path).expect("the recording is whole")
}

fn assert_close(found: f64, expected: f64) {
    assert_abs_diff_eq!(found, expected, epsilon = TOLERANCE);
}
