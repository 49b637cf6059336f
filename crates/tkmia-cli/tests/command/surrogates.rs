//! Attacks on surrogates, judged by the victim.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{self, Npz};

/// Attacks the recorded images with a few options.
fn attack(folder: &Path, arguments: &[&str]) -> (String, Npz) {
    let output = folder.join("out.npz");
    let mut command = shell::attack(&shell::golden("tkmia-corrected-k3", "input.npz"), &output);
    command.args(["--k", "3", "--lr", "1e-2", "--max-iterations", "40"]).args(arguments);
    (shell::run(&mut command), Npz::open(&output))
}

fn victims(file: &str) -> PathBuf {
    shell::repository("assets/victims").join(file)
}

#[test]
fn a_network_in_place_of_itself_is_attacked_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (summary, mut expected) = attack(folder.path(), &[]);
    let same = shell::victim();
    let same = same.to_str().unwrap();
    let images = expected.images("adversarial");
    let scores = expected.matrix("scores");
    let success = expected.vector::<u8>("success");
    // The mean of two is each.
    for surrogates in [&["--surrogate", same][..], &["--surrogate", same, "--surrogate", same]] {
        let (text, mut found) = attack(folder.path(), surrogates);
        assert!(text.starts_with(&summary), "{text}");
        let count = success.iter().filter(|&&success| success == 1).count();
        assert!(
            text.contains(&format!("attacked in its place, with {count} successes of its own: ")),
            "{text}"
        );
        assert_eq!(found.images("adversarial"), images);
        assert_eq!(found.matrix("scores"), scores);
    }
}

#[test]
fn the_victim_judges_what_was_made_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    // The same weights, and images that it sees turned: another network.
    let other = folder.path().join("other.pth");
    fs::copy(victims("resnet14-tiny.pth"), &other).unwrap();
    fs::write(folder.path().join("tagger.toml"), "channels = 'bgr'\nrange = '0..255'\nmean = [127.5, 127.5, 127.5]\nstd = [127.5, 127.5, 127.5]\n").unwrap();
    let other = other.to_str().unwrap();
    let (text, mut found) = attack(folder.path(), &["--surrogate", other]);
    assert!(text.contains("blue") || text.contains("channels bgr"), "{text}");
    let adversarial = found.images("adversarial");
    assert!(adversarial.iter().all(|value| (-1.0..=1.0).contains(value)));

    // Its scores are the victim's.
    let input = folder.path().join("in.npz");
    let mut recorded = shell::Input::read(&shell::golden("tkmia-corrected-k3", "input.npz"));
    recorded.images = adversarial;
    recorded.write(&input);
    let output = folder.path().join("scores.npz");
    let mut scores = shell::tkmia();
    scores.args(["scores", "--model"]).arg(shell::victim()).arg("--input").arg(&input);
    shell::run(scores.arg("--output").arg(&output));
    let difference = &Npz::open(&output).matrix("scores") - &found.matrix("scores");
    assert!(difference.iter().all(|value| value.abs() < 1e-4));
    // What is no success there is no sign of a failing attack.
    assert!(!text.contains("success-lost"), "{text}");
}

#[test]
fn diversity_is_drawn_by_the_seed_and_changes_what_the_surrogate_sees() {
    let folder = tempfile::tempdir().unwrap();
    let same = shell::victim();
    let same = same.to_str().unwrap();
    let made = |arguments: &[&str]| {
        let all = [&["--surrogate", same], arguments].concat();
        let (text, mut npz) = attack(folder.path(), &all);
        (text, npz.images("adversarial"))
    };
    let (_, plain) = made(&[]);
    assert_eq!(made(&["--diversity", "0"]).1, plain);
    let (text, diverse) = made(&["--diversity", "0.5"]);
    assert!(text.contains("resized at random with probability 0.5"), "{text}");
    assert_ne!(diverse, plain);
    assert_eq!(made(&["--diversity", "0.5", "--batch-size", "1"]).1, diverse);
    assert_ne!(made(&["--diversity", "0.5", "--seed", "1"]).1, diverse);
}

