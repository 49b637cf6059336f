//! `tkmia audit` and `compare` on photographs without and with labels: killed, gone on with, refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tkmia_data::{Dataset, Voc2012};

use crate::shell;

const IMAGES: usize = 8;

/// A folder with a few scenes in `photographs`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let photographs = folder.path().join("photographs");
    fs::create_dir(&photographs).unwrap();
    let scenes = shell::repository("assets/mini-voc/VOC2012/JPEGImages");
    for number in 0..IMAGES {
        let name = format!("2012_{number:06}.jpg");
        fs::copy(scenes.join(&name), photographs.join(&name)).unwrap();
    }
    folder
}

/// With the same labels for each, by index.
fn label_all(folder: &Path, labels: &[usize]) {
    let classes: Vec<String> = (0..20).map(|label| format!("label {label}")).collect();
    let flags: Vec<&str> =
        (0..20).map(|label| if labels.contains(&label) { "1" } else { "0" }).collect();
    let mut table = format!("image,{}\n", classes.join(","));
    for number in 0..IMAGES {
        table += &format!("2012_{number:06}.jpg,{}\n", flags.join(","));
    }
    fs::write(folder.join("photographs/labels.csv"), table).unwrap();
}

/// With the labels that the data set has for them.
fn label(folder: &Path) {
    let voc = Voc2012::open(shell::repository("assets/mini-voc/VOC2012"), "train").unwrap();
    let mut table = format!("image,{}\n", voc.classes().join(","));
    for number in 0..IMAGES {
        let id = format!("2012_{number:06}");
        let row = (0..voc.len()).find(|&row| voc.id(row) == id).unwrap();
        let flags = voc.labels().row(row).iter().map(|&flag| u8::from(flag).to_string());
        table += &format!("{id}.jpg,{}\n", flags.collect::<Vec<_>>().join(","));
    }
    fs::write(folder.join("photographs/labels.csv"), table).unwrap();
}

/// An audit whose work doesn't depend on how fast the machine is.
fn begin(output: &Path, k: usize) {
    fs::create_dir_all(output).unwrap();
    let work = json!({
        "k": k, "images": IMAGES, "draws": 2, "iterations": 30, "published": true, "seed": 2023,
    });
    fs::write(output.join("work.json"), work.to_string()).unwrap();
}

fn audit(folder: &Path, output: &Path) -> Command {
    let mut command = shell::tkmia();
    command.arg("audit").arg(shell::victim()).arg("--images").arg(folder.join("photographs"));
    command.arg("--output").arg(output);
    command
}

fn json_of(path: PathBuf) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn an_audit_without_labels_answers_its_questions_and_is_the_same_again() {
    let folder = folder();
    let output = folder.path().join("out");
    begin(&output, 3);
    let told = shell::run(&mut audit(folder.path(), &output));
    for question in ["Which labels", "At what visible cost?", "Would we notice?", "What next?"] {
        assert!(told.contains(question), "{told}");
    }
    let found = json_of(output.join("audit.json"));
    assert_eq!(found["attacked_images"], IMAGES);
    assert!(found["images"].as_str().unwrap().contains("labels by the tagger itself"));
    let attacked: u64 = found["labels"].as_array().unwrap().iter().map(images_of).sum();
    let hidden = found["hidden"].as_array().unwrap();
    assert!(attacked >= IMAGES as u64 && !hidden.is_empty());
    for each in hidden {
        let top = |when: &str| each[when].as_array().unwrap().contains(&each["label"]);
        assert!(top("before") && !top("after"), "{each}");
    }
    let page = fs::read_to_string(output.join("audit.html")).unwrap();
    assert!(page.contains("Risk by label") && page.contains("data:image/png;base64,"));
    assert!(!page.contains("So far"));

    let before = fs::read(output.join("audit.json")).unwrap();
    shell::run(&mut audit(folder.path(), &output));
    assert_eq!(fs::read(output.join("audit.json")).unwrap(), before);
    assert_eq!(fs::read_to_string(output.join("audit.html")).unwrap(), page);

    let mut same = shell::tkmia();
    same.arg("compare").arg(&output).arg(&output);
    assert!(shell::run(&mut same).contains("It can't be said"));
    let compared: Value = serde_json::from_str(&shell::run(same.arg("--json"))).unwrap();
    assert_eq!((&compared["ratio"], &compared["harder"]), (&json!(1.0), &json!(0.0)));
    assert_eq!(compared["pairs"].as_u64().unwrap(), attacked);
}

