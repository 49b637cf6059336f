//! Attacks on photographs, and arrays through the standard input and output.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use tkmia_data::Dataset;

use crate::shell::{self, Npz};

const K: usize = 2;

fn command(name: &str, input: &Path, output: &Path) -> Command {
    let mut command = shell::tkmia();
    command.arg(name).arg("--model").arg(shell::voc_victim()).args(["--input-size", "64"]);
    command.arg("--input").arg(input).arg("--output").arg(output);
    command
}

/// The same with `k`.
fn attack(input: &Path, output: &Path) -> Command {
    let mut command = command("attack", input, output);
    command.args(["--k", &K.to_string()]);
    command
}

/// The names of an output's photographs, which NumPy would read.
fn names(output: &Path) -> Vec<String> {
    let mut archive = zip::ZipArchive::new(File::open(output).unwrap()).unwrap();
    let mut bytes = Vec::new();
    std::io::copy(&mut archive.by_name("names.npy").unwrap(), &mut bytes).unwrap();
    let size = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8(bytes[10..10 + size].to_vec()).unwrap();
    let (_, descr) = header.split_once("'<U").unwrap();
    let longest: usize = descr.split_once('\'').unwrap().0.parse().unwrap();
    let name = |points: &[u8]| {
        let points =
            points.chunks_exact(4).map(|point| u32::from_le_bytes(point.try_into().unwrap()));
        points.take_while(|&point| point != 0).map(|point| char::from_u32(point).unwrap()).collect()
    };
    bytes[10 + size..].chunks_exact(4 * longest).map(name).collect()
}

/// The labels of the highest scores, the highest first.
fn top(scores: ndarray::ArrayView1<'_, f32>, k: usize) -> Vec<usize> {
    let mut labels: Vec<usize> = (0..scores.len()).collect();
    labels.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    labels.truncate(k);
    labels
}

#[test]
fn a_label_of_photographs_is_hidden_and_pictures_show_it_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("photographs")).unwrap();
    shell::photographs(&path("photographs"), 12);
    let run = attack(&path("photographs"), &path("out.npz"))
        .args(["--specified", "Person", "--variant", "min-norm", "--max-iterations", "30"])
        .arg("--pictures")
        .arg(path("attacked"))
        .output()
        .unwrap();
    let says = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{says}");

    let voc = shell::voc();
    let person = voc.classes().iter().position(|class| class == "person").unwrap();
    let (with, without): (Vec<usize>, Vec<usize>) =
        (0..12).partition(|&row| voc.labels().row(row)[person]);
    assert!(!with.is_empty() && !without.is_empty());
    let name = |row: &usize| format!("{}.jpg", voc.id(*row));
    let names = names(&path("out.npz"));
    assert_eq!(names, with.iter().map(name).collect::<Vec<_>>());
    assert!(says.contains("left out: ") && says.contains(&name(&without[0])), "{says}");

    // As a file has them.
    shell::run(&mut command("scores", &path("attacked"), &path("scores.npz")));
    let scores = Npz::open(&path("scores.npz")).matrix("scores");
    let mut out = Npz::open(&path("out.npz"));
    let kept = out.vector::<u8>("success_rounded");
    assert!(kept.iter().any(|&kept| kept == 1), "{kept}");
    let pictures = self::names(&path("scores.npz"));
    for (row, name) in names.iter().enumerate() {
        let at = pictures.iter().position(|picture| *picture == format!("{name}.png")).unwrap();
        if kept[row] == 1 {
            assert!(!top(scores.row(at), K).contains(&person), "{name}");
        }
    }
}

#[test]
fn without_labels_the_networks_own_are_taken_and_the_surest_is_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    shell::photographs(folder.path(), 3);
    let photograph = path(&format!("{}.jpg", shell::voc().id(2)));
    let says = shell::run(&mut attack(&photograph, &path("out.npz")));
    assert!(says.contains("1 of 1 images succeeded"), "{says}");
    let mut out = Npz::open(&path("out.npz"));
    let best = top(out.matrix("clean_scores").row(0), 1);
    assert!(!top(out.matrix("scores").row(0), K).contains(&best[0]));

    // The same as the only photograph of a folder that has no labels.
    fs::create_dir(path("alone")).unwrap();
    fs::copy(&photograph, path("alone/one.jpg")).unwrap();
    shell::run(&mut attack(&path("alone"), &path("alone.npz")));
    let mut alone = Npz::open(&path("alone.npz"));
    assert_eq!(alone.images("adversarial"), out.images("adversarial"));
    assert_eq!(names(&path("alone.npz")), ["one.jpg"]);

    // And one of those that a table labels, elsewhere than in their folder.
    fs::copy(path("labels.csv"), path("alone/tags.csv")).unwrap();
    let mut labelled = attack(&photograph, &path("labelled.npz"));
    shell::run(labelled.arg("--labels").arg(path("alone/tags.csv")));
    assert_eq!(names(&path("labelled.npz")).len(), 1);
}

