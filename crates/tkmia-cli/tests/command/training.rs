//! `tkmia train`.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::shell;

/// A network of few weights on mini-VOC.
fn train(output: &Path) -> Command {
    let mut command = shell::tkmia();
    command.arg("train").arg("--root").arg(shell::repository("assets/mini-voc/VOC2012"));
    command.args(["--new", "resnet18", "--width", "2", "--input-size", "32"]);
    command.args(["--optimiser", "adam", "--lr", "1e-3"]);
    command.arg("--output").arg(output);
    command
}

#[test]
fn a_new_network_is_trained_gone_on_with_and_taken_as_a_victim() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    let weights = |output: &Path| fs::read(output.join("last.safetensors")).unwrap();
    let whole = folder.path().join("whole");
    shell::run(train(&whole).args(["--epochs", "3"]));

    let mut killed = train(&output).args(["--epochs", "3"]).spawn().unwrap();
    while !output.join("last.safetensors").is_file() {
        assert!(killed.try_wait().unwrap().is_none(), "it ended before its first epoch did");
        sleep(Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    shell::run(train(&output).args(["--epochs", "3"]));
    assert_eq!(weights(&output), weights(&whole));
    assert_eq!(fs::read_to_string(output.join("curve.csv")).unwrap().lines().count(), 1 + 3);
    assert!(output.join("curve.png").metadata().unwrap().len() > 1000);

    let facts = shell::run(shell::tkmia().arg("inspect").arg(output.join("best.safetensors")));
    assert!(facts.contains("20") && facts.contains("2-2-2-2"), "{facts}");

    let error = shell::fail(train(&output).args(["--epochs", "3", "--seed", "1"]));
    assert!(error.contains("seed"), "{error}");

    // Other weights in the same place are another start.
    let start = folder.path().join("start.safetensors");
    let mut bytes = weights(&whole);
    let go_on = |bytes: &[u8]| {
        fs::write(&start, bytes).unwrap();
        let mut command = shell::tkmia();
        command.arg("train").arg("--root").arg(shell::repository("assets/mini-voc/VOC2012"));
        command.arg("--weights").arg(&start).args(["--input-size", "32", "--epochs", "1"]);
        command.arg("--output").arg(folder.path().join("on"));
        command
    };
    shell::run(&mut go_on(&bytes));
    let last = bytes.len() - 4;
    bytes[last] ^= 1;
    let error = shell::fail(&mut go_on(&bytes));
    assert!(error.contains("origin is") && error.contains("SHA-256"), "{error}");
}

#[test]
fn two_trainings_in_one_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let other = File::create(folder.path().join("lock")).unwrap();
    other.lock().unwrap();
    let says = shell::fail(&mut train(folder.path()));
    assert!(says.contains("another process works in this folder"), "{says}");
}

#[test]
fn what_cannot_be_trained_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    let fail = |arguments: &[&str]| shell::fail(train(&output).args(arguments));
    assert!(fail(&["--epochs", "0"]).contains("epochs"));
    let lr = fail(&["--lr", "-1"]);
    assert!(lr.contains("lr"), "{lr}");
    assert!(fail(&["--weights", "w.pth"]).contains("--new"));
    assert!(fail(&["--train", "trian"]).contains("trian"));
    let named = shell::fail(shell::tkmia().args(["train", "--root", ".", "--new", "vgg16"]));
    assert!(named.contains("vgg16") && named.contains("resnet18"), "{named}");
    let wgpu = fail(&["--device", "wgpu"]);
    assert!(wgpu.contains("wgpu") && wgpu.contains("NaN"), "{wgpu}");
    assert!(!output.exists(), "nothing is left");
}

/// As [`train`], with all settings from a file.
fn configured(config: &Path, output: &Path) -> Command {
    let mut command = shell::tkmia();
    command.arg("train").arg("--root").arg(shell::repository("assets/mini-voc/VOC2012"));
    command.args(["--new", "resnet18", "--width", "2"]).arg("--config").arg(config);
    command.arg("--output").arg(output);
    command
}

