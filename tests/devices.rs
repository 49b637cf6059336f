//! What a device computes: losses, networks and attacks on the one that `TKMIA_TEST_DEVICE` names, the CPU without it.
//!
//! ```sh
//! TKMIA_TEST_DEVICE=ndarray cargo test --features ndarray --test devices -- --include-ignored
//! TKMIA_TEST_DEVICE=wgpu cargo test --features wgpu --test devices -- --include-ignored
//! ```
//!
//! `golden/networks` has three networks; more, of the same form, are looked for where `TKMIA_NETWORKS` says.

#![allow(clippy::unwrap_used)]

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device, Tensor, TensorData};
use ndarray::ArrayD;
use ndarray_npy::NpzReader;
use serde_json::{Value, json};
use strum::IntoEnumIterator;
use tkmia::attacks::{AttackBatch, AttackName, AttackSettings, Family, OptimiserName, Targets};
use tkmia::core::objective::{
    Class, Gmla, Margins, MlCwT, MlCwU, MlCwUPrinted, Objective, QuadAttack, TkmiaObjective,
    TkmlApT, TkmlApU,
};
use tkmia::core::{Classifier, Goal, LabelSet, Tagger, device, scores_and_gradient};
use tkmia::models::{check_device, load, load_with};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn tried() -> Device {
    let name = env::var("TKMIA_TEST_DEVICE").unwrap_or("cpu".to_owned());
    device(&name).unwrap()
}

/// The L2 norm of the difference, over that of what is expected; less than a thousandth is rounding.
fn apart(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    difference / norm(&mut expected.iter().copied()).max(1e-3)
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.try_to_vec_as().unwrap()
}

const LABELS: usize = 9;

/// Scores of a few images, apart from each other, and what is wanted of them.
fn goal(rows: usize, device: &Device) -> (Vec<f64>, Goal) {
    let mut random = fastrand::Rng::with_seed(5);
    let mut scores = Vec::new();
    let (mut relevant, mut specified, mut target) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rows {
        let mut labels: Vec<usize> = (0..LABELS).collect();
        random.shuffle(&mut labels);
        scores.extend(labels.iter().map(|&rank| 0.5 * rank as f64 + 0.4 * random.f64() - 2.0));
        random.shuffle(&mut labels);
        relevant.push(labels[..5].to_vec());
        specified.push(labels[..2].to_vec());
        target.push(labels[6..].to_vec());
    }
    let set = |labels: &[Vec<usize>]| LabelSet::from_indices(labels, LABELS).unwrap();
    let goal = Goal::new(set(&relevant), set(&specified), 3, device).unwrap();
    (scores, goal.with_target(target).unwrap())
}

#[test]
fn losses_and_their_gradients_are_those_of_64_bits_on_the_cpu() {
    const ROWS: usize = 40;
    let mut objectives: Vec<Box<dyn Objective>> = vec![
        Box::new(MlCwU),
        Box::new(MlCwUPrinted),
        Box::new(MlCwT),
        Box::new(TkmlApT),
        Box::new(QuadAttack),
        Box::new(Class),
        Box::new(Gmla),
    ];
    for margins in [Margins::Hinged, Margins::Signed] {
        objectives.push(Box::new(TkmiaObjective { margins }));
        objectives.push(Box::new(TkmlApU { margins }));
    }
    let both = |objective: &dyn Objective, device: &Device, kind: DType| {
        let (scores, goal) = goal(ROWS, device);
        let scores =
            Tensor::<2>::from_data(TensorData::new(scores, [ROWS, LABELS]), (device, kind));
        let scores = scores.autodiff().require_grad();
        let loss = objective.loss(scores.clone(), &goal);
        let gradient = scores.grad(&loss.clone().sum().backward()).unwrap();
        [host(loss.inner()), host(gradient)]
    };
    for objective in objectives {
        let expected = both(objective.as_ref(), &device("cpu").unwrap(), DType::F64);
        let found = both(objective.as_ref(), &tried(), DType::F32);
        for (found, expected) in found.iter().zip(&expected) {
            assert!(apart(found, expected) < 1e-6, "{objective:?}: {}", apart(found, expected));
        }
    }
}

/// An array of a file, as a tensor there.
fn array<const D: usize>(npz: &mut NpzReader<File>, name: &str, device: &Device) -> Tensor<D> {
    let array: ArrayD<f32> = npz.by_name(&format!("{name}.npy")).unwrap();
    let shape = array.shape().to_vec();
    Tensor::from_data(TensorData::new(array.into_iter().collect::<Vec<f32>>(), shape), device)
}

