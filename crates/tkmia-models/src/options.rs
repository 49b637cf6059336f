//! What one may say of a network that its file doesn't: [`LoadOptions`].

use tkmia_core::Bounds;

use crate::Normalisation;

/// What a file can't say of its network, or says differently.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The range of the images: `[-1, 1]` by default for ResNets, `[0, 1]` for other graphs.
    pub bounds: Option<Bounds>,
    /// What is done to the images before the network sees them.
    pub normalisation: Option<Normalisation>,
    /// The name of the scores among several outputs of a graph.
    pub output: Option<String>,
    /// Take a sigmoid at the end of a graph for part of the scores.
    pub keep_sigmoid: bool,
}