#[test]
fn settings_come_from_a_file_and_flags_count_more() {
    let folder = tempfile::tempdir().unwrap();
    let [config, plain, same, adversarial] =
        ["c.toml", "plain", "same", "adversarial"].map(|name| folder.path().join(name));
    let weights = |output: &Path| fs::read(output.join("last.safetensors")).unwrap();
    let settings = "input-size = 32\noptimiser = \"adam\"\nlr = 1e-3\nepochs = 1\n";
    shell::run(train(&plain).args(["--epochs", "1", "--loss", "asl"]));
    fs::write(&config, format!("{settings}loss = \"bce\"\nseed = 9\n")).unwrap();
    shell::run(configured(&config, &same).args(["--loss", "asl", "--seed", "0"]));
    assert_eq!(weights(&plain), weights(&same));

    // Examples make another network, the same one each time, and one that was trained without them doesn't go on with them.
    let attack = "[examples.attack]\noptimiser = \"pgd\"\nradius = 0.5\nmax-iterations = 2\n";
    fs::write(&config, format!("{settings}[examples]\nk = 2\nbeside = false\n{attack}")).unwrap();
    shell::run(&mut configured(&config, &adversarial));
    assert!(weights(&adversarial) != weights(&plain));
    let error = shell::fail(&mut configured(&config, &same));
    assert!(error.contains("examples"), "{error}");

    for (text, says) in [
        ("epoch = 3\n", "unknown field `epoch`"),
        ("augment = \"voc\"\n", "unknown recipe `voc`"),
        ("[examples]\nk = 0\n", "k of examples: expected 1 at least"),
        ("[examples]\nrange = 1\n", "unknown field `range`"),
        ("[examples.attack]\nname = \"kfool\"\nlr = 1.0\n", "kfool (corrected) has no `lr`"),
        ("[examples.attack]\nname = \"kuap\"\nradius = 1.0\n", "attack of examples"),
    ] {
        fs::write(&config, text).unwrap();
        let error = shell::fail(&mut configured(&config, &folder.path().join("none")));
        assert!(error.contains(says), "{error}");
        assert!(!folder.path().join("none").exists());
    }
    let error = shell::fail(&mut configured(&folder.path().join("no.toml"), &plain));
    assert!(error.contains("no.toml: can't be read"), "{error}");
}

#[test]
fn a_network_is_hardened_and_what_that_did_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let [plain, hardened] = ["plain", "hardened"].map(|name| folder.path().join(name));
    shell::run(train(&plain).args(["--epochs", "2"]));
    let harden = || {
        let mut command = shell::tkmia();
        command.arg("harden").arg(plain.join("last.safetensors")).args(["--k", "2"]);
        command.arg("--root").arg(shell::repository("assets/mini-voc/VOC2012"));
        command.args([
            "--input-size",
            "32",
            "--optimiser",
            "adam",
            "--lr",
            "1e-3",
            "--epochs",
            "1",
        ]);
        command.args(["--minutes", "0.02"]).arg("--output").arg(&hardened);
        command
    };
    let says = shell::run(&mut harden());
    assert!(
        says.contains("times as large as before") && says.contains("mAP by instance"),
        "{says}"
    );
    let json = fs::read(hardened.join("hardening.json")).unwrap();
    let found: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let labels = found["labels"].as_array().unwrap();
    let pairs = labels.iter().map(|label| label[1]["pairs"].as_u64().unwrap());
    assert_eq!(pairs.sum::<u64>(), found["pairs"].as_u64().unwrap());
    let map = |when: &str| found[when]["map_instance"].as_f64().unwrap();
    // The network before is the one that was given, not what training has made of it.
    let curve = fs::read_to_string(plain.join("curve.csv")).unwrap();
    let before: f64 = curve.lines().last().unwrap().split(',').nth(5).unwrap().parse().unwrap();
    assert!((map("before") - before).abs() < 1e-9, "{} {before}", map("before"));
    let rise = found["map_instance_rise"].as_f64().unwrap();
    assert!((map("after") - map("before") - rise).abs() < 1e-12);
    assert!(
        ["before", "after"].iter().all(|name| hardened.join(name).join("audit.html").is_file())
    );
    let weights = |folder: &Path| fs::read(folder.join("last.safetensors")).unwrap();
    assert!(weights(&plain) != weights(&hardened));

    // All is there: the same again.
    shell::run(&mut harden());
    assert_eq!(fs::read(hardened.join("hardening.json")).unwrap(), json);
    let config = folder.path().join("c.toml");
    fs::write(&config, "[examples]\nk = 2\n").unwrap();
    let error = shell::fail(harden().arg("--config").arg(&config));
    assert!(error.contains("[examples] is for tkmia train"), "{error}");
    let error = shell::fail(harden().args(["--reach", "0"]));
    assert!(error.contains("reach of examples: expected a number above 0"), "{error}");
}
