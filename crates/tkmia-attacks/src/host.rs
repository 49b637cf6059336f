//! Reading small results back from the device.

use burn::tensor::Tensor;
use tkmia_metrics::{MetricsError, Ranking};

use crate::AttackError;

/// The values of a tensor as `f32`, row-major; waits for the device.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_to_vec_as::<f32>().expect("float tensors convert to f32")
}

/// The scores of one image and the labels in their order.
#[derive(Debug, Clone)]
pub(crate) struct Scored {
    /// `[classes]`
    pub scores: Vec<f32>,
    pub ranking: Ranking,
}

/// Reads scores `[batch, classes]` and ranks each row.
///
/// `rows` are the rows' positions in the batch and `pass` the forward pass, both for the error.
pub(crate) fn scored(
    scores: Tensor<2>,
    rows: &[usize],
    pass: usize,
) -> Result<Vec<Scored>, AttackError> {
    let classes = scores.dims()[1];
    let scores = values(scores);
    let scored = scores.chunks_exact(classes).zip(rows).map(|(scores, &row)| {
        let ranking = Ranking::new(scores).map_err(|error| match error {
            MetricsError::NonFiniteScore { label, score } => {
                AttackError::NonFiniteScore { row, pass, label, score }
            }
            other => unreachable!("ranking refuses only scores that aren't finite: {other}"),
        })?;
        Ok(Scored { scores: scores.to_vec(), ranking })
    });
    scored.collect()
}
