//! `tkmia metrics`, `tkmia inspect` and `tkmia completions`.

use std::path::PathBuf;

use ndarray::{Array2, array};
use ndarray_npy::write_npy;
use serde_json::Value;
use tkmia_metrics::{MEASURES, Need};

use crate::shell;

fn golden(file: &str) -> PathBuf {
    shell::repository("crates/tkmia-metrics/tests/golden").join(file)
}

fn metrics(scores: &PathBuf, labels: &PathBuf, k: &str) -> std::process::Command {
    let mut command = shell::tkmia();
    command.args(["metrics", "--k", k, "--scores"]).arg(scores).arg("--labels").arg(labels);
    command
}

#[test]
fn the_recorded_measures_come_out() {
    let (scores, labels) = (golden("metrics_scores.npy"), golden("metrics_labels.npy"));
    let text = shell::run(metrics(&scores, &labels, "3").arg("--json"));
    let found: Value = serde_json::from_str(&text).unwrap();
    let expected = std::fs::read_to_string(golden("metrics_batch.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    for name in ["tkacc", "tkacc_released", "p", "ap", "map_category", "ndcg", "n", "skipped"] {
        let difference = found[name].as_f64().unwrap() - expected[name].as_f64().unwrap();
        assert!(difference.abs() <= 1e-9, "{name}: {found}");
    }
    let of_labels =
        MEASURES.iter().filter(|measure| !measure.needs.contains(&Need::SpecifiedLabels));
    assert_eq!(found.as_object().unwrap().len(), of_labels.count() + 2);

    let table = shell::run(&mut metrics(&scores, &labels, "3"));
    assert!(table.contains("P@3                    0.4681\n"), "{table}");
    assert!(table.contains("200, of which 12 without a relevant label are left out"), "{table}");
}

#[test]
fn where_nothing_is_hit_zero_has_no_sign() {
    let folder = tempfile::tempdir().unwrap();
    let (scores, labels) = (folder.path().join("s.npy"), folder.path().join("y.npy"));
    write_npy(&scores, &array![[4.0_f32, 3.0, 2.0, 1.0], [4.0, 3.0, 2.0, 1.0]]).unwrap();
    write_npy(&labels, &array![[0_u8, 0, 0, 1], [0, 0, 1, 0]]).unwrap();
    let text = shell::run(&mut metrics(&scores, &labels, "1"));
    assert!(text.contains("NDCG@1                 0.0000\n") && !text.contains("-0"), "{text}");
    let json = shell::run(metrics(&scores, &labels, "1").arg("--json"));
    assert!(json.contains("\"ap\":0.0,") && !json.contains("-0"), "{json}");
}

#[test]
fn scores_may_be_of_either_float_type_and_bad_ones_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (scores, labels) = (array![[0.9_f64, 0.1], [0.2, 0.3]], array![[1_u8, 0], [0, 1]]);
    write_npy(path("s.npy"), &scores).unwrap();
    write_npy(path("y.npy"), &labels).unwrap();
    let text = shell::run(metrics(&path("s.npy"), &path("y.npy"), "1").arg("--json"));
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["ap"], 1.0);

    let says =
        |scores: &str, labels: &str, k| shell::fail(&mut metrics(&path(scores), &path(labels), k));
    write_npy(path("long.npy"), &labels.mapv(i64::from)).unwrap();
    let text = shell::run(metrics(&path("s.npy"), &path("long.npy"), "1").arg("--json"));
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["ap"], 1.0);
    let says_long = says("long.npy", "y.npy", "1");
    assert!(
        says_long.contains("long.npy: expected float16, float32 or float64, found int64"),
        "{says_long}"
    );
    write_npy(path("wide.npy"), &Array2::<u8>::zeros([2, 3])).unwrap();
    let wide = says("s.npy", "wide.npy", "1");
    assert!(wide.contains("wide.npy: expected shape [2, 2]") && wide.contains("found [2, 3]"));
    write_npy(path("none.npy"), &Array2::<u8>::zeros([2, 2])).unwrap();
    assert!(says("s.npy", "none.npy", "1").contains("none.npy: expected a row with a relevant"));
    write_npy(path("nan.npy"), &array![[0.9_f32, 0.1], [0.2, f32::NAN]]).unwrap();
    assert!(says("nan.npy", "y.npy", "1").contains("nan.npy: row 1: score of label 1"));
    assert!(says("s.npy", "y.npy", "0").contains("k: expected 1..=2"));
    assert!(says("s.npy", "y.npy", "3").contains("k: expected 1..=2"));
    assert!(says("no.npy", "y.npy", "1").contains("no.npy: can't be read"));
    std::fs::write(path("text.npy"), "hello, this is text").unwrap();
    assert!(says("text.npy", "y.npy", "1").contains("text.npy: expected an npy array"));
    let whole = std::fs::read(path("s.npy")).unwrap();
    std::fs::write(path("cut.npy"), &whole[..whole.len() - 8]).unwrap();
    assert!(says("cut.npy", "y.npy", "1").contains("cut.npy: can't be read"));
}

#[test]
fn a_model_is_told_in_words_and_as_json() {
    let inspect =
        |json: &[&str]| shell::run(shell::tkmia().arg("inspect").arg(shell::victim()).args(json));
    let object: Value = serde_json::from_str(&inspect(&["--json"])).unwrap();
    assert_eq!((&object["depth"], &object["classes"]), (&14.into(), &20.into()));
    assert_eq!(object["input_size"], serde_json::json!([32, 32]));
    let text = inspect(&[]);
    for part in ["depth          14", "labels         20", "32×32", "parameters", "multiply-adds"]
    {
        assert!(text.contains(part), "{text}");
    }
    assert!(text.starts_with("file           ONNX, f32 weights\n"), "{text}");
    let state_dict = shell::repository("assets/victims/resnet14-tiny.pth");
    let text = shell::run(shell::tkmia().arg("inspect").arg(state_dict));
    assert!(text.starts_with("file           PyTorch, f32 weights\ndepth          14\n"), "{text}");
    for part in ["input          any,", "batch norms    folded at load", "scores         logits\n"]
    {
        assert!(text.contains(part), "{text}");
    }
    let timed: Value =
        serde_json::from_str(&inspect(&["--json", "--time", "--batch-size", "2"])).unwrap();
    let seconds = |of: &str| timed["seconds"][of].as_f64().unwrap();
    assert!(seconds("forward") > 0.0 && seconds("both") > 0.0, "{timed}");
    let text = inspect(&["--time", "--batch-size", "2", "--workers", "2"]);
    assert!(text.contains("s with the way back (2 at once by 2 workers)"), "{text}");
    let says = shell::fail(shell::tkmia().args(["inspect", "no.onnx"]));
    assert!(says.contains("no.onnx: can't be read"), "{says}");
}

#[test]
fn each_shell_gets_its_completions() {
    for name in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(shell::run(shell::tkmia().args(["completions", name])).contains("tkmia"), "{name}");
    }
}
