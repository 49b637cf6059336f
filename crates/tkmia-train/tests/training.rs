//! Trainings from end to end, on a handful of coloured images.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use image::{Rgb, RgbImage};
use tempfile::TempDir;
use tkmia_core::Classifier;
use tkmia_data::Folder;
use tkmia_models::{TrainableResNet, load};
use tkmia_train::{
    Augmentation, Curve, Examples, Optimiser, Progress, Published, Recipe, TrainError, Training,
    evaluate,
};

/// A folder of images that hold stripes of red, green or blue, tagged by what they hold.
fn coloured(images: usize) -> (TempDir, Folder) {
    let folder = tempfile::tempdir().unwrap();
    let mut table = String::from("image,red,green,blue\n");
    for at in 0..images {
        let has = [at % 2 == 0, at % 3 == 0, at % 5 < 2];
        let image = RgbImage::from_fn(16, 16, |x, y| {
            let channel = (y / 4 % 3) as usize;
            let mut pixel = [(x * 3 + at as u32) as u8 % 60; 3];
            if has[channel] {
                pixel[channel] = 230;
            }
            Rgb(pixel)
        });
        image.save(folder.path().join(format!("{at}.png"))).unwrap();
        let flags = has.map(|flag| u8::from(flag).to_string()).join(",");
        table += &format!("{at}.png,{flags}\n");
    }
    fs::write(folder.path().join("labels.csv"), table).unwrap();
    let opened = Folder::open(folder.path()).unwrap();
    (folder, opened)
}

fn recipe(epochs: usize) -> Recipe {
    Recipe {
        optimiser: Optimiser::Adam,
        batch_size: 8,
        learning_rate: 1e-2,
        epochs,
        input_size: 16,
        augmentation: Augmentation { flip: 0.5, brightness: 0.1, ..Augmentation::NONE },
        noise: 0.02,
        seed: 4,
        ..Published::Voc2012.recipe()
    }
}

