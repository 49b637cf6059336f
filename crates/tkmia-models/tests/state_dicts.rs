//! Networks from state dicts: what is recognised, and that it scores as the same network in ONNX.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod golden;

use ::safetensors::Dtype;
use burn::tensor::{Device, Tensor};
use files::{
    Files, Python, Tensors, in_f32, network, prefixed, pytorch, safetensors, tiny, victim,
};
use golden::{RELATIVE, Recorded, difference, values};
use tkmia_core::Classifier;
use tkmia_models::{BlockKind, FloatType, Format, architecture, load};

fn scores(model: &dyn Classifier) -> Vec<f32> {
    let device = Device::flex();
    let images = Tensor::<1>::from_data(&*wave(2 * 3 * 32 * 32), &device);
    values(model.scores(images.reshape([2, 3, 32, 32])))
}

/// Values between -1 and 1.
fn wave(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.37).sin()).collect()
}

#[test]
fn a_pytorch_file_and_its_safetensors_score_as_the_onnx_export() {
    let recorded = Recorded::read("victims/scores.npz");
    let (images, logits) = (&recorded.images["images_32"], &recorded.scores["logits_tiny"]);
    let files = Files::new();
    let models = [
        load(victim("resnet14-tiny.pth"), &Device::flex()).unwrap(),
        files.load("tiny.safetensors", &in_f32(&tiny())).unwrap(),
    ];
    let export = load(victim("resnet14-tiny.onnx"), &Device::flex()).unwrap();
    for model in &models {
        let apart = difference(model, images, logits);
        let from_export = difference(model, images, &values(export.scores(images.clone())));
        println!("{}: {apart:.1e}, {from_export:.1e}", model.description());
        assert!(apart < RELATIVE && from_export < RELATIVE, "{apart}, {from_export}");
    }
    assert_eq!(scores(&models[0]), scores(&models[1]));
}

#[test]
fn the_architecture_is_read_from_names_and_shapes() {
    let found = architecture(victim("resnet14-tiny.pth")).unwrap();
    let text = "ResNet-14 (bottleneck 1-1-1-1, width 8-16-32-64, 20 labels, any size)";
    assert_eq!(found.to_string(), text);
    assert_eq!((found.format, found.batch_norm), (Format::PyTorch, true));
    assert_eq!((found.normalisation, found.sigmoid), (false, false));
    let model = load(victim("resnet14-tiny.pth"), &Device::flex()).unwrap();
    assert_eq!((model.input_size(), model.description()), (None, text.to_owned()));
    let export = architecture(victim("resnet14-tiny.onnx")).unwrap();
    assert_eq!(found.parameters, export.parameters);
}

#[test]
fn every_depth_that_has_a_name_is_told_from_the_blocks() {
    let files = Files::new();
    let cases = [
        ("resnet18", BlockKind::Basic, [2, 2, 2, 2], 18),
        ("resnet34", BlockKind::Basic, [3, 4, 6, 3], 34),
        ("resnet50", BlockKind::Bottleneck, [3, 4, 6, 3], 50),
        ("resnet101", BlockKind::Bottleneck, [3, 4, 23, 3], 101),
        ("resnet152", BlockKind::Bottleneck, [3, 8, 36, 3], 152),
    ];
    for (name, block, depths, depth) in cases {
        let path = files.write("network.safetensors", &in_f32(&network(name, 2)));
        let (model, found) = (load(&path, &Device::flex()).unwrap(), architecture(path).unwrap());
        assert_eq!((found.block, &found.depths[..], found.depth()), (block, &depths[..], depth));
        assert_eq!(found.widths, [2, 4, 8, 16]);
        assert!(scores(&model).iter().all(|score| score.is_finite()));
    }
}

