//! Guarantees for the top-k of a multi-label classifier: MultiGuard (Jia, Qu & Gong, "MultiGuard: Provably Robust Multi-label
//! Classification against Adversarial Examples", NeurIPS 2022).
//!
//! A network is *smoothed*: a label's value is the probability that it is among the network's `kept` highest scores of the image
//! with Gaussian noise. Of the smoothed classifier's top-k it can be proved how many relevant labels stay in it, whatever is
//! done to the image within a radius.
//!
//! - [`Smoothing`]: how often each label is kept, counted over noisy images
//! - [`frequencies`]: what these counts say of the probabilities, with a stated confidence
//! - [`Certificate`]: the radii that follow
//! - [`changes`]: what an attacker finds who knows of the noise, by the [`NoiseAverage`] of the scores

mod adversary;
mod certificate;
mod error;
mod frequencies;
mod noise_average;
mod smoothing;

pub use adversary::changes;
pub use certificate::Certificate;
pub use error::CertifyError;
pub use frequencies::frequencies;
pub use noise_average::NoiseAverage;
pub use smoothing::Smoothing;
