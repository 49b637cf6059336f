//! Whole attacks against recorded PyTorch runs (`golden/README.md`).

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array1, Array2, Array4};
use ndarray_npy::NpzReader;
use serde::Deserialize;
use tkmia::attacks::{AttackBatch, Method, Settings, SpecifiedOut, Step, Variant, Verdict, judge};
use tkmia::core::{Classifier, LabelSet};
use tkmia::metrics::Ranking;
use tkmia::models::load;

/// Losses of the first steps, relative; scores of the unattacked images, relative to the largest.
const FIRST_STEPS: usize = 5;
const TIGHT: f64 = 1e-4;
/// Norms at the end, relative: rounding adds up along a trajectory.
const FINAL_NORM: f64 = 1e-2;
/// Up to here a success comes at the same iteration in f64 too. Later rounding shows: a success moves, and
/// the norm of any image, by this much.
const STABLE: i64 = 150;
const LATE: f64 = 2e-2;

#[derive(Deserialize)]
struct Case {
    method: Method,
    variant: Variant,
    k: usize,
    lr: f64,
    alpha: f64,
    momentum: f64,
    max_iterations: usize,
    delta: Option<usize>,
    samples: usize,
}

struct Golden {
    case: Case,
    input: NpzReader<File>,
    expected: NpzReader<File>,
}

impl Golden {
    fn open(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        let open = |file: &str| File::open(folder.join(file)).unwrap();
        Self {
            case: serde_json::from_reader(open("case.json")).unwrap(),
            input: NpzReader::new(open("input.npz")).unwrap(),
            expected: NpzReader::new(open("expected.npz")).unwrap(),
        }
    }

    fn labels(&mut self, name: &str) -> LabelSet {
        let flags: Array2<u8> = self.input.by_name(name).unwrap();
        let classes = flags.ncols();
        LabelSet::new(flags.iter().map(|&flag| flag == 1).collect(), classes).unwrap()
    }

    fn batch(&mut self, device: &Device) -> AttackBatch {
        let images: Array4<f32> = self.input.by_name("images").unwrap();
        let shape: [usize; 4] = images.shape().try_into().unwrap();
        let data = TensorData::new(images.into_raw_vec_and_offset().0, shape);
        let (relevant, specified) = (self.labels("labels"), self.labels("specified"));
        let images = Tensor::from_data(data, device);
        AttackBatch::new(images, relevant, specified, self.case.k).unwrap()
    }

    fn vector<T: ndarray_npy::ReadableElement>(&mut self, name: &str) -> Array1<T> {
        self.expected.by_name(name).unwrap()
    }

    fn matrix<T: ndarray_npy::ReadableElement>(&mut self, name: &str) -> Array2<T> {
        self.expected.by_name(name).unwrap()
    }
}

/// The rows of a batch in groups of `size`, each group attacked on its own.
fn attack(golden: &mut Golden, classifier: &dyn Classifier, size: usize) -> Attacked {
    let case = &golden.case;
    let criterion = SpecifiedOut { delta: case.delta };
    let settings = Settings {
        method: case.method,
        variant: case.variant,
        learning_rate: case.lr,
        alpha: case.alpha,
        momentum: case.momentum,
        max_iterations: case.max_iterations,
        criterion: Arc::new(criterion),
        ..Settings::default()
    };
    let attack = settings.init(classifier.bounds()).unwrap();
    let (k, samples, length) = (case.k, case.samples, case.max_iterations);
    let whole = golden.batch(&classifier.device());

    let mut attacked = Attacked {
        verdicts: Vec::new(),
        iterations: Vec::new(),
        loss: Array2::from_elem((samples, length), f32::NAN),
    };
    for start in (0..samples).step_by(size) {
        let rows: Vec<usize> = (start..samples.min(start + size)).collect();
        let images = whole.images.clone().narrow(0, start, rows.len());
        let (relevant, specified) = (whole.goal.relevant(), whole.goal.specified());
        let (relevant, specified) = (relevant.select(&rows), specified.select(&rows));
        let batch = AttackBatch::new(images, relevant, specified, k).unwrap();
        let mut trace = |step: &Step<'_>| {
            for (&row, &loss) in step.rows.iter().zip(step.loss.unwrap_or_default()) {
                attacked.loss[[start + row, step.iteration - 1]] = loss;
            }
            ControlFlow::Continue(())
        };
        let result = attack.run(classifier, &batch, &mut trace).unwrap();
        let verdicts = judge(classifier, &batch.goal, &result, &criterion).unwrap();
        attacked.verdicts.extend(verdicts);
        attacked.iterations.extend(result.iterations);
    }
    attacked
}

struct Attacked {
    verdicts: Vec<Verdict>,
    iterations: Vec<usize>,
    loss: Array2<f32>,
}

