//! `tkmia scores`, and attacks on networks that aren't ResNets.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use ndarray::{Array2, Array4, Axis};
use ndarray_npy::NpzWriter;

use crate::shell::{self, Npz};

fn network(file: &str) -> PathBuf {
    shell::repository("crates/tkmia-models/tests/golden/networks").join(file)
}

fn apart<'a>(
    found: impl IntoIterator<Item = &'a f32>,
    expected: impl IntoIterator<Item = &'a f32>,
) -> f32 {
    let (difference, size) =
        found.into_iter().zip(expected).fold((0.0, 0.0), |(difference, size), (a, b)| {
            (difference + (a - b) * (a - b), size + b * b)
        });
    (difference / size).sqrt()
}

#[test]
fn scores_and_gradients_are_written_for_any_batch_size() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.npz");
    for size in ["1", "2"] {
        let mut command = shell::tkmia();
        command.args(["scores", "--batch-size", size, "--model"]).arg(network("swin/model.onnx"));
        command.arg("--input").arg(network("swin/case.npz")).arg("--output").arg(&output);
        assert_eq!(shell::run(&mut command), "2 images, 20 scores each\n");
        let (mut found, mut expected) = (Npz::open(&output), Npz::open(&network("swin/case.npz")));
        assert!(apart(&found.matrix("scores"), &expected.matrix("scores")) < 1e-5);
        assert!(apart(&found.images("gradient"), &expected.images("gradient")) < 1e-4);
    }
}

#[test]
fn what_the_file_does_not_say_of_the_images_is_said_by_options() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.npz", "out.npz"].map(|name| folder.path().join(name));
    let mut recorded = Npz::open(&network("swin/case.npz"));
    let (images, cotangent) = (recorded.images("input"), recorded.matrix("cotangent"));
    let mut npz = NpzWriter::new(File::create(&input).unwrap());
    npz.add_array("images", &images.mapv(|value| 255.0 * value)).unwrap();
    npz.add_array("cotangent", &cotangent).unwrap();
    npz.finish().unwrap();
    let command = || {
        let mut command = shell::tkmia();
        command.arg("scores").arg("--model").arg(network("swin/model.onnx"));
        command.arg("--input").arg(&input).arg("--output").arg(&output);
        command
    };
    let says = shell::fail(&mut command());
    assert!(says.contains("array `images`, row 0: expected values in [0, 1], found"), "{says}");
    shell::run(command().args(["--range", "0..255", "--mean", "0,0,0", "--std", "255,255,255"]));
    let mut found = Npz::open(&output);
    assert!(apart(&found.matrix("scores"), &recorded.matrix("scores")) < 1e-5);
    // By the input as it is given.
    let gradient = found.images("gradient").mapv(|value| 255.0 * value);
    assert!(apart(&gradient, &recorded.images("gradient")) < 1e-4);
    let says = shell::fail(command().args(["--range", "1..0"]));
    assert!(says.contains("expected two numbers, as in 0..255"), "{says}");
    let says = shell::fail(command().args(["--mean", "0,0,0"]));
    assert!(says.contains("`std`: expected three numbers beside `mean`"), "{says}");
    let says = shell::fail(command().args(["--channels", "brg"]));
    assert!(says.contains("possible values: rgb, bgr"), "{says}");
}

#[test]
fn a_file_beside_the_network_says_the_same_and_options_count_more() {
    let folder = tempfile::tempdir().unwrap();
    let [model, input, output] =
        ["model.onnx", "in.npz", "out.npz"].map(|name| folder.path().join(name));
    fs::copy(network("swin/model.onnx"), &model).unwrap();
    let mut recorded = Npz::open(&network("swin/case.npz"));
    let expected = recorded.matrix("scores");
    let mut images = recorded.images("input").mapv(|value| 255.0 * value);
    images.invert_axis(Axis(1));
    let mut npz = NpzWriter::new(File::create(&input).unwrap());
    npz.add_array("images", &images).unwrap();
    npz.finish().unwrap();
    let scored = |arguments: &[&str]| {
        let mut command = shell::tkmia();
        command.args(["scores", "--model"]).arg(&model).args(arguments);
        let done =
            command.arg("--input").arg(&input).arg("--output").arg(&output).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        let found = apart(&Npz::open(&output).matrix("scores"), &expected);
        (found, String::from_utf8(done.stderr).unwrap())
    };
    let toml = "range = '0..255'\nmean = [0, 0, 0]\nstd = [255, 255, 255]\nchannels = 'bgr'\n";
    fs::write(folder.path().join("tagger.toml"), toml).unwrap();
    let (found, says) = scored(&[]);
    assert!(found < 1e-5, "{found}");
    let note = "tagger.toml says channels bgr, mean 0,0,0, range 0..255, std 255,255,255\n";
    assert!(says.contains(note), "{says}");
    // What isn't said of the channels is as the file says it, what is said of the range isn't.
    let (found, says) = scored(&["--range", "0..255"]);
    assert!(found > 0.1 && says.contains("tagger.toml says channels bgr\n"), "{found} {says}");
    let (found, _) = scored(&["--channels", "rgb"]);
    assert!(found > 1e-3, "{found}");
    fs::write(folder.path().join("tagger.toml"), "chanels = 'bgr'\n").unwrap();
    let mut command = shell::tkmia();
    let says = shell::fail(command.arg("inspect").arg(&model));
    assert!(
        says.contains(
            "tagger.toml: expected a tagger's description in TOML: TOML parse error at line 1"
        ) && says.contains("unknown field `chanels`, expected one of `range`, `mean`"),
        "{says}"
    );
}

