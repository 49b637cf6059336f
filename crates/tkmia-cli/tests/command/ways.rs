//! Whether images are seen as the network wants to: what `inspect` says, and before what commands warn.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use ndarray::{Array2, Array4};
use ndarray_npy::NpzWriter;
use tkmia_core::{Bounds, device};
use tkmia_data::{Dataset, Resize, Transform, load_batch};

use crate::shell;

/// The same as an input of attacks, in a range.
fn input(path: &Path, count: usize, bounds: Bounds) {
    let voc = shell::voc();
    let rows: Vec<usize> = (0..count).collect();
    let transform = Transform { resize: Resize::short_side(64), bounds };
    let images = load_batch(&voc, &rows, &transform, &device("cpu").unwrap()).unwrap();
    let images = images.try_to_vec_as::<f32>().unwrap();
    let flags = |only_first: bool| {
        Array2::from_shape_fn((count, 20), |(row, label)| {
            let labels = voc.labels().indices(row);
            if only_first { labels[0] == label } else { labels.contains(&label) }
        })
    };
    let mut npz = NpzWriter::new(File::create(path).unwrap());
    npz.add_array("images", &Array4::from_shape_vec((count, 3, 64, 64), images).unwrap()).unwrap();
    npz.add_array("labels", &flags(false)).unwrap();
    npz.add_array("specified", &flags(true)).unwrap();
    npz.finish().unwrap();
}

/// What a command that must succeed says on the standard error.
fn says(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let says = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{says}");
    says
}

#[test]
fn scores_and_labels_of_photographs_speak_for_the_victims_own_range() {
    let folder = tempfile::tempdir().unwrap();
    shell::photographs(folder.path(), 40);
    let inspect = |arguments: &[&str]| {
        let mut command = shell::tkmia();
        command.arg("inspect").arg(shell::voc_victim()).args(["--input-size", "64", "--images"]);
        shell::run(command.arg(folder.path()).args(arguments))
    };
    let right = inspect(&[]);
    assert!(right.contains("mAP speaks for the first, as images are seen now\n"), "{right}");
    assert!(right.contains("prominence speaks for the first, as images are seen now"), "{right}");
    let wrong = inspect(&["--range", "0..255", "--channels", "bgr"]);
    assert!(wrong.contains("mAP speaks for --range -1..1\n"), "{wrong}");
    assert!(wrong.contains("prominence speaks for --range -1..1"), "{wrong}");

    let json: serde_json::Value =
        serde_json::from_str(&inspect(&["--range", "0..1", "--json"])).unwrap();
    let ways = json["ways"].as_array().unwrap();
    assert_eq!((ways.len(), &ways[0]["likely"]), (8, &false.into()));
    assert_eq!(json["sees"]["range"], "0..1");

    // Without labels the scores alone.
    fs::remove_file(folder.path().join("labels.csv")).unwrap();
    let without = inspect(&["--range", "0..255"]);
    assert!(!without.contains("mAP") && without.contains("prominence speaks for"), "{without}");

    fs::write(folder.path().join("other.csv"), "image,cat\n2012_250000.jpg,1\n").unwrap();
    let mut command = shell::tkmia();
    command.arg("inspect").arg(shell::voc_victim()).args(["--input-size", "64", "--images"]);
    command.arg(folder.path()).arg("--labels").arg(folder.path().join("other.csv"));
    let refused = shell::fail(&mut command);
    assert!(refused.contains("has 1 labels, the classifier gives 20 scores"), "{refused}");
}

#[test]
fn an_attack_warns_of_images_that_are_not_seen_as_their_labels_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let attack = |range: &[&str]| {
        let mut command = shell::tkmia();
        command
            .args(["attack", "--k", "2", "--max-iterations", "2", "--model"])
            .arg(shell::voc_victim());
        command.arg("--input").arg(path("in.npz")).arg("--output").arg(path("out.npz"));
        command.args(range);
        command
    };
    input(&path("in.npz"), 12, Bounds::SYMMETRIC);
    let quiet = says(&mut attack(&[]));
    assert!(!quiet.contains("warning"), "{quiet}");
    input(&path("in.npz"), 12, Bounds::UNIT);
    let dark = says(&mut attack(&[]));
    assert!(
        dark.contains("array `images`: all values are within 0..1, and the network's are -1..1"),
        "{dark}"
    );
    let wrong = says(&mut attack(&["--range", "0..1"]));
    assert!(wrong.contains("warning: the labels of 12 images speak for --range -1..1"), "{wrong}");
    let right = ["--range", "0..1", "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5"];
    let right = says(&mut attack(&right));
    assert!(!right.contains("warning"), "{right}");

    let byte = Bounds { low: 0.0, high: 255.0 };
    input(&path("in.npz"), 12, byte);
    let refused = shell::fail(&mut attack(&[]));
    assert!(refused.contains("expected values in [-1, 1], found"), "{refused}");
    assert!(refused.contains("(all are within 0..255)"), "{refused}");
}

