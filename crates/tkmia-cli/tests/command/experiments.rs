//! `tkmia run`, `merge` and `report` on mini-VOC with a tiny victim: killed, cut into shards, changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use burn::tensor::{Tensor, TensorData};
use tempfile::TempDir;
use tkmia_core::{Bounds, Classifier, device};
use tkmia_data::image::{Rgb, RgbImage};
use tkmia_data::{Dataset, Resize, Transform, Voc2012};
use tkmia_models::load;

use crate::shell;

/// Four settings, one of the published form too; steps large enough that attacks end soon.
const EXPERIMENT: &str = r#"
title = "A small one"
output = "out"
seed = 7
pictures = 1

[victim]
model = "MODEL"
trained-on = "other"

[data]
kind = "voc-2012"
root = "ROOT"
split = "val"

[budget]
samples = 5
draws = 1

[[table]]
paper = 15
scheme = "global"
types = ["Person", "Animals"]
k = [1]
max-iterations = 12

[[table]]
scheme = "random"
specified = [1, 2]
k = [2]
delta = 1
max-iterations = 8

[[method]]
name = "tkmia"
lr = 1e-2

[[method]]
name = "tkml-ap-u"
variant = "released"
lr = 1e-2
"#;

/// The same with grids, chosen on the training split.
const TUNING: &str = r#"
[tuning]
split = "train"
samples = 2
"#;

struct Lab {
    folder: TempDir,
}

impl Lab {
    fn new(experiment: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lab = Self { folder };
        lab.write(experiment);
        lab
    }

    fn write(&self, experiment: &str) {
        shell::write_experiment(self.folder.path(), experiment);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, output: &str) -> Command {
        let mut command = shell::tkmia();
        command.arg("run").arg(self.path("experiment.toml"));
        command.arg("--output").arg(self.path(output));
        command
    }

    fn run(&self, output: &str, arguments: &[&str]) -> String {
        shell::run(self.command(output).args(arguments))
    }

    fn fail(&self, output: &str, arguments: &[&str]) -> String {
        shell::fail(self.command(output).args(arguments))
    }

    fn records(&self, output: &str) -> String {
        without_times(&self.path(output).join("records.jsonl"))
    }
}

/// The records of a file as they are but for the time that each took.
fn without_times(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let line = |line: &str| {
        let (before, after) = line.rsplit_once("\"seconds\":").unwrap();
        let end = after.find(['}', ',']).unwrap();
        after[..end].parse::<f64>().unwrap();
        format!("{before}\"seconds\":{}\n", &after[end..])
    };
    text.lines().map(line).collect()
}

/// The names and bytes of a folder's files.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_setting_without_a_sample_is_named_and_nothing_but_such_fails() {
    let one = EXPERIMENT.replace("k = [2]", "k = [15]");
    let lab = Lab::new(&one);
    let says = lab.run("out", &[]);
    assert!(
        says.contains("no image takes part in random |S| = 1, k = 15, δ = 1: none has"),
        "{says}"
    );
    assert!(!says.contains("takes part in Person"), "{says}");
    lab.write(&one.replace("k = [1]", "k = [16]"));
    let output = lab.command("none").output().unwrap();
    let says = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{says}");
    assert!(says.contains("0 records") && says.contains("takes part in Person, k = 16"), "{says}");
}

