//! What is told of images without finite scores and of attacks that can't work. `overflowing/` has a tiny ResNet whose
//! scores are infinite for a white image, and three images, the middle one white.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use ndarray::{Array2, Array4};
use tkmia_core::{Bounds, device};
use tkmia_data::{Folder, Resize, Transform, load_batch};

use crate::shell::{self, Input, Npz};

fn overflowing(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/overflowing").join(name)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn write_input(path: &Path) {
    let folder = Folder::open(overflowing("images")).unwrap();
    let transform = Transform { resize: Resize::square(32), bounds: Bounds::SYMMETRIC };
    let images = load_batch(&folder, &[0, 1, 2], &transform, &device("cpu").unwrap());
    let images: Vec<f32> = images.unwrap().into_data().try_to_vec().unwrap();
    let images = Array4::from_shape_vec([3, 3, 32, 32], images).unwrap();
    let rows = |row: [u8; 6]| Array2::from_shape_fn([3, 6], |(_, label)| row[label]);
    Input { images, labels: rows([1, 1, 0, 0, 0, 1]), specified: rows([1, 0, 0, 0, 0, 0]) }
        .write(path);
}

#[test]
fn an_image_without_finite_scores_is_named_and_the_others_are_attacked() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.npz"), folder.path().join("out.npz"));
    write_input(&input);
    for batch_size in ["1", "3"] {
        let mut command = shell::tkmia();
        command.arg("attack").arg("--model").arg(overflowing("model.onnx"));
        command.args(["--k", "1", "--max-iterations", "3", "--batch-size", batch_size]);
        let ended =
            command.arg("--input").arg(&input).arg("--output").arg(&output).output().unwrap();
        let says = text(&ended);
        assert_eq!(ended.status.code(), Some(1), "{says}");
        assert!(
            says.contains("not attacked: the score of label 0 isn't finite (rows 1)"),
            "{says}"
        );
        let mut npz = Npz::open(&output);
        let scores = npz.matrix("scores");
        let is_finite = scores.outer_iter().map(|row| row.iter().all(|score| score.is_finite()));
        assert_eq!(is_finite.collect::<Vec<_>>(), [true, false, true]);
        let norms = npz.vector::<f32>("norm_input");
        assert!(norms[0] > 0.0 && norms[1] == 0.0 && norms[2] > 0.0, "{norms}");
        assert_eq!(npz.vector::<u8>("success")[1], 0);
    }
}

#[test]
fn an_experiment_goes_on_without_the_image_and_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = format!(
        r#"
        title = "A white image"
        output = "out"
        victim.model = '{}'
        data = {{ kind = "folder", root = '{}' }}
        budget.samples = 4
        [[table]]
        scheme = "global"
        types = ["cat"]
        k = [1]
        max-iterations = 3
        [[method]]
        name = "tkmia"
        "#,
        overflowing("model.onnx").display(),
        overflowing("images").display()
    );
    fs::write(folder.path().join("experiment.toml"), experiment).unwrap();
    // Once more with nothing left to do.
    for _ in 0..2 {
        let mut command = shell::tkmia();
        let ended = command.current_dir(&folder).args(["run", "experiment.toml"]).output().unwrap();
        let says = text(&ended);
        assert_eq!(ended.status.code(), Some(1), "{says}");
        assert!(says.contains("not attacked: a score of 1.png isn't finite"), "{says}");
        let records = fs::read_to_string(folder.path().join("out/records.jsonl")).unwrap();
        assert!(
            records.contains("0.png") && records.contains("2.png") && !records.contains("1.png")
        );
        assert!(folder.path().join("out/report/index.html").exists());
    }
}

#[test]
fn an_audit_names_the_images_that_it_could_not_attack() {
    let folder = tempfile::tempdir().unwrap();
    let (images, output) = (folder.path().join("images"), folder.path().join("out"));
    fs::create_dir(&images).unwrap();
    for number in 0..3 {
        let name = format!("{number}.png");
        fs::copy(overflowing("images").join(&name), images.join(&name)).unwrap();
    }
    fs::copy(overflowing("images/labels.csv"), images.join("labels.csv")).unwrap();
    let mut command = shell::tkmia();
    command.arg("audit").arg(overflowing("model.onnx")).arg("--images").arg(&images);
    let ended = command.args(["--minutes", "0.1", "-o"]).arg(&output).output().unwrap();
    let says = text(&ended);
    assert_eq!(ended.status.code(), Some(1), "{says}");
    assert!(says.contains("not attacked: a score of 1.png isn't finite"), "{says}");
    let found = fs::read_to_string(output.join("audit.json")).unwrap();
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!((&found["lost"][0], &found["attacked_images"]), (&"1.png".into(), &2.into()));
    let page = fs::read_to_string(output.join("audit.html")).unwrap();
    assert!(page.contains("finite</dt><dd>1.png</dd>"));
}

#[test]
fn a_delta_that_no_row_can_have_is_refused_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.npz"), folder.path().join("out.npz"));
    write_input(&input);
    let says = shell::fail(
        shell::tkmia()
            .arg("attack")
            .arg("--model")
            .arg(overflowing("model.onnx"))
            .args(["--k", "1", "--delta", "2", "--max-iterations", "1000000000"])
            .arg("--input")
            .arg(&input)
            .arg("--output")
            .arg(&output),
    );
    assert!(
        says.contains("in.npz, array `specified`") && says.contains("δ must be in 1..=1"),
        "{says}"
    );
    assert!(!output.exists());
}

#[test]
fn an_active_test_passes_an_attack_that_works_and_fails_one_that_gives_up() {
    let input = shell::golden("tkmia-corrected-k3", "input.npz");
    let check = |arguments: &[&str]| {
        let mut command = shell::tkmia();
        command.arg("check-attack").arg("--model").arg(shell::victim()).arg("--input").arg(&input);
        let ended = command.args(["--k", "3"]).args(arguments).output().unwrap();
        (ended.status.code(), text(&ended))
    };
    let (status, says) = check(&["--optimiser", "auto-pgd", "--radius", "1"]);
    assert!(status == Some(0) && says.contains("passed"), "{says}");
    let (status, says) = check(&["--within", "1", "--lr", "1e-9", "--max-iterations", "3"]);
    assert!(
        status == Some(1) && says.contains("not found: rows 0") && says.contains("failed"),
        "{says}"
    );
    let (status, says) = check(&["--optimiser", "auto-pgd", "--norm", "linf", "--radius", "0.02"]);
    assert!(status == Some(0) && says.contains("within linf 0.02"), "{says}");
    let (status, says) = check(&["--lr", "0.01"]);
    assert!(status == Some(1) && says.contains("--within is needed"), "{says}");
    let (status, says) = check(&["--lr", "0.01", "--within", "-1"]);
    assert!(
        status == Some(1) && says.contains("--within must be a number above 0, found -1"),
        "{says}"
    );
}