fn assert_relative(what: &str, found: f64, expected: f64, tolerance: f64) {
    let difference = (found - expected).abs();
    assert!(difference <= tolerance * expected.abs(), "{what}: {found} is not {expected}");
}

fn check(name: &str, victim: &str) {
    let victim: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/victims").join(victim);
    let classifier = load(&victim, &tkmia::core::device("cpu").unwrap()).unwrap();
    let mut golden = Golden::open(name);
    let samples = golden.case.samples;
    let all = attack(&mut golden, &classifier, samples);

    let clean_scores: Array2<f32> = golden.matrix("clean_scores");
    let topk: Array2<i64> = golden.matrix("topk");
    let success: Array1<u8> = golden.vector("success");
    let iterations: Array1<i64> = golden.vector("iterations");
    let excluded: Array1<i64> = golden.vector("excluded");
    let norm: Array1<f32> = golden.vector("norm");
    let norm_input: Array1<f32> = golden.vector("norm_input");
    let loss: Array2<f32> = golden.matrix("loss");

    for (row, verdict) in all.verdicts.iter().enumerate() {
        let what = |field: &str| format!("{name}, sample {row}, {field}");
        let scale = clean_scores.row(row).iter().fold(0.0_f32, |max, score| max.max(score.abs()));
        for (found, expected) in verdict.clean_scores.iter().zip(clean_scores.row(row)) {
            let difference = f64::from((found - expected).abs());
            assert!(difference <= TIGHT * f64::from(scale), "{}", what("clean scores"));
        }
        let traced = loss.row(row).iter().filter(|loss| !loss.is_nan()).count();
        for step in 0..FIRST_STEPS.min(traced) {
            let (found, expected) = (all.loss[[row, step]].into(), loss[[row, step]].into());
            assert_relative(&what("loss"), found, expected, TIGHT);
        }
        let sorted = |mut labels: Vec<usize>| {
            labels.sort_unstable();
            labels
        };
        let ranking = Ranking::new(&verdict.scores).unwrap();
        let expected_top = topk.row(row).iter().map(|&label| label as usize).collect();
        let found_top = sorted(ranking.top(golden.case.k).unwrap().to_vec());
        assert_eq!(found_top, sorted(expected_top), "{}", what("top-k"));
        assert_eq!(u8::from(verdict.success), success[row], "{}", what("success"));
        let late = verdict.success && iterations[row] > STABLE;
        if late {
            let (found, expected) = (all.iterations[row] as f64, iterations[row] as f64);
            assert_relative(&what("iterations"), found, expected, LATE);
        } else {
            assert_eq!(all.iterations[row] as i64, iterations[row], "{}", what("iterations"));
        }
        assert_eq!(verdict.excluded, excluded[row], "{}", what("excluded"));
        let tolerance = if iterations[row] > STABLE { LATE } else { FINAL_NORM };
        assert_relative(&what("norm"), verdict.norm, norm[row].into(), tolerance);
        assert_relative(&what("input norm"), verdict.norm_input, norm_input[row].into(), tolerance);
        let found = all.loss.row(row).iter().filter(|loss| !loss.is_nan()).count();
        assert_eq!(found, if traced == 0 { 0 } else { all.iterations[row] }, "{}", what("trace"));
    }

    let alone = attack(&mut golden, &classifier, 1);
    assert_eq!(alone.iterations, all.iterations, "{name}: one by one and together");
    for (row, (alone, together)) in alone.verdicts.iter().zip(&all.verdicts).enumerate() {
        assert_eq!(alone.success, together.success, "{name}, sample {row}");
        let what = format!("{name}, sample {row}, norm alone and together");
        assert_eq!(alone.norm, together.norm, "{what}");
    }
}

#[test]
fn corrected_follows_the_recorded_run() {
    check("tkmia-corrected-k3", "resnet14-tiny.onnx");
}

#[test]
fn released_follows_the_recorded_run() {
    check("tkmia-released-k3", "resnet14-tiny.onnx");
}

#[test]
fn released_with_a_given_delta_follows_the_recorded_run() {
    check("tkmia-released-k4-delta1", "resnet14-tiny.onnx");
}

#[test]
fn tkml_ap_u_follows_the_recorded_runs() {
    check("tkml-ap-u-corrected-k2", "resnet14-tiny.onnx");
    check("tkml-ap-u-released-k3", "resnet14-tiny.onnx");
}

#[test]
fn kfool_follows_the_recorded_run() {
    check("kfool-released-k2", "resnet14-tiny.onnx");
}

#[test]
fn released_on_the_mini_voc_victim_follows_the_recorded_run() {
    check("tkmia-released-mini-voc-k3", "resnet50-mini-voc.onnx");
}