#[test]
fn what_cannot_stand_in_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let says = |arguments: &[&str]| {
        let input = shell::golden("tkmia-corrected-k3", "input.npz");
        let output = folder.path().join("out.npz");
        shell::fail(shell::attack(&input, &output).args(["--k", "3"]).args(arguments))
    };
    let other = shell::repository("crates/tkmia-models/tests/golden/variants/legacy-17.onnx");
    let error = says(&["--surrogate", other.to_str().unwrap()]);
    assert!(
        error.contains("surrogate 1: expected 20 labels, as the victim has, found 5"),
        "{error}"
    );
    let larger = shell::voc_victim();
    let error = says(&["--surrogate", larger.to_str().unwrap()]);
    assert!(error.contains("surrogate 1: expected images of 32×32, found 64×64"), "{error}");
    assert!(says(&["--diversity", "0.5"]).contains("diversity is for surrogates"));
    let same = shell::victim();
    let error = says(&["--surrogate", same.to_str().unwrap(), "--diversity", "1.5"]);
    assert!(error.contains("expected a number from 0 to 1, found 1.5"), "{error}");
}

const EXPERIMENT: &str = "title = 'Transfer'\n[victim]\nmodel = 'MODEL'\ninput-size = 32\nLINES\n[data]\nkind = 'voc-2012'\nroot = 'ROOT'\nsplit = 'val'\n\
    [budget]\nsamples = 6\ndraws = 1\n[[table]]\nscheme = 'random'\nspecified = [1]\nk = [3]\n\
    [[method]]\nname = 'tkmia'\nlr = 1e-2\nmax-iterations = 40\n";

#[test]
fn an_experiment_by_way_of_a_surrogate_is_of_that_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(victims("resnet14-tiny-bn.onnx"), folder.path().join("same.onnx")).unwrap();
    let run = |lines: &str, output: &str| {
        shell::write_experiment(folder.path(), &EXPERIMENT.replace("LINES", lines));
        let mut run = shell::tkmia();
        run.arg("run").arg(folder.path().join("experiment.toml"));
        run.arg("--output").arg(folder.path().join(output));
        run
    };
    let records = |output: &str| -> Vec<(bool, f64)> {
        let text = fs::read_to_string(folder.path().join(output).join("records.jsonl")).unwrap();
        let record = |line: &str| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            (record["success"] == true, record["norm"].as_f64().unwrap())
        };
        text.lines().map(record).collect()
    };
    shell::run(&mut run("", "own"));
    // Paths are relative to the experiment's file.
    shell::run(&mut run("surrogate = ['same.onnx']", "by-way"));
    let (own, by_way) = (records("own"), records("by-way"));
    assert!(own.len() == 6 && own.iter().any(|record| record.0));
    for (one, other) in own.iter().zip(&by_way) {
        assert!(one.0 == other.0 && (one.1 - other.1).abs() < 1e-3 * one.1, "{one:?} {other:?}");
    }
    let report = fs::read_to_string(folder.path().join("by-way/report/report.md")).unwrap();
    assert!(report.contains("Attacked in its place: "), "{report}");
    let says = shell::fail(&mut run("surrogate = ['same.onnx']\ndiversity = 0.5", "by-way"));
    assert!(says.contains("victim.surrogate: "), "{says}");
    assert!(shell::fail(&mut run("", "by-way")).contains("victim.surrogate: "));
}

#[test]
fn a_defence_by_random_draws_is_attacked_by_their_mean_and_judged_by_one() {
    let folder = tempfile::tempdir().unwrap();
    shell::write_experiment(folder.path(), &EXPERIMENT.replace("LINES", "squeeze = 'resize'"));
    let output = folder.path().join("out");
    let mut run = shell::tkmia();
    run.arg("run").arg(folder.path().join("experiment.toml")).arg("--output").arg(&output);
    shell::run(&mut run);
    let plan = fs::read_to_string(output.join("plan.json")).unwrap();
    assert!(plan.contains("resized at random with probability 1\""), "{plan}");
    assert!(
        plan.contains("resized at random with probability 1, the mean of 10 draws\""),
        "{plan}"
    );
    let records = fs::read_to_string(output.join("records.jsonl")).unwrap();
    assert_eq!(records.lines().count(), 6);
}