/// Widens the bottlenecks of a network: `times` the inner channels, in so many groups.
fn widened(mut tensors: Tensors, times: usize, groups: usize) -> Tensors {
    for (name, (shape, values)) in &mut tensors {
        let layer = name.strip_prefix("layer").map(|rest| &rest[4..]);
        match layer {
            Some("conv1.weight") => shape[0] *= times,
            Some("conv2.weight") => {
                (shape[0], shape[1]) = (shape[0] * times, shape[1] * times / groups)
            }
            Some("conv3.weight") => shape[1] *= times,
            Some(part) if part.starts_with("bn1") || part.starts_with("bn2") => shape[0] *= times,
            _ => continue,
        }
        let count = shape.iter().product();
        // Positive, as variances must be.
        *values = wave(count).into_iter().map(|v| 0.2 + 0.1 * v).collect();
    }
    tensors
}

#[test]
fn wide_and_grouped_bottlenecks_are_told_from_shapes() {
    let files = Files::new();
    for (times, groups) in [(2, 1), (4, 4), (1, 2)] {
        let tensors = widened(network("resnet14", 4), times, groups);
        let path = files.write("wide.safetensors", &in_f32(&tensors));
        let (model, found) = (load(&path, &Device::flex()).unwrap(), architecture(path).unwrap());
        assert_eq!(found.widths, [4, 8, 16, 32].map(|width| width * times));
        assert_eq!(found.features, 128);
        assert!(scores(&model).iter().all(|score| score.is_finite()), "{times} {groups}");
    }
}

#[test]
fn a_network_is_found_under_the_keys_and_prefixes_that_people_save_it_with() {
    let files = Files::new();
    let tensors = network("resnet10", 2);
    let expected = scores(&files.load("plain.safetensors", &in_f32(&tensors)).unwrap());
    for prefix in ["module.", "model.", "net.module.", "model.module.", "encoder."] {
        let renamed = prefixed(&tensors, prefix);
        let model = files.load("renamed.safetensors", &in_f32(&renamed)).unwrap();
        assert_eq!(scores(&model), expected, "{prefix}");
        let model = files.load("renamed.pth", &pytorch(&Python::Tensors(&renamed))).unwrap();
        assert_eq!(scores(&model), expected, "{prefix}");
    }

    let parallel = prefixed(&tensors, "module.");
    let average: Tensors =
        tensors.iter().map(|(n, (s, v))| (n.clone(), (s.clone(), vec![0.5; v.len()]))).collect();
    let momentum = Tensors::from([("0".to_owned(), (vec![2], vec![1.0, 2.0]))]);
    for key in ["state_dict", "model", "model_state_dict"] {
        let checkpoint = Python::Dict(vec![
            ("epoch", Python::Int(12)),
            ("arch", Python::Text("resnet10")),
            (key, Python::Tensors(&parallel)),
            ("model_ema", Python::Tensors(&average)),
            ("optimizer", Python::Dict(vec![("state", Python::Tensors(&momentum))])),
        ]);
        let model = files.load("checkpoint.pt", &pytorch(&checkpoint)).unwrap();
        assert_eq!(scores(&model), expected, "{key}");
    }
}

#[test]
fn a_whole_module_is_read_by_the_names_of_its_state_dict() {
    let files = Files::new();
    let tensors = network("resnet10", 2);
    let expected = scores(&files.load("plain.safetensors", &in_f32(&tensors)).unwrap());
    // Flat parameters of one module within another: the names come out as `backbone.conv1.weight`.
    let none = Tensors::new();
    let module = Python::Module(
        "Tagger",
        &none,
        vec![("backbone", Python::Module("Net", &tensors, vec![]))],
    );
    let model = files.load("module.pt", &pytorch(&module)).unwrap();
    assert_eq!(scores(&model), expected);
}

#[test]
fn the_linear_layer_may_stand_among_others_and_be_without_a_bias() {
    let files = Files::new();
    let mut tensors = network("resnet10", 2);
    let expected = scores(&files.load("plain.safetensors", &in_f32(&tensors)).unwrap());
    for part in ["weight", "bias"] {
        let tensor = tensors.remove(&format!("fc.{part}")).unwrap();
        tensors.insert(format!("fc.1.{part}"), tensor);
    }
    let model = files.load("dropout.safetensors", &in_f32(&tensors)).unwrap();
    assert_eq!(scores(&model), expected);

    let (_, bias) = tensors.remove("fc.1.bias").unwrap();
    let without = scores(&files.load("bare.safetensors", &in_f32(&tensors)).unwrap());
    for (at, (score, with)) in without.iter().zip(&expected).enumerate() {
        assert!((score + bias[at % 3] - with).abs() < 1e-5);
    }
}

