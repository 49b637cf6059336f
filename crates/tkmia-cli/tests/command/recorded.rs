//! `tkmia attack` against recorded PyTorch runs (`tests/golden` of the repository).

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2};
use serde_json::Value;

use crate::shell::{self, Npz};

/// Losses of the first steps, relative.
const FIRST_STEPS: usize = 5;
const TIGHT: f32 = 1e-4;
/// Norms, relative.
const NORM: f32 = 1e-2;
/// Up to here a success comes at the same iteration whatever the rounding; later ones, and the norm of any
/// image, move with it by this much.
const STABLE: i64 = 150;
const LATE: f32 = 2e-2;

/// The knobs of a recorded attack by their flags, and `input`, the case whose images it has where they aren't its own.
type Case = serde_json::Map<String, Value>;

fn case(name: &str) -> (Case, PathBuf) {
    let file = File::open(shell::golden(name, "case.json")).unwrap();
    let case: Case = serde_json::from_reader(file).unwrap();
    let input = case.get("input").map_or(name, |input| input.as_str().unwrap());
    let input = shell::golden(input, "input.npz");
    (case, input)
}

fn assert_near(what: &str, found: f32, expected: f32, tolerance: f32) {
    let near = (found - expected).abs() <= tolerance * expected.abs();
    assert!(near, "{what}: expected {expected}, found {found}");
}

/// The `k` labels of the highest scores, in label order; ties go to the lower label.
fn top(scores: &[f32], k: usize) -> Vec<usize> {
    let mut labels: Vec<usize> = (0..scores.len()).collect();
    labels.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    labels.truncate(k);
    labels.sort_unstable();
    labels
}

/// The recorded attack on a victim, by the command; `more` are other arguments.
fn attack(name: &str, victim: &str, output: &Path, more: &[&str]) -> String {
    let (case, input) = case(name);
    let mut command = shell::tkmia();
    command.arg("attack").arg("--model").arg(shell::repository("assets/victims").join(victim));
    command.arg("--input").arg(input).arg("--output").arg(output).arg("--trace");
    let own = |(knob, value): &(&String, &Value)| {
        !value.is_null() && !["input", "samples"].contains(&knob.as_str())
    };
    for (knob, value) in case.iter().filter(own) {
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        command.args([format!("--{}", knob.replace('_', "-")), value]);
    }
    // A universal attack is fitted to the same images, mirrored.
    if case["method"] == "cmlu" {
        command.arg("--fit").arg(shell::fit_input(output.parent().unwrap()));
    }
    shell::run(command.args(more))
}

fn check(name: &str, victim: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (output, alone) = (folder.path().join("out.npz"), folder.path().join("alone.npz"));
    let (case, input) = case(name);
    let k = case["k"].as_u64().unwrap() as usize;
    let summary = attack(name, victim, &output, &["--batch-size", "12"]);
    attack(name, victim, &alone, &["--batch-size", "1"]);
    assert!(fs::read(&output).unwrap() == fs::read(&alone).unwrap(), "{name}: one by one");

    let (mut found, mut expected) =
        (Npz::open(&output), Npz::open(&shell::golden(name, "expected.npz")));
    assert!(!found.0.names().unwrap().contains(&"rows".to_owned()));
    let shape = shell::Input::read(&input).images.raw_dim();
    assert_eq!(found.images("adversarial").raw_dim(), shape);
    let perturbation = found.images("perturbation");
    assert_eq!(perturbation.raw_dim(), shape);

    let success: Array1<u8> = expected.vector("success");
    assert_eq!(found.vector::<u8>("success"), success);
    let succeeded = success.iter().filter(|&&success| success == 1).count();
    let says = format!("{succeeded} of {} images succeeded", success.len());
    assert!(summary.contains(&says), "{summary}");
    assert_eq!(found.vector::<i64>("excluded"), expected.vector::<i64>("excluded"));

    let (iterations, expected_iterations) =
        (found.vector::<i64>("iterations"), expected.vector::<i64>("iterations"));
    let (loss, expected_loss) = (found.matrix("loss"), expected.matrix("loss"));
    assert_eq!(loss.raw_dim(), expected_loss.raw_dim());
    let (norm, expected_norm) = (found.vector("norm"), expected.vector("norm"));
    let (norm_input, expected_norm_input) =
        (found.vector("norm_input"), expected.vector("norm_input"));
    let (clean, expected_clean) = (found.matrix("clean_scores"), expected.matrix("clean_scores"));
    let (scores, expected_scores) = (found.matrix("scores"), expected.matrix("scores"));

    for row in 0..success.len() {
        let what = |field: &str| format!("{name}, image {row}, {field}");
        let stable = expected_iterations[row] <= STABLE;
        if stable || success[row] == 0 {
            assert_eq!(iterations[row], expected_iterations[row], "{}", what("iterations"));
        } else {
            let (found, expected) = (iterations[row] as f32, expected_iterations[row] as f32);
            assert_near(&what("iterations"), found, expected, LATE);
        }
        let tolerance = if stable { NORM } else { LATE };
        assert_near(&what("norm"), norm[row], expected_norm[row], tolerance);
        assert_near(&what("input norm"), norm_input[row], expected_norm_input[row], tolerance);
        let of_pixels = perturbation.outer_iter().nth(row).unwrap();
        let of_pixels = of_pixels.iter().map(|e| f64::from(*e).powi(2)).sum::<f64>().sqrt();
        assert_near(&what("norm of its pixels"), of_pixels as f32, norm[row], 1e-4);

        let length = expected_loss.row(row).iter().take_while(|loss| !loss.is_nan()).count();
        let traced = if length == 0 { 0 } else { iterations[row] as usize };
        for (step, &loss) in loss.row(row).iter().enumerate() {
            assert_eq!(loss.is_nan(), step >= traced, "{}, step {step}", what("trace"));
            if step < FIRST_STEPS.min(length) {
                assert_near(&what("loss"), loss, expected_loss[[row, step]], TIGHT);
            }
        }
        let scale =
            expected_clean.row(row).iter().fold(0.0_f32, |most, score| most.max(score.abs()));
        for (found, expected) in clean.row(row).iter().zip(expected_clean.row(row)) {
            assert!((found - expected).abs() <= TIGHT * scale, "{}", what("clean scores"));
        }
        for (found, expected) in [(&clean, &expected_clean), (&scores, &expected_scores)] {
            let top = |scores: &Array2<f32>| top(&scores.row(row).to_vec(), k);
            assert_eq!(top(found), top(expected), "{}", what("top-k"));
        }
    }
}