#[test]
fn killed_at_random_moments_a_run_ends_in_the_records_of_an_unbroken_one() {
    let lab = Lab::new(EXPERIMENT);
    lab.run("whole", &[]);
    let whole = lab.records("whole");
    assert_eq!(whole.lines().count(), 2 * 2 * 5 + 2 * 2 * 5);

    // Delays are spread over all of a run, by a fixed recipe.
    let (mut kills, mut round, mut torn) = (0, 0, 0);
    while kills < 50 {
        let output = format!("killed-{round}");
        round += 1;
        for attempt in 0_u64.. {
            let mut running = lab
                .command(&output)
                .args(["--batch-size", ["1", "2", "3"][attempt as usize % 3]])
                .args(["--workers", ["1", "2"][attempt as usize % 2]])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            // Longer from try to try, so that the slowest machine comes to an end.
            let delay = 20 + (kills + round) * 7919 % 180 + 10 * attempt;
            sleep(Duration::from_millis(delay));
            if running.try_wait().unwrap().is_some() {
                break;
            }
            // SIGKILL, on Unix.
            running.kill().unwrap();
            running.wait().unwrap();
            kills += 1;
            let records = lab.path(&output).join("records.jsonl");
            // Each third kill tears the last line as well, as a power cut might.
            if kills % 3 == 0
                && let Ok(text) = fs::read(&records)
                && !text.is_empty()
            {
                fs::write(&records, &text[..text.len() - text.len().min(100)]).unwrap();
                torn += 1;
            }
            assert!(kills < 1000, "no run comes to an end");
        }
        lab.run(&output, &[]);
        assert!(lab.records(&output) == whole, "after {kills} kills");
        assert_eq!(files(&lab.path(&output).join("images")), files(&lab.path("whole/images")));
    }
    assert!(torn > 0, "no kill came after the first record");
}

/// The settings of [`EXPERIMENT`] with a universal method.
fn universal(more: &str) -> String {
    let settings = &EXPERIMENT[..EXPERIMENT.find("[[table]]").unwrap()];
    let tables = &EXPERIMENT[EXPERIMENT.find("[[table]]").unwrap()..];
    let tables = &tables[..tables.find("[[method]]").unwrap()];
    let method = "[[method]]\nname = \"kuap\"\nradius = 4.0\nmax-iterations = 2\n";
    format!("{settings}{more}{tables}{method}")
}

/// A file of JSON.
fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The ids of a manifest.
fn ids(manifest: &Path) -> Vec<String> {
    let samples = json(manifest)["samples"].as_array().unwrap().clone();
    samples.iter().map(|sample| sample["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_universal_perturbation_is_reported_on_images_that_it_was_not_fitted_to() {
    let lab = Lab::new(&universal(""));
    lab.run("out", &[]);
    let manifests: Vec<String> =
        files(&lab.path("out/manifests")).into_iter().map(|(name, _)| name).collect();
    let fits = manifests.iter().filter(|name| name.starts_with("fit-"));
    assert_eq!((fits.clone().count(), manifests.len()), (4, 8));
    for fit in fits {
        let reported = ids(&lab.path("out/manifests").join(&fit[4..]));
        let fitted = ids(&lab.path("out/manifests").join(fit));
        assert!(reported.len() == 5 && fitted.len() > 5);
        assert!(fitted.iter().all(|id| !reported.contains(id)), "{fit}");
        assert!(!fitted.is_sorted(), "they are in an order of their own");
    }
    for line in fs::read_to_string(lab.path("out/records.jsonl")).unwrap().lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let universal = &record["universal"];
        assert!(universal["fit"]["images"].as_u64() > Some(5), "{line}");
        for number in [&universal["fit"]["success"], &universal["shuffled"]] {
            assert!((0.0..=1.0).contains(&number.as_f64().unwrap()), "{line}");
        }
        assert!(universal["negated"].is_boolean(), "{line}");
        // One look, not the fit's.
        assert_eq!(record["passes"]["forward"], 2);
    }
    let names: Vec<String> =
        files(&lab.path("out/perturbations")).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[..3], ["a001.json", "a001.npz", "a001.png"]);
    let report = fs::read_to_string(lab.path("out/report/report.md")).unwrap();
    for column in ["where fitted", "−v", "v shuffled"] {
        assert!(report.contains(column), "{column}");
    }

    // From other images: all of them are there to be fitted to.
    lab.write(&universal("[fit]\nsplit = \"train\"\nsamples = 7\n"));
    lab.run("train", &[]);
    assert_eq!(ids(&lab.path("train/manifests/fit-01-person-k-1.json")).len(), 7);
    // Where every image is reported there is none to fit to.
    lab.write(&universal("").replace("samples = 5", "samples = 500"));
    let says = lab.fail("none", &[]);
    assert!(says.contains("no image is left to fit") && says.contains("`[fit]`"), "{says}");
}

