//! Networks to be trained: from files and anew, and what is saved of them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod golden;

use burn::tensor::{Device, Tensor};
use files::{Files, victim};
use golden::{RELATIVE, Recorded, difference, golden, values};
use tkmia_core::Classifier;
use tkmia_models::{ModelError, TrainableResNet, load};

#[test]
fn an_untrained_network_scores_as_the_file_it_came_from() {
    let device = Device::flex();
    let images = &Recorded::read("victims/scores.npz").images["images_32"];
    let network = TrainableResNet::load(victim("resnet14-tiny.pth"), &device).unwrap();
    let same = load(victim("resnet14-tiny.pth"), &device).unwrap();
    let scores = |model: &dyn Classifier| values(model.scores(images.clone()));
    assert_eq!(scores(&network.victim().unwrap()), scores(&same));

    // An epsilon, and means that have taken up a bias, pass through ONNX in other numbers.
    let network = TrainableResNet::load(victim("resnet14-tiny-bn.onnx"), &device).unwrap();
    let files = Files::new();
    let path = files.write("saved.safetensors", b"");
    network.save(&path, Some(32)).unwrap();
    let saved = load(&path, &device).unwrap();
    assert!(difference(&saved, images, &scores(&same)) < RELATIVE);
    assert_eq!(saved.input_size(), Some([32, 32]));
    assert_eq!(
        std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1,
        "nothing else is left"
    );
}

#[test]
fn training_mode_goes_by_the_statistics_of_the_batch() {
    let network = TrainableResNet::new("resnet10", 4, 5, 3, &Device::flex()).unwrap();
    let device = network.device();
    let images = Tensor::random([4, 3, 32, 32], burn::tensor::Distribution::Default, &device);
    let before = values(network.victim().unwrap().scores(images.clone().inner()));
    let trained = network.forward(images.clone());
    assert!(trained.is_autodiff());
    // The running statistics have moved, so the frozen network has too.
    let after = values(network.victim().unwrap().scores(images.inner()));
    assert_ne!(before, after);
}

#[test]
fn a_network_whose_batch_norms_are_folded_or_that_torchvision_has_no_names_for_is_refused() {
    let refusal = |path: std::path::PathBuf| {
        let error = TrainableResNet::load(&path, &Device::flex()).unwrap_err();
        assert!(matches!(&error, ModelError::InFile { path: named, .. } if *named == path));
        error.to_string()
    };
    assert!(refusal(victim("resnet14-tiny.onnx")).contains("its batch norms are folded"));
    let message = refusal(golden("variants/legacy-bn-11.onnx"));
    assert!(message.contains("can't be trained"), "{message}");
}

#[test]
fn a_seed_gives_the_same_weights_again_and_another_others() {
    let files = Files::new();
    let bytes = |seed, head| {
        let path = files.write("seeded.safetensors", b"");
        let network = TrainableResNet::new("resnet10", 2, 3, seed, &Device::flex()).unwrap();
        network.with_head(7, head).save(&path, None).unwrap();
        assert_eq!(load(&path, &Device::flex()).unwrap().classes(), 7);
        std::fs::read(path).unwrap()
    };
    let first = bytes(1, 2);
    assert_eq!(bytes(1, 2), first);
    assert_ne!(bytes(2, 2), first);
    assert_ne!(bytes(1, 3), first);
}

#[test]
fn weights_are_drawn_with_the_deviation_of_their_fan_out() {
    let tensors = files::network("resnet18", 16);
    let deviation = |name: &str| {
        let values = &tensors[name].1;
        (values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    };
    // √(2 / (128 · 9)) and √(2 / (16 · 49)).
    assert!((deviation("layer4.1.conv2.weight") - 0.0417).abs() < 0.001);
    assert!((deviation("conv1.weight") - 0.0505).abs() < 0.002);
    let bound = 1.0 / 128_f32.sqrt();
    assert!(tensors["fc.weight"].1.iter().all(|weight| weight.abs() <= bound));
}

#[test]
fn a_name_width_or_number_of_labels_that_makes_no_network_is_an_error() {
    for (name, width, classes) in [("resnet51", 8, 3), ("resnet18", 0, 3), ("resnet18", 8, 0)] {
        let error = TrainableResNet::new(name, width, classes, 0, &Device::flex()).unwrap_err();
        assert!(matches!(error, ModelError::UnknownArchitecture { .. }), "{error}");
        let known = "resnet10, resnet14, resnet18, resnet34, resnet50, resnet101 or resnet152";
        assert!(error.to_string().ends_with(&format!("expected {known}, and at least 1 of both")));
    }
}
