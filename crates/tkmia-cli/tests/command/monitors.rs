//! `tkmia monitor`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tkmia_data::Dataset;
use tkmia_experiment::held_out;

use crate::shell;

/// Attacks that end soon, at two `k`.
const EXPERIMENT: &str = r#"
title = "A small one"
pictures = 24

[victim]
model = "MODEL"
trained-on = "other"

[data]
kind = "voc-2012"
root = "ROOT"
split = "val"

[budget]
samples = 12
draws = 2

[[table]]
scheme = "random"
specified = [1]
k = [1, 2]
max-iterations = 30

[[method]]
name = "tkmia"
lr = 1e-2

[[method]]
name = "ml-cw-u"
variant = "released"
lr = 1e-2
"#;

fn monitor(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = shell::tkmia();
    command.arg("monitor").arg(folder.join("out")).arg("--model").arg(shell::victim());
    command.arg("--root").arg(shell::repository("assets/mini-voc/VOC2012"));
    command.args(["--within", "50", "--streams", "20"]).args(arguments);
    command
}

/// Runs an experiment.
fn attacked(experiment: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    shell::write_experiment(folder.path(), experiment);
    let (experiment, output) = (folder.path().join("experiment.toml"), folder.path().join("out"));
    shell::run(shell::tkmia().arg("run").arg(experiment).arg("--output").arg(output));
    folder
}

#[test]
fn what_monitors_notice_is_the_same_for_any_number_of_workers() {
    let folder = attacked(EXPERIMENT);
    let read = |output: &str, workers| {
        let path = folder.path().join(output);
        let arguments =
            ["--false-alarms", "100", "--workers", workers, "--output", path.to_str().unwrap()];
        let says = shell::run(&mut monitor(folder.path(), &arguments));
        assert!(says.contains("monitor.md"), "{says}");
        assert!(!shell::has_partial(&path));
        let files = ["monitor.json", "monitor.md", "detection.csv", "01.svg", "04.svg"];
        files.map(|file| fs::read_to_string(path.join(file)).unwrap())
    };
    let [json, markdown, detection, ..] = &read("one", "1");
    assert!(read("two", "2") == read("one", "1"));

    let found: Value = serde_json::from_str(json).unwrap();
    let rows = |name: &str| found[name].as_array().unwrap().clone();
    // Twelve statistics at k = 1 and fourteen at 2, five tests each; two attacks of each, at eight shares.
    assert_eq!(rows("false_alarms").len(), (12 + 14) * 5);
    assert_eq!(rows("detection").len(), (12 + 14) * 5 * 2 * 8);
    assert_eq!(detection.lines().count(), 1 + rows("detection").len());
    assert_eq!(rows("auc").len(), (11 + 13) * 2);
    let [calibration, traffic] =
        ["calibration_images", "traffic_images"].map(|name| found[name].as_u64().unwrap());
    assert_eq!(calibration + traffic, 300);
    for row in rows("detection") {
        let number = |name: &str| row[name].as_f64().unwrap();
        assert!(number("low") <= number("noticed") && number("noticed") <= number("high"), "{row}");
        assert!(number("share_of_traffic") <= number("share_of_attackable"), "{row}");
        assert!(
            row["delay_median"].as_u64().is_none_or(|delay| (1..=50).contains(&delay)),
            "{row}"
        );
    }
    // An attack that stops as soon as it succeeds leaves the border's margin small.
    let of = |row: &Value| (row["statistic"].clone(), row["method"].clone());
    let border = rows("auc")
        .into_iter()
        .find(|row| of(row) == ("border-margin".into(), "tkmia (corrected)".into()));
    assert!(border.unwrap()["auc"].as_f64().unwrap() > 0.6);
    // The input is looked at as it is sent, in 8 bits, which some attacks don't outlive; squeezed, their scores move more.
    for row in rows("auc").iter().filter(|row| row["statistic"] == "squeezing") {
        let recorded = rows("auc").into_iter().find(|other| {
            other["statistic"] == "p" && ["setting", "method"].iter().all(|of| other[of] == row[of])
        });
        let images = |row: &Value| row["images"].as_u64().unwrap();
        assert!((1..=images(&recorded.unwrap())).contains(&images(row)), "{row}");
        let number = |name: &str| row[name].as_f64();
        assert!(number("auc") < Some(0.5) && number("low") <= number("auc"), "{row}");
    }
    assert!(markdown.contains("## random |S| = 1, k = 2") && markdown.contains("| e-detector |"));
}

