//! The Python package `tkmia`.

mod arrays;
mod attack;
mod error;
mod function;
mod interrupt;
mod judge;
mod knobs;
mod measures;
mod network;

/// Attacks on top-k multi-label image classifiers, and measures of their scores.
///
/// Scores are arrays [n, c] with a row for each image; labels and specified ones are arrays [n, c] of 0 and 1; images are arrays
/// [n, 3, h, w] in the network's range, red first. A name of a file, a Network, or a function is attacked by attack.
#[pyo3::pymodule(name = "tkmia")]
mod package {
    #[pymodule_export]
    use crate::attack::attack;
    #[pymodule_export]
    use crate::judge::judge;
    #[pymodule_export]
    use crate::measures::{change, mean_measures, measures};
    #[pymodule_export]
    use crate::network::Network;
}
