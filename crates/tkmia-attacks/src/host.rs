//! Reading small results back from the device.

use burn::tensor::Tensor;
use tkmia_metrics::{MetricsError, Ranking};

use crate::AttackError;

/// The values of a tensor as `f32`, row-major; waits for the device.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_to_vec_as::<f32>().expect("float tensors convert to f32")
}

/// The ranking of each row of scores `[batch, classes]`.
///
/// `rows` are the rows' positions in the batch and `pass` the forward pass, both for the error.
pub(crate) fn rankings(
    scores: Tensor<2>,
    rows: &[usize],
    pass: usize,
) -> Result<Vec<Ranking>, AttackError> {
    let classes = scores.dims()[1];
    let scores = values(scores);
    let ranked = scores.chunks_exact(classes).zip(rows).map(|(scores, &row)| {
        Ranking::new(scores).map_err(|error| match error {
            MetricsError::NonFiniteScore { label, score } => {
                AttackError::NonFiniteScore { row, pass, label, score }
            }
            other => unreachable!("ranking refuses only scores that aren't finite: {other}"),
        })
    });
    ranked.collect()
}
