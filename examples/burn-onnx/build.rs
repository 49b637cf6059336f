//! Turns a network of another kind than a ResNet, in ONNX, into Rust code.

use burn_onnx::ModelGen;

fn main() {
    // A small VGG with five labels; put your own file here, and its name into `main.rs`.
    let network = "../../crates/tkmia-models/tests/golden/variants/broken/vgg.onnx";
    println!("cargo::rerun-if-changed={network}");
    ModelGen::new().input(network).out_dir("model/").run_from_script();
}
