//! What the benches pass images through.

use burn::tensor::Tensor;
use tkmia::core::{Classifier, device};
use tkmia::models::TrainableResNet;

/// A network with new weights.
pub fn fresh(name: &str) -> Box<dyn Classifier> {
    let device = device("cpu").expect("compiled in");
    let fresh = TrainableResNet::new(name, 64, 80, 0, &device).expect("a known name");
    fresh.victim().expect("finite weights")
}

/// Forward, and back to the images.
pub fn pass(classifier: &dyn Classifier, images: &Tensor<4>) -> Tensor<4> {
    let images = images.clone().autodiff().require_grad();
    let scores = classifier.scores(images.clone());
    images.grad_remove(&mut scores.sum().backward()).expect("the images ask for it")
}
