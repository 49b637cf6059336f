//! [`NoiseAverage`]: what an attacker differentiates who knows of the noise.

use burn::tensor::Tensor;
use tkmia_core::{Classifier, in_front_of};

/// A classifier's average scores over fixed noise.
///
/// The expectation over transformation (Athalye, Engstrom, Ilyas & Kwok, ICML 2018) of a smoothed classifier's scores, which has a
/// gradient where counts of labels have none. An attack on it is an attack on the [smoothed](crate::Smoothing) classifier; whether it
/// succeeds is for that one to say.
#[derive(Debug)]
pub struct NoiseAverage<'a> {
    /// The base classifier.
    pub classifier: &'a dyn Classifier,
    /// `[draws, 3, height, width]`, as of [`Smoothing::noise`](crate::Smoothing::noise).
    pub noise: Tensor<4>,
}

impl Classifier for NoiseAverage<'_> {
    in_front_of!(self => self.classifier; pass_memory, label_names);

    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let noise = Tensor::from_data(self.noise.to_data(), &images.device());
        let draws = noise.dims()[0];
        let scores = noise
            .chunk(draws, 0)
            .into_iter()
            .map(|one| self.classifier.scores(images.clone() + one));
        let sum = scores.reduce(|sum, scores| sum + scores).expect("there is noise");
        sum / draws as f32
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        let [_, _, height, width] = self.noise.dims();
        Some([height, width])
    }
}
