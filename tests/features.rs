//! Every command builds the same Burn: what it is built of has the same features whichever crates are asked for.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The packages that a command builds, each with the sets of features that it is built with.
type Features = BTreeMap<String, BTreeSet<String>>;

fn features(packages: &[&str], edges: &str) -> Features {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--prefix",
            "none",
            "--format",
            "{p}|{f}",
            "--edges",
            edges,
        ])
        .args(packages)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let mut features = Features::new();
    for line in String::from_utf8(tree.stdout).unwrap().lines() {
        let Some((package, set)) = line.trim_end_matches(" (*)").split_once('|') else { continue };
        features.entry(package.to_owned()).or_default().insert(set.to_owned());
    }
    features
}

#[test]
fn one_crate_the_root_and_the_workspace_build_the_same_burn() {
    let below_burn = features(&["-p", "tkmia-core"], "normal,build");
    let tests = features(&["--workspace"], "normal,build,dev");
    let mut different = Vec::new();
    for crate_ in ["core", "models", "data", "attacks", "train", "experiment", "report", "cli", ""]
    {
        let package =
            if crate_.is_empty() { "tkmia".to_owned() } else { format!("tkmia-{crate_}") };
        for edges in ["normal,build", "normal,build,dev"] {
            for (name, set) in features(&["-p", &package], edges) {
                if below_burn.contains_key(&name) && set != tests[&name] {
                    different.push(format!(
                        "-p {package} ({edges}): {name} {set:?}, the tests {:?}",
                        tests[&name]
                    ));
                }
            }
        }
    }
    assert!(
        different.is_empty(),
        "Burn is built more than once; name the missing features in crates/tkmia-core/Cargo.toml:\n{}",
        different.join("\n")
    );
}

#[test]
fn the_command_line_finds_built_what_an_example_was_built_of() {
    let (command, all) =
        (features(&["-p", "tkmia-cli"], "normal,build"), features(&[], "normal,build,dev"));
    for (name, set) in command.into_iter().filter(|(name, _)| name.starts_with("tkmia")) {
        assert_eq!(set, all[&name], "{name}");
    }
}