#[test]
fn weights_of_16_and_64_bits_are_read_as_the_values_they_are() {
    let files = Files::new();
    let tensors = network("resnet10", 2);
    let cases = [
        (Dtype::F16, FloatType::F16),
        (Dtype::BF16, FloatType::Bf16),
        (Dtype::F64, FloatType::F64),
    ];
    for (kind, found) in cases {
        let path = files.write("narrow.safetensors", &safetensors(&tensors, |_| kind, None));
        let model = load(&path, &Device::flex()).unwrap();
        assert_eq!(architecture(path).unwrap().weight_types, [found]);
        let rounded = tensors.iter().map(|(name, (shape, values))| {
            let round = |&v: &f32| match kind {
                Dtype::F16 => half::f16::from_f32(v).to_f32(),
                Dtype::BF16 => half::bf16::from_f32(v).to_f32(),
                _ => v,
            };
            (name.clone(), (shape.clone(), values.iter().map(round).collect()))
        });
        let rounded = files.load("same.safetensors", &in_f32(&rounded.collect())).unwrap();
        assert_eq!(scores(&model), scores(&rounded), "{kind}");
    }
    let mixed = |name: &str| if name.contains("fc") { Dtype::F32 } else { Dtype::BF16 };
    let path = files.write("mixed.safetensors", &safetensors(&tensors, mixed, None));
    assert_eq!(architecture(path).unwrap().weight_types, [FloatType::Bf16, FloatType::F32]);
}

#[test]
fn metadata_tell_the_input_size() {
    let files = Files::new();
    let tensors = network("resnet10", 2);
    let with = |value| safetensors(&tensors, |_| Dtype::F32, Some(("input_size", value)));
    let model = files.load("sized.safetensors", &with("48")).unwrap();
    assert_eq!(model.input_size(), Some([48, 48]));
    let found = architecture(files.write("sized.safetensors", &with("48"))).unwrap();
    // Stem 24²·2·147, behind the pooling 12²; stages at 12², 6², 3² and 2².
    let stages = 144 * 72 + 36 * (72 + 144 + 8) + 9 * (288 + 576 + 32) + 4 * (1152 + 2304 + 128);
    assert_eq!(found.multiply_adds, Some(576 * 294 + stages + 48));
    for wrong in ["0", "-3", "large", "99999999999"] {
        let message = files.refusal("sized.safetensors", &with(wrong));
        assert!(
            message.contains("metadata `input_size`: expected the side") && message.contains(wrong)
        );
    }
}

#[test]
fn metadata_tell_the_label_names() {
    let files = Files::new();
    let tensors = network("resnet10", 2);
    let names = |key, text| {
        let bytes = safetensors(&tensors, |_| Dtype::F32, Some((key, text)));
        files.load("named.safetensors", &bytes).unwrap().label_names().map(<[String]>::to_vec)
    };
    let expected = ["cat", "dog", "cow"].map(String::from).to_vec();
    assert_eq!(names("classes", r#"["cat", "dog", "cow"]"#), Some(expected.clone()));
    assert_eq!(names("names", "cat, dog, cow"), Some(expected));
    assert_eq!(names("names", "cat, dog"), None);
    assert_eq!(files.load("bare.safetensors", &in_f32(&tensors)).unwrap().label_names(), None);
}

#[test]
fn the_content_tells_the_format_whatever_the_name_says() {
    let files = Files::new();
    let tensors = network("resnet10", 2);
    let format = |name: &str, bytes: &[u8]| architecture(files.write(name, bytes)).unwrap().format;
    assert_eq!(format("a.pth", &in_f32(&tensors)), Format::Safetensors);
    assert_eq!(format("b.onnx", &pytorch(&Python::Tensors(&tensors))), Format::PyTorch);
    let onnx = std::fs::read(victim("resnet14-tiny.onnx")).unwrap();
    assert_eq!(format("c", &onnx), Format::Onnx);
}
