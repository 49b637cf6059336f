//! [`Ways`]: the ways in which a network may want to see images, and what its scores say for each.

use burn::tensor::Tensor;
use tkmia_core::{Bounds, Channels, Classifier, LabelSet, Tagger};
use tkmia_metrics::{Ranking, average_precision_at_k, mean};

use crate::error::ExperimentError;
use crate::workers::Workers;

/// ImageNet's mean and standard deviation, for images in [0, 1].
const IMAGE_NET: [[f32; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
/// Differences that are taken for one: so many standard errors of their mean. One of seven means that are the same is as
/// far off by chance in one case of twenty.
const TELLING: f64 = 2.7;

/// A way to see images, with a number for each image that speaks for it.
#[derive(Debug, Clone)]
pub struct Way {
    /// Range, mean, standard deviation and order of the channels.
    pub tagger: Tagger,
    /// How far the label that stands out most in an image stands out in the mirrored one, and the other way round, in
    /// standard deviations of the scores without what those of all images have in common; empty where a score isn't
    /// finite, or if it isn't asked for.
    ///
    /// A network that sees images as it was trained to is sure of them, and as sure of their mirror images. The scale of
    /// the scores plays no part, which values of another range only blow up.
    pub prominence: Vec<f64>,
    /// Average precision over all labels, of the images that have relevant ones; empty where a score isn't finite, or
    /// without labels.
    pub precision: Vec<f64>,
}

/// What is looked at besides scores.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The images' mirror images.
    pub mirrored: bool,
    /// Their relevant labels.
    pub labels: Option<&'a LabelSet>,
}

/// Tries the ways to see images that networks are usually trained with: ranges 0..1, −1..1 and 0..255 and ImageNet's
/// normalisation, red or blue first. The first is how they are seen now.
///
/// # Shapes
/// - images: `[n, 3, height, width]`, in the classifier's range
///
/// # Errors
/// [`ExperimentError::Interrupted`] if [`Workers::stop`] was set, and a classifier that failed.
pub fn ways(
    classifier: &dyn Classifier,
    tagger: &Tagger,
    images: &Tensor<4>,
    evidence: Evidence<'_>,
    workers: Workers<'_>,
) -> Result<Vec<Way>, ExperimentError> {
    let (bounds, count) = (classifier.bounds(), images.dims()[0]);
    let now = Tagger { range: Some(bounds), ..tagger.clone() };
    let rows: Vec<usize> = (0..count).collect();
    let try_one = |tagger: Tagger| {
        let range = tagger.range.unwrap_or(bounds);
        let seen = |images: Tensor<4>| {
            let images = bounds.mapped(images, range);
            // The classifier itself goes on to see it as now.
            classifier.scores(now.unseen(tagger.seen(images)))
        };
        let (mut scores, mut mirrored) = (Vec::new(), Vec::new());
        let batch = |rows: &[usize]| {
            let images = images.clone().narrow(0, rows[0], rows.len());
            let mirrored = evidence.mirrored.then(|| of_rows(seen(images.clone().flip([3]))));
            let found = (of_rows(seen(images)), mirrored.unwrap_or_default());
            classifier.check()?;
            Ok(found)
        };
        workers.run(&rows, batch, |(of_batch, of_mirrored)| {
            scores.extend(of_batch);
            mirrored.extend(of_mirrored);
            Ok(())
        })?;
        if scores.len() < count {
            return Err(ExperimentError::Interrupted { done: scores.len(), of: count });
        }
        let finite = |scores: &[Vec<f32>]| scores.iter().flatten().all(|score| score.is_finite());
        let is_finite = finite(&scores) && finite(&mirrored);
        let prominence = match is_finite && evidence.mirrored {
            true => prominence(&scores, &mirrored),
            false => Vec::new(),
        };
        let precision = match evidence.labels.filter(|_| is_finite) {
            Some(labels) => precision(&scores, labels)?,
            None => Vec::new(),
        };
        Ok(Way { tagger, prominence, precision })
    };
    let Tagger { range, mean, std, channels, .. } = now.clone();
    let now = Tagger { range, mean, std, channels, ..Tagger::default() };
    let others = usual().filter(|way| !is_same(way, &now));
    std::iter::once(now.clone()).chain(others).map(try_one).collect()
}

/// The ways that these numbers, one for each image, don't tell from the best one, the best first.
pub fn likely(ways: &[&[f64]]) -> Vec<usize> {
    let means = ways.iter().map(|numbers| mean(numbers.iter().copied()));
    let mut order: Vec<(usize, f64)> =
        means.enumerate().filter_map(|(way, mean)| Some((way, mean?))).collect();
    // Of equals the first is the better.
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let Some(&(best, _)) = order.first() else { return Vec::new() };
    let is_told = |way: usize| {
        let differences: Vec<f64> =
            ways[best].iter().zip(ways[way]).map(|(best, way)| best - way).collect();
        let (n, mean) = (differences.len() as f64, mean(differences.iter().copied()));
        let mean = mean.unwrap_or(0.0);
        let variance =
            differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        mean > TELLING * (variance / n).sqrt()
    };
    order.into_iter().map(|(way, _)| way).filter(|&way| !is_told(way)).collect()
}

fn usual() -> impl Iterator<Item = Tagger> {
    let [mean, std] = IMAGE_NET.map(Some);
    let byte = Bounds { low: 0.0, high: 255.0 };
    let plain = [Bounds::UNIT, Bounds::SYMMETRIC, byte];
    let plain = plain.map(|range| Tagger { range: Some(range), ..Tagger::default() });
    let image_net = Tagger { range: Some(Bounds::UNIT), mean, std, ..Tagger::default() };
    let red_first = plain.into_iter().chain([image_net]);
    red_first.flat_map(|way| [way.clone(), Tagger { channels: Some(Channels::Bgr), ..way }])
}

/// Whether black and white are nearly the same to the network.
fn is_same(a: &Tagger, b: &Tagger) -> bool {
    /// Of the span between black and white.
    const NEAR: f32 = 0.05;
    let ends = |tagger: &Tagger| {
        let Bounds { low, high } = tagger.range.unwrap_or(Bounds::UNIT);
        let (mean, std) = (tagger.mean.unwrap_or([0.0; 3]), tagger.std.unwrap_or([1.0; 3]));
        [0, 1, 2].map(|channel| [low, high].map(|end| (end - mean[channel]) / std[channel]))
    };
    let order = |tagger: &Tagger| tagger.channels.unwrap_or(Channels::Rgb);
    let near = |(a, b): ([f32; 2], [f32; 2])| {
        let span = a[1] - a[0];
        a.into_iter().zip(b).all(|(a, b)| (a - b).abs() <= NEAR * span)
    };
    order(a) == order(b) && ends(a).into_iter().zip(ends(b)).all(near)
}

fn of_rows(scores: Tensor<2>) -> Vec<Vec<f32>> {
    let [_, classes] = scores.dims();
    let scores = scores.try_to_vec_as::<f32>().expect("float tensors convert to f32");
    scores.chunks_exact(classes).map(<[f32]>::to_vec).collect()
}

/// See [`Way::prominence`].
fn prominence(scores: &[Vec<f32>], mirrored: &[Vec<f32>]) -> Vec<f64> {
    let (own, mirrored) = (without_common(scores), without_common(mirrored));
    let stands_out = |best_of: &[f64], scores: &[f64]| {
        let best = (0..best_of.len()).max_by(|&a, &b| best_of[a].total_cmp(&best_of[b]));
        let middle = mean(scores.iter().copied()).unwrap_or(0.0);
        let variance = mean(scores.iter().map(|score| (score - middle).powi(2))).unwrap_or(0.0);
        (scores[best.unwrap_or(0)] - middle) / variance.sqrt().max(f64::MIN_POSITIVE)
    };
    let of_image = |(own, mirrored): (&Vec<f64>, &Vec<f64>)| {
        (stands_out(own, mirrored) + stands_out(mirrored, own)) / 2.0
    };
    own.iter().zip(&mirrored).map(of_image).collect()
}

/// Scores less the mean of each label over the images.
fn without_common(scores: &[Vec<f32>]) -> Vec<Vec<f64>> {
    let column = |label: usize| scores.iter().map(move |row| f64::from(row[label]));
    let labels = 0..scores.first().map_or(0, Vec::len);
    let common: Vec<f64> = labels.map(|label| mean(column(label)).unwrap_or(0.0)).collect();
    let row = |row: &Vec<f32>| {
        row.iter().zip(&common).map(|(&score, common)| f64::from(score) - common).collect()
    };
    scores.iter().map(row).collect()
}

/// See [`Way::precision`].
fn precision(scores: &[Vec<f32>], labels: &LabelSet) -> Result<Vec<f64>, ExperimentError> {
    let of_image = |(row, scores): (usize, &Vec<f32>)| {
        Ok(average_precision_at_k(&Ranking::new(scores)?, labels.row(row), scores.len())?)
    };
    scores.iter().enumerate().map(of_image).filter_map(Result::transpose).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use burn::tensor::{Device, TensorData};

    use super::*;

    #[test]
    fn a_mean_that_is_hardly_ahead_tells_nothing() {
        // Differences of mean 1.5: over 4 images 2.6 standard errors, over 16 images 5.8.
        let few = [[1.0, 3.0, 1.0, 3.0], [0.5, 0.5, 0.5, 0.5], [9.0, 9.0, 9.0, 9.0]];
        assert_eq!(likely(&[&few[0], &few[1]]), [0, 1]);
        let many: Vec<f64> = few[0].repeat(4);
        assert_eq!(likely(&[&[0.5; 16], &many]), [1]);
        assert_eq!(likely(&[&few[2], &[], &few[0]]), [0]);
        assert_eq!(likely(&[&few[0], &few[0]]), [0, 1]);
        assert!(likely(&[&[]]).is_empty());
    }

    #[test]
    fn prominence_is_that_of_the_best_label_in_the_mirror_image_and_knows_no_scale() {
        // Less the common 1, the best labels are 0 and 2.
        let scores = [vec![3.0, 1.0, -1.0], vec![-1.0, 1.0, 3.0]];
        let mirrored = [vec![4.0, 1.0, -2.0], vec![-2.0, 1.0, 4.0]];
        let [a, b] = prominence(&scores, &mirrored)[..] else { panic!("there are two images") };
        assert!((a - 1.5_f64.sqrt()).abs() < 1e-12 && (a - b).abs() < 1e-12, "{a} {b}");
        let scaled = mirrored.map(|row| row.into_iter().map(|score| 255.0 * score).collect());
        assert!((prominence(&scores, &scaled)[0] - a).abs() < 1e-12);
    }

    /// The channels of images of one pixel.
    #[derive(Debug)]
    struct Colours(Bounds);

    impl Classifier for Colours {
        fn scores(&self, images: Tensor<4>) -> Tensor<2> {
            let [count, channels, ..] = images.dims();
            images.reshape([count, channels])
        }

        fn classes(&self) -> usize {
            3
        }

        fn bounds(&self) -> Bounds {
            self.0
        }

        fn input_size(&self) -> Option<[usize; 2]> {
            None
        }

        fn device(&self) -> Device {
            Device::default()
        }
    }

    #[test]
    fn labels_speak_for_the_order_of_the_channels_in_which_they_are_found() {
        let (stop, count) = (AtomicBool::new(false), 9);
        let values = (0..count * 3).map(|at| if at % 3 == 0 { 1.0 } else { at as f32 / 100.0 });
        let images = Tensor::<4>::from_data(
            TensorData::new(values.collect::<Vec<f32>>(), [count, 3, 1, 1]),
            &Device::default(),
        );
        let labels = LabelSet::from_indices(&vec![[0]; count], 3).unwrap();
        let evidence = Evidence { mirrored: false, labels: Some(&labels) };
        let workers = Workers { count: 2, batch_size: 2, stop: &stop };
        let tagger = Tagger { channels: Some(Channels::Bgr), ..Tagger::default() };
        let found = ways(&Colours(Bounds::UNIT), &tagger, &images, evidence, workers).unwrap();
        assert_eq!(found.len(), 8);
        assert_eq!(found[0].tagger.to_string(), "channels bgr, range 0..1");
        // As a network behind a flip sees them: blue is red.
        let precisions: Vec<&[f64]> = found.iter().map(|way| &way.precision[..]).collect();
        let best = likely(&precisions);
        assert!(
            best.iter().all(|&way| found[way].tagger.channels == Some(Channels::Bgr)),
            "{best:?}"
        );
        assert!(found.iter().all(|way| way.prominence.is_empty()));
    }
}