#[test]
fn a_universal_attack_is_found_again_from_any_beginning_and_not_in_shards() {
    const OTHER: &str =
        "[[method]]\nname = \"ml-cw-t\"\ntarget = [\"random\", \"worst\"]\nlr = 1e-2\n";
    let experiment = universal("[fit]\nsamples = 9\n") + OTHER;
    let lab = Lab::new(&experiment);
    lab.run("whole", &[]);
    let whole = lab.records("whole");
    assert_eq!(whole.lines().count(), 4 * 3 * 5);
    assert!(
        whole.contains("ml-cw-t (corrected), lr 0.01, alpha 0.0001, momentum 0.9, target worst")
    );

    shell::copy_all(&lab.path("whole"), &lab.path("torn"));
    let records = lab.path("torn").join("records.jsonl");
    let text = fs::read_to_string(&records).unwrap();
    for kept in [0, 2, 5, 18] {
        let beginning: String = text.split_inclusive('\n').take(kept).collect();
        fs::write(&records, beginning).unwrap();
        // Killed while a perturbation was written: without its last file it is fitted again.
        fs::remove_file(lab.path("torn/perturbations/a004.json")).unwrap();
        fs::write(lab.path("torn/perturbations/a004.npz"), "torn").unwrap();
        lab.run("torn", &["--batch-size", "3", "--workers", "2"]);
        assert_eq!(lab.records("torn"), whole, "{kept} records kept");
        let perturbations = |folder: &str| files(&lab.path(folder).join("perturbations"));
        assert_eq!(perturbations("torn"), perturbations("whole"));
    }

    // Stopped before the fit is done, nothing of it is kept.
    lab.run("stopped", &["--until", "manifests"]);
    let minutes = "samples = 5\nminutes = 1e-9";
    lab.write(&experiment.replace("samples = 5", minutes));
    let stopped = lab.command("stopped").output().unwrap();
    assert_eq!(stopped.status.code(), Some(130));
    assert!(!lab.path("stopped/perturbations").exists());
    lab.write(&experiment);
    lab.run("stopped", &[]);
    assert_eq!(lab.records("stopped"), whole);

    // Another perturbation than the one that was fitted.
    let beginning: String = text.split_inclusive('\n').take(18).collect();
    fs::write(&records, beginning).unwrap();
    fs::copy(lab.path("whole/perturbations/a001.npz"), lab.path("torn/perturbations/a004.npz"))
        .unwrap();
    let error = lab.fail("torn", &[]);
    assert!(error.contains("a004.npz: its values have the SHA-256"), "{error}");
    let error = lab.fail("shard", &["--shard", "1/2"]);
    assert!(error.contains("kuap") && error.contains("without `--shard`"), "{error}");
}

