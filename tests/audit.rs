//! An audit from files to files, on mini-VOC.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tkmia::attacks::{Settings, SpecifiedOut, Variant};
use tkmia::core::{Classifier, device};
use tkmia::data::{Folder, Resize, Transform, Voc2012};
use tkmia::eval::{
    Audit, Contender, EvalError, Findings, Progress, Record, Summary, Victim, Workers,
};
use tkmia::models::{ResNet, load};

fn asset(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(path)
}

const TYPES: [&str; 2] = ["Person", " animals"];

fn victim() -> ResNet {
    load(asset("victims/resnet50-mini-voc.onnx"), &device("cpu").unwrap()).unwrap()
}

/// A setting of at most six samples for each type, attacked for at most 40 iterations.
fn audit(
    classifier: &ResNet,
    types: [&str; 2],
    workers: Workers<'_>,
    output: &Path,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Findings, EvalError> {
    let voc = Voc2012::open(asset("mini-voc/VOC2012"), "val").unwrap();
    let transform = Transform { resize: Resize::ShortSide(64), bounds: classifier.bounds() };
    let settings =
        Settings { variant: Variant::Released, max_iterations: 40, ..Settings::default() };
    let attack = settings.init(classifier.bounds()).unwrap();
    let audit = Audit {
        victim: Victim::new(classifier, &voc, &transform)?,
        method: Contender {
            name: "TkMIA (released)",
            attack: attack.as_ref(),
            criterion: &SpecifiedOut::default(),
            targets: None,
        },
        types: &types.map(str::to_owned),
        ks: &[2],
        samples: 6,
        workers,
        output,
    };
    let findings = audit.run(&audit.clean(progress)?, progress)?;
    audit.report(&findings, 2)?;
    Ok(findings)
}

fn without_times(records: &[Record]) -> Vec<Record> {
    records.iter().map(|record| Record { seconds: 0.0, ..record.clone() }).collect()
}

fn read(path: &Path) -> Vec<Record> {
    let lines = fs::read_to_string(path).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn results_are_written_whole_and_are_the_same_for_any_cut_of_the_work() {
    let classifier = victim();
    let stop = AtomicBool::new(false);
    let mut all = Vec::new();
    for (count, batch_size) in [(1, 32), (2, 3), (3, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let workers = Workers { count, batch_size, stop: &stop };
        let findings = audit(&classifier, TYPES, workers, folder.path(), &|_| {}).unwrap();
        assert_eq!((findings.records.len(), findings.samples_planned()), (12, 12));
        assert!(findings.records == read(&folder.path().join("records.jsonl")));
        let mut files: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!(files, ["figure.png", "records.jsonl", "table.csv", "table.md"]);
        all.push(without_times(&findings.records));
    }
    assert!(all[0] == all[1]);
    assert!(all[0] == all[2]);

    let rows = Summary::of(&all[0]).unwrap();
    assert_eq!(rows.iter().map(|row| row.n).collect::<Vec<_>>(), [6, 6]);
    for row in rows {
        // Every image that succeeded has lost all specified labels that it had in its top-k.
        assert!(row.success_rate > 0.0 && row.delta_l > 0.0, "{row:?}");
        assert!(row.aper_own.unwrap() > row.aper_input.unwrap(), "tanh space is the wider one");
        let pixels = row.aper_pixels.unwrap() / row.aper_input.unwrap();
        assert!((pixels - 127.5).abs() < 1e-9);
    }
}

#[test]
fn a_stopped_audit_keeps_what_is_done() {
    let classifier = victim();
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let attacking = AtomicBool::new(false);
    let progress = |progress: Progress<'_>| match progress {
        Progress::Attacking(_) => attacking.store(true, Ordering::Relaxed),
        Progress::Done(samples) if attacking.load(Ordering::Relaxed) => {
            let before = done.fetch_add(samples, Ordering::Relaxed);
            stop.store(before + samples >= 3, Ordering::Relaxed);
        }
        _ => {}
    };
    let folder = tempfile::tempdir().unwrap();
    let workers = Workers { count: 1, batch_size: 2, stop: &stop };
    let findings = audit(&classifier, TYPES, workers, folder.path(), &progress).unwrap();
    let finished = findings.records.len();
    assert!((3..=4).contains(&finished), "{finished}");
    assert!(findings.records == read(&folder.path().join("records.jsonl")));
}

#[test]
fn an_audit_stopped_before_any_attack_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(true);
    let workers = Workers { count: 2, batch_size: 8, stop: &stop };
    let error = audit(&victim(), TYPES, workers, folder.path(), &|_| {}).unwrap_err();
    assert!(matches!(error, EvalError::Interrupted { done: 0, of: 300 }));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_setting_that_is_asked_for_twice_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let workers = Workers { count: 1, batch_size: 8, stop: &stop };
    let twice = ["Person", "person"];
    let error = audit(&victim(), twice, workers, folder.path(), &|_| {}).unwrap_err();
    assert_eq!(error.to_string(), "`person` at k = 2 is asked for twice");
}

#[test]
fn a_folder_with_other_labels_than_the_classifier_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let image = asset("mini-voc/VOC2012/JPEGImages/2012_250000.jpg");
    fs::copy(image, folder.path().join("one.jpg")).unwrap();
    fs::write(folder.path().join("labels.csv"), "image,cat,dog\none.jpg,1,0\n").unwrap();
    let data = Folder::open(folder.path()).unwrap();
    let classifier = victim();
    let transform = Transform { resize: Resize::Square(64), bounds: classifier.bounds() };
    let error = Victim::new(&classifier, &data, &transform).unwrap_err();
    assert!(matches!(error, EvalError::LabelCount { data: 2, classifier: 20, .. }));
}
