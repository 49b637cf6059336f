//! `tkmia cost`.

use serde_json::Value;

use crate::shell;

/// A small experiment whose attacks end soon.
const EXPERIMENT: &str = r#"
title = "A small one"

[victim]
model = "MODEL"

[data]
kind = "voc-2012"
root = "ROOT"
split = "val"

[budget]
samples = 4

[[table]]
scheme = "random"
specified = [1]
k = [2]
max-iterations = 30

[[method]]
name = "tkmia"
variant = "released"
lr = 1e-2
"#;

#[test]
fn the_tables_of_the_paper_cost_what_they_may_or_what_others_took() {
    let folder = tempfile::tempdir().unwrap();
    shell::write_experiment(folder.path(), EXPERIMENT);
    let output = folder.path().join("out");
    let experiment = folder.path().join("experiment.toml");
    shell::run(shell::tkmia().arg("run").arg(experiment).arg("--output").arg(&output));

    let cost = || {
        let mut command = shell::tkmia();
        command.args(["cost", "--table", "16", "15"]);
        command
    };
    let costs = |command: &mut std::process::Command| -> Vec<Value> {
        serde_json::from_str(&shell::run(command.arg("--json"))).unwrap()
    };
    let most = costs(&mut cost());
    let used = costs(cost().arg("--like").arg(&output));
    for (most, used) in most.iter().zip(&used) {
        let passes = |of: &Value| of["forward"].as_f64().unwrap();
        assert!(passes(used) < passes(most), "{used} against {most}");
        assert_eq!((&most["samples"], &most["table"]), (&used["samples"], &used["table"]));
    }
    assert_eq!((&most[0]["table"], &most[0]["kind"]), (&16.into(), &"voc-2012".into()));

    // An hour for each 3600 forward passes.
    let text = shell::run(cost().args(["--voc", "1"]));
    let all = text.lines().last().unwrap().split_whitespace().collect::<Vec<_>>();
    let [forward, hours] = [2, 4].map(|at| all[at].parse::<f64>().unwrap());
    assert!((forward / 3600.0 - hours).abs() <= 0.05 + 1e-9, "{text}");

    assert!(shell::fail(cost().args(["--voc", "0"])).contains("above 0"));
    assert!(shell::fail(shell::tkmia().args(["cost", "--table", "5"])).contains("no table 5"));
    let error = shell::fail(cost().arg("--like").arg(folder.path()));
    assert!(error.contains(&folder.path().display().to_string()), "{error}");
}
