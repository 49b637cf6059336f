//! What the benches pass images through.

use burn::tensor::Tensor;
use tkmia::core::{Classifier, device};
use tkmia::models::{ResNet, TrainableResNet, load};

/// A network with new weights.
pub fn fresh(name: &str) -> ResNet {
    let device = device("cpu").expect("compiled in");
    let file = tempfile::Builder::new().suffix(".safetensors").tempfile().expect("a file");
    let fresh = TrainableResNet::new(name, 64, 80, 0, &device).expect("a known name");
    fresh.save(file.path(), None).expect("room for the weights");
    load(file.path(), &device).expect("a ResNet")
}

/// Forward, and back to the images.
pub fn pass(classifier: &ResNet, images: &Tensor<4>) -> Tensor<4> {
    let images = images.clone().autodiff().require_grad();
    let scores = classifier.scores(images.clone());
    images.grad_remove(&mut scores.sum().backward()).expect("the images ask for it")
}
