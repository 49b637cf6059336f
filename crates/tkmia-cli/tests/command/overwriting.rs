//! No command overwrites what it reads.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::shell::{self, Input};

/// A command that is refused since its output is `input`, which stays as it is.
fn refused(command: &mut Command, input: &Path) {
    let before = fs::read(input).ok();
    let says = shell::fail(command);
    let name = input.file_name().unwrap().to_string_lossy();
    assert!(says.contains("would overwrite it") && says.contains(&*name), "{says}");
    assert_eq!(fs::read(input).ok(), before);
}

#[test]
fn an_attack_writes_to_no_file_that_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let input = path("in.npz");
    Input::read(&shell::golden("tkmia-corrected-k3", "input.npz")).write(&input);
    let attack = |output: &Path| {
        let mut command = shell::attack(&input, output);
        command.args(["--k", "3", "--max-iterations", "1"]);
        command
    };
    refused(&mut attack(&input), &input);
    fs::create_dir(path("below")).unwrap();
    refused(&mut attack(&path("below/../in.npz")), &input);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&input, path("link.npz")).unwrap();
        refused(&mut attack(&path("link.npz")), &input);
        fs::hard_link(&input, path("hard.npz")).unwrap();
        refused(&mut attack(&path("hard.npz")), &input);
    }
    let model = path("model.onnx");
    fs::copy(shell::victim(), &model).unwrap();
    let mut command = shell::tkmia();
    command.arg("attack").arg("--model").arg(&model).arg("--input").arg(&input);
    refused(command.args(["--k", "3"]).arg("--output").arg(&model), &model);
}

#[test]
fn shards_weights_and_data_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for shard in ["one", "two"] {
        fs::create_dir(path(shard)).unwrap();
    }
    let mut merge = shell::tkmia();
    merge.arg("merge").args([path("one"), path("two")]).arg("--output").arg(path("./two"));
    refused(&mut merge, &path("two"));

    let root = shell::repository("assets/mini-voc/VOC2012");
    let train = |weights: &Path, output: &Path| {
        let mut command = shell::tkmia();
        command.arg("train").arg("--root").arg(&root).arg("--weights").arg(weights);
        command.arg("--output").arg(output);
        command
    };
    let weights = path("best.safetensors");
    fs::copy(shell::repository("assets/victims/resnet14-tiny.pth"), &weights).unwrap();
    refused(&mut train(&weights, folder.path()), &weights);
    refused(&mut train(&weights, &root), &root);

    let mut run = shell::tkmia();
    run.arg("reproduce").args(["--table", "15"]).arg("--model").arg(shell::victim());
    refused(run.arg("--root").arg(&root).arg("--output").arg(&root), &root);
}