#[test]
fn a_photograph_that_cannot_be_decoded_is_named_and_the_others_are_attacked() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for labelled in [true, false] {
        shell::photographs(folder.path(), 3);
        if !labelled {
            fs::remove_file(path("labels.csv")).unwrap();
        }
        let ids = [0, 1, 2].map(|row| format!("{}.jpg", shell::voc().id(row)));
        fs::write(path(&ids[1]), "no photograph").unwrap();
        let run = attack(folder.path(), &path("out.npz")).output().unwrap();
        let says = String::from_utf8_lossy(&run.stdout).into_owned();
        assert_eq!(run.status.code(), Some(1), "{says}");
        assert!(says.contains("of 2 images succeeded"), "{says}");
        let broken = format!("{}: expected a whole JPEG or PNG image", path(&ids[1]).display());
        assert!(says.contains(&format!("not attacked: {broken}")), "{says}");
        assert_eq!(names(&path("out.npz")), [&*ids[0], &*ids[2]]);
    }
}

#[test]
fn what_does_not_go_with_photographs_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let recorded = shell::golden("tkmia-corrected-k3", "input.npz");
    let mut command = attack(&recorded, &path("out.npz"));
    let says = shell::fail(command.args(["--specified", "person"]));
    assert!(says.contains("--specified: that is for photographs") && says.contains("input.npz"));
    let says = shell::fail(&mut attack(&path("none.jpg"), &path("out.npz")));
    assert!(says.contains("none.jpg: can't be read, expected a JPEG or PNG image"), "{says}");
    shell::photographs(folder.path(), 2);
    let says = shell::fail(attack(folder.path(), &path("out.npz")).args(["--specified", "bird"]));
    let refused = "expected a photograph with a label that is specified (bird), found none";
    assert!(says.contains(refused), "{says}");
    let says =
        shell::fail(attack(folder.path(), &path("out.npz")).args(["--specified", "unicorn"]));
    assert!(says.contains("`unicorn`"), "{says}");
    let says =
        shell::fail(attack(folder.path(), &path("out.npz")).arg("--pictures").arg(folder.path()));
    assert!(says.contains("would overwrite it"), "{says}");
}

#[test]
fn arrays_come_through_the_standard_input_and_go_through_the_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let input = shell::golden("tkmia-corrected-k3", "input.npz");
    let arguments = ["--k", "3", "--max-iterations", "3"];
    let summary = shell::run(shell::attack(&input, &path("out.npz")).args(arguments));
    let piped_to = |output: &str, bytes: &Path| {
        let mut command = shell::attack(Path::new("-"), Path::new(output));
        command.args(arguments).stdin(File::open(bytes).unwrap());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
    };
    let piped = |bytes: &Path| piped_to("-", bytes);
    for run in [piped(&input), piped_to("/dev/stdout", &input)] {
        assert!(run.status.success(), "{run:?}");
        assert!(run.stdout == fs::read(path("out.npz")).unwrap());
        assert!(String::from_utf8_lossy(&run.stderr).contains(summary.trim()));
    }
    fs::write(path("text"), "hello").unwrap();
    let says = String::from_utf8(piped(&path("text")).stderr).unwrap();
    assert!(says.contains("error: standard input: expected an npz file"), "{says}");

    let scores = fs::read(path("out.npz")).unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(scores)).unwrap();
    let [mut npy, mut labels] =
        ["scores.npy", "labels.npy"].map(|name| File::create(path(name)).unwrap());
    std::io::copy(&mut archive.by_name("scores.npy").unwrap(), &mut npy).unwrap();
    let mut archive = zip::ZipArchive::new(File::open(&input).unwrap()).unwrap();
    std::io::copy(&mut archive.by_name("labels.npy").unwrap(), &mut labels).unwrap();
    let metrics = |scores: &str| {
        let mut command = shell::tkmia();
        command.args(["metrics", "--json", "--k", "3", "--scores", scores]).arg("--labels");
        command.arg(path("labels.npy")).stdin(File::open(path("scores.npy")).unwrap());
        shell::run(&mut command)
    };
    assert_eq!(metrics("-"), metrics(path("scores.npy").to_str().unwrap()));
}
