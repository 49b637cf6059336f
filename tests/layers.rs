//! Which crate may know which: arrows point down.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use toml::{Table, Value};

/// Each crate and those that it may depend on, the lowest first.
const LAYERS: [(&str, &[&str]); 15] = [
    ("metrics", &[]),
    ("monitor", &["metrics"]),
    ("file", &[]),
    ("figure", &[]),
    ("core", &[]),
    ("models", &["core", "file"]),
    ("data", &["core", "file"]),
    ("attacks", &["core", "metrics"]),
    ("certify", &["attacks", "core", "metrics"]),
    ("train", &["attacks", "core", "data", "figure", "file", "metrics", "models"]),
    ("experiment", &["attacks", "core", "data", "file", "metrics"]),
    ("report", &["attacks", "core", "data", "experiment", "figure", "file", "metrics"]),
    ("python", &["attacks", "core", "experiment", "metrics", "models"]),
    (
        "audit",
        &[
            "attacks",
            "core",
            "data",
            "experiment",
            "figure",
            "file",
            "metrics",
            "monitor",
            "report",
        ],
    ),
    (
        "cli",
        &[
            "attacks",
            "audit",
            "certify",
            "core",
            "data",
            "experiment",
            "figure",
            "file",
            "metrics",
            "models",
            "monitor",
            "report",
            "train",
        ],
    ),
];

/// The project's crates among the dependencies of a manifest's table.
fn named(manifest: &Table, table: &str) -> BTreeSet<String> {
    let dependencies = manifest.get(table).and_then(Value::as_table);
    let names = dependencies.into_iter().flat_map(|table| table.keys());
    names.filter_map(|name| Some(name.strip_prefix("tkmia-")?.to_owned())).collect()
}

fn crates() -> BTreeMap<String, Table> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let manifests = fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().strip_prefix("tkmia-").unwrap();
        let text = fs::read_to_string(path.join("Cargo.toml")).unwrap();
        (name.to_owned(), text.parse::<Table>().unwrap())
    });
    manifests.collect()
}

#[test]
fn no_crate_depends_on_one_above_it() {
    let crates = crates();
    let listed: BTreeSet<&str> = LAYERS.iter().map(|(name, _)| *name).collect();
    assert_eq!(crates.keys().map(String::as_str).collect::<BTreeSet<_>>(), listed);
    for (name, allowed) in LAYERS {
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for found in named(&crates[name], table) {
                assert!(allowed.contains(&&*found), "tkmia-{name} must not know tkmia-{found}");
            }
        }
    }
}

#[test]
fn the_layers_have_no_circle() {
    for (place, (name, allowed)) in LAYERS.iter().enumerate() {
        let below: Vec<&str> = LAYERS[..place].iter().map(|(name, _)| *name).collect();
        assert!(allowed.iter().all(|other| below.contains(other)), "{name}");
    }
}

#[test]
fn measures_monitors_figures_and_files_are_without_burn_unless_a_feature_asks_for_it() {
    let crates = crates();
    for name in ["metrics", "monitor", "figure", "file"] {
        let is_optional = |found: &Value| found.get("optional") == Some(&Value::Boolean(true));
        let burn = crates[name]["dependencies"].get("burn");
        assert!(burn.is_none_or(is_optional), "tkmia-{name}");
        let by_default = crates[name].get("features").and_then(|features| features.get("default"));
        assert!(by_default.is_none(), "tkmia-{name}");
    }
}