#[test]
fn shards_merged_are_the_run_in_one_piece() {
    let lab = Lab::new(EXPERIMENT);
    lab.run("whole", &["--workers", "1"]);
    for count in [1, 2, 7] {
        let shards: Vec<String> =
            (1..=count).map(|index| format!("part-{index}-{count}")).collect();
        for (index, shard) in (1..).zip(&shards) {
            lab.run(shard, &["--shard", &format!("{index}/{count}"), "--batch-size", "3"]);
        }
        let merged = format!("merged-{count}");
        let merge = |shards: &[String]| {
            let mut command = shell::tkmia();
            command.arg("merge").args(shards.iter().map(|shard| lab.path(shard)));
            command.arg("--output").arg(lab.path(&merged));
            command
        };
        if count == 7 {
            let error = shell::fail(&mut merge(&shards[1..]));
            assert!(error.contains("expected each of 1/7 to 7/7 once"), "{error}");
            let twice = [&shards[..], &shards[..1]].concat();
            let error = shell::fail(&mut merge(&twice));
            assert!(error.contains("1/7, 2/7, 3/7, 4/7, 5/7, 6/7, 7/7, 1/7"), "{error}");
            let records = lab.path(&shards[2]).join("records.jsonl");
            let text = fs::read_to_string(&records).unwrap();
            fs::write(&records, &text[..text.len() - 9]).unwrap();
            let error = shell::fail(&mut merge(&shards));
            assert!(
                error.contains("part-3-7: expected 8 records of all samples, found 7"),
                "{error}"
            );
            fs::write(&records, text).unwrap();
        }
        let mut reversed = shards.clone();
        reversed.reverse();
        shell::run(&mut merge(&reversed));
        assert!(lab.records(&merged) == lab.records("whole"), "{count} shards");
        for folder in ["manifests", "images"] {
            let (merged, whole) = (lab.path(&merged).join(folder), lab.path("whole").join(folder));
            assert_eq!(files(&merged), files(&whole), "{count} shards, {folder}");
        }
        // The report is that of the run in one piece, too.
        assert_eq!(files(&lab.path(&merged).join("report")), files(&lab.path("whole/report")));
    }
    // Of other records, or of parts of another experiment, there is no merging.
    lab.write(&EXPERIMENT.replace("seed = 7", "seed = 8"));
    lab.run("other", &["--shard", "2/2"]);
    let mut command = shell::tkmia();
    command.arg("merge").args([lab.path("part-1-2"), lab.path("other")]);
    let error = shell::fail(command.arg("--output").arg(lab.path("mixed")));
    assert!(error.contains("inputs.seed: 7 was recorded, now 8"), "{error}");
}

#[test]
fn what_has_changed_is_refused_by_name() {
    let lab = Lab::new(EXPERIMENT);
    lab.run("out", &[]);
    let before = lab.records("out");
    let change = |from: &str, to: &str, expected: &str| {
        assert!(EXPERIMENT.contains(from));
        lab.write(&EXPERIMENT.replace(from, to));
        for arguments in [&[][..], &["--dry-run"]] {
            let error = lab.fail("out", arguments);
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(lab.records("out"), before);
    };
    change("seed = 7", "seed = 8", "seed: 7 was recorded, now 8");
    change("samples = 5", "samples = 6", "samples: 5 was recorded, now 6");
    change("k = [1]", "k = [2]", "tables 1.settings 1.k: 1 was recorded, now 2");
    change("lr = 1e-2\n\n", "lr = 2e-2\n\n", "lr: 0.01 was recorded, now 0.02");
    change("split = \"val\"", "split = \"train\"", "data.images: 300 was recorded, now 400");
    let other = shell::repository("assets/victims/resnet14-tiny-bn.onnx");
    change("MODEL", &other.display().to_string(), "victim.sha256: ");

    // A changed label of one image.
    let root = lab.path("VOC2012");
    let original = shell::repository("assets/mini-voc/VOC2012");
    shell::copy_all(&original, &root);
    lab.write(&EXPERIMENT.replace("ROOT", &root.display().to_string()));
    let says = lab.run("out", &[]);
    assert!(says.contains("40 records"), "the same data elsewhere are the same: {says}");
    let list = fs::read_to_string(root.join("ImageSets/Main/val.txt")).unwrap();
    let annotation = root.join(format!("Annotations/{}.xml", list.lines().last().unwrap().trim()));
    let xml = fs::read_to_string(&annotation).unwrap();
    let name = xml.split("<name>").nth(1).unwrap().split('<').next().unwrap();
    let other = if name == "sheep" { "cow" } else { "sheep" };
    fs::write(&annotation, xml.replace(name, other)).unwrap();
    let error = lab.fail("out", &[]);
    assert!(error.contains("data.sha256: "), "{error}");

    // A manifest that somebody edited, a record of something else.
    lab.write(EXPERIMENT);
    let manifest = fs::read_dir(lab.path("out/manifests")).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"specified\":[", "\"specified\":[0,")).unwrap();
    let error = lab.fail("out", &[]);
    assert!(error.contains("expected SHA-256"), "{error}");
    fs::write(&manifest, text).unwrap();
    let records = lab.path("out/records.jsonl");
    let text = fs::read_to_string(&records).unwrap();
    fs::write(&records, text.split_once('\n').unwrap().1).unwrap();
    let error = lab.fail("out", &[]);
    assert!(error.contains("records.jsonl, line 1: expected `tkmia (corrected)"), "{error}");
}

