//! [`Smoothing`]: how often each label is kept of noisy images.

use burn::tensor::{Device, Tensor, TensorData};
use chacha20::ChaCha8Rng;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use sha2::{Digest, Sha256};
use tkmia_core::Classifier;
use tkmia_metrics::Ranking;

use crate::CertifyError;

/// A smoothed classifier: the base classifier keeps the labels of an image's `kept` highest scores, and a label's value is the
/// probability that it is kept of the image with Gaussian noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smoothing {
    /// Standard deviation of the noise, in units of the image's values.
    pub sigma: f64,
    /// Labels that are kept of each noisy image, `k'` in the paper.
    pub kept: usize,
    /// Of the noise.
    pub seed: u64,
}

impl Smoothing {
    /// Checks the settings for a classifier.
    ///
    /// # Errors
    /// [`CertifyError::Setting`] with the first that can't be.
    pub fn check(&self, classifier: &dyn Classifier) -> Result<(), CertifyError> {
        let refuse = |field, expected: String, found: String| {
            Err(CertifyError::Setting { field, expected, found })
        };
        if !(self.sigma.is_finite() && self.sigma > 0.0) {
            return refuse("sigma", "a number above 0".into(), self.sigma.to_string());
        }
        if !(1..=classifier.classes()).contains(&self.kept) {
            let expected = format!("1..={}", classifier.classes());
            return refuse("kept", expected, self.kept.to_string());
        }
        Ok(())
    }

    /// In how many of the noisy images of these numbers each label is kept.
    ///
    /// Noise depends on the seed, the image's id and its number alone. It isn't cut off at the range of the image's values, as in
    /// the paper: the guarantee is about what the network does with it.
    ///
    /// # Shapes
    /// - image: `[1, 3, height, width]`
    /// - output: a count for each label
    ///
    /// # Errors
    /// [`CertifyError::Scores`] if a score isn't finite.
    pub fn counts(
        &self,
        classifier: &dyn Classifier,
        image: &Tensor<4>,
        id: &str,
        draws: impl Iterator<Item = u64>,
    ) -> Result<Vec<u64>, CertifyError> {
        let draws: Vec<u64> = draws.collect();
        let noise = self.noise(image.dims(), id, &draws, &image.device());
        let scores = classifier.scores(image.clone() + noise);
        let scores = scores.try_to_vec_as::<f32>().expect("float tensors convert to f32");
        let mut counts = vec![0; classifier.classes()];
        for (row, &draw) in scores.chunks_exact(classifier.classes()).zip(&draws) {
            let ranking = Ranking::new(row).map_err(|source| CertifyError::Scores {
                id: id.to_owned(),
                draw,
                source,
            })?;
            for &label in &ranking.order()[..self.kept] {
                counts[label] += 1;
            }
        }
        Ok(counts)
    }

    /// The noise of these numbers, `[draws, 3, height, width]`.
    pub fn noise(
        &self,
        [_, channels, height, width]: [usize; 4],
        id: &str,
        draws: &[u64],
        device: &Device,
    ) -> Tensor<4> {
        let key = Sha256::new().chain_update(self.seed.to_le_bytes()).chain_update(id).finalize();
        let size = channels * height * width;
        let mut values = Vec::with_capacity(draws.len() * size);
        for &draw in draws {
            let mut random = ChaCha8Rng::from_seed(key.into());
            random.set_stream(draw);
            let normal = StandardNormal.sample_iter(random);
            values.extend(normal.take(size).map(|value: f64| (self.sigma * value) as f32));
        }
        let data = TensorData::new(values, [draws.len(), channels, height, width]);
        Tensor::from_data(data, device)
    }
}
