//! The ONNX standard's own tests of its operators, as far as these are known here.
//!
//! `docs/src/networks.md` says how to write them out, and what came of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use prost::Message;

use super::build::{Builder, Problem};
use super::constant;
use super::value::{Kind, Value};
use crate::format::onnx::Model;
use crate::format::onnx::proto::TensorProto;

/// As the standard's own runner compares, and for numbers near 0.
const RELATIVE: f32 = 1e-3;
const ABSOLUTE: f32 = 1e-5;
/// Of numbers of 16 bits: half their last one.
const RELATIVE_16: f32 = 1e-2;

/// Cases whose sizes are no whole numbers before they are cut: onnxruntime gives what is given here.
const APART: [&str; 2] = [
    "test_resize_downsample_scales_cubic_align_corners",
    "test_resize_downsample_scales_linear_align_corners",
];

enum Ending {
    Passed,
    /// An operator that isn't known, or numbers of a type that isn't read.
    Unknown(String),
    /// A node that isn't computed, and says why.
    Refused(String),
    /// Other numbers.
    Wrong(String),
}

fn tensor(path: &Path) -> TensorProto {
    TensorProto::decode(fs::read(path).unwrap().as_slice()).unwrap()
}

/// Computes a case's graph of constants: its inputs are written into it.
fn run(case: &Path) -> Ending {
    let data = case.join("test_data_set_0");
    let mut model = match Model::decode(&fs::read(case.join("model.onnx")).unwrap()) {
        Ok(model) => model,
        Err(error) => return Ending::Unknown(error.to_string()),
    };
    for (at, input) in std::mem::take(&mut model.graph.input).into_iter().enumerate() {
        let path = data.join(format!("input_{at}.pb"));
        let stored = model.graph.initializer.iter().any(|tensor| tensor.name == input.name);
        if path.exists() && !stored {
            model.graph.initializer.push(TensorProto { name: input.name, ..tensor(&path) });
        }
    }
    let device = Device::flex();
    let mut builder = Builder::new(&model, Some(case), &device);
    if let Err(error) = builder.initialisers(&model.graph) {
        return Ending::Unknown(error.to_string());
    }
    let walked = builder.walk(&model.graph);
    let mut unknown =
        builder.drafts.iter().filter(|draft| matches!(draft.operation, Err(Problem::Unknown)));
    if let Some(draft) = unknown.next() {
        return Ending::Unknown(draft.op.clone());
    }
    if let Err(error) = walked {
        return Ending::Refused(error.to_string());
    }
    for (at, output) in model.graph.output.iter().enumerate() {
        let expected = tensor(&data.join(format!("output_{at}.pb")));
        let wide = matches!(expected.data_type, 1 | 11);
        let expected = match constant::stored(&expected, &output.name, None, &device) {
            Ok(value) => value,
            Err(error) => return Ending::Unknown(error.to_string()),
        };
        let Some(found) =
            builder.names.get(&output.name).and_then(|&at| builder.places[at].clone())
        else {
            let fault = builder.drafts.iter().find_map(|draft| match &draft.operation {
                Err(Problem::Fault(fault)) => Some(format!("{}: {fault}", draft.op)),
                _ => None,
            });
            return Ending::Refused(fault.unwrap_or_else(|| "it isn't computed".into()));
        };
        if let Err(difference) = same(&found, &expected, if wide { RELATIVE } else { RELATIVE_16 })
        {
            return Ending::Wrong(difference);
        }
    }
    Ending::Passed
}

fn same(found: &Value, expected: &Value, relative: f32) -> Result<(), String> {
    if found.shape() != expected.shape() {
        return Err(format!("shape {:?}, expected {:?}", found.shape(), expected.shape()));
    }
    if found.kind() != expected.kind() {
        return Err(format!("{:?}, expected {:?}", found.kind(), expected.kind()));
    }
    let floats = |value: &Value| value.clone().cast(Kind::Float).to_floats().unwrap();
    for (at, (found, expected)) in floats(found).into_iter().zip(floats(expected)).enumerate() {
        let near = (found - expected).abs() <= ABSOLUTE + relative * expected.abs();
        if !(near || found == expected || found.is_nan() && expected.is_nan()) {
            return Err(format!("{found} at {at}, expected {expected}"));
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs the standard's test cases in the folder TKMIA_NODE_TESTS"]
fn the_standards_own_tests_pass_where_their_operators_are_known() {
    let folder =
        PathBuf::from(std::env::var_os("TKMIA_NODE_TESTS").expect("TKMIA_NODE_TESTS is set"));
    let mut cases: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let (mut passed, mut refused, mut wrong) = (0, Vec::new(), Vec::new());
    let mut unknown = BTreeMap::<String, usize>::new();
    for case in cases.iter().filter(|case| case.join("model.onnx").exists()) {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        match run(case) {
            Ending::Passed => passed += 1,
            Ending::Unknown(why) => *unknown.entry(why).or_default() += 1,
            Ending::Refused(why) => refused.push(format!("{name}: {why}")),
            Ending::Wrong(why) => wrong.push(format!("{name}: {why}")),
        }
    }
    let counted: usize = unknown.values().sum();
    for (why, count) in &unknown {
        println!("unknown {count:4} {why}");
    }
    refused.iter().for_each(|line| println!("refused {line}"));
    wrong.iter().for_each(|line| println!("wrong   {line}"));
    let (refused, differ) = (refused.len(), wrong.len());
    println!("{passed} passed, {differ} wrong, {refused} refused, {counted} unknown");
    assert!(passed > 0, "no case was computed");
    let apart = |line: &&String| !APART.iter().any(|name| line.starts_with(name));
    assert!(wrong.iter().find(apart).is_none(), "{wrong:#?}");
}