#[test]
fn an_image_that_cannot_be_decoded_any_more_is_no_traffic_and_moves_no_other() {
    let folder = attacked(&EXPERIMENT.replace("[1, 2]", "[1]"));
    let records = fs::read_to_string(folder.path().join("out/records.jsonl")).unwrap();
    let voc = shell::voc();
    // Of the traffic, before others that were attacked.
    let [traffic, _] = held_out(&voc, 0.5, 7);
    let mut ids = (0..traffic.len()).map(|row| traffic.id(row));
    let id = ids.find(|id| !records.contains(id)).unwrap();
    assert!(ids.any(|id| records.contains(id)));
    let root = folder.path().join("voc");
    shell::copy_all(&shell::repository("assets/mini-voc/VOC2012"), &root);
    let read = |broken: bool| {
        if broken {
            fs::write(root.join(format!("JPEGImages/{id}.jpg")), "no image").unwrap();
        }
        let output = folder.path().join("seen");
        let mut command = shell::tkmia();
        command.arg("monitor").arg(folder.path().join("out")).arg("--model").arg(shell::victim());
        command.arg("--root").arg(&root).args(["--within", "50", "--streams", "20"]);
        command.args(["--calibration", "0.5", "--seed", "7", "--false-alarms", "100", "--output"]);
        let done = command.arg(&output).output().unwrap();
        let says = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success() && says.contains(id) == broken, "{says}");
        let text = fs::read_to_string(output.join("monitor.json")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let [whole, broken] = [false, true].map(read);
    let images = |found: &Value| {
        ["calibration_images", "traffic_images"].map(|name| found[name].as_u64().unwrap())
    };
    let [calibration, traffic] = images(&whole);
    assert_eq!(images(&broken), [calibration, traffic - 1]);
    // Of the same attacked images, each beside itself as it was.
    assert!(broken["auc"] == whole["auc"]);
}

#[test]
fn what_does_not_belong_to_the_experiment_is_refused() {
    let folder = attacked(EXPERIMENT);
    let refused = |arguments: &[&str]| shell::fail(&mut monitor(folder.path(), arguments));
    let few = refused(&["--calibration", "0.1"]);
    assert!(few.contains("expected at least 100 images to calibrate on, found"), "{few}");
    assert!(refused(&["--false-alarms", "0"]).contains("0.1..=100, found 0"));
    let other = refused(&["--split", "train"]);
    assert!(other.contains("expected it in the split, found none"), "{other}");
    let range = refused(&["--range", "0..1"]);
    assert!(range.contains("expected the clean scores of the experiment"), "{range}");
    let output = folder.path().join("out");
    assert!(refused(&["--output", output.to_str().unwrap()]).contains("overwrite"));

    let mut command = shell::tkmia();
    let model = shell::repository("assets/victims/resnet50-mini-voc.onnx");
    command.arg("monitor").arg(&output).arg("--model").arg(model);
    command.arg("--root").arg(shell::repository("assets/mini-voc/VOC2012"));
    assert!(shell::fail(&mut command).contains("expected the victim of"));

    fs::write(output.join("records.jsonl"), "").unwrap();
    assert!(refused(&[]).contains("expected records of successful attacks"));
    fs::remove_file(output.join("plan.json")).unwrap();
    assert!(refused(&[]).contains("expected the folder of an experiment"));
}
