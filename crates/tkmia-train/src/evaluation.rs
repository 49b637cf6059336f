//! How good a network is on a split: [`evaluate`], and on each image: [`evaluate_by_image`].

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use tkmia_core::Classifier;
use tkmia_data::{Dataset, Transform, load_batch};
use tkmia_metrics::{MetricsError, Ranking, average_precision_at_k};

use crate::feed::targets;
use crate::{TrainError, binary_cross_entropy};

/// Measures of a network on a split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Mean of the [loss](binary_cross_entropy) over images.
    pub loss: f64,
    /// Mean average precision over categories, each over all images of the split; categories without an
    /// image are left out.
    pub map_category: f64,
    /// Mean average precision over images, each over all labels; images without a label are left out. The
    /// mAP of the paper's table of victims is this one.
    pub map_instance: f64,
}

/// Measures a classifier on all images of a data set.
///
/// # Errors
/// [`TrainError::Data`] for an image, [`TrainError::Metrics`] for a score that isn't finite.
///
/// # Example
///
/// ```no_run
/// use tkmia_core::{Classifier, device};
/// use tkmia_data::{Resize, Transform, Voc2012};
///
/// let model = tkmia_models::load("victim.safetensors", &device("cpu")?)?;
/// let voc = Voc2012::open("VOCdevkit/VOC2012", "val")?;
/// let transform = Transform { resize: Resize::short_side(300), bounds: model.bounds() };
/// let found = tkmia_train::evaluate(&model, &voc, &transform, 32)?;
/// println!("mAP {:.3} by category, {:.3} by instance", found.map_category, found.map_instance);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn evaluate(
    classifier: &dyn Classifier,
    dataset: &dyn Dataset,
    transform: &Transform,
    batch_size: usize,
) -> Result<Evaluation, TrainError> {
    Ok(evaluate_by_image(classifier, dataset, transform, batch_size)?.0)
}

/// The same, and the average precision of each image, of which the instance-wise mAP is the mean; none of an image without a label.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_by_image(
    classifier: &dyn Classifier,
    dataset: &dyn Dataset,
    transform: &Transform,
    batch_size: usize,
) -> Result<(Evaluation, Vec<Option<f64>>), TrainError> {
    let indices: Vec<usize> = (0..dataset.len()).collect();
    let classes = classifier.classes();
    let (mut scores, mut loss) = (Vec::new(), 0.0);
    for rows in indices.chunks(batch_size.max(1)) {
        let images = load_batch(dataset, rows, transform, &classifier.device())?;
        let logits = classifier.scores(images);
        let targets = TensorData::new(targets(dataset.labels(), rows), logits.dims());
        let targets = Tensor::from_data(targets, &logits.device());
        let losses = binary_cross_entropy(logits.clone(), targets);
        loss += host(losses).into_iter().map(f64::from).sum::<f64>();
        scores.extend(host(logits).chunks_exact(classes).map(<[f32]>::to_vec));
    }
    let labels: Vec<&[bool]> = indices.iter().map(|&row| dataset.labels().row(row)).collect();
    let column = |label: usize| {
        let scores: Vec<f32> = scores.iter().map(|row| row[label]).collect();
        let flags: Vec<bool> = labels.iter().map(|row| row[label]).collect();
        (scores, flags)
    };
    let by_image = precisions(scores.iter().cloned().zip(labels.iter().map(|row| row.to_vec())))?;
    let evaluation = Evaluation {
        loss: loss / indices.len() as f64,
        map_category: mean(&precisions((0..classes).map(column))?),
        map_instance: mean(&by_image),
    };
    Ok((evaluation, by_image))
}

/// The average precision of each list, over its whole length.
fn precisions(
    lists: impl Iterator<Item = (Vec<f32>, Vec<bool>)>,
) -> Result<Vec<Option<f64>>, MetricsError> {
    lists
        .map(|(scores, flags)| average_precision_at_k(&Ranking::new(&scores)?, &flags, flags.len()))
        .collect()
}

/// Of the lists that have one; 0 where none has.
fn mean(precisions: &[Option<f64>]) -> f64 {
    tkmia_metrics::mean(precisions.iter().copied().flatten()).unwrap_or(0.0)
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_to_vec_as().expect("float tensors convert to f32")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_over_the_lists_that_have_something_to_find() {
        let lists = [
            // Found at ranks 1 and 3 of 3: (1 + 2/3) / 2.
            (vec![0.9, 0.8, 0.7], vec![true, false, true]),
            (vec![0.9, 0.8, 0.7], vec![false; 3]),
            (vec![0.1, 0.8, 0.7], vec![true, false, false]),
        ];
        let found = precisions(lists.into_iter()).unwrap();
        assert_eq!(found[1], None);
        let expected = (5.0 / 6.0 + 1.0 / 3.0) / 2.0;
        assert!((mean(&found) - expected).abs() < 1e-12);
        assert_eq!(mean(&[]), 0.0);
    }
}