fn images_of(label: &Value) -> u64 {
    label[1]["images"].as_u64().unwrap()
}

#[test]
fn a_figure_below_its_limit_fails_with_a_status_and_a_finding() {
    let folder = folder();
    label(folder.path());
    let output = folder.path().join("out");
    begin(&output, 1);
    let sarif = |limit: &str, status: i32| -> Vec<Value> {
        let run = audit(folder.path(), &output).args(["--fail-under", limit]).output().unwrap();
        assert_eq!(run.status.code(), Some(status), "{run:?}");
        let sarif = json_of(output.join("audit.sarif"));
        assert_eq!(sarif["version"], "2.1.0");
        let results = sarif["runs"][0]["results"].as_array().unwrap().iter();
        results.filter(|result| result["ruleId"] == "limit").cloned().collect()
    };
    let undercut = sarif("median-rms=255", 3);
    assert_eq!(undercut[0]["level"], "error");
    assert!(sarif("median-norm=0", 0).is_empty());
    let found = json_of(output.join("audit.json"));
    assert!(!found["images"].as_str().unwrap().contains("by the tagger"));
    assert!(found["published"].is_array());
}

#[test]
fn a_data_set_is_audited_with_its_own_labels() {
    let folder = tempfile::tempdir().unwrap();
    begin(folder.path(), 1);
    let mut command = shell::tkmia();
    let root = shell::repository("assets/mini-voc/VOC2012");
    command.arg("audit").arg(shell::victim()).arg("--images").arg(root);
    command.args(["--kind", "voc-2012", "--output"]).arg(folder.path());
    shell::run(&mut command);
    let found = json_of(folder.path().join("audit.json"));
    assert_eq!(found["attacked_images"], IMAGES);
    assert!(found["images"].as_str().unwrap().starts_with("VOC 2012, val, 300 images"), "{found}");
}

#[test]
fn a_labelled_photograph_that_cannot_be_decoded_is_named_and_the_others_are_attacked() {
    let folder = folder();
    label_all(folder.path(), &(0..20).collect::<Vec<_>>());
    fs::write(folder.path().join("photographs/2012_000003.jpg"), "no image").unwrap();
    let output = folder.path().join("out");
    begin(&output, 1);
    let audited = audit(folder.path(), &output).output().unwrap();
    let warned = String::from_utf8_lossy(&audited.stderr);
    assert!(warned.contains("2012_000003.jpg: expected a whole JPEG or PNG image: "), "{warned}");
    let says = String::from_utf8_lossy(&audited.stdout);
    assert_eq!(audited.status.code(), Some(1), "{says}");
    assert!(says.contains("not attacked: 2012_000003.jpg can't be decoded\n"), "{says}");
    let found = json_of(output.join("audit.json"));
    assert_eq!(found["undecodable"], json!(["2012_000003.jpg"]));
    assert_eq!((&found["lost"], &found["attacked_images"]), (&json!([]), &json!(IMAGES - 1)));
    let page = fs::read_to_string(output.join("audit.html")).unwrap();
    assert!(page.contains("<dt>images that can't be decoded</dt><dd>2012_000003.jpg</dd>"));
    let report = fs::read_to_string(output.join("report/report.md")).unwrap();
    assert!(
        report.contains("Images that can't be decoded, of which nothing is known: 2012\\_000003"),
        "{report}"
    );
}

#[test]
fn an_audit_that_is_killed_goes_on_to_the_same_end() {
    let folder = folder();
    let [whole, killed] = ["whole", "killed"].map(|name| folder.path().join(name));
    for output in [&whole, &killed] {
        begin(output, 2);
    }
    shell::run(&mut audit(folder.path(), &whole));
    let mut child = audit(folder.path(), &killed).stderr(Stdio::null()).spawn().unwrap();
    let records = killed.join("records.jsonl");
    while !records.exists() && child.try_wait().unwrap().is_none() {
        sleep(Duration::from_millis(1));
    }
    let _ = child.kill();
    child.wait().unwrap();
    shell::run(&mut audit(folder.path(), &killed));
    let [a, b] = [&whole, &killed].map(|output| json_of(output.join("audit.json")));
    assert_eq!(a, b);
}

