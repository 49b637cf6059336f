//! State dicts that hold no ResNet, or damaged ones: each has an error that says what and where.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;

use ::safetensors::Dtype;
use files::{Files, Python, Tensors, in_f32, network, prefixed, pytorch, safetensors};
use tkmia_models::ModelError;

/// The refusal of a changed network, as a safetensors and as a PyTorch file alike.
fn refused(change: impl FnOnce(&mut Tensors)) -> String {
    let files = Files::new();
    let mut tensors = network("resnet10", 2);
    change(&mut tensors);
    let message = files.refusal("changed.safetensors", &in_f32(&tensors));
    assert_eq!(files.refusal("changed.pth", &pytorch(&Python::Tensors(&tensors))), message);
    message
}

#[test]
fn a_tensor_that_is_missing_or_does_not_fit_is_named_with_what_was_expected() {
    let without = |name: &'static str| refused(move |t| drop(t.remove(name).unwrap()));
    assert_eq!(
        without("layer2.0.bn2.running_var"),
        "tensor `layer2.0.bn2.running_var`: expected a value for each of 4 channels, found none of that name"
    );
    assert_eq!(
        without("layer3.0.downsample.0.weight"),
        "tensor `layer3.0.downsample.0.weight`: expected weights [out, 4 / groups, 1, 1], found none of \
         that name"
    );
    assert_eq!(
        without("fc.weight"),
        "tensor `fc.weight`: expected weights [labels, 16], found none of that name"
    );
    let reshaped = |name: &'static str, shape: &'static [usize]| {
        refused(move |t| {
            let count = shape.iter().product();
            t.insert(name.to_owned(), (shape.to_vec(), vec![0.5; count]));
        })
    };
    assert_eq!(
        reshaped("layer1.0.conv2.weight", &[2, 3, 3, 3]),
        "tensor `layer1.0.conv2.weight`: expected weights [out, 2 / groups, 3, 3], found the shape \
         [2, 3, 3, 3]"
    );
    assert!(reshaped("conv1.weight", &[2, 3, 3, 3]).contains("[out, 3 / groups, 7, 7]"));
    assert!(
        reshaped("fc.weight", &[3, 8]).contains("weights [labels, 16], found the shape [3, 8]")
    );
    assert!(reshaped("fc.bias", &[4]).contains("each of 3 channels, found the shape [4]"));
    assert!(reshaped("layer2.0.downsample.0.weight", &[3, 2, 1, 1]).contains("downsample"));
    assert!(
        reshaped("layer1.0.conv1.weight", &[0, 2, 3, 3]).contains("found the shape [0, 2, 3, 3]")
    );
}

#[test]
fn a_tensor_that_a_resnet_has_not_means_another_network() {
    let with =
        |name: &'static str| refused(move |t| drop(t.insert(name.into(), (vec![2], vec![1.0; 2]))));
    for name in
        ["layer1.0.se.fc1.weight", "conv1.bias", "mean", "fc.2.weight", "layer1.2.conv1.weight"]
    {
        let message = with(name);
        let expected = format!(
            "tensor `{name}`: a torchvision resnet has none of that name; another network is read from ONNX: \
             `torch.onnx.export(model.eval(), "
        );
        assert!(message.starts_with(&expected), "{message}");
    }
}

#[test]
fn values_that_are_no_finite_floats_are_an_error() {
    let set = |name: &'static str, at: usize, value: f32| {
        refused(move |t| t.get_mut(name).unwrap().1[at] = value)
    };
    let message = set("layer1.0.conv1.weight", 5, f32::NAN);
    assert_eq!(
        message,
        "tensor `layer1.0.conv1.weight`: expected finite values, found NaN at element 5"
    );
    let message = set("bn1.running_var", 1, -1.0);
    assert_eq!(message, "tensor `bn1.running_var`: expected finite values, found NaN at element 1");

    let files = Files::new();
    let tensors = network("resnet10", 2);
    let kind = |name: &str| if name == "fc.weight" { Dtype::I32 } else { Dtype::F32 };
    let message = files.refusal("ints.safetensors", &safetensors(&tensors, kind, None));
    assert_eq!(message, "tensor `fc.weight`: expected f32, f16, bf16 or f64 values, found I32");
}

#[test]
fn a_file_without_a_network_or_with_several_says_what_it_holds() {
    let files = Files::new();
    let small = Tensors::from([("features.0.weight".to_owned(), (vec![1], vec![1.0]))]);
    let message = files.refusal("vgg.safetensors", &in_f32(&small));
    let expected =
        "found `features.0.weight`; another network is read from ONNX: `torch.onnx.export(";
    assert!(message.contains(expected), "{message}");
    let message = files.refusal("none.safetensors", &in_f32(&Tensors::new()));
    assert!(message.contains("found no tensor; "), "{message}");

    let network = network("resnet10", 2);
    let mut two = prefixed(&network, "teacher.");
    two.append(&mut prefixed(&network, "student."));
    let message = files.refusal("two.safetensors", &in_f32(&two));
    assert!(message.ends_with(r#"with the prefixes ["student.", "teacher."]"#), "{message}");
}

#[test]
fn a_pickle_of_something_else_is_an_error_and_calls_nothing() {
    let files = Files::new();
    let trace = files.write("trace", b"");
    std::fs::remove_file(&trace).unwrap();
    let command = format!("touch {}", trace.display());
    let message = files.refusal("call.pt", &pytorch(&Python::Call("os", "system", &command)));
    assert!(message.contains("Expected a dictionary at the root of the PyTorch file"), "{message}");
    assert!(!trace.exists());

    let settings = Python::Dict(vec![("epoch", Python::Int(3)), ("arch", Python::Text("resnet"))]);
    let message = files.refusal("settings.pt", &pytorch(&settings));
    assert!(message.contains("found no tensor; "), "{message}");
}

#[test]
fn a_truncated_or_foreign_file_is_an_error() {
    let files = Files::new();
    let tensors = network("resnet10", 2);
    let (safe, torch) = (in_f32(&tensors), pytorch(&Python::Tensors(&tensors)));
    for length in [0, 1, 7, 8, 9, 100, safe.len() / 2, safe.len() - 1] {
        let message = files.refusal("cut.safetensors", &safe[..length]);
        assert!(message.contains("not a safetensors file, or a truncated one"), "{message}");
    }
    for length in [0, 1, 4, 100, torch.len() / 2, torch.len() - 1] {
        let message = files.refusal("cut.pth", &torch[..length]);
        assert!(
            message.contains("not a pytorch file with tensors, or a truncated one"),
            "{message}"
        );
    }
    assert!(files.refusal("script.py", b"import torch\n").starts_with("it is a text file"));
    assert_eq!(
        files.refusal("noise.bin", b"\xff\x00\xff"),
        "not a model: expected an onnx, safetensors or pytorch file"
    );
    let missing = tkmia_models::load("no/such.pth", &burn::tensor::Device::flex()).unwrap_err();
    assert!(matches!(&missing, ModelError::Read { .. }), "{missing}");
    assert_eq!(missing.to_string(), "no/such.pth: can't be read");
}