#[test]
fn weights_beside_a_model_are_part_of_it() {
    let lab = Lab::new("");
    let experiment = r#"
title = "Weights beside a model"
output = "out"

[victim]
model = "model.onnx"

[data]
kind = "folder"
root = "data"

[[table]]
scheme = "global"
types = ["a", "b", "c", "d", "e"]
k = [1]
max-iterations = 2

[[method]]
name = "tkmia"
"#;
    fs::write(lab.path("experiment.toml"), experiment).unwrap();
    // Its data are in a file that isn't named after it.
    let variants = shell::repository("crates/tkmia-models/tests/golden/variants");
    let weights = lab.path("dynamo-external.onnx.data");
    fs::copy(variants.join("dynamo-external.onnx"), lab.path("model.onnx")).unwrap();
    fs::copy(variants.join("dynamo-external.onnx.data"), &weights).unwrap();
    fs::create_dir(lab.path("data")).unwrap();
    let mut table = "image,a,b,c,d,e\n".to_owned();
    for (at, levels) in [[9, 200, 40], [250, 8, 90]].into_iter().enumerate() {
        let image =
            RgbImage::from_fn(32, 32, |x, y| Rgb(levels.map(|level| level ^ (x * y) as u8)));
        image.save(lab.path(&format!("data/{at}.png"))).unwrap();
        table += &format!("{at}.png,1,1,1,1,1\n");
    }
    fs::write(lab.path("data/labels.csv"), table).unwrap();

    lab.run("out", &[]);
    lab.run("one", &["--shard", "1/2"]);
    let before = lab.records("out");
    let mut bytes = fs::read(&weights).unwrap();
    bytes[3] ^= 1;
    fs::write(&weights, bytes).unwrap();
    let error = lab.fail("out", &[]);
    assert!(error.contains("victim.sha256: "), "{error}");
    assert_eq!(lab.records("out"), before);
    let error = lab.fail("from", &["--from", &lab.path("out").display().to_string()]);
    assert!(error.contains("victim_sha256: "), "{error}");
    lab.run("two", &["--shard", "2/2"]);
    let mut merge = shell::tkmia();
    merge.arg("merge").args([lab.path("one"), lab.path("two")]);
    let error = shell::fail(merge.arg("--output").arg(lab.path("whole")));
    assert!(error.contains("two") && error.contains("victim.sha256: "), "{error}");
}

#[test]
fn hyper_parameters_are_chosen_on_other_samples_whole_or_in_shards() {
    let grids = EXPERIMENT.replace("lr = 1e-2", "lr = [1e-2, 1e-5]") + TUNING;
    let lab = Lab::new(&grids);
    lab.run("whole", &[]);
    let whole = lab.records("whole");
    assert_eq!(whole.lines().count(), 40);
    // With such steps nothing leaves the top-k within a few iterations.
    assert!(whole.contains("lr 0.01") && !whole.contains("lr 0.00001"));
    let tuning = lab.records("whole/tuning");
    assert!(tuning.contains("lr 0.01") && tuning.contains("lr 0.00001"));
    let ids = |records: &str| -> Vec<String> {
        let id = |line: &str| {
            line.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
        };
        records.lines().map(id).collect()
    };
    let reported = ids(&whole);
    assert!(ids(&tuning).iter().all(|id| !reported.contains(id)));

    let error = lab.fail("part-1", &["--shard", "1/2"]);
    assert!(error.contains("a shard can't choose hyper-parameters alone"), "{error}");
    for part in ["1", "2"] {
        let shard = format!("{part}/2");
        lab.run(&format!("tuning-{part}"), &["--until", "tuning", "--shard", &shard]);
    }
    let parts = ["tuning-1", "tuning-2"].map(|part| lab.path(part));
    shell::run(shell::tkmia().arg("merge").args(parts).arg("--output").arg(lab.path("base")));
    assert!(lab.records("base/tuning") == tuning);
    lab.run("base", &["--until", "manifests"]);
    let base = lab.path("base").display().to_string();
    for part in ["1", "2"] {
        let shard = format!("{part}/2");
        lab.run(&format!("part-{part}"), &["--from", &base, "--shard", &shard]);
    }
    let parts = ["part-1", "part-2"].map(|part| lab.path(part));
    shell::run(shell::tkmia().arg("merge").args(parts).arg("--output").arg(lab.path("merged")));
    assert!(lab.records("merged") == whole);

    lab.write(&grids.replace("split = \"train\"", "split = \"trainval\""));
    let error = lab.fail("overlapping", &[]);
    assert!(error.contains("must be chosen on other images"), "{error}");
}

