//! The project's own victims against the scores that onnxruntime gives them.
//!
//! `golden/victims/scores.npz` was recorded with onnxruntime on the CPU: six images at 32 and at 64
//! pixels, and the logits of each network.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use std::path::PathBuf;

use burn::tensor::{Device, Tensor};
use golden::{RELATIVE, Recorded, difference, values};
use tkmia_core::{Bounds, Classifier, Tagger};
use tkmia_models::{BlockKind, architecture, load, load_with};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../assets/victims").join(name)
}

fn victim(name: &str) -> Box<dyn Classifier> {
    load(file(name), &Device::flex()).unwrap()
}

#[test]
fn every_victim_scores_as_onnxruntime_does() {
    let recorded = Recorded::read("victims/scores.npz");
    let cases = [
        ("resnet14-tiny.onnx", "images_32", "logits_tiny"),
        ("resnet14-tiny-bn.onnx", "images_32", "logits_tiny"),
        ("resnet14-tiny-dynamo.onnx", "images_32", "logits_tiny"),
        ("resnet50-mini-voc.onnx", "images_64", "logits_mini_voc"),
    ];
    for (file, images, logits) in cases {
        let model = victim(file);
        let apart = difference(&model, &recorded.images[images], &recorded.scores[logits]);
        println!("{file}: {apart:.1e}");
        assert!(apart < RELATIVE, "{file}: {apart}");
    }
}

#[test]
fn a_batch_scores_as_its_images_do_one_at_a_time() {
    let recorded = Recorded::read("victims/scores.npz");
    for (file, images) in
        [("resnet14-tiny.onnx", "images_32"), ("resnet50-mini-voc.onnx", "images_64")]
    {
        let (model, images) = (victim(file), &recorded.images[images]);
        let together = values(model.scores(images.clone()));
        let alone: Vec<f32> =
            (0..6).flat_map(|i| values(model.scores(images.clone().narrow(0, i, 1)))).collect();
        let apart = together.iter().zip(&alone).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{file}: batch of six against singles, {apart:.1e} apart");
        assert!(apart < 1e-5, "{file}: {apart}");
    }
}

#[test]
fn autodiff_changes_no_score() {
    let recorded = Recorded::read("victims/scores.npz");
    let model = victim("resnet14-tiny.onnx");
    let images = recorded.images["images_32"].clone();
    let tracked = model.scores(images.clone().autodiff().require_grad());
    assert!(tracked.is_autodiff());
    assert_eq!(values(tracked.inner()), values(model.scores(images)));
    assert!(!model.device().is_autodiff());
}

#[test]
fn a_model_loaded_for_an_autodiff_device_stays_on_the_plain_one() {
    let path = golden::golden("variants/legacy-17.onnx");
    let model = load(path, &Device::flex().autodiff()).unwrap();
    assert!(!model.device().is_autodiff());
    assert!(!model.scores(Tensor::zeros([1, 3, 32, 32], &Device::flex())).is_autodiff());
}

#[test]
fn the_gradient_of_a_score_agrees_with_finite_differences() {
    let recorded = Recorded::read("victims/scores.npz");
    let model = victim("resnet14-tiny.onnx");
    let image = recorded.images["images_32"].clone().narrow(0, 0, 1);
    let label = 14;
    let score = |x: Tensor<4>| model.scores(x).slice([0..1, label..label + 1]).sum();

    let tracked = image.clone().autodiff().require_grad();
    let gradient = tracked.grad(&score(tracked.clone()).backward()).unwrap();
    let at = |x: &Tensor<4>, [c, i, j]: [usize; 3]| {
        x.clone().slice([0..1, c..c + 1, i..i + 1, j..j + 1]).try_into_scalar::<f32>().unwrap()
    };
    let step = 2e-3_f32;
    for pixel in [[0, 0, 0], [1, 16, 15], [2, 31, 31], [0, 8, 25], [1, 20, 3]] {
        let [c, i, j] = pixel;
        let moved = |by: f32| {
            let value = Tensor::full([1, 1, 1, 1], at(&image, pixel) + by, &Device::flex());
            let x = image.clone().slice_assign([0..1, c..c + 1, i..i + 1, j..j + 1], value);
            score(x).try_into_scalar::<f32>().unwrap()
        };
        let expected = (moved(step) - moved(-step)) / (2.0 * step);
        let found = at(&gradient, pixel);
        assert!((found - expected).abs() < 2e-3, "{pixel:?}: {found} against {expected}");
    }
}

#[test]
fn the_architecture_is_read_from_the_graph() {
    let model = victim("resnet50-mini-voc.onnx");
    let found = architecture(file("resnet50-mini-voc.onnx")).unwrap();
    let text = "ResNet-50 (bottleneck 3-4-6-3, width 16-32-64-128, 20 labels, 64×64)";
    assert_eq!((found.to_string(), model.description()), (text.to_owned(), text.to_owned()));
    assert_eq!(found.block, BlockKind::Bottleneck);
    assert_eq!((found.stem_width, found.features), (16, 512));
    assert!(!found.batch_norm && !found.sigmoid && !found.normalisation);
    assert_eq!(model.classes(), 20);
    assert_eq!(model.input_size(), Some([64, 64]));
    assert_eq!(model.bounds(), Bounds::SYMMETRIC);

    let tiny = architecture(file("resnet14-tiny-bn.onnx")).unwrap();
    let text = "ResNet-14 (bottleneck 1-1-1-1, width 8-16-32-64, 20 labels, 32×32)";
    assert_eq!(tiny.to_string(), text);
    assert!(tiny.batch_norm);
}

#[test]
fn an_architecture_survives_json() {
    let found = architecture(file("resnet14-tiny.onnx")).unwrap();
    let json = serde_json::to_string(&found).unwrap();
    assert!(json.contains(r#""block":"bottleneck","depths":[1,1,1,1]"#), "{json}");
    let read: tkmia_models::Architecture = serde_json::from_str(&json).unwrap();
    assert_eq!(read, found);
}

#[test]
fn a_network_is_shown_by_its_layers_and_not_by_its_weights() {
    let text = format!("{:?}", victim("resnet14-tiny.onnx"));
    assert!(text.len() < 20_000, "{} characters", text.len());
}

#[test]
fn bounds_can_be_set() {
    let tagger = Tagger { range: Some(Bounds::UNIT), ..Tagger::default() };
    let loaded = load_with(file("resnet14-tiny.onnx"), &tagger, &Device::flex()).unwrap();
    assert_eq!(loaded.classifier.bounds(), Bounds::UNIT);
}