#[test]
fn networks_score_and_lead_back_as_in_pytorch() {
    let device = tried();
    let golden = repository("crates/tkmia-models/tests/golden/networks");
    let more = env::var_os("TKMIA_NETWORKS").map(PathBuf::from);
    for folder in more.iter().chain([&golden]).flat_map(|folder| fs::read_dir(folder).unwrap()) {
        let folder = folder.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let name = folder.file_name().unwrap().to_string_lossy();
        let case: Value =
            serde_json::from_slice(&fs::read(folder.join("case.json")).unwrap()).unwrap();
        let triple = |field: &str| serde_json::from_value(case.get(field)?.clone()).ok();
        let tagger = Tagger {
            mean: triple("mean"),
            std: triple("std"),
            keep_sigmoid: Some(name == "shufflenet-sigmoid"),
            ..Tagger::default()
        };
        let network = load_with(folder.join("model.onnx"), &tagger, &device).unwrap().classifier;
        let mut npz = NpzReader::new(File::open(folder.join("case.npz")).unwrap()).unwrap();
        let [scores, cotangent] =
            ["scores", "cotangent"].map(|it| array::<2>(&mut npz, it, &device));
        let [images, gradient] = ["input", "gradient"].map(|it| array::<4>(&mut npz, it, &device));
        let found = scores_and_gradient(network.as_ref(), images, cotangent);
        let of_scores = apart(&host(found.0), &host(scores));
        let of_gradient = apart(&host(found.1), &host(gradient));
        println!("{name}: {of_scores:.1e} {of_gradient:.1e}");
        // Three networks have a ReLU whose edge is nearer than rounding, where a gradient may go or not, one has 16 bits;
        // Gaussian error functions are less exact elsewhere than on the CPU.
        let most = if case["dtype"] == "float16" { 2e-3 } else { 1e-4 };
        assert!(of_scores < most && of_gradient < 1e-2, "{name}: {of_scores} {of_gradient}");
    }
}

#[test]
#[ignore = "compares with the CPU: TKMIA_TEST_DEVICE names another device"]
fn graphs_are_computed_as_on_the_cpu() {
    let (cpu, device) = (device("cpu").unwrap(), tried());
    let golden = repository("crates/tkmia-models/tests/golden");
    let files = ["graphs", "variants"].map(|it| fs::read_dir(golden.join(it)).unwrap());
    let files = files.into_iter().flatten().map(|entry| entry.unwrap().path());
    let is_onnx = |path: &PathBuf| path.extension().is_some_and(|it| it == "onnx");
    let files: Vec<PathBuf> = files.filter(is_onnx).collect();
    assert!(files.len() > 30, "{}", files.len());
    for path in files {
        let there = load(&path, &device).unwrap();
        check_device(&path, &Tagger::default(), there.as_ref(), &cpu).unwrap();
    }
}

/// Every attack, by each of its optimisers.
fn attacks() -> Vec<AttackSettings> {
    let mut all = Vec::new();
    for name in AttackName::iter() {
        for &variant in name.variants() {
            for optimiser in OptimiserName::iter() {
                let mut knobs = json!({"name": name, "variant": variant, "max-iterations": 2});
                let fields = knobs.as_object_mut().unwrap();
                if name.is_in_a_ball() || optimiser.is_in_a_ball() {
                    fields.insert("radius".to_owned(), json!(1.0));
                }
                if name.family() == Family::Descent && optimiser != OptimiserName::Sgd {
                    fields.insert("optimiser".to_owned(), json!(optimiser));
                } else if optimiser != OptimiserName::Sgd {
                    continue;
                }
                let settings = AttackSettings::from_knobs(fields).ok();
                all.extend(settings.filter(|settings| settings.init().is_ok()));
            }
        }
    }
    all
}

/// What an attack adds to three images in two iterations.
fn perturbation(settings: &AttackSettings, device: &Device) -> Vec<f64> {
    const ROWS: usize = 3;
    let victim = load(repository("assets/victims/resnet14-tiny.onnx"), device).unwrap();
    let values = (0..ROWS * 3 * 32 * 32).map(|at| 0.8 * (0.37 * at as f32).sin()).collect();
    let images =
        Tensor::<4>::from_data(TensorData::new::<f32, _>(values, [ROWS, 3, 32, 32]), device);
    let scores = host(victim.scores(images.clone()));
    let order = |row: &[f64]| {
        let mut labels: Vec<usize> = (0..row.len()).collect();
        labels.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
        labels
    };
    let orders: Vec<Vec<usize>> = scores.chunks(victim.classes()).map(order).collect();
    let relevant: Vec<&[usize]> = orders.iter().map(|labels| &labels[..6]).collect();
    let specified: Vec<&[usize]> = orders.iter().map(|labels| &labels[1..2]).collect();
    let set = |labels: &[&[usize]]| LabelSet::from_indices(labels, victim.classes()).unwrap();
    let mut batch = AttackBatch::new(images, set(&relevant), set(&specified), 3).unwrap();
    let attack = settings.init().unwrap();
    if let Some(choice) = settings.target() {
        let targets = Targets { choice, seed: 2 };
        batch = batch.aim(targets, attack.view(), victim.as_ref(), &["a", "b", "c"]).unwrap();
    }
    host(attack.run(victim.as_ref(), &batch).unwrap().perturbed.perturbation)
}

#[test]
#[ignore = "compares with the CPU: TKMIA_TEST_DEVICE names another device"]
fn attacks_step_as_on_the_cpu() {
    let (cpu, device) = (device("cpu").unwrap(), tried());
    assert_ne!(format!("{cpu:?}"), format!("{device:?}"), "TKMIA_TEST_DEVICE is the CPU");
    let settings = attacks();
    assert!(settings.len() > 40, "{}", settings.len());
    for settings in settings.iter().filter(|settings| !settings.name().is_universal()) {
        let [expected, found] = [&cpu, &device].map(|device| perturbation(settings, device));
        let apart = apart(&found, &expected);
        println!("{}: {apart:.1e}", settings.short_name());
        assert!(apart < 1e-2, "{settings}: {apart}");
    }
}
