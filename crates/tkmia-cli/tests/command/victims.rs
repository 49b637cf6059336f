//! `tkmia run` and `report` on several victims.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::shell;

const EXPERIMENT: &str = r#"
title = "A <small> one"
seed = 7
pictures = 0

[data]
kind = "voc-2012"
root = "ROOT"
split = "val"

[budget]
samples = 4
draws = 1

[[table]]
scheme = "random"
specified = [1]
k = [2]
max-iterations = [4, 8]

[[method]]
name = "tkmia"
variant = "min-norm"

[[method]]
name = "jma"
"#;

const VICTIMS: &str = r#"
[[victim]]
name = "bare"
model = "MODEL"

[[victim]]
name = "few bits"
model = "MODEL"
squeeze = "bit-depth"
"#;

fn run(folder: &Path, output: &str) -> Command {
    let mut command = shell::tkmia();
    command.arg("run").arg(folder.join("experiment.toml"));
    command.arg("--output").arg(folder.join(output));
    command
}

/// What each attack did to each sample.
fn norms(records: &Path) -> Vec<String> {
    let text = fs::read_to_string(records).unwrap();
    let record = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        format!("{} {} {}", record["method"], record["id"], record["norm"])
    };
    text.lines().map(record).collect()
}

#[test]
fn an_experiment_on_several_victims_is_one_on_each_and_a_page_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    shell::write_experiment(folder, &format!("{EXPERIMENT}{VICTIMS}"));

    // One of them first: the whole goes on from there.
    shell::run(run(folder, "out").args(["--victim", "few bits"]));
    let page = fs::read_to_string(folder.join("out/report/index.html")).unwrap();
    assert!(page.contains("Not attacked yet") && page.contains("<li>bare</li>"), "{page}");
    let before = norms(&folder.join("out/few bits/records.jsonl"));
    let text = shell::run(&mut run(folder, "out"));
    assert!(text.ends_with("report/index.html\n"), "{text}");
    assert_eq!(norms(&folder.join("out/few bits/records.jsonl")), before);

    // As each alone.
    for (name, squeeze) in [("bare", &[][..]), ("few bits", &["--squeeze", "bit-depth"])] {
        shell::run(run(folder, name).arg("--model").arg(shell::victim()).args(squeeze));
        let [found, expected] = [format!("out/{name}"), name.to_owned()]
            .map(|output| norms(&folder.join(output).join("records.jsonl")));
        assert_eq!((found.len(), found), (2 * 2 * 4, expected), "{name}");
        assert!(folder.join("out").join(name).join("report/index.html").is_file());
    }

    // The numbers of each one's own report.
    let report = folder.join("out/report");
    let mut lines = csv::Reader::from_path(report.join("victims.csv")).unwrap();
    let lines: Vec<csv::StringRecord> = lines.records().map(Result::unwrap).collect();
    for name in ["bare", "few bits"] {
        for table in ["table-a", "table-b"] {
            let path = folder.join("out").join(name).join(format!("report/{table}.csv"));
            let mut rows = csv::Reader::from_path(path).unwrap();
            for row in rows.deserialize::<std::collections::HashMap<String, String>>() {
                let row = row.unwrap();
                let of_run: Vec<_> =
                    lines.iter().filter(|line| line[0] == *name && line[2] == row["run"]).collect();
                assert!(of_run.len() >= 7, "{name}, {}", row["run"]);
                assert!(of_run.iter().all(|line| line[5] == row[&line[4]] && line[3] == row["n"]));
            }
        }
    }
    let [page, markdown] =
        ["index.html", "report.md"].map(|file| fs::read_to_string(report.join(file)).unwrap());
    assert!(page.contains("<h1>A &lt;small&gt; one</h1>") && !page.contains("Not attacked yet"));
    assert!(page.contains("<a href=\"../few bits/report/index.html\">few bits</a>"));
    assert!(page.contains("<figcaption>few bits</figcaption>") && page.contains("Success by norm"));
    let heading =
        |line: &str| ["Method", "bare", "few bits"].iter().all(|word| line.contains(word));
    assert_eq!(markdown.lines().filter(|line| heading(line)).count() % 2, 0);
    assert!(markdown.lines().filter(|line| heading(line)).count() >= 2 * 7, "{markdown}");
    fs::remove_dir_all(&report).unwrap();
    shell::run(shell::tkmia().arg("report").arg(folder.join("out")));
    assert_eq!(fs::read_to_string(report.join("index.html")).unwrap(), page);
}

#[test]
fn what_several_victims_cannot_have_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    shell::write_experiment(folder, &format!("{EXPERIMENT}{VICTIMS}"));
    for (arguments, says) in [
        (&["--victim", "fewbits"][..], "expected one of bare, few bits, found \"fewbits\""),
        (&["--shard", "1/2"], "--victim is needed"),
        (&["--until", "manifests"], "--victim is needed"),
    ] {
        let error = shell::fail(run(folder, "out").args(arguments));
        assert!(error.contains(says), "{error}");
        assert!(!folder.join("out").exists());
    }
    shell::run(run(folder, "out").args(["--dry-run"]));
    assert!(!folder.join("out").exists());

    let one = VICTIMS.split("[[victim]]").nth(1).unwrap().replace("name = \"bare\"\n", "");
    shell::write_experiment(folder, &format!("{EXPERIMENT}[victim]{one}"));
    let error = shell::fail(run(folder, "out").args(["--victim", "bare"]));
    assert!(error.contains("expected an experiment on several, found \"bare\""), "{error}");

    // Nothing is begun where one of them isn't there.
    let gone = VICTIMS.replace("\"MODEL\"\nsqueeze", "\"gone.onnx\"\nsqueeze");
    shell::write_experiment(folder, &format!("{EXPERIMENT}{gone}"));
    let error = shell::fail(&mut run(folder, "out"));
    assert!(error.contains("gone.onnx: can't be read") && !folder.join("out").exists(), "{error}");
    shell::write_experiment(folder, &format!("{EXPERIMENT}{VICTIMS}"));

    // Another experiment's folder.
    shell::run(
        run(folder, "one").arg("--model").arg(shell::victim()).args(["--until", "manifests"]),
    );
    let error = shell::fail(&mut run(folder, "one"));
    assert!(error.contains("an experiment on one victim"), "{error}");

    // Stopped at once, it goes on.
    let minutes = "[budget]\nminutes = 1e-6\n";
    let text = format!("{}{VICTIMS}", EXPERIMENT.replace("[budget]\n", minutes));
    shell::write_experiment(folder, &text);
    let stopped = run(folder, "out").output().unwrap();
    assert_eq!(stopped.status.code(), Some(130), "{stopped:?}");
    assert!(!folder.join("out/few bits").exists());
}