/// Trains a small network; `watch` is told of each progress.
fn train_with(
    data: &Folder,
    recipe: Recipe,
    output: &Path,
    stop: &AtomicBool,
    watch: impl FnMut(Progress<'_>),
) -> Result<Curve, TrainError> {
    let network = TrainableResNet::new("resnet10", 4, 3, recipe.seed, &Device::flex()).unwrap();
    let (train, validation) = (data, data);
    Training { network, origin: "new", train, validation, recipe, output, stop }.run(watch)
}

fn train(data: &Folder, recipe: Recipe, output: &Path) -> Result<Curve, TrainError> {
    train_with(data, recipe, output, &AtomicBool::new(false), |_| {})
}

/// What doesn't depend on the clock.
fn timeless(curve: &Curve) -> Curve {
    let mut curve = curve.clone();
    curve.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
    curve
}

#[test]
fn a_network_learns_and_is_left_as_a_file_that_loads() {
    let (_folder, data) = coloured(48);
    let output = tempfile::tempdir().unwrap();
    let curve = train(&data, recipe(12), output.path()).unwrap();
    let (first, last) = (&curve.epochs[0], curve.epochs.last().unwrap());
    println!("{first:?}\n{last:?}");
    assert!(last.train_loss < 0.5 * first.train_loss);
    assert!(last.validation.map_category > 0.95 && last.validation.map_instance > 0.95);

    let best = load(output.path().join("best.safetensors"), &Device::flex()).unwrap();
    assert_eq!((best.classes(), best.input_size()), (3, Some([16, 16])));
    let found = evaluate(&best, &data, &recipe(1).transform(), 5).unwrap();
    let expected = curve.best().unwrap().validation;
    assert!((found.map_instance - expected.map_instance).abs() < 1e-9);
    assert!((found.loss - expected.loss).abs() < 1e-5);
    assert!(fs::read(output.path().join("curve.png")).unwrap().starts_with(b"\x89PNG"));
    let table = fs::read_to_string(output.path().join("curve.csv")).unwrap();
    assert_eq!(table.lines().count(), 13);
    let mut files: Vec<String> = fs::read_dir(output.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let expected = ["best.safetensors", "checkpoint", "curve.csv", "curve.png", "last.safetensors"];
    assert_eq!(files, expected, "nothing half-written is left");
}

#[test]
fn a_run_that_was_ended_in_an_epoch_ends_as_one_that_was_not() {
    let (_folder, data) = coloured(24);
    let [whole, ended] = [(), ()].map(|()| tempfile::tempdir().unwrap());
    for optimiser in [Optimiser::Adam, Optimiser::Sgd] {
        let recipe = Recipe { optimiser, seed: optimiser as u64, ..recipe(3) };
        let [whole, ended] = [&whole, &ended].map(|f| f.path().join(format!("{optimiser:?}")));
        let expected = train(&data, recipe.clone(), &whole).unwrap();

        // Ended in the middle of the second epoch.
        let (stop, mut steps) = (AtomicBool::new(false), 0);
        let cut = train_with(&data, recipe.clone(), &ended, &stop, |progress| {
            steps += usize::from(matches!(progress, Progress::Step(_)));
            stop.store(steps == 5, Ordering::Relaxed);
        });
        assert_eq!(cut.unwrap().epochs.len(), 1);
        let mut resumed = 0;
        let on = train_with(&data, recipe, &ended, &AtomicBool::new(false), |progress| {
            if let Progress::Resumed(epochs) = progress {
                resumed = epochs;
            }
        });
        assert_eq!(resumed, 1);
        assert_eq!(timeless(&on.unwrap()), timeless(&expected));
        for file in ["last.safetensors", "best.safetensors"] {
            let [left, right] = [&whole, &ended].map(|folder| fs::read(folder.join(file)).unwrap());
            assert!(left == right, "{file} differs");
        }
    }
}

#[test]
fn the_checkpoint_of_another_run_is_refused_with_what_differs() {
    let (_folder, data) = coloured(16);
    let output = tempfile::tempdir().unwrap();
    train(&data, recipe(1), output.path()).unwrap();
    let saved = fs::read(output.path().join("last.safetensors")).unwrap();
    // The same again: nothing is left to do, and nothing is done.
    assert_eq!(train(&data, recipe(1), output.path()).unwrap().epochs.len(), 1);

    let other = Recipe { learning_rate: 0.5, ..recipe(1) };
    let message = train(&data, other, output.path()).unwrap_err().to_string();
    assert!(message.contains("whose settings.learning_rate is 0.01 and not 0.5"), "{message}");
    let (_folder, fewer) = coloured(12);
    let message = train(&fewer, recipe(1), output.path()).unwrap_err().to_string();
    assert!(message.contains("whose train.images is 16 and not 12"), "{message}");
    assert_eq!(fs::read(output.path().join("last.safetensors")).unwrap(), saved);
}

#[test]
fn a_damaged_checkpoint_is_an_error_and_never_a_panic() {
    let (_folder, data) = coloured(16);
    let output = tempfile::tempdir().unwrap();
    train(&data, recipe(1), output.path()).unwrap();
    let path = output.path().join("checkpoint");
    let whole = fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = train(&data, recipe(1), output.path()).unwrap_err();
        assert!(matches!(error, TrainError::Checkpoint { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains("checkpoint: not a checkpoint"), "{error}");
        error
    };
    for length in [0, 1, 100, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..length]);
    }
    // Of a weight the lowest bit: no reader would see it.
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    assert!(refused(&flipped).contains("expected SHA-256"));
}

#[test]
fn what_cannot_be_trained_is_refused_before_anything_is_done() {
    let (_folder, data) = coloured(8);
    let output = tempfile::tempdir().unwrap();
    let path = output.path().join("out");
    let refusal = |network: TrainableResNet, validation: &Folder, recipe: Recipe| {
        let (train, stop) = (&data, &AtomicBool::new(false));
        let training =
            Training { network, origin: "new", train, validation, recipe, output: &path, stop };
        training.run(|_| {}).unwrap_err()
    };
    let network =
        |classes| TrainableResNet::new("resnet10", 2, classes, 0, &Device::flex()).unwrap();
    let error = refusal(network(7), &data, recipe(1));
    assert!(matches!(error, TrainError::Labels { network: 7, labels: 3, .. }), "{error}");
    let examples = Some(Examples { k: 3, ..Examples::default() });
    let error = refusal(network(3), &data, Recipe { examples, ..recipe(1) });
    assert!(matches!(error, TrainError::Setting { field: "k of examples", .. }), "{error}");
    let error = refusal(network(3), &data, Recipe { batch_size: 1, ..recipe(1) });
    assert!(matches!(error, TrainError::Setting { field: "batch size", .. }), "{error}");

    let (folder, _) = coloured(4);
    let table = fs::read_to_string(folder.path().join("labels.csv")).unwrap();
    fs::write(folder.path().join("labels.csv"), table.replace("blue", "grey")).unwrap();
    let other = Folder::open(folder.path()).unwrap();
    let error = refusal(network(3), &other, recipe(1));
    assert_eq!(
        error.to_string(),
        "label 2: expected `blue` as in the training split, found `grey`"
    );
    assert!(!path.exists());
}

#[test]
fn a_loss_that_is_no_number_ends_the_run() {
    let (_folder, data) = coloured(16);
    let output = tempfile::tempdir().unwrap();
    let wild = Recipe { optimiser: Optimiser::Sgd, learning_rate: 1e30, ..recipe(5) };
    let error = train(&data, wild, output.path()).unwrap_err();
    println!("{error}");
    let lost = matches!(error, TrainError::Diverged { .. } | TrainError::Model(_));
    assert!(lost, "{error}");
}