#[test]
fn a_photograph_that_cannot_be_decoded_takes_no_part_and_is_named() {
    let folder = folder();
    let output = folder.path().join("out");
    fs::write(folder.path().join("photographs/2012_000003.jpg"), "no image").unwrap();
    let work = json!({
        "k": 3, "images": IMAGES, "draws": 1, "iterations": 2, "published": false, "seed": 2023,
    });
    fs::create_dir_all(&output).unwrap();
    fs::write(output.join("work.json"), work.to_string()).unwrap();
    let audited = audit(folder.path(), &output).output().unwrap();
    let says = String::from_utf8_lossy(&audited.stderr);
    assert!(audited.status.success(), "{says}");
    assert!(says.contains("2012_000003.jpg") && says.contains("it takes no part"), "{says}");
    assert_eq!(json_of(output.join("audit.json"))["attacked_images"], IMAGES - 1);

    // More than there are can't have been planned.
    let work = work.to_string().replace("\"images\":8", "\"images\":18446744073709551615");
    fs::write(output.join("work.json"), work).unwrap();
    let says = shell::fail(&mut audit(folder.path(), &output));
    assert!(
        says.contains("work.json: `images`: expected 1..=8, found 18446744073709551615"),
        "{says}"
    );
}

#[test]
fn where_no_image_can_be_attacked_that_is_said_and_fails() {
    let folder = folder();
    let output = folder.path().join("out");
    for (labels, k, expected) in [
        (
            vec![3, 4],
            "2",
            "takes an image with 3 labels, the most that one has is 2: give a smaller --k",
        ),
        (vec![3], "1", "takes an image with 2 labels, the most that one has is 1\n"),
    ] {
        label_all(folder.path(), &labels);
        let says = shell::fail(audit(folder.path(), &output).args(["--k", k]));
        assert!(says.contains(expected) && !output.exists(), "{says}");
    }
    // Rare ones, which aren't this tagger's first choice.
    label_all(folder.path(), &[2, 16]);
    begin(&output, 1);
    let audited = audit(folder.path(), &output).output().unwrap();
    let says = String::from_utf8_lossy(&audited.stdout);
    assert_eq!(audited.status.code(), Some(1), "{says}");
    assert!(
        says.contains("of those with more than 1 labels none has one in the tagger's top-1"),
        "{says}"
    );
    assert!(!says.contains("resisted"), "{says}");
}

#[test]
fn what_cannot_be_audited_or_compared_is_refused_by_name() {
    let folder = folder();
    let output = folder.path().join("out");
    begin(&output, 3);
    let says = shell::fail(audit(folder.path(), &output).args(["--k", "2"]));
    assert!(says.contains("out: an audit with k = 3 and seed 2023 was begun there"), "{says}");
    fs::write(output.join("work.json"), "{\"k\": 3}").unwrap();
    assert!(shell::fail(&mut audit(folder.path(), &output)).contains("work.json: missing field"));
    let says = shell::fail(audit(folder.path(), &output).args(["--fail-under", "mean=3"]));
    assert!(says.contains("expected median-norm or median-rms=NUMBER, found `mean=3`"), "{says}");

    // What is refused leaves nothing behind that would refuse the next try.
    let fresh = folder.path().join("fresh");
    for (flags, expected) in [
        (["--k", "0"], "k must be at least 1 and below the number of labels (20), found 0"),
        (["--k", "20"], "found 20"),
        (["--minutes", "nan"], "expected a number above 0"),
    ] {
        let says = shell::fail(audit(folder.path(), &fresh).args(flags));
        assert!(says.contains(expected) && !fresh.exists(), "{says}");
    }

    let empty = folder.path().join("empty");
    fs::create_dir_all(empty.join("photographs")).unwrap();
    let says = shell::fail(&mut audit(&empty, &folder.path().join("other")));
    assert!(says.contains("empty/photographs"), "{says}");
    let mut compare = shell::tkmia();
    let says = shell::fail(compare.arg("compare").arg(&empty).arg(&empty));
    assert!(says.contains("empty"), "{says}");
}