#[test]
fn photographs_are_scored_alone_or_together_but_for_those_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    shell::photographs(folder.path(), 5);
    let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let mut photographs: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "jpg")).collect();
    photographs.sort();
    let output = tempfile::NamedTempFile::new().unwrap();
    let command = |input: &Path, size: &str| {
        let mut command = shell::tkmia();
        command.args(["scores", "--model"]).arg(shell::victim());
        command.args(["--batch-size", size, "--input"]).arg(input);
        command.arg("--output").arg(output.path());
        command
    };
    let alone: Vec<Array2<f32>> = photographs
        .iter()
        .map(|photograph| {
            shell::run(&mut command(photograph, "1"));
            Npz::open(output.path()).matrix("scores")
        })
        .collect();
    fs::write(&photographs[2], "no photograph").unwrap();
    for size in ["1", "3"] {
        let scored = command(folder.path(), size).output().unwrap();
        let says = String::from_utf8(scored.stdout).unwrap();
        assert_eq!(scored.status.code(), Some(1), "{says}");
        assert!(says.starts_with("4 images, 20 scores each\nnot scored: "), "{says}");
        let name = photographs[2].file_name().unwrap().to_str().unwrap();
        assert!(says.contains(name) && says.lines().count() == 2, "{says}");
        let found = Npz::open(output.path()).matrix("scores");
        let whole = [0, 1, 3, 4].map(|at: usize| alone[at].row(0));
        assert!(found.rows().into_iter().eq(whole), "{found}");
    }
    let says = shell::fail(&mut command(&photographs[2], "1"));
    assert!(says.contains(".jpg"), "{says}");
}

#[test]
fn a_cotangent_that_does_not_fit_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.npz");
    let mut npz = NpzWriter::new(File::create(&input).unwrap());
    npz.add_array("input", &Array4::<f32>::zeros([1, 3, 64, 64])).unwrap();
    npz.add_array("cotangent", &Array2::<f32>::zeros([1, 3])).unwrap();
    npz.finish().unwrap();
    let mut command = shell::tkmia();
    command.arg("scores").arg("--model").arg(network("swin/model.onnx"));
    command.arg("--input").arg(&input).arg("--output").arg(folder.path().join("out.npz"));
    let says = shell::fail(&mut command);
    assert!(says.contains("array `cotangent`: expected shape [1, 20]"), "{says}");
}

#[test]
fn a_network_that_is_no_resnet_is_attacked() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.npz", "out.npz"].map(|name| folder.path().join(name));
    let images = Npz::open(&network("shufflenet-sigmoid/case.npz")).images("input");
    let mut labels = Array2::<u8>::zeros([2, 20]);
    let scores = Npz::open(&network("shufflenet-sigmoid/case.npz")).matrix("scores");
    let mut specified = labels.clone();
    for row in 0..2 {
        let mut order: Vec<usize> = (0..20).collect();
        order.sort_by(|&a, &b| scores[[row, b]].total_cmp(&scores[[row, a]]));
        order[..6].iter().for_each(|&label| labels[[row, label]] = 1);
        specified[[row, order[0]]] = 1;
    }
    shell::Input { images, labels, specified }.write(&input);
    let mut command = shell::tkmia();
    command
        .args(["attack", "--k", "3", "--max-iterations", "300", "--model"])
        .arg(network("shufflenet-sigmoid/model.onnx"));
    command.arg("--input").arg(&input).arg("--output").arg(&output);
    let says = shell::run(&mut command);
    assert!(says.contains("2 of 2 images succeeded"), "{says}");
}

#[test]
fn inspect_says_what_a_graph_is() {
    let says =
        shell::run(shell::tkmia().arg("inspect").arg(network("shufflenet-sigmoid/model.onnx")));
    for line in [
        "labels         20\n",
        "input          96×96, values in [0, 1]\n",
        "batch          any\n",
        "scores         logits, what enters the sigmoid at the file's end\n",
    ] {
        assert!(says.contains(line), "{says}");
    }
    let json =
        shell::run(shell::tkmia().args(["inspect", "--json"]).arg(network("swin/model.onnx")));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["classes"], &json["sigmoid"]), (&20.into(), &false.into()));
}
