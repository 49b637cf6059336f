//! What the command says of itself and of the machine.

use std::fs;
use std::process::Command;

use crate::shell::{attack, golden, tkmia};

fn said(command: &mut Command) -> (String, String) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).into()
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    said(tkmia().args(["man", "-o"]).arg(folder.path()));
    let (help, _) = said(tkmia().arg("help"));
    let listed = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    // What is indented further goes on with the line before.
    let commands = listed.lines().filter_map(|line| line.strip_prefix("  "));
    let commands = commands.filter(|line| !line.starts_with(' '));
    let commands = commands.filter_map(|line| line.split(' ').next());
    let commands: Vec<&str> = commands.filter(|command| *command != "help").collect();
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        let page = folder.path().join(format!("tkmia-{command}.1"));
        assert!(fs::read_to_string(&page).unwrap().contains(".SH SYNOPSIS"), "{command}");
    }
    let error = tkmia().args(["man", "-o", "nowhere"]).output().unwrap();
    assert!(String::from_utf8_lossy(&error.stderr).starts_with("error: nowhere: "));
}

#[test]
fn devices_are_listed_with_what_keeps_them_from_use() {
    let (listed, _) = said(tkmia().args(["devices", "--json"]));
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let cpu = &listed[0];
    assert_eq!((cpu["name"].as_str(), cpu["usable"].as_bool()), (Some("cpu"), Some(true)));
    assert!(cpu["what"].as_str().unwrap().contains("GiB"));
    for device in listed.as_array().unwrap() {
        let name = device["name"].as_str().unwrap();
        let mut probe = tkmia();
        probe.args(["scores", "-m", "none", "-i", "none", "-o", "none", "--device", name]);
        let output = probe.output().unwrap();
        let refused = String::from_utf8_lossy(&output.stderr).contains(&format!("`{name}`"));
        assert_eq!(refused, !device["usable"].as_bool().unwrap(), "{name}");
    }
}

#[test]
fn quiet_leaves_results_and_errors() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.npz");
    let mut run = attack(&golden("tkmia-corrected-k3", "input.npz"), &output);
    let run = run.args(["-k", "3", "--max-iterations", "2"]);
    let (summary, loud) = said(run);
    assert!(!loud.is_empty());
    assert_eq!(said(run.arg("-q")), (summary, String::new()));
    let mut wrong = tkmia();
    wrong.args(["metrics", "-q", "--scores", "none", "--labels", "none", "-k", "3"]);
    let error = wrong.output().unwrap().stderr;
    assert!(String::from_utf8_lossy(&error).starts_with("error: none"));
}