#[test]
fn tkmia_follows_the_recorded_runs() {
    check("tkmia-corrected-k3", "resnet14-tiny.onnx");
    check("tkmia-released-k3", "resnet14-tiny.onnx");
    check("tkmia-released-k4-delta1", "resnet14-tiny.onnx");
}

#[test]
fn tkmia_on_the_mini_voc_victim_follows_the_recorded_run() {
    check("tkmia-released-mini-voc-k3", "resnet50-mini-voc.onnx");
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
fn attacks_of_other_papers_follow_the_recorded_runs() {
    check("quadattack-k3", "resnet14-tiny.onnx");
    check("cmlu-k3", "resnet14-tiny.onnx");
    check("class-k3-delta1", "resnet14-tiny.onnx");
    check("gmla-corrected-k3", "resnet14-tiny.onnx");
    check("jma-corrected-k3", "resnet14-tiny.onnx");
    check("square-linf-k3", "resnet14-tiny.onnx");
    check("square-l2-k3", "resnet14-tiny.onnx");
}

#[test]
fn neither_workers_nor_batches_change_a_byte() {
    let folder = tempfile::tempdir().unwrap();
    let input = shell::golden("tkmia-corrected-k3", "input.npz");
    let outputs = [("1", "12"), ("2", "5"), ("3", "1")].map(|(workers, batch_size)| {
        let output = folder.path().join(format!("{workers}-{batch_size}.npz"));
        let mut command = shell::attack(&input, &output);
        command.args(["--k", "3", "--max-iterations", "12", "--trace"]);
        shell::run(command.args(["--workers", workers, "--batch-size", batch_size]));
        fs::read(output).unwrap()
    });
    assert!(outputs[0] == outputs[1] && outputs[0] == outputs[2]);
}

#[test]
fn a_state_dict_is_attacked_as_its_export_is() {
    let folder = tempfile::tempdir().unwrap();
    let attacked = |model: &str| {
        let output = folder.path().join("out.npz");
        let mut command = shell::tkmia();
        command.arg("attack").arg("--model").arg(shell::repository("assets/victims").join(model));
        command.arg("--input").arg(shell::golden("tkmia-corrected-k3", "input.npz"));
        command.args(["--k", "3", "--lr", "1e-2", "--max-iterations", "60", "--output"]);
        shell::run(command.arg(&output));
        let mut npz = Npz::open(&output);
        (npz.vector::<u8>("success"), npz.vector::<i64>("iterations"), npz.vector::<f32>("norm"))
    };
    let (success, iterations, norms) = attacked("resnet14-tiny.onnx");
    let found = attacked("resnet14-tiny.pth");
    assert!(success.iter().any(|&success| success == 1));
    assert_eq!((&found.0, &found.1), (&success, &iterations));
    for (found, expected) in found.2.iter().zip(&norms) {
        assert_near("norm", *found, *expected, NORM);
    }
}
