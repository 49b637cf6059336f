//! Reading small results back from the device.

use burn::tensor::Tensor;
use tkmia_metrics::{MetricsError, Ranking};

use crate::Outcome;

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

/// What a forward pass shows of one image.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub scored: Scored,
    /// The loss, where the attack has one.
    pub loss: Option<f32>,
    /// The norm of the gradient of the step that led here, where there was one.
    pub slope: Option<f32>,
    /// The largest change of an element by that step, where the attack tells it.
    pub moved: Option<f32>,
}

/// The scores of an image can't be ranked: they aren't all finite.
#[derive(Debug, Clone)]
pub(crate) struct NonFinite {
    /// `[classes]`
    pub scores: Vec<f32>,
    /// The first label whose score isn't.
    pub label: usize,
}

impl From<NonFinite> for Outcome {
    fn from(NonFinite { label, .. }: NonFinite) -> Self {
        Self::NonFiniteScore { label }
    }
}

/// Reads scores `[batch, classes]` and ranks each row; losses and what is told of the last step, `[batch]`, in the
/// same read, for each read waits for the device.
pub(crate) fn read(
    scores: Tensor<2>,
    loss: Option<Tensor<1>>,
    slope: Option<Tensor<1>>,
    moved: Option<Tensor<1>>,
) -> Vec<Result<Seen, NonFinite>> {
    let classes = scores.dims()[1];
    let columns = [loss, slope, moved];
    let there = columns.each_ref().map(Option::is_some);
    let columns = columns.into_iter().flatten().map(|column| column.unsqueeze_dim(1));
    let all = Tensor::cat(std::iter::once(scores).chain(columns).collect(), 1);
    let width = all.dims()[1];
    let all = values(all);
    let seen = all.chunks_exact(width).map(|all| {
        let (scores, mut rest) = (&all[..classes], all[classes..].iter().copied());
        let ranking = Ranking::new(scores).map_err(|error| match error {
            MetricsError::NonFiniteScore { label, .. } => {
                NonFinite { scores: scores.to_vec(), label }
            }
            other => unreachable!("ranking refuses only scores that aren't finite: {other}"),
        })?;
        let [loss, slope, moved] = there.map(|there| if there { rest.next() } else { None });
        Ok(Seen { scored: Scored { scores: scores.to_vec(), ranking }, loss, slope, moved })
    });
    seen.collect()
}

/// Reads and ranks scores alone.
pub(crate) fn scored(scores: Tensor<2>) -> Vec<Result<Scored, NonFinite>> {
    let seen = read(scores, None, None, None).into_iter();
    seen.map(|seen| seen.map(|seen| seen.scored)).collect()
}
