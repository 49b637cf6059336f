//! An experiment as a value, from files to files, on mini-VOC.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use burn::tensor::Tensor;
use tkmia::attacks::{AttackName, Outcome, Variant};
use tkmia::core::{Classifier, device, in_front_of};
use tkmia::data::{DatasetKind, Folder, Resize, Transform, Voc2012};
use tkmia::experiment::{
    Campaign, DataSpec, Event, Experiment, ExperimentError, MethodSpec, Plan, Reached, Record,
    Selection, TableSpec, Values, Victim, VictimFacts, Workers,
};
use tkmia::models::load;
use tkmia::report::write_report;

fn asset(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(path)
}

const TYPES: [&str; 2] = ["Person", " animals"];

fn victim() -> Box<dyn Classifier> {
    load(asset("victims/resnet50-mini-voc.onnx"), &device("cpu").unwrap()).unwrap()
}

/// A setting of at most six samples for each type, attacked for at most 40 iterations.
fn campaign(
    classifier: &dyn Classifier,
    types: [&str; 2],
    workers: Workers<'_>,
    output: &Path,
    progress: &(dyn Fn(Event<'_>) + Sync),
) -> Result<Reached, ExperimentError> {
    campaign_within(Values::One(40), classifier, types, workers, output, progress)
}

fn campaign_within(
    max_iterations: Values<usize>,
    classifier: &dyn Classifier,
    types: [&str; 2],
    workers: Workers<'_>,
    output: &Path,
    progress: &(dyn Fn(Event<'_>) + Sync),
) -> Result<Reached, ExperimentError> {
    let voc = Voc2012::open(asset("mini-voc/VOC2012"), "val").unwrap();
    let transform = Transform { resize: Resize::short_side(64), bounds: classifier.bounds() };
    let data = DataSpec { name: None, kind: DatasetKind::Voc2012, root: None, split: None };
    let max_iterations = Some(max_iterations);
    let table = TableSpec { max_iterations, ..TableSpec::global(types, &[2]) };
    let method = MethodSpec::new(AttackName::Tkmia).with("variant", Variant::Released);
    let mut experiment = Experiment::new("TkMIA", data, vec![table], vec![method]);
    experiment.budget.samples = 6;
    let facts = VictimFacts { description: "a network".to_owned(), ..VictimFacts::default() };
    let victim = Victim::new(classifier, &voc, &transform)?;
    let reached = Campaign::new(&experiment, victim, &facts, output, workers).run(progress)?;
    write_report(output, 2).unwrap();
    Ok(reached)
}

fn without_times(records: &[Record]) -> Vec<Record> {
    records.iter().map(|record| Record { seconds: 0.0, ..record.clone() }).collect()
}

fn read(folder: &Path) -> Vec<Record> {
    Plan::read(folder).unwrap().read_records(folder).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

#[test]
fn results_are_written_whole_and_are_the_same_for_any_cut_of_the_work() {
    let classifier = victim();
    let stop = AtomicBool::new(false);
    let mut all = Vec::new();
    for (count, batch_size) in [(1, 32), (2, 3), (3, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let workers = Workers { count, batch_size, stop: &stop };
        let reached = campaign(&classifier, TYPES, workers, folder.path(), &|_| {}).unwrap();
        assert_eq!(reached, Reached::Complete { records: 12 });
        assert_eq!(
            names(folder.path()),
            ["images", "lock", "manifests", "plan.json", "records.jsonl", "report"]
        );
        all.push(without_times(&read(folder.path())));
    }
    assert!(all[0] == all[1]);
    assert!(all[0] == all[2]);

    for types in TYPES {
        let types = Selection::Global(types.trim().to_owned());
        let of_setting = |record: &&Record| record.setting.selection == types;
        let records: Vec<&Record> = all[0].iter().filter(of_setting).collect();
        assert_eq!(records.len(), 6);
        // Every image that succeeded has lost all specified labels that it had in its top-k.
        let successes = records.iter().filter(|record| record.success);
        assert!(successes.clone().count() > 0);
        for record in successes {
            assert!(record.excluded > 0, "{record:?}");
            assert!(record.norm > record.norm_input, "tanh space is the wider one");
            assert!((record.norm_pixels / record.norm_input - 127.5).abs() < 1e-9);
        }
    }
}

/// Counts the images that pass.
#[derive(Debug)]
struct Counting<'a>(&'a dyn Classifier, AtomicUsize);

impl Classifier for Counting<'_> {
    in_front_of!(self => self.0; input_size);

    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        self.1.fetch_add(images.dims()[0], Ordering::Relaxed);
        self.0.scores(images)
    }
}

#[test]
fn what_ended_within_a_smaller_budget_is_not_attacked_again() {
    let (victim, stop) = (victim(), AtomicBool::new(false));
    let workers = Workers { count: 1, batch_size: 3, stop: &stop };
    let run = |max_iterations| {
        let folder = tempfile::tempdir().unwrap();
        let classifier = Counting(&victim, AtomicUsize::new(0));
        let attacking = |event: Event<'_>| {
            if matches!(event, Event::Attacking { .. }) {
                classifier.1.store(0, Ordering::Relaxed);
            }
        };
        let output = folder.path();
        campaign_within(max_iterations, &classifier, TYPES, workers, output, &attacking).unwrap();
        let records = without_times(&read(output));
        (records, classifier.1.into_inner(), Plan::read(output).unwrap().inputs.pictures)
    };
    let (both, passes, pictures) = run(Values::Many(vec![5, 20]));
    let [few, many] = [5, 20].map(|most| run(Values::One(most)));
    assert_eq!(both, [&few.0[..], &many.0].concat());
    // Images are kept of the first samples of a setting only, and of both attacks.
    let unpictured = few.0.chunks(6).flat_map(|setting| &setting[pictures..]);
    let (ended, cut): (Vec<&Record>, Vec<&Record>) =
        unpictured.partition(|record| record.outcome == Outcome::Succeeded);
    assert!(!ended.is_empty() && !cut.is_empty(), "{} {}", ended.len(), cut.len());
    let spared: usize = ended.iter().map(|record| record.passes.forward).sum();
    assert!(passes + spared <= few.1 + many.1, "{passes} + {spared}, {} + {}", few.1, many.1);
}

#[test]
fn a_stopped_campaign_keeps_what_is_done_and_goes_on() {
    let classifier = victim();
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let progress = |event: Event<'_>| {
        if let Event::Attacked { samples, .. } = event {
            let before = done.fetch_add(samples, Ordering::Relaxed);
            stop.store(before + samples >= 3, Ordering::Relaxed);
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let workers = Workers { count: 1, batch_size: 2, stop: &stop };
    let reached = campaign(&classifier, TYPES, workers, folder.path(), &progress).unwrap();
    let finished = read(folder.path()).len();
    // The third that is done may come behind one that isn't, and is found again.
    assert!((2..=4).contains(&finished), "{finished}");
    assert_eq!(reached, Reached::Stopped { records: finished, of: 12 });

    stop.store(false, Ordering::Relaxed);
    let reached = campaign(&classifier, TYPES, workers, folder.path(), &|_| {}).unwrap();
    assert_eq!(reached, Reached::Complete { records: 12 });
}

#[test]
fn a_campaign_stopped_before_any_attack_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(true);
    let workers = Workers { count: 2, batch_size: 8, stop: &stop };
    let error = campaign(&victim(), TYPES, workers, folder.path(), &|_| {}).unwrap_err();
    assert!(matches!(error, ExperimentError::Interrupted { done: 0, of: 300 }));
    assert_eq!(names(folder.path()), ["lock"]);
}

#[test]
fn a_setting_that_is_asked_for_twice_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let workers = Workers { count: 1, batch_size: 8, stop: &stop };
    let twice = ["Person", "person"];
    let error = campaign(&victim(), twice, workers, folder.path(), &|_| {}).unwrap_err();
    assert_eq!(error.to_string(), "`person` at k = 2 is asked for twice");
}

#[test]
fn a_folder_of_another_format_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("plan.json"), r#"{"inputs":{"format":1}}"#).unwrap();
    let error = Plan::read(folder.path()).unwrap_err().to_string();
    for expected in ["is of format 1", "format 3", "another output folder"] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_folder_with_other_labels_than_the_classifier_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let image = asset("mini-voc/VOC2012/JPEGImages/2012_250000.jpg");
    fs::copy(image, folder.path().join("one.jpg")).unwrap();
    fs::write(folder.path().join("labels.csv"), "image,cat,dog\none.jpg,1,0\n").unwrap();
    let data = Folder::open(folder.path()).unwrap();
    let classifier = victim();
    let transform = Transform { resize: Resize::square(64), bounds: classifier.bounds() };
    let error = Victim::new(&classifier, &data, &transform).unwrap_err();
    assert!(matches!(error, ExperimentError::LabelCount { data: 2, classifier: 20, .. }));
}