/// Of each record of a folder its setting, sample and specified labels.
fn samples(folder: &Path) -> Vec<[String; 3]> {
    let sample = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        ["setting", "id", "specified"].map(|field| record[field].to_string())
    };
    let records = fs::read_to_string(folder.join("records.jsonl")).unwrap();
    records.lines().map(sample).collect()
}

#[test]
fn specified_labels_are_drawn_repeatedly_and_each_choice_is_attacked_once() {
    let text = EXPERIMENT
        .replace("\n[[method]]\nname = \"tkml-ap-u\"\nvariant = \"released\"\nlr = 1e-2", "");
    let lab = Lab::new(&text.replace("draws = 1", ""));
    lab.run("out", &[]);
    let records = lab.records("out");
    let found = samples(&lab.path("out"));
    let of = |setting: &str| found.iter().filter(|sample| sample[0].contains(setting)).count();
    // Of two labels in the top two one is drawn in two ways, and both of two in one.
    assert!((6..=10).contains(&of("\"random\":1")), "{records}");
    assert_eq!((of("\"random\":2"), of("Person")), (5, 5));
    let different: std::collections::HashSet<_> = found.iter().collect();
    assert_eq!(different.len(), found.len());
    // The first draw is that of a single one.
    lab.write(&text);
    lab.run("single", &[]);
    let single = samples(&lab.path("single"));
    assert!(single.iter().all(|sample| found.contains(sample)) && single.len() == 20);
    let markdown = fs::read_to_string(lab.path("out/report/report.md")).unwrap();
    assert!(markdown.contains("S is drawn 5 times") && markdown.contains(" ± "), "{markdown}");

    lab.write(&text.replace("draws = 1", ""));
    for part in ["1", "2"] {
        lab.run(&format!("part-{part}"), &["--shard", &format!("{part}/2")]);
    }
    let parts = ["part-1", "part-2"].map(|part| lab.path(part));
    shell::run(shell::tkmia().arg("merge").args(parts).arg("--output").arg(lab.path("merged")));
    assert!(lab.records("merged") == records);
}

#[test]
fn tuning_sees_neither_reported_images_nor_the_victims_training_images() {
    let grids = EXPERIMENT.replace("lr = 1e-2", "lr = [1e-2, 1e-5]");
    let share = grids.clone() + "[tuning]\nshare = 0.5\nsamples = 2\n";
    let lab = Lab::new(&share);
    lab.run("out", &["--trained-on", "train"]);
    let [reported, tuned] = ["out", "out/tuning"].map(|folder| samples(&lab.path(folder)));
    assert!(
        !tuned.is_empty() && tuned.iter().all(|one| reported.iter().all(|two| one[1] != two[1]))
    );
    let manifests = files(&lab.path("out/manifests"));
    let text = String::from_utf8(manifests[0].1.clone()).unwrap();
    assert!(
        text.contains("\"split\":\"val without a share of 0.5 for tuning, by seed 7\""),
        "{text}"
    );
    let report = fs::read_to_string(lab.path("out/report/report.md")).unwrap();
    for expected in ["trained on \\`train\\`", "a share of 0.5 of val, by seed 7", "not held out"] {
        assert!(report.contains(expected), "{report}");
    }

    lab.write(&(grids + TUNING));
    let error = lab.fail("trained", &["--trained-on", "train"]);
    assert!(error.contains("other images than the training ones"), "{error}");
    assert!(
        lab.run("other", &["--trained-on", "other", "--held-out", "--dry-run"]).contains("at most")
    );
    lab.write(&share.replace("trained-on = \"other\"\n", ""));
    assert!(lab.fail("unknown", &[]).contains("`trained-on` is missing"));
    lab.write(&share.replace("share = 0.5", "share = 1"));
    assert!(lab.fail("all", &[]).contains("`share` must be a number between 0 and 1, found 1"));
    lab.write(&share.replace("share = 0.5", "share = 0.5\nsplit = \"train\""));
    assert!(lab.fail("both", &[]).contains("goes with no `split`"));
}