#[test]
fn norms_are_told_in_pixels_whatever_the_range() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (bounds, range) in [
        (Bounds::SYMMETRIC, &["--range", "-1..1"][..]),
        (
            Bounds { low: 0.0, high: 255.0 },
            &["--range", "0..255", "--mean", "127.5,127.5,127.5", "--std", "127.5,127.5,127.5"],
        ),
    ] {
        input(&path("in.npz"), 12, bounds);
        let mut command = shell::tkmia();
        command
            .args(["attack", "--k", "1", "--max-iterations", "3", "--model"])
            .arg(shell::voc_victim());
        command.arg("--input").arg(path("in.npz")).arg("--output").arg(path("out.npz"));
        shell::run(command.args(range));
        let mut npz = shell::Npz::open(&path("out.npz"));
        let mut norm = |name: &str| npz.vector::<f32>(name).sum();
        let (input, pixels, unit) = (norm("norm_input"), norm("norm_pixels"), norm("norm_unit"));
        let per_unit = bounds.pixels_per_unit() as f32;
        assert!(
            input > 0.0 && (pixels - input * per_unit).abs() < 1e-3 * pixels,
            "{input} {pixels}"
        );
        assert!((unit - pixels / 255.0).abs() < 1e-4 * unit, "{unit} {pixels}");
    }
}

#[test]
fn what_an_experiment_says_of_its_victim_is_seen_warned_of_and_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let text = |victim: &str| {
        format!(
            "title = 'T'\n[victim]\nmodel = '{}'\ntrained-on = 'other'\ninput-size = 64\n{victim}\n[data]\nkind = 'voc-2012'\n\
             root = '{}'\nsplit = 'val'\n[budget]\nsamples = 2\n[[table]]\nscheme = 'global'\ntypes = ['Person']\nk = [1]\n\
             max-iterations = 2\n[[method]]\nname = 'tkmia'\n",
            self::shell::voc_victim().display(),
            shell::repository("assets/mini-voc/VOC2012").display()
        )
    };
    let run = |victim: &str, output: &str, arguments: &[&str]| {
        fs::write(folder.path().join("e.toml"), text(victim)).unwrap();
        let mut command = shell::tkmia();
        command.arg("run").arg(folder.path().join("e.toml")).args(arguments);
        command.arg("--output").arg(folder.path().join(output));
        command
    };
    let wrong = says(&mut run("range = '0..1'\nchannels = 'bgr'", "wrong", &[]));
    assert!(wrong.contains("warning: the labels of 16 images speak for --range -1..1"), "{wrong}");
    // The same by flags goes on, another description doesn't.
    let same = says(&mut run("", "wrong", &["--range", "0..1", "--channels", "bgr"]));
    assert!(!same.contains("warning"), "{same}");
    let other = shell::fail(&mut run("range = '0..1'", "wrong", &[]));
    assert!(other.contains("input.tagger"), "{other}");
    // The same values, and the same records.
    let plain = "mean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\nrange = '0..1'";
    let quiet = says(&mut run(plain, "right", &[]));
    assert!(!quiet.contains("warning"), "{quiet}");
    let plan = fs::read_to_string(folder.path().join("right/plan.json")).unwrap();
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["inputs"]["input"]["high"], 1.0);
    assert_eq!(plan["inputs"]["input"]["tagger"]["mean"].as_array().unwrap().len(), 3);

    let foreign = shell::fail(&mut run("meen = [0, 0, 0]", "foreign", &[]));
    assert!(foreign.contains("unknown field `meen`"), "{foreign}");
    assert!(foreign.contains("`trained-on`") && foreign.contains("`mean`"), "{foreign}");
}
