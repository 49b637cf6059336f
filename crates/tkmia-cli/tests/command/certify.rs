//! `tkmia certify`.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::shell;

const SAMPLES: usize = 3;

fn certify(output: &Path, arguments: &[&str]) -> Command {
    let mut command = shell::tkmia();
    command.arg("certify").arg(shell::victim()).arg("--images");
    command.arg(shell::repository("assets/mini-voc/VOC2012")).args(["--kind", "voc-2012"]);
    command.args(["--k", "2", "--samples", "3", "--attack"]);
    for usual in [["--sigma", "0.05"], ["--draws", "60"]] {
        command.args(usual.iter().filter(|_| !arguments.contains(&usual[0])));
    }
    command.args(arguments).arg("--output").arg(output);
    command
}

fn read(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("certificate.json")).unwrap()).unwrap()
}

/// The same numbers for any cut of the work, also where a run goes on that has lost two images; none is proved that the attack refutes.
#[test]
fn certificates_do_not_depend_on_how_the_work_is_cut_and_stand_below_the_attack() {
    let folder = tempfile::tempdir().unwrap();
    let [first, other] = ["first", "other"].map(|name| folder.path().join(name));
    let said = shell::run(&mut certify(&first, &["--workers", "1", "--batch-size", "7"]));
    assert!(said.starts_with("3 images, k = 2"), "{said}");
    let found = read(&first);
    let images = found["images"].as_array().unwrap();
    assert_eq!(images.len(), SAMPLES);
    for image in images {
        let counts = image["counts"].as_array().unwrap().iter();
        assert_eq!(counts.map(|count| count.as_u64().unwrap()).sum::<u64>(), 2 * 60);
        let radii = image["radii"].as_array().unwrap();
        for reached in image["reached"].as_array().unwrap() {
            let length = reached["length"].as_f64().unwrap();
            let proved = radii.iter().filter(|own| own.as_f64().is_none_or(|own| own >= length));
            assert!(reached["stayed"].as_u64().unwrap() >= proved.count() as u64, "{image}");
        }
    }
    assert!(images.iter().any(|image| !image["radii"].as_array().unwrap().is_empty()));
    assert_eq!(fs::read_to_string(first.join("certificate.csv")).unwrap().lines().count(), 4);

    let mut begun = found.clone();
    begun["images"].as_array_mut().unwrap().truncate(1);
    fs::create_dir(&other).unwrap();
    fs::write(other.join("certificate.json"), begun.to_string()).unwrap();
    shell::run(&mut certify(&other, &["--workers", "2"]));
    for name in ["certificate.json", "certificate.csv", "curve.csv", "certificate.svg"] {
        assert_eq!(
            fs::read(first.join(name)).unwrap(),
            fs::read(other.join(name)).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn what_can_not_be_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    for (arguments, told) in [
        (["--sigma", "0"], "sigma"),
        (["--alpha", "1"], "--alpha"),
        (["--kept", "21"], "kept: expected 1..=20, found 21"),
        (["--draws", "0"], "--draws"),
    ] {
        let said = shell::fail(&mut certify(&output, &arguments));
        assert!(said.contains(told), "{said}");
        assert!(!output.exists());
    }
    shell::run(&mut certify(&output, &[]));
    let before = read(&output);
    let said = shell::fail(&mut certify(&output, &["--seed", "7"]));
    assert!(said.contains("give another --output"), "{said}");
    assert_eq!(read(&output), before);
}

#[test]
fn two_processes_in_one_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let other = File::create(folder.path().join("lock")).unwrap();
    other.lock().unwrap();
    let says = shell::fail(&mut certify(folder.path(), &[]));
    assert!(says.contains("another process works in this folder"), "{says}");
}