#[test]
fn manifests_hold_the_samples_that_a_plain_count_finds() {
    let lab = Lab::new(&EXPERIMENT.replace("samples = 5", "samples = 1000"));
    lab.run("out", &["--until", "manifests"]);
    let device = device("cpu").unwrap();
    let model = load(shell::victim(), &device).unwrap();
    let voc = Voc2012::open(shell::repository("assets/mini-voc/VOC2012"), "val").unwrap();
    let transform = Transform { resize: Resize::short_side(32), bounds: Bounds::SYMMETRIC };
    // The top two of each image, as it is and squashed, found by plain comparison.
    let tops = |view: fn(f32) -> f32| -> Vec<[usize; 2]> {
        let top = |index: usize| {
            let image = transform.apply(&voc.image(index).unwrap()).unwrap();
            let values: Vec<f32> = image.into_iter().map(view).collect();
            let image = Tensor::from_data(TensorData::new(values, [1, 3, 32, 32]), &device);
            let scores = model.scores(image).try_to_vec_as::<f32>().unwrap();
            let best = |without: Option<usize>| {
                let labels = (0..20).filter(|&label| Some(label) != without);
                labels.reduce(|one, other| if scores[other] > scores[one] { other } else { one })
            };
            let first = best(None).unwrap();
            [first, best(Some(first)).unwrap()]
        };
        (0..voc.len()).map(top).collect()
    };
    let animals = [2, 7, 9, 11, 12, 16];
    let mut seen = 0;
    for (suffix, tops) in [("", tops(|value| value)), ("-tanh", tops(f32::tanh))] {
        for name in
            ["person-k-1", "animals-k-1", "random-s-1-k-2-delta-1", "random-s-2-k-2-delta-1"]
        {
            let find = |entry: &fs::DirEntry| {
                entry.file_name().to_string_lossy().ends_with(&format!("{name}{suffix}.json"))
            };
            let mut entries = fs::read_dir(lab.path("out/manifests")).unwrap().map(Result::unwrap);
            let path = entries.find(|entry| find(entry)).unwrap().path();
            let manifest: serde_json::Value =
                serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
            let samples = manifest["samples"].as_array().unwrap();
            let mut found = samples.iter();
            for (index, top) in tops.iter().enumerate() {
                let relevant = voc.labels().indices(index);
                let candidates: Vec<usize> =
                    top.iter().copied().filter(|label| relevant.contains(label)).collect();
                let (k, count, hit) = match name.as_bytes()[0] {
                    b'r' => {
                        let count: usize = name[9..10].parse().unwrap();
                        (2, count, candidates.len() >= count)
                    }
                    first => {
                        let types = if first == b'p' { &[14][..] } else { &animals };
                        let specified: Vec<_> =
                            relevant.iter().filter(|label| types.contains(label)).collect();
                        (1, specified.len(), specified.contains(&&top[0]))
                    }
                };
                if !hit || relevant.len() < k + count {
                    continue;
                }
                let sample = found.next().unwrap();
                assert_eq!(sample["id"], voc.id(index), "{name}{suffix}");
                assert_eq!(sample["relevant"], serde_json::json!(relevant));
                let drawn: Vec<usize> =
                    serde_json::from_value(sample["specified"].clone()).unwrap();
                assert_eq!(drawn.len(), count);
                assert!(k == 1 || drawn.iter().all(|label| candidates.contains(label)));
                seen += 1;
            }
            assert_eq!(found.next(), None, "{name}{suffix}");
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn a_file_that_makes_no_sense_is_refused_by_name() {
    let lab = Lab::new(EXPERIMENT);
    for (from, to, expected) in [
        ("seed = 7", "sed = 7", "unknown field `sed`"),
        ("samples = 5", "sample = 5", "unknown field `sample`"),
        ("k = [1]", "k = [0]", "table 1: `k` must be at least 1, found 0"),
        ("k = [1]", "k = [25]", "25"),
        (
            "k = [1]",
            "k = [1]\ndelta = 2",
            "table 1, Person, k = 1, δ = 2: `delta` must be in 1..=1",
        ),
        ("delta = 1", "delta = 3", "`delta` must be in 1..=1, found 3"),
        ("types = [\"Person\", \"Animals\"]", "types = [\"Persons\"]", "Persons"),
        (
            "types = [\"Person\", \"Animals\"]",
            "specified = [1]",
            "`specified` is for the random scheme",
        ),
        ("paper = 15", "paper = 12", "the paper has no table 12 of results"),
        ("\"tkmia\"", "\"pgd\"", "pgd"),
        ("lr = 1e-2", "lr = -1.0", "learning rate must be a number above 0"),
        ("\"tkml-ap-u\"\nvariant = \"released\"", "\"tkmia\"", "is asked for twice"),
        ("output = \"out\"", "output = 3", "line 3"),
        ("model = \"MODEL\"", "", "--model is needed"),
    ] {
        assert!(EXPERIMENT.contains(from), "{from}");
        lab.write(&EXPERIMENT.replace(from, to));
        let error = lab.fail("out", &[]);
        assert!(error.contains(expected), "{to}: {error}");
    }
    let error = shell::fail(shell::tkmia().args(["reproduce", "--table", "5"]));
    assert!(error.contains("no table 5 of results"), "{error}");
    let error = shell::fail(shell::tkmia().args(["reproduce", "--figure", "8"]));
    assert!(error.contains("no figure 8 of attacked images"), "{error}");
    let error = shell::fail(shell::tkmia().args(["reproduce", "--figure", "2", "--table", "2"]));
    assert!(error.contains("cannot be used with"), "{error}");
    let error = lab.fail("out", &["--shard", "3/2"]);
    assert!(error.contains("1 ≤ I ≤ N"), "{error}");
    let error = shell::fail(shell::tkmia().arg("report").arg(lab.folder.path()));
    assert!(error.contains("found no plan.json"), "{error}");
}

#[test]
fn a_dry_run_writes_nothing_and_bounds_the_run() {
    let lab = Lab::new(EXPERIMENT);
    let says = lab.run("out", &["--dry-run"]);
    assert!(!lab.path("out").exists());
    let bounds = |says: &str| -> [u64; 2] {
        let total = says.lines().find(|line| line.starts_with("at most")).unwrap();
        let numbers: Vec<u64> =
            total.split_whitespace().skip(2).map(|number| number.parse().unwrap()).collect();
        [numbers[0], numbers[1]]
    };
    let before = bounds(&says);
    lab.run("out", &[]);
    let after = bounds(&lab.run("out", &["--dry-run"]));
    let (mut forward, mut backward) = (0, 0);
    for line in fs::read_to_string(lab.path("out/records.jsonl")).unwrap().lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        forward += record["passes"]["forward"].as_u64().unwrap();
        backward += record["passes"]["backward"].as_u64().unwrap();
    }
    assert!(forward <= after[0] && after[0] <= before[0], "{forward} {after:?} {before:?}");
    assert!(0 < backward && backward <= after[1] && after[1] <= before[1]);
}
